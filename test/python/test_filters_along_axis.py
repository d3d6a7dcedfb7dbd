"""Convolutions along one axis, wide enough for Winograd's method, against ONNX Runtime."""

import subprocess

import numpy as np
import onnx
import onnxc
import onnxruntime
from onnx import TensorProto, helper
from onnxc import _compile
from small_models import make_model

FLOAT = TensorProto.FLOAT
CHANNELS = 256

LENGTH = 601

# Of signals: taps, padding before and behind
SIGNALS = ((3, 1, 1), (5, 2, 2), (5, 0, 0))
# Of pictures: filter and padding
PICTURES = (
    ((1, 2), [0, 0, 0, 0]),
    ((1, 3), [0, 1, 0, 1]),
    ((4, 1), [1, 0, 2, 0]),
    ((1, 5), [0, 2, 0, 2]),
    ((5, 1), [4, 0, 0, 0]),
    ((1, 6), [0, 0, 0, 5]),
)


def build(generator: np.random.Generator) -> onnx.ModelProto:
    nodes, outputs, constants = [], [], {}

    def convolve(name: str, source: str, filter_shape: tuple[int, ...], pads: list[int]) -> None:
        shape = (CHANNELS, CHANNELS, *filter_shape)
        constants[f"w{name}"] = generator.normal(size=shape).astype(np.float32)
        constants[f"b{name}"] = generator.normal(size=CHANNELS).astype(np.float32)
        nodes.append(helper.make_node("Conv", [source, f"w{name}", f"b{name}"], [f"c{name}"], name=name, pads=pads))
        nodes.append(helper.make_node("LeakyRelu" if "5" in name else "Relu", [f"c{name}"], [f"y{name}"]))
        outputs.append((f"y{name}", FLOAT, [None] * len(shape)))

    for taps, before, after in SIGNALS:
        convolve(f"{taps}_{before}", "signal", (taps,), [before, after])
    for size, pads in PICTURES:
        convolve("x".join(map(str, size)), "picture", size, pads)
    inputs = [("signal", FLOAT, ["N", CHANNELS, LENGTH]), ("picture", FLOAT, ["N", CHANNELS, "H", "W"])]
    return make_model(nodes, inputs, outputs, constants)


def test_filters_along_axis(compiled, tmp_path) -> None:
    seed = np.random.SeedSequence().entropy
    print("seed", seed)
    generator = np.random.default_rng(seed)
    model = build(generator)
    onnx.save(model, tmp_path / "model.onnx")
    program = subprocess.run(
        [_compile.find_compiler(), str(tmp_path / "model.onnx"), "--emit", "tensor", "-o", "-"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "kernel.conv " not in program, "some filter is not by points"

    ours = onnxc.InferenceSession(compiled(model))
    reference = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    for batch, height, width in ((1, 4, 3), (2, 5, 4), (1, 3, 9), (3, 8, 2), (1, 6, 11), (1, 24, 37)):
        feeds = {
            "signal": generator.normal(size=(batch, CHANNELS, LENGTH)).astype(np.float32),
            "picture": generator.normal(size=(batch, CHANNELS, height, width)).astype(np.float32),
        }
        for value, expected in zip(ours.run(None, feeds), reference.run(None, feeds), strict=True):
            assert value.shape == expected.shape
            assert np.abs(value - expected).max() <= 2e-6 * max(np.abs(expected).max(), 1), (batch, height, width)
