"""Models that ONNX Runtime's quantiser made agree with ONNX Runtime, and keep their weights in 8 bits.

The reference runs the graph node by node (no graph optimisations): what ONNX Runtime's fused integer kernels round
differently adds up, over the depth of a network, to several quantisation steps of the output (10 for mobilenet_v2).
The measure is the mean of the difference, which must be below one step of the output's quantisation; no element may be
further off than five.
"""

from pathlib import Path

import numpy as np
import onnx
import onnxc
import onnxruntime
import pytest
import zoo
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

onnxruntime.set_default_logger_severity(4)

NETWORKS = {model.name: model for model in zoo.MODELS if model.name in ("resnet50", "mobilenet_v2")}


class Calibration(CalibrationDataReader):
    def __init__(self, model: zoo.Model) -> None:
        name = model.input_name()
        self.feeds = iter([{name: zoo.make_input(kind, model.bench)} for kind in ("noise", "picture")])

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self.feeds, None)


def quantise(model: zoo.Model, layout: QuantFormat, activations: QuantType, weights: QuantType) -> Path:
    source = model.path()
    path = zoo.WORK / f"{source.stem}.{layout.name}.{activations.name}.onnx"
    if not path.exists() or path.stat().st_mtime < source.stat().st_mtime:
        partial = path.with_suffix(".partial")
        quantize_static(
            source,
            partial,
            Calibration(model),
            quant_format=layout,
            per_channel=True,
            activation_type=activations,
            weight_type=weights,
        )
        partial.rename(path)
    return path


def output_step(path: Path) -> float:
    """The scale of the DequantizeLinear that makes the output."""
    graph = onnx.load(path).graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    (last,) = [node for node in graph.node if node.output[0] == graph.output[0].name]
    assert last.op_type == "DequantizeLinear"
    return float(onnx.numpy_helper.to_array(constants[last.input[1]]))


def reference(path: Path, feeds: dict[str, np.ndarray]) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(path, options).run(None, feeds)[0]


@pytest.mark.parametrize(("name", "activations"), [("resnet50", QuantType.QUInt8), ("mobilenet_v2", QuantType.QInt8)])
def test_static(name: str, activations: QuantType, libraries) -> None:
    model = NETWORKS[name]
    path = quantise(model, QuantFormat.QDQ, activations, QuantType.QInt8)
    library = libraries.get(path)
    assert Path(library).stat().st_size < 1.05 * path.stat().st_size, "weights are not kept in 8 bits"
    step = output_step(path)
    for kind in ("noise", "picture"):
        feeds = {model.input_name(): zoo.make_input(kind, model.bench)}
        difference = onnxc.InferenceSession(library).run(None, feeds)[0] - reference(path, feeds)
        assert np.abs(difference).mean() < step, kind
        assert np.abs(difference).max() < 5.5 * step, kind
