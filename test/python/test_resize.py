"""Resize against ONNX Runtime: few and many channels, growing and shrinking, fixed sizes and those of a run."""

import numpy as np
import onnxc
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from small_models import make_model

FLOAT = TensorProto.FLOAT
SCALES = ((2, 2), (1.7, 0.6), (1, 2.5))
OPTIONS = (
    {"mode": "linear"},
    {"mode": "linear", "coordinate_transformation_mode": "align_corners"},
    {"mode": "linear", "coordinate_transformation_mode": "asymmetric"},
    {"mode": "cubic"},
    {"mode": "cubic", "exclude_outside": 1, "coordinate_transformation_mode": "pytorch_half_pixel"},
    {"mode": "nearest"},
    {"mode": "nearest", "nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"},
    {"mode": "linear", "coordinate_transformation_mode": "tf_crop_and_resize", "extrapolation_value": 3.0},
)


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("channels", [3, 20])
def test_resize(compiled, channels, dynamic) -> None:
    shape = (2, channels, 9, 21)
    nodes, outputs = [], []
    constants = [numpy_helper.from_array(np.array([0, 0, -0.2, 0.3, 1, 1, 0.7, 1.4], np.float32), "roi")]
    for number, (height, width) in enumerate(SCALES):
        constants.append(numpy_helper.from_array(np.array([1, 1, height, width], np.float32), f"s{number}"))
        constants.append(numpy_helper.from_array(np.array([2, channels, 5 + number, 30 - number]), f"d{number}"))
        for i, options in enumerate(OPTIONS):
            # From scales ONNX Runtime makes of a crop or of aligned corners other things than the standard.
            coordinates = options.get("coordinate_transformation_mode")
            names = ["x", "", f"s{number}"]
            if coordinates in ("tf_crop_and_resize", "align_corners"):
                names = ["x", "roi" if coordinates == "tf_crop_and_resize" else "", "", f"d{number}"]
            nodes.append(helper.make_node("Resize", names, [f"y{number}_{i}"], **options))
            outputs.append((f"y{number}_{i}", FLOAT, [None] * 4))
    model = make_model(nodes, [("x", FLOAT, list("NCHW") if dynamic else shape)], outputs)
    model.graph.initializer.extend(constants)
    x = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    theirs = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    ours = onnxc.InferenceSession(compiled(model)).run(None, {"x": x})
    for node, own, want in zip(nodes, ours, theirs, strict=True):
        assert own.shape == want.shape, node
        np.testing.assert_allclose(own, want, 1e-4, 1e-4, err_msg=str(node))
