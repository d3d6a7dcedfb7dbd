"""Operators on each of the numeric types that their schemas list, against onnx's reference evaluator."""

import warnings

import numpy as np
import onnx
import onnxc
import pytest
from onnx import TensorProto, defs, helper, shape_inference
from onnx.reference import ReferenceEvaluator
from small_models import make_model

OPSET = 24
TYPES = [
    "FLOAT", "DOUBLE", "FLOAT16", "BFLOAT16", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32",
    "UINT64", "BOOL",
]  # fmt: skip

UNARY = [
    "Abs", "Acosh", "Asinh", "Atan", "BitwiseNot", "Ceil", "Celu", "Cos", "Cosh", "Elu", "Erf", "Exp",
    "Flatten", "Floor", "Gelu", "HardSigmoid", "HardSwish", "Hardmax", "Identity", "IsInf", "IsNaN",
    "LeakyRelu", "Log", "LogSoftmax", "Mish", "Neg", "NonZero", "Not", "Reciprocal", "ReduceL1", "ReduceL2",
    "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum",
    "ReduceSumSquare", "Relu", "Round", "Selu", "Shape", "Shrink", "Sigmoid", "Sign", "Sin", "Sinh", "Size",
    "Softmax", "Softplus", "Softsign", "Sqrt", "Swish", "Tan", "Tanh", "ThresholdedRelu", "Transpose",
    "Trilu", "Unique",
]  # fmt: skip
BINARY = [
    "Add", "And", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Concat", "Div", "Equal", "Greater",
    "GreaterOrEqual", "Less", "LessOrEqual", "Max", "Mean", "Min", "Mod", "Mul", "Or", "PRelu", "Pow", "Sub",
    "Sum", "Xor",
]  # fmt: skip
OTHERS = [
    ("ArgMax", ["a"], {}), ("ArgMin", ["a"], {"axis": 1}), ("BitShift", ["a", "b"], {"direction": "LEFT"}),
    ("Clip", ["a", "low", "high"], {}), ("Compress", ["a", "choice"], {"axis": 0}), ("CumSum", ["a", "axis"], {}),
    ("Expand", ["b", "shape"], {}), ("Gather", ["a", "places"], {"axis": 1}), ("Gemm", ["a", "square"], {}),
    ("MatMul", ["a", "square"], {}), ("MaxPool", ["image"], {"kernel_shape": [2, 2]}), ("Pad", ["a", "pads"], {}),
    ("AveragePool", ["image"], {"kernel_shape": [2, 2]}), ("Conv", ["image", "filter"], {}), ("Det", ["square"], {}),
    ("Einsum", ["a", "square"], {"equation": "ij,jk->ik"}), ("OneHot", ["places", "depth", "two"], {}),
    ("GlobalMaxPool", ["image"], {}), ("InstanceNormalization", ["image", "two", "two"], {}),
    ("LayerNormalization", ["a", "row"], {}), ("LRN", ["image"], {"size": 3}), ("Range", ["zero", "high", "low"], {}),
    ("ReverseSequence", ["a", "turns"], {}), ("ScatterElements", ["a", "places2", "a"], {"axis": 1}),
    ("Slice", ["a", "axis1", "end"], {}), ("Split", ["square"], {"num_outputs": 1}), ("Tile", ["a", "repeats"], {}),
    ("DeformConv", ["image", "filter", "offset"], {}), ("GridSample", ["image", "grid"], {}),
    ("TopK", ["a", "axis1"], {}),
    ("Where", ["mask", "a", "b"], {}),
]  # fmt: skip
INDICES = {
    "axis": 0, "shape": [2, 3], "places": [0, 2], "pads": [1, 0, 0, 2], "depth": 3, "turns": [1, 1, 1], "axis1": [1],
    "places2": [[0, 1, 2], [2, 1, 0]], "end": [2], "repeats": [2, 1],
}  # fmt: skip


def numbers(kind: str) -> dict[str, np.ndarray]:
    """Small positive ones, so that no integer overflows and no function leaves its domain."""
    dtype = helper.tensor_dtype_to_np_dtype(TensorProto.DataType.Value(kind))
    generator = np.random.default_rng(2)
    shapes = {
        "a": (2, 3),
        "b": (2, 3),
        "row": (3,),
        "square": (3, 3),
        "image": (2, 2, 3, 4),
        "filter": (2, 2, 2, 2),
        "two": (2,),
        "offset": (2, 8, 2, 3),
    }
    values = {name: generator.integers(1, 5, shape) for name, shape in shapes.items()}
    values |= {"zero": np.array(0), "low": np.array(2), "high": np.array(4)}
    if np.dtype(dtype).kind not in "iub":
        values = {
            name: value + (name in ("a", "image")) * generator.uniform(0.1, 0.4) for name, value in values.items()
        }
    if kind == "BOOL":
        values = {name: value % 2 for name, value in values.items()}
    return {name: np.asarray(value).astype(dtype) for name, value in values.items()}


