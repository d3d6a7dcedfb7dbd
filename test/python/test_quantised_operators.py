"""Operators between quantised tensors, as ONNX Runtime's quantiser writes them (QuantFormat.QOperator), against ONNX
Runtime. A result may differ by one step where it lies between two."""

import numpy as np
import onnx
import onnxc
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

onnxruntime.set_default_logger_severity(4)
DOMAIN = "com.microsoft"
SHAPE = (2, 6, 5, 7)


class Builder:
    """One model with a node of each operator; all tensors of one type."""

    def __init__(self, dtype: type, opset: int) -> None:
        self.dtype, self.opset = np.dtype(dtype), opset
        self.random = np.random.default_rng(5)
        self.nodes, self.outputs, self.constants = [], [], []

    def constant(self, array: np.ndarray) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def scale(self) -> str:
        return self.constant(np.float32(self.random.uniform(0.01, 0.03)))

    def zero(self, value: int | None = None) -> str:
        low = np.iinfo(self.dtype).min
        return self.constant(np.array(low + 100 + self.random.integers(60) if value is None else value, self.dtype))

    def quantised(self, *values: str) -> list[str]:
        """Each value with a scale and a zero point."""
        return [part for value in values for part in (value, self.scale(), self.zero())]

    def add(self, operator: str, inputs: list[str], rank: int, element: int = 0, **attributes) -> None:
        name = f"{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], name, domain=DOMAIN, **attributes))
        element = element or helper.np_dtype_to_tensor_dtype(self.dtype)
        self.outputs.append(helper.make_tensor_value_info(name, element, [None] * rank))

    def integers(self, *shape: int) -> np.ndarray:
        limits = np.iinfo(self.dtype)
        return self.random.integers(limits.min, limits.max + 1, shape).astype(self.dtype)

    def model(self) -> onnx.ModelProto:
        element = helper.np_dtype_to_tensor_dtype(self.dtype)
        inputs = [helper.make_tensor_value_info(name, element, ["N", *SHAPE[1:]]) for name in "xy"]
        inputs.append(helper.make_tensor_value_info("rows", element, ["M", 6]))
        graph = helper.make_graph(self.nodes, "quantised", inputs, self.outputs, self.constants)
        opsets = [helper.make_opsetid("", self.opset), helper.make_opsetid(DOMAIN, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def build(dtype: type, opset: int) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    b = Builder(dtype, opset)
    result = [b.scale(), b.zero()]
    b.add("QLinearAdd", [*b.quantised("x", "y"), *result], 4)
    b.add("QLinearMul", [*b.quantised("x", "y"), b.constant(np.float32(0.05)), b.zero()], 4)
    b.add("QLinearMul", [*b.quantised("x"), b.constant(b.integers(6, 1, 1)), *result, *result], 4)
    fine = [b.constant(np.float32(1 / 256)), b.zero(np.iinfo(b.dtype).min)]
    b.add("QLinearSigmoid", [*b.quantised("x"), *fine], 4)
    b.add("QLinearLeakyRelu", [*b.quantised("x"), *result], 4, alpha=0.2)
    b.add("QLinearLeakyRelu", [*b.quantised("x"), *result], 4)
    b.add("QLinearSoftmax", [*b.quantised("x"), *fine], 4, axis=-1, opset=opset)
    pool = {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 1]}
    b.add("QLinearAveragePool", [*b.quantised("x"), *result], 4, **pool)
    b.add("QLinearAveragePool", [*b.quantised("x"), *result], 4, count_include_pad=1, **pool)
    b.add("QLinearGlobalAveragePool", [*b.quantised("x"), *result], 4)
    b.add("QLinearConcat", [*result, *b.quantised("x", "y", "x")], 4, axis=1)
    condition = b.constant(b.random.integers(0, 2, (5, 7)).astype(bool))
    b.add("QLinearWhere", [condition, *b.quantised("x", "y"), *result], 4)
    weight, scales = b.constant(b.integers(6, 9)), np.float32(b.random.uniform(0.001, 0.003, 9))
    columns = [weight, b.constant(scales), b.constant(np.zeros(9, dtype) if dtype == np.int8 else b.integers(9))]
    bias = b.constant(b.random.integers(-9000, 9000, 9).astype(np.int32))
    turned = [b.constant(b.integers(9, 6)), b.scale(), b.zero()]
    b.add("QGemm", [*b.quantised("rows"), *turned, bias, *result], 2, transB=1, alpha=0.5)
    b.add("QGemm", [*b.quantised("rows"), *turned], 2, TensorProto.FLOAT, transB=1)
    b.add("QGemm", [*b.quantised("rows"), *columns, bias, *result], 2)
    return b.model(), {"x": b.integers(*SHAPE), "y": b.integers(*SHAPE), "rows": b.integers(4, 6)}


@pytest.mark.parametrize(("dtype", "opset"), [(np.uint8, 13), (np.int8, 18)])
def test_agreement(compiled, dtype, opset):
    model, feeds = build(dtype, opset)
    reference = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    session = onnxc.InferenceSession(compiled(model))
    names = [output.name for output in session.get_outputs()]
    for name, ours, theirs in zip(names, session.run(names, feeds), reference.run(names, feeds), strict=True):
        assert ours.dtype == theirs.dtype and ours.shape == theirs.shape, name
        if theirs.dtype == np.float32:
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * np.abs(theirs).max(), err_msg=name)
            continue
        difference = np.abs(ours.astype(int) - theirs.astype(int))
        assert difference.max() <= 1, f"{name}: {difference.max()} steps"
        assert np.mean(difference > 0) < 0.05, name


@pytest.mark.parametrize(
    ("operator", "attributes", "message"),
    [
        ("QLinearSoftmax", {"opset": 11}, "a Softmax of another opset than the model's"),
        ("QLinearSigmoid", {"beta": 1.0}, "attribute 'beta' is not supported yet"),
    ],
)
def test_refused(tmp_path, operator, attributes, message):
    b = Builder(np.uint8, 17)
    b.add(operator, [*b.quantised("x"), b.scale(), b.zero()], 4, **attributes)
    with pytest.raises(onnxc.CompileError, match=rf"{operator}.*{message}"):
        onnxc.compile(b.model().SerializeToString(), tmp_path / "model.so")
