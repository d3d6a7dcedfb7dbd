"""Networks in the spelling of PyTorch's exporters and of paddle2onnx agree with ONNX Runtime; those of PyTorch's two
become the same kernels."""

import functools
import re
import subprocess
from collections import Counter
from pathlib import Path

import exported
import numpy as np
import onnxc
import onnxruntime
import paddle_detector
import pytest
import zoo
from onnxc import _compile

SPELLINGS = {"torchscript": exported.TorchScript, "dynamo": exported.Dynamo}
TOLERANCE = 1e-4  # of the largest value, as in test_agreement.py

onnxruntime.set_default_logger_severity(4)


def path(spelling: str) -> Path:
    write = functools.partial(exported.write, SPELLINGS[spelling])
    return zoo.made(f"exported.{spelling}.onnx", write, Path(exported.__file__))


def noise(kind: str, shape: zoo.Shape) -> dict[str, np.ndarray]:
    batch, time = shape
    return {"x": zoo.generator(batch, time).standard_normal((batch, 1, time, exported.MELS), np.float32)}


def picture(kind: str, shape: zoo.Shape) -> dict[str, np.ndarray]:
    image = zoo.generator(*shape).standard_normal((1, 3, *shape), np.float32)
    return {"image": image, "scale_factor": np.array([[0.5, 0.75]], np.float32)}


def paddle_path() -> Path:
    return zoo.made(
        "paddle_detector.onnx", paddle_detector.write, Path(paddle_detector.__file__), zoo.HERE / "graph.py"
    )


MODELS = [
    *(
        zoo.Model(spelling, functools.partial(path, spelling), noise, ("noise",), (1, 40), ((1, 40), (3, 37)))
        for spelling in SPELLINGS
    ),
    zoo.Model("paddle", paddle_path, picture, ("noise",), (61, 93), ((61, 93), (96, 128))),
]


@pytest.mark.parametrize("model", MODELS, ids=[model.name for model in MODELS])
def test_inside(model: zoo.Model, libraries) -> None:
    file, names = zoo.with_intermediates(model)
    assert len(set(names)) == 3
    ours = onnxc.InferenceSession(libraries.get(file))
    reference = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    for shape in model.shapes:
        feeds = model.make_inputs("noise", shape)
        for name, a, b in zip(names, ours.run(names, feeds), reference.run(names, feeds), strict=True):
            assert a.shape == b.shape
            assert zoo.relative_error(a, b) <= TOLERANCE, (name, shape)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_outputs(spelling: str, libraries) -> None:
    ours = onnxc.InferenceSession(libraries.get(path(spelling)))
    reference = onnxruntime.InferenceSession(path(spelling), providers=["CPUExecutionProvider"])
    for shape in ((1, 1), (1, 40), (3, 37), (2, 4)):
        feeds = noise("noise", shape)
        for a, b in zip(ours.run(None, feeds), reference.run(None, feeds), strict=True):
            assert a.shape == b.shape
            assert zoo.relative_error(a, b) <= TOLERANCE, shape


def kernels(model: Path) -> Counter[str]:
    command = [_compile.find_compiler(), str(model), "--emit=tensor", "-o", "-"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return Counter(re.findall(r"kernel\.\w+|linalg\.\w+", text))


def test_both_become_the_same_kernels() -> None:
    found = kernels(path("torchscript"))
    assert found == kernels(path("dynamo"))
    assert found["kernel.attention"] == exported.LAYERS and found["kernel.softmax"] == 0


def test_paddle(libraries) -> None:
    """None, some and all of the detections that are kept, in their order."""
    ours = onnxc.InferenceSession(libraries.get(paddle_path()))
    reference = onnxruntime.InferenceSession(paddle_path(), providers=["CPUExecutionProvider"])
    counts = set()
    for height, width in ((8, 8), (24, 40), (61, 93), (96, 128)):
        feeds = picture("noise", (height, width))
        (rows, number), (expected, wanted) = ours.run(None, feeds), reference.run(None, feeds)
        assert number == wanted and rows.shape == expected.shape
        assert zoo.relative_error(rows, expected) <= TOLERANCE, (height, width)
        counts.add(int(number))
    assert 0 in counts and 25 in counts and len(counts) > 2, counts
