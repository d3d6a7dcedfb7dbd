"""The modes in which each case is compiled: programs of one meaning that take different paths through the compiler."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from cases import Case
from onnx import numpy_helper

MODES = {
    "static": "as they are",
    "dynamic": "with every dim of their inputs dynamic",
    "folded": "with their inputs as initializers",
}


class DoesNotApply(Exception):
    """Why a mode has nothing to say about a case."""


@dataclass
class Program:
    model: onnx.ModelProto
    data_sets: list[tuple[dict[str, Any], list[Any]]]  # feeds by name, and expected outputs in the model's order


def programs(case: Case, mode: str) -> list[Program]:
    """What to compile and run for the case in one of the MODES."""
    if mode == "static":
        return [Program(case.model(), case.data_sets())]
    if mode == "dynamic":
        return [Program(_dynamic(case.model()), case.data_sets())]
    return [_folded(case.model(), feeds, outputs) for feeds, outputs in case.data_sets()]


def _copy(model: onnx.ModelProto) -> tuple[onnx.ModelProto, list[onnx.ValueInfoProto]]:
    """A model to change, and those of its inputs that the caller feeds."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    constants = {tensor.name for tensor in copy.graph.initializer}
    fed = [value for value in copy.graph.input if value.name not in constants]
    if not fed:
        raise DoesNotApply("the model has no inputs")
    return copy, fed


def _dynamic(model: onnx.ModelProto) -> onnx.ModelProto:
    model, fed = _copy(model)
    dims = [(value, dim) for value in fed for dim in _dims(value.type)]
    if not dims:
        raise DoesNotApply("no input has a dim")
    for number, (value, dim) in enumerate(dims):
        dim.dim_param = f"{value.name}.{number}"
    for value in model.graph.output:
        for dim in _dims(value.type):
            dim.Clear()
    del model.graph.value_info[:]
    return model


def _dims(type_: onnx.TypeProto) -> Iterator[onnx.TensorShapeProto.Dimension]:
    """The dims of a tensor, or of a sequence's or optional's elements."""
    kind = type_.WhichOneof("value")
    if kind in ("sequence_type", "optional_type"):
        yield from _dims(getattr(type_, kind).elem_type)
    elif kind == "tensor_type":
        yield from type_.tensor_type.shape.dim


def _folded(model: onnx.ModelProto, feeds: dict[str, Any], outputs: list[Any]) -> Program:
    model, fed = _copy(model)
    tensors = [value for value in fed if value.type.WhichOneof("value") == "tensor_type"]
    if not tensors:
        raise DoesNotApply("an initializer is a tensor, and no input is one")
    for value in tensors:
        tensor = numpy_helper.from_array(np.asarray(feeds[value.name]), value.name)
        model.graph.initializer.append(tensor)
        if model.ir_version >= 4:  # before, an initializer has to be an input, too
            model.graph.input.remove(value)
    constants = {value.name for value in tensors}
    return Program(model, [({name: feed for name, feed in feeds.items() if name not in constants}, outputs)])
