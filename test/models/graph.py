"""Writes ONNX graphs in few lines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Graph:
    """Values are known by name: `graph.op("Add", x, y)` gives the name of the sum."""

    def __init__(self, name: str, opset: int) -> None:
        self.name = name
        self.opset = opset
        self.nodes: list[onnx.NodeProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []
        self.initializers: dict[str, onnx.TensorProto] = {}
        self.random = np.random.default_rng(7)

    def input(self, name: str, element: int, *dims: int | str) -> str:
        self.inputs.append(helper.make_tensor_value_info(name, element, dims))
        return name

    def output(self, value: str, name: str, *dims: int | str | None, element: int = TensorProto.FLOAT) -> None:
        self.nodes.append(helper.make_node("Identity", [value], [name]))
        self.outputs.append(helper.make_tensor_value_info(name, element, dims))

    def constant(self, array: np.ndarray, name: str = "") -> str:
        name = name or f"constant_{len(self.initializers)}"
        self.initializers[name] = numpy_helper.from_array(array, name)
        return name

    def integers(self, *values: int) -> str:
        name = "_".join(["integers", *map(str, values)])
        if name not in self.initializers:
            self.constant(np.array(values, np.int64), name)
        return name

    def number(self, value: float) -> str:
        return self.constant(np.float32(value))

    def weight(self, *dims: int, scale: float | None = None) -> str:
        """Random numbers that keep the size of what is multiplied by them."""
        scale = dims[0] ** -0.5 if scale is None else scale
        return self.constant(self.random.normal(0, scale, dims).astype(np.float32))

    def around_one(self, *dims: int) -> str:
        return self.constant(self.random.normal(1, 0.1, dims).astype(np.float32))

    def op(self, operator: str, *inputs: str, **attributes) -> str:
        return self.ops(operator, 1, *inputs, **attributes)[0]

    def ops(self, operator: str, count: int, *inputs: str, **attributes) -> list[str]:
        outputs = [f"{operator.lower()}_{len(self.nodes)}" + (f"_{i}" if count > 1 else "") for i in range(count)]
        self.nodes.append(helper.make_node(operator, inputs, outputs, **attributes))
        return outputs

    def dim(self, value: str, axis: int) -> str:
        """One dim, as a tensor of one element."""
        return self.op("Shape", value, start=axis, end=axis + 1)

    def reshape(self, value: str, *dims: int) -> str:
        return self.op("Reshape", value, self.integers(*dims))

    def transpose(self, value: str, *permutation: int) -> str:
        return self.op("Transpose", value, perm=permutation)

    def linear(self, value: str, inputs: int, outputs: int) -> str:
        product = self.op("MatMul", value, self.weight(inputs, outputs))
        return self.op("Add", product, self.weight(outputs, scale=0.1))

    def layer_norm(self, value: str, width: int) -> str:
        return self.op(
            "LayerNormalization", value, self.around_one(width), self.weight(width, scale=0.1), axis=-1, epsilon=1e-5
        )

    def heads(self, value: str, count: int, width: int) -> str:
        """[B, S, count * width] to [B, count, S, width]."""
        return self.transpose(self.reshape(value, 0, 0, count, width), 0, 2, 1, 3)

    def join_heads(self, value: str, width: int) -> str:
        return self.reshape(self.transpose(value, 0, 2, 1, 3), 0, 0, width)

    def attention(self, query: str, key: str, value: str, width: int, bias: str = "") -> str:
        """softmax(Q K^T / sqrt(width) + bias) V of [B, H, S, width], written out."""
        scores = self.op("MatMul", query, self.transpose(key, 0, 1, 3, 2))
        scores = self.op("Mul", scores, self.number(width**-0.5))
        if bias:
            scores = self.op("Add", scores, bias)
        return self.op("MatMul", self.op("Softmax", scores, axis=-1), value)

    def save(self, path: Path) -> None:
        graph = helper.make_graph(self.nodes, self.name, self.inputs, self.outputs, list(self.initializers.values()))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=10)
        onnx.checker.check_model(model)
        partial = path.with_name(f"{path.name}.partial")
        onnx.save(model, partial)
        partial.rename(path)
