"""Products with weights behind a DequantizeLinear, as ONNX's own tools and ONNX Runtime's quantiser write them."""

import numpy as np
import onnx
import onnxc
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator


class Model:
    """Grows by one product after the other."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(7)
        self.nodes, self.constants, self.inputs, self.outputs, self.feeds = [], [], [], [], {}

    def constant(self, element: int, array: np.ndarray) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(helper.make_tensor(name, element, array.shape, array.flatten()))
        return name

    def product(
        self, element: int, depth: int, columns: int, block: int = 0, turned: bool = False, zeros: bool = False
    ) -> None:
        """`block`: numbers of a column that share a scale; 0: all of them, -1: one scale for the matrix."""
        low, high = {
            TensorProto.INT4: (-8, 7),
            TensorProto.UINT4: (0, 15),
            TensorProto.INT8: (-128, 127),
            TensorProto.UINT8: (0, 255),
        }[element]
        number = len(self.outputs)
        shape = (columns, depth) if turned else (depth, columns)
        axis = 1 if turned else 0
        if block > 0:
            scales = tuple(-(-size // block) if i == axis else size for i, size in enumerate(shape))
            attributes = {"axis": axis, "block_size": block}
        else:
            scales, attributes = ((columns,), {"axis": 1 - axis}) if block == 0 else ((), {})
        operands = [
            self.constant(element, self.random.integers(low, high + 1, shape)),
            self.constant(TensorProto.FLOAT, self.random.uniform(0.01, 0.1, scales).astype(np.float32)),
        ]
        if zeros:
            operands.append(self.constant(element, self.random.integers(low, high + 1, scales)))
        x, w, y = f"x{number}", f"w{number}", f"y{number}"
        self.feeds[x] = self.random.normal(size=(3, depth)).astype(np.float32)
        self.inputs.append(helper.make_tensor_value_info(x, TensorProto.FLOAT, ["S", depth]))
        self.outputs.append(helper.make_tensor_value_info(y, TensorProto.FLOAT, ["S", columns]))
        self.nodes.append(helper.make_node("DequantizeLinear", operands, [w], **attributes))
        if turned:
            self.nodes.append(helper.make_node("Transpose", [w], [w + "t"], perm=[1, 0]))
            w += "t"
        self.nodes.append(helper.make_node("MatMul", [x, w], [y]))

    def build(self) -> onnx.ModelProto:
        graph = helper.make_graph(self.nodes, "products", self.inputs, self.outputs, self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def test_agreement(compiled) -> None:
    model = Model()
    for element in (TensorProto.INT4, TensorProto.UINT4, TensorProto.INT8, TensorProto.UINT8):
        for zeros in (False, True):
            model.product(element, 64, 24, 16, turned=zeros, zeros=zeros)
            model.product(element, 50, 24, 16, turned=not zeros, zeros=zeros)
            model.product(element, 19, 5, turned=zeros, zeros=zeros)
            model.product(element, 40, 17, -1, zeros=zeros)
    # A block that is no whole number of words stays a matrix of floats.
    model.product(TensorProto.INT4, 20, 8, 5)
    built = model.build()
    wanted = ReferenceEvaluator(built).run(None, model.feeds)
    ours = onnxc.InferenceSession(compiled(built)).run(None, model.feeds)
    for number, (one, other) in enumerate(zip(ours, wanted, strict=True)):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5 * np.abs(other).max(), err_msg=f"product {number}")


@pytest.mark.parametrize(("element", "block"), [(TensorProto.UINT4, 32), (TensorProto.INT8, 0)])
def test_library_size(element, block, tmp_path) -> None:
    """The library has the bits of the file."""
    model = Model()
    model.product(element, 2048, 1024, block, zeros=block > 0)
    data, library = model.build().SerializeToString(), tmp_path / "m.so"
    onnxc.compile(data, library)
    assert library.stat().st_size < 1.02 * len(data) + (1 << 19)
