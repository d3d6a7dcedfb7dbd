"""Small published models as they are in PyPI packages. Their tests run them as their packages do
(test_silero_vad.py, test_stand_in.py); the benchmark measures them here."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import zoo


def _packaged(package: str, *parts: str) -> Path:
    """A file of an installed package, which is not imported."""
    return Path(importlib.util.find_spec(package).origin).parent.joinpath(*parts)


def sound(kind: str, shape: zoo.Shape) -> dict[str, np.ndarray]:
    """One chunk of a stream: batch and samples."""
    batch, samples = shape
    noise = zoo.generator("silero", kind, shape).standard_normal((batch, samples), dtype=np.float32)
    state = np.zeros((2, batch, 128), np.float32)
    return {"input": 0.3 * noise, "state": state, "sr": np.array(16000, np.int64)}


def _bytes(kind: str, shape: zoo.Shape) -> dict[str, np.ndarray]:
    """What magika reads of a file: bytes, 256 for none."""
    return {"bytes": zoo.generator("magika", kind, shape).integers(0, 257, shape).astype(np.int32)}


MODELS = (
    zoo.Model(
        "silero_vad",
        lambda: _packaged("silero_vad", "data", "silero_vad.onnx"),
        sound,
        kinds=("noise",),
        bench=(1, 576),
        shapes=((1, 576), (3, 576)),
    ),
    zoo.Model(
        "magika",
        lambda: _packaged("magika", "models", "standard_v3_3", "model.onnx"),
        _bytes,
        kinds=("noise",),
        bench=(1, 2048),
        shapes=((1, 2048), (3, 2048)),
    ),
)
