"""Models made of cases, one node each, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from .cases import Constant, NodeTest, Typed

# Opsets of ai.onnx beside those of other domains.
MAIN_OPSET = 21


def plain(value: Any) -> Any:
    """What is fed: without what tells its type or place."""
    return value.value if isinstance(value, Constant | Typed) else value


def type_of(value: Any) -> onnx.TypeProto:
    """The type of an array (with its shape), a list of arrays or a map."""
    if isinstance(value, Typed):
        return value.type
    if isinstance(value, dict):
        key, element = (np.asarray(next(iter(part))) for part in (value.keys(), value.values()))
        elements = helper.make_tensor_type_proto(_element_type(element), [])
        return helper.make_map_type_proto(_element_type(key), elements)
    if isinstance(value, list):
        if isinstance(value[0], dict):
            return helper.make_sequence_type_proto(type_of(value[0]))
        ranks = {element.ndim for element in value}
        shape = [None] * ranks.pop() if len(ranks) == 1 else None
        return helper.make_sequence_type_proto(helper.make_tensor_type_proto(_element_type(value[0]), shape))
    return helper.make_tensor_type_proto(_element_type(value), value.shape)


def _element_type(array: np.ndarray) -> int:
    return onnx.TensorProto.STRING if array.dtype.kind in "OU" else helper.np_dtype_to_tensor_dtype(array.dtype)


def result_names(test: NodeTest, prefix: str) -> list[str]:
    """Of the node's outputs; "" for one that is not asked for."""
    asked = [True] * test.case.outputs if isinstance(test.case.outputs, int) else test.case.outputs
    return [f"{prefix}y{i}" if wanted else "" for i, wanted in enumerate(asked)]


def make_model(tests: Sequence[NodeTest], results: Sequence[Sequence[onnx.TypeProto]] = ()) -> onnx.ModelProto:
    """The tests' nodes; all are of one domain and opset. `results`: of each test the types of its results."""
    nodes, inputs, outputs, constants = [], [], [], []
    for index, test in enumerate(tests):
        prefix = f"t{index}_"
        names = []
        for number, value in enumerate(test.case.inputs):
            name = f"{prefix}x{number}" if value is not None else ""
            names.append(name)
            if isinstance(value, Constant):
                constants.append(numpy_helper.from_array(value.value, name))
            elif value is not None:
                inputs.append(helper.make_value_info(name, type_of(value)))
        attributes = dict(test.case.attributes)
        if "consumed_inputs" in test.schema.attributes:  # before 6: which inputs may be overwritten
            attributes.setdefault("consumed_inputs", [0] * len(names))
        wanted = result_names(test, prefix)
        nodes.append(
            helper.make_node(test.schema.name, names, wanted, test.name, domain=test.schema.domain, **attributes)
        )
        types = iter(results[index]) if results else None
        for name in filter(None, wanted):
            outputs.append(helper.make_value_info(name, next(types)) if types else onnx.ValueInfoProto(name=name))
    schema = tests[0].schema
    opsets = {schema.domain: schema.since_version}
    opsets.setdefault("", MAIN_OPSET)
    return helper.make_model(
        helper.make_graph(nodes, "versions", inputs, outputs, constants),
        opset_imports=[helper.make_opsetid(*opset) for opset in opsets.items()],
        ir_version=10 if opsets[""] < 23 else onnx.IR_VERSION,
    )


def feeds(tests: Sequence[NodeTest]) -> dict[str, Any]:
    return {
        f"t{index}_x{number}": plain(value)
        for index, test in enumerate(tests)
        for number, value in enumerate(test.case.inputs)
        if value is not None and not isinstance(value, Constant)
    }
