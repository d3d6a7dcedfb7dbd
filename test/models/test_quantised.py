"""Models that ONNX Runtime's quantiser made agree with ONNX Runtime, and keep their weights in 8 bits.

The reference runs the graph node by node (no graph optimisations): what ONNX Runtime's fused integer kernels round
differently adds up, over the depth of a network, to several quantisation steps of the output (10 for mobilenet_v2).
In the operator format ONNX Runtime's kernels are integer ones at any rate, which saturate on processors without VNNI
where weights use all 8 bits: there they use 7.
The measure of the static models is the mean of the difference, which must be below one step of the output's
quantisation; no element may be further off than five.
"""

from pathlib import Path

import numpy as np
import onnx
import onnxc
import onnxruntime
import pytest
import zoo
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static

onnxruntime.set_default_logger_severity(4)

MODELS = {model.name: model for model in zoo.models()}


class Calibration(CalibrationDataReader):
    def __init__(self, model: zoo.Model) -> None:
        self.feeds = iter([model.make_inputs(kind, model.bench) for kind in ("noise", "picture")])

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self.feeds, None)


def quantise(model: zoo.Model, layout: QuantFormat, activations: QuantType) -> Path:
    source = model.path()

    def make(path: Path) -> None:
        quantize_static(
            source,
            path,
            Calibration(model),
            quant_format=layout,
            per_channel=True,
            reduce_range=layout == QuantFormat.QOperator,
            activation_type=activations,
            weight_type=QuantType.QInt8,
        )

    return zoo.made(f"{source.stem}.{layout.name}.{activations.name}.onnx", make, source)


def output_step(path: Path) -> float:
    """The scale of the DequantizeLinear that makes the output."""
    graph = onnx.load(path).graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    (last,) = [node for node in graph.node if node.output[0] == graph.output[0].name]
    assert last.op_type == "DequantizeLinear"
    return float(onnx.numpy_helper.to_array(constants[last.input[1]]))


def reference(path: Path, feeds: dict[str, np.ndarray], optimised: bool = False) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    if not optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(path, options).run(None, feeds)[0]


def root_mean_square(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def assert_small(library: str, path: Path) -> None:
    assert Path(library).stat().st_size < 1.05 * path.stat().st_size, "weights are not kept in 8 bits"


@pytest.mark.parametrize(
    ("name", "layout", "activations"),
    [
        ("resnet50", QuantFormat.QDQ, QuantType.QUInt8),
        ("mobilenet_v2", QuantFormat.QDQ, QuantType.QInt8),
        ("mobilenet_v2", QuantFormat.QOperator, QuantType.QUInt8),
    ],
)
def test_static(name: str, layout: QuantFormat, activations: QuantType, libraries) -> None:
    model = MODELS[name]
    path = quantise(model, layout, activations)
    library = libraries.get(path)
    assert_small(library, path)
    step = output_step(path)
    for kind in ("noise", "picture"):
        feeds = model.make_inputs(kind, model.bench)
        difference = onnxc.InferenceSession(library).run(None, feeds)[0] - reference(path, feeds)
        assert np.abs(difference).mean() < step, kind
        assert np.abs(difference).max() < 5.5 * step, kind


def test_dynamic(libraries) -> None:
    """The inputs of each product are quantised by their own range, and an element that lies between two steps may go
    either way: ONNX Runtime's optimised kernels differ from its plain ones by 0.017 of the results' deviation. We may
    differ by half as much again."""
    model = MODELS["bert_base"]
    source = model.path()
    path = zoo.made("bert_base.dynamic.onnx", lambda output: quantize_dynamic(source, output), source)
    library = libraries.get(path)
    assert_small(library, path)
    feeds = model.make_inputs(model.kinds[0], model.shapes[0])
    ours, plain = onnxc.InferenceSession(library).run(None, feeds)[0], reference(path, feeds)
    allowed = 1.5 * root_mean_square(reference(path, feeds, optimised=True) - plain)
    assert root_mean_square(ours - plain) < allowed
