"""What is tested: of every version of every operator its recipe's cases, in the element types that are new in it.

A recipe is a function of `At` (operator, version, element type) that gives one or more `Case`s; recipes/ has one file
per family. Nothing is left out unseen: an operator of the installed package onnx that has no recipe is an error.
"""

from __future__ import annotations

import importlib
import itertools
import os
import pkgutil
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import ml_dtypes
import numpy as np
import onnx
from onnx import helper

SEED = int(os.environ.get("ONNXC_SEED", "1"))
TEXT, BOOLEAN = np.dtype(object), np.dtype(bool)
WORDS = ["", "a", "b", "ab", "Abc", "größe", "x y", "0"]


@dataclass
class Constant:
    """An input that is an initializer of the model."""

    value: Any


@dataclass
class Typed:
    """An input whose type its value does not tell: an optional, an empty sequence or a sequence of strings."""

    value: Any
    type: onnx.TypeProto


@dataclass
class Case:
    """One node. Inputs are arrays, lists (sequences), dicts (maps), Constant, Typed, or None where absent.

    What is expected comes from the first that knows: `model`, ONNX Runtime, onnx's reference evaluator.
    """

    inputs: Sequence[Any]
    attributes: dict[str, Any] = field(default_factory=dict)
    outputs: int | Sequence[bool] = 1  # how many, or for each whether it is asked for
    # An independent model of the operator's text: of the inputs' values, gives one result or a tuple.
    model: Callable[..., Any] | None = None
    # Another node that means the same, for versions that nobody implements: (operator, version, inputs, attributes).
    instead: tuple[str, int, Sequence[Any], dict[str, Any]] | None = None
    # For results that are random: asserts what must hold of (inputs, results); the results' types are `types`.
    check: Callable[[list[Any], list[Any]], None] | None = None
    types: Sequence[onnx.TypeProto] = ()
    # Why the operator's text gives this no meaning: what the compiler's refusal must say.
    meaningless: str = ""
    # Allowed differences as in numpy.testing.assert_allclose; by default the element type's.
    rtol: float | None = None
    atol: float | None = None
    # In f16 and bf16: compare with the result in f32, rounded. Not for those that tell about the type itself.
    widens: bool = True


@dataclass
class At:
    """Where a recipe is asked for cases."""

    schema: onnx.defs.OpSchema
    type: np.dtype  # the element type that varies
    is_main: bool  # whether it is the version's first type; further variants are for it alone
    added: list[np.dtype]  # the types new in this version
    random: np.random.Generator

    @property
    def operator(self) -> str:
        return self.schema.name

    @property
    def version(self) -> int:
        return self.schema.since_version

    def values(self, *shape: int, low: float = -3, high: float = 3, type: Any = None) -> np.ndarray:
        """Random numbers (or texts) of the varying type, or of another; unsigned ones from 0 on."""
        kind = np.dtype(self.type if type is None else type)
        if kind == TEXT:
            return self.random.choice(np.array(WORDS, object), shape)
        if kind == BOOLEAN:
            return self.random.random(shape) < 0.5
        if kind.kind == "c":
            return (self.random.uniform(low, high, shape) + 1j * self.random.uniform(low, high, shape)).astype(kind)
        if is_integer(kind):
            bounds = ml_dtypes.iinfo(kind)
            low, high = max(int(low), int(bounds.min)), min(int(high), int(bounds.max))
            return self.random.integers(low, high, shape, endpoint=True).astype(kind)
        return self.random.uniform(low, high, shape).astype(kind)

    def normal(self, *shape: int, type: Any = np.float32) -> np.ndarray:
        return self.random.normal(size=shape).astype(type)

    def indices(self, bound: int, *shape: int, type: Any = np.int64) -> np.ndarray:
        """In [-bound, bound)."""
        return self.random.integers(-bound, bound, shape).astype(type)


def is_integer(kind: np.dtype) -> bool:
    try:
        ml_dtypes.iinfo(kind)
    except ValueError:
        return False
    return True


Recipe = Callable[[At], Case | Iterable[Case]]


@dataclass
class _Entry:
    make: Recipe
    varies: str
    main: str


_recipes: dict[tuple[str, str], _Entry] = {}
# Operators (or versions of one) that are not tested here, and why.
_untested: dict[tuple[str, str], str] = {}


