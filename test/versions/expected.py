"""What a test's results must be: from its own model, ONNX Runtime, or onnx's reference evaluator.

In f16 and bf16 it is what comes of f32, rounded; so it is in other types that no reference has for the operator.
"""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
from onnx import helper
from onnx.reference import ReferenceEvaluator

from .cases import TEXT, Case, Constant, NodeTest, element_number
from .models import feeds, make_model, plain, type_of

HALVES = (np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16))


# Of a result's element type; others are exact. Attributes are f32, whatever the type.
TOLERANCES = {"float64": (1e-7, 1e-9), "float32": (1e-4, 1e-5), "float16": (2e-3, 2e-3), "bfloat16": (1.6e-2, 1.6e-2)}


class NoReference(Exception):
    """Nobody knows what the results must be."""


@dataclasses.dataclass
class Expected:
    values: list[Any]  # that are asked for; nothing where a check judges them
    types: list[onnx.TypeProto]
    tolerances: tuple[float, float] | None = None  # relative and absolute, where not the element types'


def expected(test: NodeTest) -> Expected:
    case = test.case
    if case.check:
        return Expected([], list(case.types))
    tolerances = None
    if case.widens and test.type in HALVES:
        values = _compute(_in_float32(test))
    else:
        try:
            values = _compute(test)
        except NoReference:
            if not case.widens or test.type == np.float32:
                raise
            values = _compute(_in_float32(test))
            tolerances = TOLERANCES["float32"]
    declared = list(case.types) or inferred_types(test)
    if not declared:
        declared = list(map(type_of, values))
    if len(declared) == len(values) and not case.types:
        declared = [_by_schema(test, index) or kind for index, kind in enumerate(declared)]
    if len(declared) != len(values):
        raise NoReference(f"{len(values)} results, {len(declared)} types")
    values = [_as_type(value, kind) for value, kind in zip(values, declared, strict=True)]
    for value, kind in zip(values, declared, strict=True):
        if kind.HasField("tensor_type") and not kind.tensor_type.HasField("shape"):  # the checker wants one
            kind.CopyFrom(helper.make_tensor_type_proto(kind.tensor_type.elem_type, [None] * np.ndim(value)))
    return Expected(values, declared, tolerances)


def _compute(test: NodeTest) -> list[Any]:
    case = test.case
    if case.model:
        with np.errstate(all="ignore"):
            results = case.model(*map(plain, case.inputs))
        return list(results) if isinstance(results, tuple) else [results]
    if case.instead:
        operator, version, inputs, attributes = case.instead
        schema = onnx.defs.get_schema(operator, version, test.schema.domain)
        return _compute(NodeTest(schema, test.type, Case(inputs, attributes, case.outputs), 0))
    model = make_model([test])
    wanted = feeds([test])
    try:
        return _run_onnxruntime(model, wanted)
    except Exception as error:
        complaint = error
    # The attribute is about memory, and the evaluator does not know it.
    for attribute in list(model.graph.node[0].attribute):
        if attribute.name == "consumed_inputs":
            model.graph.node[0].attribute.remove(attribute)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return ReferenceEvaluator(model).run(None, wanted)
    except Exception as error:
        text = " ".join(f"ONNX Runtime: {complaint}; reference evaluator: {type(error).__name__}: {error}".split())
        raise NoReference(text) from None


def _run_onnxruntime(model: onnx.ModelProto, wanted: dict[str, Any]) -> list[Any]:
    onnxruntime.set_default_logger_severity(4)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, wanted)


def inferred_types(test: NodeTest) -> list[onnx.TypeProto]:
    """The results' types as onnx infers them; none if it does not."""
    model = onnx.shape_inference.infer_shapes(make_model([test]))
    types = [output.type for output in model.graph.output]
    return types if all(kind.WhichOneof("value") for kind in types) else []


