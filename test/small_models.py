"""Small models that several tests use, made with the package onnx."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT


def make_model(nodes, inputs, outputs, constants=None, opset: int = 20, **fields) -> onnx.ModelProto:
    """inputs and outputs: (name, element type, dims). constants: name → array. fields: of the ModelProto."""
    graph = helper.make_graph(
        nodes,
        fields.pop("graph_name", "small"),
        [helper.make_tensor_value_info(*value) for value in inputs],
        [helper.make_tensor_value_info(*value) for value in outputs],
        [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()],
        doc_string=fields.pop("graph_doc", None),
    )
    metadata = fields.pop("metadata", {})
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9, **fields)
    helper.set_model_props(model, metadata)
    return model


def parse(graph: str, opset: int = 18) -> onnx.ModelProto:
    """A model in ONNX's text form."""
    return onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}]> {graph}')


def affine(**fields) -> onnx.ModelProto:
    """y = 2 x + 1, z = max(x, 0) for x of [N, 3]."""
    return make_model(
        [
            helper.make_node("Mul", ["x", "two"], ["twice"]),
            helper.make_node("Add", ["twice", "one"], ["y"]),
            helper.make_node("Relu", ["x"], ["z"]),
        ],
        [("x", FLOAT, ["N", 3])],
        [("y", FLOAT, ["N", 3]), ("z", FLOAT, ["N", 3])],
        {"two": np.array(2, np.float32), "one": np.array([1, 1, 1], np.float32)},
        **fields,
    )


def sum_of_two() -> onnx.ModelProto:
    """total = a + b, both of [N, M]."""
    return make_model(
        [helper.make_node("Add", ["a", "b"], ["total"])],
        [("a", FLOAT, ["N", "M"]), ("b", FLOAT, ["N", "M"])],
        [("total", FLOAT, ["N", "M"])],
    )


def convolution(seed: int = 0) -> tuple[onnx.ModelProto, np.ndarray, np.ndarray]:
    """y = Relu(Conv(x, w) + b) for x of [N, 4, H, W]; and w and b."""
    generator = np.random.default_rng(seed)
    weight = generator.normal(size=(8, 4, 3, 3)).astype(np.float32)
    bias = generator.normal(size=8).astype(np.float32)
    model = make_model(
        [
            helper.make_node("Conv", ["x", "w", "b"], ["c"], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["c"], ["y"]),
        ],
        [("x", FLOAT, ["N", 4, "H", "W"])],
        [("y", FLOAT, ["N", 8, "H", "W"])],
        {"w": weight, "b": bias},
    )
    return model, weight, bias
