"""Sparse initializers and constants are the dense tensors that they stand for."""

import numpy as np
import onnx
import onnxc
import pytest
from onnx import TensorProto, helper


def sparse(name: str, kind: int, values: list, indices: list, dims: list[int]) -> onnx.SparseTensorProto:
    return helper.make_sparse_tensor(
        helper.make_tensor(name, kind, [len(values)], values),
        helper.make_tensor(f"{name}_indices", TensorProto.INT64, np.array(indices).shape, np.ravel(indices)),
        dims,
    )


def model_with(initializers: list, constant: onnx.SparseTensorProto) -> onnx.ModelProto:
    graph = helper.make_graph(
        [
            helper.make_node("Constant", [], ["c"], sparse_value=constant),
            helper.make_node("MatMul", ["x", "w"], ["product"]),
            helper.make_node("Add", ["product", "c"], ["y"]),
            helper.make_node("Identity", ["flags"], ["z"]),
        ],
        "sparse",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3])],
        [
            helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 2]),
            helper.make_tensor_value_info("z", TensorProto.BOOL, [4]),
        ],
        sparse_initializer=initializers,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


WEIGHT = sparse("w", TensorProto.FLOAT, [2.0, -3.0, 5.0], [[0, 1], [1, 0], [2, 1]], [3, 2])
FLAGS = sparse("flags", TensorProto.BOOL, [1, 1], [0, 3], [4])


def test_sparse_constants(compiled) -> None:
    session = onnxc.InferenceSession(
        compiled(model_with([WEIGHT, FLAGS], sparse("c", TensorProto.FLOAT, [0.5], [1], [2])))
    )
    x = np.array([[1, 2, 3], [-1, 0, 0.5]], np.float32)
    y, z = session.run(None, {"x": x})
    np.testing.assert_allclose(y, x @ np.array([[0, 2], [-3, 0], [0, 5]], np.float32) + np.array([0, 0.5], np.float32))
    assert z.tolist() == [True, False, False, True]


@pytest.mark.parametrize(
    ("constant", "reason"),
    [
        (sparse("c", TensorProto.FLOAT, [1.0], [2], [2]), "an index that is out of range"),
        (sparse("c", TensorProto.FLOAT, [1.0], [[0, -1]], [1, 2]), "an index that is out of range"),
        (sparse("c", TensorProto.FLOAT, [1.0, 2.0], [1, 1], [2]), "indices that do not ascend"),
        (sparse("c", TensorProto.FLOAT, [1.0, 2.0], [0], [2]), "indices that fit neither"),
        (sparse("c", TensorProto.FLOAT, [1.0], [0], [1 << 40, 1 << 40]), "dims that are negative or too large"),
        (sparse("c", TensorProto.STRING, [b"a"], [0], [2]), "an element type that is not supported"),
    ],
)
def test_malformed(compiled, constant: onnx.SparseTensorProto, reason: str) -> None:
    with pytest.raises(onnxc.CompileError, match=f"the sparse tensor 'c' has {reason}"):
        compiled(model_with([WEIGHT, FLAGS], constant))