def recipe(*operators: str, domain: str = "", varies: str = "", main: str = "float32") -> Callable[[Recipe], Recipe]:
    """Registers a recipe. The type that varies is that of the first input, or of the parameter `varies`."""

    def register(make: Recipe) -> Recipe:
        for operator in operators:
            assert (domain, operator) not in _recipes, f"two recipes for {operator}"
            _recipes[domain, operator] = _Entry(make, varies, main)
        return make

    return register


def untested(operator: str, reason: str, domain: str = "") -> None:
    _untested[domain, operator] = reason


@dataclass
class NodeTest:
    """A case with its place."""

    schema: onnx.defs.OpSchema
    type: np.dtype
    case: Case
    number: int

    @property
    def name(self) -> str:
        number = f" ({self.number})" if self.number else ""
        return f"{label(self.schema)} {type_name(self.type)}{number}"

    @property
    def version(self) -> str:
        return label(self.schema)


def label(schema: onnx.defs.OpSchema) -> str:
    """Conv-11, ai.onnx.ml.Scaler-1."""
    return f"{schema.domain}{'.' * bool(schema.domain)}{schema.name}-{schema.since_version}"


def type_name(kind: np.dtype) -> str:
    return "string" if kind == TEXT else kind.name


def element_number(text: str) -> int:
    """Of "tensor(float)" the TensorProto.DataType."""
    return onnx.TensorProto.DataType.Value(text.removeprefix("tensor(").removesuffix(")").upper())


def element_types(parameter: onnx.defs.OpSchema.FormalParameter) -> list[np.dtype]:
    """The tensors' element types that it allows, in the order of onnx's numbers for them."""
    numbers = [element_number(text) for text in parameter.types if text.startswith("tensor(")]
    return [np.dtype(helper.tensor_dtype_to_np_dtype(number)) for number in sorted(numbers)]


def _varying(schema: onnx.defs.OpSchema, name: str) -> list[np.dtype]:
    parameters = [*schema.inputs, *schema.outputs]
    chosen = next((p for p in parameters if name in (p.name, p.type_str)), None) if name else parameters[0]
    return element_types(chosen) if chosen else []


@cache
def schemas() -> dict[tuple[str, str], list[onnx.defs.OpSchema]]:
    """Of each operator all versions that may be in a model, oldest first."""
    result: dict[tuple[str, str], list[onnx.defs.OpSchema]] = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        result.setdefault((schema.domain, schema.name), []).append(schema)
    return {key: sorted(result[key], key=lambda schema: schema.since_version) for key in sorted(result)}


def load_tests() -> tuple[list[NodeTest], dict[str, str]]:
    """All tests; and the versions that have none, with the reason."""
    from . import recipes

    for module in pkgutil.iter_modules(recipes.__path__):
        importlib.import_module(f"{recipes.__name__}.{module.name}")
    tests, left_out = [], {}
    for key, versions in schemas().items():
        if key in _untested:
            left_out |= {label(schema): _untested[key] for schema in versions}
            continue
        if key not in _recipes:
            raise LookupError(f"{label(versions[-1])} has no recipe in {recipes.__path__[0]}")
        known: list[np.dtype] = []
        for schema in versions:
            if schema.deprecated:
                left_out[label(schema)] = "deprecated: a checked model cannot have it"
                continue
            tests += _tests_of(schema, _recipes[key], known)
    return tests, left_out


def _first_and_meaningless(cases: Iterable[Case]) -> list[Case]:
    known = list(cases)
    return [*itertools.islice((c for c in known if not c.meaningless), 1), *(c for c in known if c.meaningless)]


def _tests_of(schema: onnx.defs.OpSchema, entry: _Entry, known: list[np.dtype]) -> list[NodeTest]:
    """Adds the version's types to `known`."""
    types = _varying(schema, entry.varies) or [np.dtype(np.float32)]
    main = next((kind for kind in types if type_name(kind) == entry.main), types[0])
    added = [kind for kind in types if kind not in known]
    known += added
    tests = []
    for kind in [main, *(kind for kind in added if kind != main)]:
        seed = zlib.crc32(f"{label(schema)} {type_name(kind)} {SEED}".encode())
        made = entry.make(At(schema, kind, kind == main, added, np.random.default_rng(seed)))
        cases = [made] if isinstance(made, Case) else made
        first = cases if kind == main else _first_and_meaningless(cases)
        tests += [NodeTest(schema, kind, case, number) for number, case in enumerate(first)]
    return tests