def nodes_for(kind: str) -> list[onnx.NodeProto]:
    """A node for each operator whose schema takes the type where its first number stands."""
    nodes = []
    candidates = [(name, ["a"], {}) for name in UNARY] + [(name, ["a", "b"], {}) for name in BINARY] + OTHERS
    for operator, operands, attributes in candidates:
        schema = defs.get_schema(operator, OPSET)
        position = next(i for i, name in enumerate(operands) if name not in (*INDICES, "mask", "choice"))
        formal = schema.inputs[min(position, len(schema.inputs) - 1)]
        if f"tensor({kind.lower()})" not in formal.types:
            continue
        options = {"axis": 0} if operator in ("Concat", "Unique") else {}
        outputs = [f"y{len(nodes)}"] + ([f"z{len(nodes)}"] if operator == "TopK" else [])
        nodes.append(helper.make_node(operator, operands, outputs, **options, **attributes))
    return nodes


def model_of(nodes: list[onnx.NodeProto], feeds: dict[str, np.ndarray]) -> onnx.ModelProto:
    """Its outputs are the nodes' first, of the types that inference finds."""
    inputs = [(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape) for name, value in feeds.items()]
    constants = {name: np.array(value) for name, value in INDICES.items()}
    model = make_model(nodes, inputs, [], constants, opset=OPSET)
    types = {value.name: value for value in shape_inference.infer_shapes(model).graph.value_info}
    model.graph.output.extend(types[node.output[0]] for node in nodes)
    return model


@pytest.mark.parametrize("kind", TYPES)
def test_types(compiled, kind: str) -> None:
    nodes = nodes_for(kind)
    feeds = {**numbers(kind), "mask": np.array([True, False, True]), "choice": np.array([False, True])}
    feeds["grid"] = np.linspace(-1.2, 1.1, 2 * 3 * 2 * 2).reshape(2, 3, 2, 2).astype(np.float32)
    model = model_of(nodes, feeds)
    results = onnxc.InferenceSession(compiled(model)).run(None, feeds)

    # The evaluator rounds 16 bits after each step of its own: there f32 is the reference.
    is_half = kind.endswith("FLOAT16")
    if is_half:
        feeds = {name: value if value.dtype == bool else value.astype(np.float32) for name, value in feeds.items()}
    tolerance = {"FLOAT": 1e-5, "DOUBLE": 1e-9, "FLOAT16": 2e-3, "BFLOAT16": 2e-2}.get(kind, 0)
    compared = 0
    for node, output, result in zip(nodes, model.graph.output, results, strict=True):
        dtype = helper.tensor_dtype_to_np_dtype(output.type.tensor_type.elem_type)
        assert result.dtype == dtype, node.op_type
        if node.op_type in ("Erf", "Gelu", "GridSample", "HardSwish") and kind == "DOUBLE":
            continue  # of which the evaluator computes parts in f32
        if node.op_type == "GridSample" and not tolerance:
            continue  # the evaluator rounds each weight
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                (want,) = ReferenceEvaluator(model_of([node], feeds)).run(None, feeds)
        except Exception as error:  # it does not take all types
            print(f"{node.op_type} of {kind} has no reference: {error}")
            continue
        compared += 1
        wide = result.astype(np.float64) if tolerance else result
        np.testing.assert_allclose(wide, np.asarray(want), rtol=tolerance, atol=tolerance, err_msg=node.op_type)
    assert compared > 0.9 * len(nodes)


def test_types_that_newer_versions_lack(compiled) -> None:
    """Logarithms of integers, before opset 28, rounded toward zero."""
    nodes = [
        helper.make_node("ReduceLogSum", ["x"], ["sum"], axes=[1]),
        helper.make_node("ReduceLogSumExp", ["x"], ["exponentials"], keepdims=0),
        helper.make_node("Erf", ["x"], ["error"]),
    ]
    outputs = [("sum", TensorProto.INT32, ["N", 1]), ("exponentials", TensorProto.INT32, [])]
    model = make_model(nodes[:2], [("x", TensorProto.INT32, ["N", 3])], outputs, opset=13)
    x = np.array([[1, 5, 100], [7, 0, 2]], np.int32)
    logarithm, exponentials = onnxc.InferenceSession(compiled(model)).run(None, {"x": x})
    assert logarithm.tolist() == [[4], [2]] and exponentials == 100
    old = make_model(nodes[2:], [("x", TensorProto.INT8, [4])], [("error", TensorProto.INT8, [4])], opset=12)
    (error,) = onnxc.InferenceSession(compiled(old)).run(None, {"x": np.array([-9, 0, 1, 9], np.int8)})
    assert error.tolist() == [-1, 0, 0, 1]
