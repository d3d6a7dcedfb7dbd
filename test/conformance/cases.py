"""The cases of ONNX's own backend tests, from the installed package onnx; nothing is downloaded."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.backend.test
from onnx import numpy_helper
from onnx.backend.test.case.test_case import TestCase
from onnx.backend.test.loader import load_model_tests
from onnx.reference import ReferenceEvaluator

# Cases whose expected values were rounded after every step, and so lie further from the exact result than the tolerance
# allows two roundings to differ: test_attention_4d_causal_fp16 expects 0.4695 where the exact value is 0.46919 (ONNX
# Runtime misses it as well), test_dft_inverse 1.9e-7 where it is 0. They are judged, with the same tolerance, against
# onnx's reference evaluator computing in the wider of these types.
ROUNDED = {
    "test_attention_4d_causal_fp16": (np.float16, np.float32),
    "test_attention_4d_causal_fp16_expanded": (np.float16, np.float32),
    "test_dft_inverse": (np.float32, np.float64),
    "test_dft_inverse_opset19": (np.float32, np.float64),
}

# Cases whose expected values are one draw of the generator that wrote them, never seeded: the operator's text says that
# "it may not produce the same values in different implementations". Those without a seed are judged by type, shape and
# the share of ones in many runs, which is the input; the definition that onnx expands Bernoulli to is the reverse, for
# it compares `random > input`. Those with a seed are judged by value, against what onnx's reference evaluator draws.
SHARE_OF_ONES = {
    "test_bernoulli": lambda x: x,
    "test_bernoulli_double": lambda x: x,
    "test_bernoulli_expanded": lambda x: 1 - x,
    "test_bernoulli_double_expanded": lambda x: 1 - x,
}
DRAWN_FROM_SEED = {"test_bernoulli_seed", "test_bernoulli_seed_expanded"}

KINDS = ("node", "simple", "pytorch-converted", "pytorch-operator", "real")
# The models of kind "real", without their weights, and what they give for the data that ONNX's runner makes up.
LIGHT = Path(onnx.backend.test.__file__).parent / "data" / "light"


@dataclass
class Case:
    """One test: a model, and pairs of inputs and expected outputs."""

    name: str
    operator: str  # the table's row
    test: TestCase

    @property
    def share_of_ones(self) -> Callable[[Any], Any] | None:
        """For a case that draws anew in each run: what share of an output's elements is 1, from the input."""
        return SHARE_OF_ONES.get(self.name)

    @property
    def rtol(self) -> float:
        return self.test.rtol

    @property
    def atol(self) -> float:
        return self.test.atol

    def model(self) -> onnx.ModelProto:
        if self.test.model is not None:
            return self.test.model
        if self.test.kind == "real":
            return onnx.load(LIGHT / f"light_{self.test.model_name}.onnx")
        return onnx.load(Path(self.test.model_dir) / "model.onnx")

    def data_sets(self) -> list[tuple[dict[str, Any], list[Any]]]:
        """Feeds by name, and expected outputs in the model's order."""
        model = self.model()
        if self.test.data_sets is not None:
            pairs = [([_value(i) for i in ins], [_value(o) for o in outs]) for ins, outs in self.test.data_sets]
        elif self.test.kind == "real":
            output = onnx.load_tensor(LIGHT / f"light_{self.test.model_name}_output_0.pb")
            pairs = [([_ramp(model)], [numpy_helper.to_array(output)])]
        else:
            pairs = []
            for folder in sorted(Path(self.test.model_dir).glob("test_data_set*")):
                pairs.append((_load(folder, "input", model.graph.input), _load(folder, "output", model.graph.output)))
        result = []
        for inputs, outputs in pairs:
            names = [value.name for value in model.graph.input]
            if len(inputs) != len(names):
                constants = {tensor.name for tensor in model.graph.initializer}
                names = [name for name in names if name not in constants]
            feeds = dict(zip(names, inputs, strict=True))
            if self.name in ROUNDED:
                outputs = _in_wider_type(model, feeds, *ROUNDED[self.name])
            if self.name in DRAWN_FROM_SEED:
                outputs = ReferenceEvaluator(model).run(None, feeds)
            result.append((feeds, outputs))
        return result


def _ramp(model: onnx.ModelProto) -> np.ndarray:
    """The input that ONNX's runner feeds to the models of kind "real"."""
    constants = {tensor.name for tensor in model.graph.initializer}
    (data,) = (value for value in model.graph.input if value.name not in constants)
    shape = [dim.dim_value for dim in data.type.tensor_type.shape.dim]
    return (np.arange(np.prod(shape)).reshape(shape) / np.prod(shape)).astype(np.float32)


def _in_wider_type(model: onnx.ModelProto, feeds: dict[str, Any], narrow: type, wide: type) -> list[Any]:
    """What the model computes in `wide` instead of `narrow`, rounded to that once."""
    old, new = (onnx.helper.np_dtype_to_tensor_dtype(np.dtype(kind)) for kind in (narrow, wide))
    widened = onnx.ModelProto()
    widened.CopyFrom(model)
    del widened.graph.value_info[:]
    for value in (*widened.graph.input, *widened.graph.output):
        if value.type.tensor_type.elem_type == old:
            value.type.tensor_type.elem_type = new
    for node in widened.graph.node:
        for attribute in node.attribute:
            if attribute.name == "to" and attribute.i == old:
                attribute.i = new
    inputs = {name: value.astype(wide) if value.dtype == narrow else value for name, value in feeds.items()}
    results = ReferenceEvaluator(widened).run(None, inputs)
    return [result.astype(narrow) if result.dtype == wide else result for result in results]


@cache
def load_cases() -> list[Case]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package computes infinities and NaNs on purpose
        tests = [test for kind in KINDS for test in load_model_tests(kind=kind)]
    single = {}
    for test in tests:
        if test.model is not None and len(test.model.graph.node) == 1 and not test.model.functions:
            single[test.name] = _operator(test.model.graph.node[0])
    cases = []
    for test in tests:
        # A case NAME_expanded has the operator's function body in the operator's place.
        base = test.name.split("_expanded")[0]
        operator = single.get(test.name) or single.get(base)
        if operator is None:
            operator = _operator(test.model.graph.node[0]) if test.kind == "node" else f"({test.kind})"
        cases.append(Case(test.name, operator, test))
    return sorted(cases, key=lambda case: case.name)


def _operator(node: onnx.NodeProto) -> str:
    return f"{node.domain}.{node.op_type}" if node.domain not in ("", "ai.onnx") else node.op_type


def _value(value: Any) -> Any:
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


def _load(folder: Path, role: str, infos: Any) -> list[Any]:
    values = []
    for index in range(len(list(folder.glob(f"{role}_*.pb")))):
        data = (folder / f"{role}_{index}.pb").read_bytes()
        kind = infos[index].type.WhichOneof("value")
        if kind == "sequence_type":
            values.append(numpy_helper.to_list(onnx.SequenceProto.FromString(data)))
        elif kind == "optional_type":
            values.append(numpy_helper.to_optional(onnx.OptionalProto.FromString(data)))
        else:
            values.append(numpy_helper.to_array(onnx.TensorProto.FromString(data)))
    return values
