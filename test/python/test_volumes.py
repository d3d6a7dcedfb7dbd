"""Convolutions and pools of one and three spatial dims, against ONNX Runtime."""

import numpy as np
import onnxc
import onnxruntime
from onnx import TensorProto, helper
from small_models import make_model

FLOAT = TensorProto.FLOAT

# Filter, groups, and the other attributes
CASES = (
    ((8, 6, 3, 3, 3), 1, {"pads": [1] * 6}),
    ((8, 3, 1, 1, 1), 2, {}),
    ((6, 1, 3, 2, 3), 6, {"strides": [1, 2, 1], "pads": [1, 0, 1, 2, 1, 0]}),
    ((20, 6, 2, 3, 1), 1, {"strides": [2, 1, 2], "dilations": [2, 1, 1]}),
    ((9, 2, 3, 3, 3), 3, {"auto_pad": "SAME_UPPER", "strides": [2, 2, 2]}),
    ((5, 6, 3), 1, {"pads": [0, 2], "dilations": [2]}),
    ((6, 1, 5), 6, {"auto_pad": "SAME_LOWER", "strides": [2]}),
    ((10, 3, 4), 2, {"strides": [3]}),
)

TRANSPOSED_CASES = (
    ((6, 4, 2, 2, 2), 1, {"strides": [2, 2, 2]}),
    ((6, 3, 3, 2, 3), 2, {"strides": [2, 1, 2], "pads": [1, 0, 1, 0, 1, 1], "output_padding": [1, 0, 1]}),
    ((6, 5, 4), 1, {"strides": [3], "dilations": [2]}),
)

POOL_CASES = (
    ("MaxPool", {"kernel_shape": [2, 3, 2], "strides": [2, 1, 2], "pads": [1, 1, 0, 0, 1, 1]}),
    ("MaxPool", {"kernel_shape": [3, 2, 2], "dilations": [2, 1, 2], "auto_pad": "VALID"}),
    ("AveragePool", {"kernel_shape": [3, 3, 2], "strides": [2, 2, 1], "pads": [1] * 6}),
    ("AveragePool", {"kernel_shape": [2, 3, 3], "strides": [1, 2, 2], "pads": [1] * 6, "count_include_pad": 1}),
    ("AveragePool", {"kernel_shape": [2, 2, 2], "strides": [2, 2, 2], "ceil_mode": 1}),
)


def test_one_and_three_dims(compiled) -> None:
    seed = np.random.SeedSequence().entropy
    print("seed", seed)
    generator = np.random.default_rng(seed)
    nodes, outputs, constants = [], [], {}
    for i, (shape, groups, options) in enumerate(CASES):
        constants[f"w{i}"] = generator.normal(size=shape).astype(np.float32)
        constants[f"b{i}"] = generator.normal(size=shape[0]).astype(np.float32)
        source = f"x{len(shape) - 2}"
        nodes.append(helper.make_node("Conv", [source, f"w{i}", f"b{i}"], [f"y{i}"], group=groups, **options))
        outputs.append((f"y{i}", FLOAT, [None] * len(shape)))
    for i, (shape, groups, options) in enumerate(TRANSPOSED_CASES):
        constants[f"u{i}"] = generator.normal(size=shape).astype(np.float32)
        source = f"x{len(shape) - 2}"
        nodes.append(helper.make_node("ConvTranspose", [source, f"u{i}"], [f"t{i}"], group=groups, **options))
        outputs.append((f"t{i}", FLOAT, [None] * len(shape)))
    for i, (operator, options) in enumerate(POOL_CASES):
        nodes.append(helper.make_node(operator, ["x3"], [f"p{i}"], **options))
        outputs.append((f"p{i}", FLOAT, [None] * 5))
    inputs = [("x3", FLOAT, ["N", 6, "D", "H", "W"]), ("x1", FLOAT, ["N", 6, "L"])]
    model = make_model(nodes, inputs, outputs, constants)
    ours = onnxc.InferenceSession(compiled(model))
    reference = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    for n, d, h, w, length in ((1, 5, 6, 7, 11), (3, 8, 9, 16, 40)):
        feeds = {
            "x3": generator.normal(size=(n, 6, d, h, w)).astype(np.float32),
            "x1": generator.normal(size=(n, 6, length)).astype(np.float32),
        }
        names = [value.name for value in ours.get_outputs()]
        for name, a, b in zip(names, ours.run(names, feeds), reference.run(names, feeds), strict=True):
            assert a.shape == b.shape, name
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * np.abs(b).max(), err_msg=name)