def _by_schema(test: NodeTest, index: int) -> onnx.TypeProto | None:
    """The type of a result that the schema fixes, or gives the type variable of an input; inference is not needed."""
    formal = test.schema.outputs[min(index, len(test.schema.outputs) - 1)]
    if not formal.is_homogeneous:
        return None
    for given, parameter in zip(test.case.inputs, test.schema.inputs, strict=False):
        value = plain(given)
        if parameter.type_str == formal.type_str and isinstance(value, np.ndarray):
            return helper.make_tensor_type_proto(type_of(value).tensor_type.elem_type, None)
    if formal.type_str.startswith("tensor("):
        return helper.make_tensor_type_proto(element_number(formal.type_str), None)
    return None


def _in_float32(test: NodeTest) -> NodeTest:
    """The same with inputs of the varying type in f32."""

    def widen(value: Any) -> Any:
        if isinstance(value, Constant):
            return Constant(widen(value.value))
        if isinstance(value, list):
            return [widen(element) for element in value]
        if isinstance(value, np.ndarray) and value.dtype == test.type:
            return value.astype(np.float32)
        return value

    case = dataclasses.replace(test.case, inputs=[widen(value) for value in test.case.inputs])
    if case.instead:
        operator, version, inputs, attributes = case.instead
        case.instead = (operator, version, [widen(value) for value in inputs], attributes)
    return dataclasses.replace(test, case=case)


def _as_type(value: Any, kind: onnx.TypeProto) -> Any:
    """A tensor in the element type that it must have; others as they are."""
    if not kind.HasField("tensor_type") or not isinstance(value, np.ndarray | np.generic):
        return value
    wanted = np.dtype(helper.tensor_dtype_to_np_dtype(kind.tensor_type.elem_type))
    array = np.asarray(value)
    if array.dtype == np.uint8 and wanted.name.startswith("float8"):  # as ONNX Runtime hands it out
        return array.view(wanted)
    return array.astype(object) if wanted == TEXT else array.astype(wanted)


def compare(test: NodeTest, want: Expected, results: list[Any]) -> None:
    """Raises AssertionError where they differ."""
    usual = want.tolerances or (None, None)
    tolerances = tuple(a if a is not None else b for a, b in zip((test.case.rtol, test.case.atol), usual, strict=True))
    assert len(want.values) == len(results)
    for index, (value, result) in enumerate(zip(want.values, results, strict=True)):
        _compare(value, result, f"result {index}", tolerances)


def _compare(want: Any, got: Any, what: str, tolerances: tuple) -> None:
    if isinstance(want, list | tuple):
        assert isinstance(got, list), f"{what}: expected a sequence, got {type(got).__name__}"
        assert len(want) == len(got), f"{what}: expected {len(want)} elements, got {len(got)}"
        for index, pair in enumerate(zip(want, got, strict=True)):
            _compare(*pair, f"{what}[{index}]", tolerances)
    elif isinstance(want, dict):
        assert isinstance(got, dict) and want.keys() == got.keys(), f"{what}: expected {want}, got {got}"
        for key in want:
            _compare(np.float32(want[key]), np.float32(got[key]), f"{what}[{key}]", tolerances)
    elif want is None:
        assert got is None, f"{what}: expected nothing, got {got}"
    else:
        _compare_arrays(np.asarray(want), got, what, tolerances)


def _compare_arrays(want: np.ndarray, got: Any, what: str, tolerances: tuple) -> None:
    assert got is not None, f"{what}: there is none"
    want, got = (array.astype(object) if array.dtype.kind == "U" else array for array in map(np.asarray, (want, got)))
    assert want.shape == got.shape, f"{what}: expected dims {want.shape}, got {got.shape}"
    assert want.dtype == got.dtype, f"{what}: expected {want.dtype}, got {got.dtype}"
    if want.dtype == TEXT:
        assert want.tolist() == got.tolist(), f"{what}: expected {want.tolist()}, got {got.tolist()}"
        return
    usual = TOLERANCES.get(want.dtype.name, (0, 0))
    rtol, atol = (a if a is not None else b for a, b in zip(tolerances, usual, strict=True))
    if want.dtype.kind == "V" or want.dtype.name.startswith("float8"):
        want, got = want.astype(np.float64), got.astype(np.float64)
    np.testing.assert_allclose(got, want, rtol, atol, err_msg=what)
