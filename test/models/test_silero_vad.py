"""Silero's voice activity detector, every published variant, over a stream whose state is fed back, against ONNX
Runtime."""

import functools
import importlib.util
from pathlib import Path

import numpy as np
import onnx
import onnxc
import onnxruntime
import published_models
import pytest
import zoo

DATA = Path(importlib.util.find_spec("silero_vad").origin).parent / "data"
CHUNKS = 60
# Samples of a chunk with those kept from the chunk before.
SAMPLES = {16000: 576, 8000: 288}
# Those that take a number of streams, and the rates they know.
VARIANTS = {
    "silero_vad": (16000, 8000),
    "silero_vad_op18_ifless": (16000, 8000),
    "silero_vad_half": (16000,),
    "silero_vad_16k_op15": (16000,),
    "silero_vad_openvino_16k": (16000,),
}

onnxruntime.set_default_logger_severity(4)


def noise(seed: int, samples: int, batch: int) -> np.ndarray:
    """Noise that swells and fades, about speech's loudness."""
    swell = 0.3 * (1 + np.sin(np.linspace(0, 20, CHUNKS)))[:, None, None]
    return (np.random.default_rng(seed).standard_normal((CHUNKS, batch, samples)) * swell).astype(np.float32)


@functools.cache
def sessions(variant: str, folder: Path) -> tuple[onnxc.InferenceSession, onnxruntime.InferenceSession]:
    library = folder / f"{variant}.so"
    onnxc.compile(DATA / f"{variant}.onnx", library)
    reference = onnxruntime.InferenceSession(DATA / f"{variant}.onnx", providers=["CPUExecutionProvider"])
    return onnxc.InferenceSession(str(library)), reference


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("silero")


def close(ours: np.ndarray, expected: np.ndarray) -> bool:
    return ours.shape == expected.shape and np.abs(ours - expected).max() <= 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize(
    ("variant", "rate", "batch"),
    [
        (variant, rate, batch)
        for variant, rates in VARIANTS.items()
        for rate in rates
        for batch in ((1,) if variant == "silero_vad_openvino_16k" else (1, 3))
    ],
)
def test_stream(variant, rate, batch, folder):
    pair = sessions(variant, folder)
    names = {value.name for value in pair[1].get_inputs()}
    states = [np.zeros((2, batch, 128), np.float32)] * 2
    probabilities = []
    for chunk in noise(rate + batch, SAMPLES[rate], batch):
        feeds = {"input": chunk} | ({"sr": np.array(rate, np.int64)} if "sr" in names else {})
        results = [session.run(None, feeds | {"state": state}) for session, state in zip(pair, states, strict=True)]
        states = [state for _, state in results]
        probabilities.append([probability for probability, _ in results])
        assert close(*states)
    ours, expected = (np.array(values) for values in zip(*probabilities, strict=True))
    assert close(ours, expected)


@pytest.mark.parametrize("variant", ["silero_vad_16k_op15", "silero_vad_half"])
def test_inside(variant, folder):
    """Three tensors from inside those variants whose network is no branch of an If."""
    path = DATA / f"{variant}.onnx"
    known = {value.name for value in onnx.load(path).graph.input}

    def make_inputs(kind: str, shape: zoo.Shape) -> dict[str, np.ndarray]:
        return {name: x for name, x in published_models.sound(kind, shape).items() if name in known}

    shapes = ((1, SAMPLES[16000]), (3, SAMPLES[16000]))
    file, names = zoo.with_intermediates(zoo.Model(variant, lambda: path, make_inputs, ("noise",), shapes[0], shapes))
    library = onnxc.compile(file, folder / f"{variant}.inside.so")
    pair = onnxc.InferenceSession(library), onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    for shape in shapes:
        ours, expected = (session.run(names, make_inputs("noise", shape)) for session in pair)
        assert len(names) == 3 and all(map(close, ours, expected))


def test_sequence(folder):
    """The variant that takes all chunks at once."""
    feeds = {
        "input": noise(0, SAMPLES[16000], 1)[:, 0],
        "h": np.zeros((1, 1, 128), np.float32),
        "c": np.zeros((1, 1, 128), np.float32),
    }
    ours, expected = (session.run(None, feeds) for session in sessions("silero_vad_16k_sequence", folder))
    assert all(close(a, b) for a, b in zip(ours, expected, strict=True))
