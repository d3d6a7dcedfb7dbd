"""Models in half precision: every f32 tensor of a model, its inputs and outputs too, becomes one of 16 bits, as
converters of published models do."""

from __future__ import annotations

from collections.abc import Iterator

import ml_dtypes
import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

# The numpy type of an element type of ONNX.
ELEMENTS = {TensorProto.FLOAT16: np.dtype(np.float16), TensorProto.BFLOAT16: np.dtype(ml_dtypes.bfloat16)}
# Inputs that stay f32 whatever the type of the others.
STAY = {"Resize": (2,)}


def graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """The graph and its subgraphs."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from graphs(attribute.g)


def nearest(tensor: TensorProto, element: int) -> np.ndarray:
    """The values in the other type; a finite one stays finite, as the lowest f32 in a mask has to."""
    values, largest = numpy_helper.to_array(tensor), ml_dtypes.finfo(ELEMENTS[element]).max
    return np.where(np.isinf(values), values, np.clip(values, -largest, largest)).astype(ELEMENTS[element])


def narrow(tensor: TensorProto, element: int) -> None:
    if tensor.data_type == TensorProto.FLOAT:
        tensor.CopyFrom(numpy_helper.from_array(nearest(tensor, element), tensor.name))


def convert(model: onnx.ModelProto, element: int) -> None:
    """Every f32 tensor of the model becomes one of `element`."""
    for graph in graphs(model.graph):
        kept = {
            node.input[index] for node in graph.node for index in STAY.get(node.op_type, ()) if index < len(node.input)
        }
        for tensor in graph.initializer:
            if tensor.name not in kept:
                narrow(tensor, element)
        for value in (*graph.input, *graph.output, *graph.value_info):
            if value.type.tensor_type.elem_type == TensorProto.FLOAT and value.name not in kept:
                value.type.tensor_type.elem_type = element
        for node in graph.node:
            for attribute in node.attribute:
                if attribute.type == onnx.AttributeProto.TENSOR and kept.isdisjoint(node.output):
                    narrow(attribute.t, element)
                if node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT:
                    attribute.i = element


def rounded(model: onnx.ModelProto, element: int) -> None:
    """Every weight of the model becomes the nearest one that `element` has, in f32: the same numbers as after
    `convert`, computed with exactly."""
    for graph in graphs(model.graph):
        for tensor in graph.initializer:
            round_values(tensor, element)
        for node in graph.node:
            for attribute in node.attribute:
                if attribute.type == onnx.AttributeProto.TENSOR:
                    round_values(attribute.t, element)


def round_values(tensor: TensorProto, element: int) -> None:
    if tensor.data_type == TensorProto.FLOAT:
        values = nearest(tensor, element).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
