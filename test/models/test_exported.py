"""A network in the spelling of each of PyTorch's exporters agrees with ONNX Runtime, and becomes the same kernels."""

import functools
import re
import subprocess
from collections import Counter
from pathlib import Path

import exported
import numpy as np
import onnxc
import onnxruntime
import pytest
import zoo
from onnxc import _compile

SPELLINGS = {"torchscript": exported.TorchScript, "dynamo": exported.Dynamo}
TOLERANCE = 1e-4  # of the largest value, as in test_agreement.py

onnxruntime.set_default_logger_severity(4)


def path(spelling: str) -> Path:
    write = functools.partial(exported.write, SPELLINGS[spelling])
    return zoo.made(f"exported.{spelling}.onnx", write, Path(exported.__file__))


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_outputs(spelling: str, libraries) -> None:
    ours = onnxc.InferenceSession(libraries.get(path(spelling)))
    reference = onnxruntime.InferenceSession(path(spelling), providers=["CPUExecutionProvider"])
    for batch, time in ((1, 1), (1, 40), (3, 37), (2, 4)):
        x = zoo.generator(batch, time).standard_normal((batch, 1, time, exported.MELS), np.float32)
        for a, b in zip(ours.run(None, {"x": x}), reference.run(None, {"x": x}), strict=True):
            assert a.shape == b.shape
            assert zoo.relative_error(a, b) <= TOLERANCE, (batch, time)


def kernels(model: Path) -> Counter[str]:
    command = [_compile.find_compiler(), str(model), "--emit=tensor", "-o", "-"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return Counter(re.findall(r"kernel\.\w+|linalg\.\w+", text))


def test_both_become_the_same_kernels() -> None:
    found = kernels(path("torchscript"))
    assert found == kernels(path("dynamo"))
    assert found["kernel.attention"] == exported.LAYERS and found["kernel.softmax"] == 0
