"""Operators of one element, and of two with broadcasting."""

import math

import numpy as np
from onnx import TensorProto, helper

from ..cases import BOOLEAN, TEXT, At, Case, Constant, recipe, type_name

DOMAINS = {
    "Acos": (-0.95, 0.95),
    "Acosh": (1.1, 5),
    "Asin": (-0.95, 0.95),
    "Atanh": (-0.9, 0.9),
    "Log": (0.1, 5),
    "Reciprocal": (0.5, 3),
    "Sqrt": (0, 5),
    "Tan": (-1.2, 1.2),
}


@recipe(
    *("Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "BitwiseNot", "Ceil", "Cos", "Cosh", "Erf", "Exp"),
    *("Floor", "Gelu", "HardSwish", "Log", "Mish", "Neg", "Not", "Reciprocal", "Relu", "Round", "Sigmoid", "Sign"),
    *("Sin", "Sinh", "Softplus", "Softsign", "Sqrt", "Tan", "Tanh"),
)
def of_one(at: At):
    low, high = DOMAINS.get(at.operator, (-3, 3))
    # ONNX Runtime has these in f32 alone.
    model = {
        "Erf": _erf,
        "Gelu": lambda x: x * (1 + _erf(x / math.sqrt(2))) / 2,
        "HardSwish": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    }.get(at.operator)
    yield Case([at.values(3, 7, low=low, high=high)], model=model)
    yield Case([at.values(low=low, high=high)], model=model)
    if at.operator == "Gelu":
        yield Case([at.values(3, 7)], {"approximate": "tanh"})


_erf = np.vectorize(math.erf, otypes=[np.float64])


@recipe("IsNaN", "IsInf")
def special(at: At):
    values = at.values(2, 5).astype(np.float32)
    values[0, :3] = [np.nan, np.inf, -np.inf]
    values = values.astype(at.type)
    model = np.isnan if at.operator == "IsNaN" else np.isinf
    yield Case([values], model=lambda x: model(x.astype(np.float32)), widens=False)
    if at.operator == "IsInf":
        yield Case([values], {"detect_negative": 0}, model=np.isposinf)


PARAMETERS = {
    "Celu": {"alpha": 1.7},
    "Elu": {"alpha": 0.6},
    "HardSigmoid": {"alpha": 0.3, "beta": 0.4},
    "LeakyRelu": {"alpha": 0.2},
    "Selu": {"alpha": 1.5, "gamma": 1.2},
    "Shrink": {"lambd": 0.8, "bias": 0.3},
    "Swish": {"alpha": 1.3},
    "ThresholdedRelu": {"alpha": 0.7},
}


@recipe(*PARAMETERS)
def with_parameters(at: At):
    model = {"Selu": _selu, "Swish": _swish, "Shrink": _shrink}.get(at.operator)
    if at.operator == "Selu" and at.version == 1:
        model = _selu_1
    for attributes in ({}, PARAMETERS[at.operator]):
        yield Case([at.values(3, 7)], attributes, model=model and (lambda x, a=attributes: model(x, **a)))


def _swish(x: np.ndarray, alpha: float = 1) -> np.ndarray:
    return x / (1 + np.exp(-alpha * x))


def _selu(x: np.ndarray, alpha: float = 1.67326319217681884765625, gamma: float = 1.05070102214813232421875):
    return np.where(x > 0, gamma * x, gamma * (alpha * np.exp(x) - alpha)).astype(x.dtype)


def _selu_1(x: np.ndarray, alpha: float = 1.6732, gamma: float = 1.0507) -> np.ndarray:
    return _selu(x, alpha, gamma)


def _shrink(x: np.ndarray, lambd: float = 0.5, bias: float = 0) -> np.ndarray:
    lambd, bias = float(np.float32(lambd)), float(np.float32(bias))  # as attributes are
    return np.where(x < -lambd, x + bias, np.where(x > lambd, x - bias, 0)).astype(x.dtype)


@recipe("PRelu")
def prelu(at: At):
    x = at.values(2, 3, 4)
    if at.version < 7:  # one slope, or one per channel
        for slope in (at.values(1), at.values(3)):
            yield Case([x, slope], model=lambda x, s: np.where(x < 0, x * s.reshape(-1, 1), x))
    else:
        yield Case([x, at.values(3, 1)])
        yield Case([x, at.values(4)])


BINARY = {
    "Add": np.add,
    "And": np.logical_and,
    "Div": np.divide,
    "Equal": np.equal,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "Mul": np.multiply,
    "Or": np.logical_or,
    "Pow": np.power,
    "Sub": np.subtract,
    "Xor": np.logical_xor,
}


def _operands(at: At, *shapes: tuple[int, ...]) -> list[np.ndarray]:
    if at.operator == "Pow":
        low = 0 if at.type.kind in "iu" else 0.2
        return [at.values(*shape, low=low, high=3) for shape in shapes]
    if at.operator == "Div":
        return [at.values(*shapes[0], low=-20, high=20), at.values(*shapes[1], low=1, high=4)]
    low = 3 if at.operator == "Sub" and at.type.kind == "u" else -3
    return [at.values(*shapes[0], low=low, high=9), at.values(*shapes[1])]


@recipe(*BINARY)
def of_two(at: At):
    function = BINARY[at.operator]
    if at.version >= 7:
        x, y = _operands(at, (2, 3, 4), (3, 1))
        if at.operator == "Pow" and at.version == 13 and at.type.name == "bfloat16":
            y = y.astype(np.float32)  # an exponent cannot be in bf16 yet
        yield Case([x, y])
        yield Case(_operands(at, (3,), (2, 4, 1)))
        if at.operator == "Pow" and at.version >= 12:
            yield Case([at.values(3, 4, low=0.5), at.values(4, low=0, type=np.int64)])
            yield Case([at.values(3, 4, type=np.int32), at.values(4, low=0, type=np.float32).round()])
        return
    # Before 7: equal dims, or with `broadcast` the second operand is along some dims of the first.
    if at.type.kind in "iu" and at.operator == "Div":
        function = _divide_integers
    yield Case(_operands(at, (2, 3), (2, 3)), model=function)
    x, y = _operands(at, (2, 3, 4, 5), (3, 4))
    yield Case([x, y], {"broadcast": 1, "axis": 1}, model=lambda x, y: function(x, y[..., None]))
    yield Case([x, y], {"broadcast": 1, "axis": -3}, model=lambda x, y: function(x, y[..., None]))
    yield Case(_operands(at, (2, 3, 4, 5), (4, 5)), {"broadcast": 1}, model=function)
    yield Case(_operands(at, (2, 3), (1,)), {"broadcast": 1}, model=function)
    yield Case(_operands(at, (2, 3), ()), {"broadcast": 1}, model=function)
    yield Case(
        _operands(at, (2, 3, 4), (1, 1)), {"broadcast": 1, "axis": 0}, model=lambda x, y: function(x, y[..., None])
    )


def _divide_integers(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.trunc(x / y).astype(x.dtype)


@recipe("BitwiseAnd", "BitwiseOr", "BitwiseXor")
def bitwise(at: At):
    yield Case([at.values(2, 3, high=100), at.values(3, high=100)])


@recipe("BitShift")
def shift(at: At):
    model = {"LEFT": np.left_shift, "RIGHT": np.right_shift}
    for direction in ("LEFT", "RIGHT"):
        yield Case(
            [at.values(2, 3, low=0, high=50), at.values(3, low=0, high=2)],
            {"direction": direction},
            model=model[direction],
        )


@recipe("Mod")
def mod(at: At):
    floating = at.type.kind not in "iu"
    x, y = at.values(2, 3, low=-20, high=20), at.values(3, low=1, high=6)
    if floating:
        yield Case([x, y], {"fmod": 1})
        return
    yield Case([x, y])
    yield Case([x, y], {"fmod": 1})


@recipe("Max", "Min", "Mean", "Sum")
def variadic(at: At):
    shapes = [(2, 3), (2, 3), (2, 3)] if at.version < 8 else [(2, 3), (3,), (4, 1, 1)]
    values = [at.values(*shape) for shape in shapes]
    for count in (3, 1, 2):
        yield Case(values[:count])


@recipe("Clip")
def clip(at: At):
    x = at.values(3, 4, high=9)
    low, high = (np.array(bound, at.type) for bound in ((0.5, 1.5) if at.type.kind not in "iu" else (1, 3)))
    if at.version < 11:
        yield Case([x], {"min": 0.5, "max": 1.5}, model=lambda x: np.clip(x, low, high))
        yield Case([x], {"min": 0.5}, model=lambda x: np.maximum(x, low))
        yield Case([x], {"max": 1.5}, model=lambda x: np.minimum(x, high))
        yield Case([x], {}, model=lambda x: x)
    else:
        yield Case([x, low, high])
        yield Case([x, Constant(low), Constant(high)])
        yield Case([x, None, high])
        yield Case([x])


@recipe("Where", varies="T")
def where(at: At):
    yield Case([at.values(3, 1, type=bool), at.values(2, 1, 4), at.values(4)])


@recipe("Identity")
def identity(at: At):
    yield Case([at.values(2, 3)], model=lambda x: x)
    if at.version >= 14:
        yield Case([[at.values(2, 3), at.values(2, 3)]])


def _names_type(at: At, kind: np.dtype):
    """The attribute `to`: a text in version 1."""
    number = TensorProto.STRING if kind == TEXT else helper.np_dtype_to_tensor_dtype(kind)
    return TensorProto.DataType.Name(number) if at.version == 1 else number


def _numbers(at: At, kind: np.dtype) -> np.ndarray:
    if kind == TEXT:
        return np.array([["1", "2.5"], ["-3", "0"]], object)
    if kind == BOOLEAN:
        return at.values(2, 3, type=bool)
    low = 0 if kind.name.startswith("u") or kind.name == "float8_e8m0fnu" else -1
    return at.values(2, 3, low=low, high=1, type=np.int64).astype(kind)


@recipe("Cast")
def cast(at: At):
    float32 = np.dtype(np.float32)
    # A plain NumPy model: what ONNX Runtime and the evaluator lack are types, and small integers are exact in all.
    to = float32 if at.type != float32 else np.dtype(np.int32)
    yield Case([_numbers(at, at.type)], {"to": _names_type(at, to)}, model=lambda x: _cast(x, to), widens=False)
    for kind in at.added:
        if kind not in (float32, object):
            x = _numbers(at, kind).astype(np.float32)
            attributes = {"to": _names_type(at, kind)}
            yield Case([x], attributes, model=lambda x, kind=kind: _cast(x, kind), widens=False)
    if np.dtype(object) in at.added:
        texts = np.array([1, 42, -7], np.int64)
        yield Case([texts], {"to": TensorProto.STRING}, model=lambda x: x.astype(str).astype(object), widens=False)
    if at.version >= 19:
        x = np.array([1e6, -1e6, np.nan, 0.3], np.float32)
        for saturate in (0, 1):
            yield Case([x], {"to": TensorProto.FLOAT8E4M3FN, "saturate": saturate}, widens=False)
            yield Case([x], {"to": TensorProto.FLOAT8E5M2FNUZ, "saturate": saturate}, widens=False)
    if at.version >= 24:
        x = np.array([0.3, 1.5, 3, 100], np.float32)
        for mode in ("up", "down", "nearest"):
            yield Case([x], {"to": TensorProto.FLOAT8E8M0, "round_mode": mode}, widens=False)


def _cast(x: np.ndarray, to: np.dtype) -> np.ndarray:
    if x.dtype == TEXT:
        x = x.astype(np.float64)
    if x.dtype.kind == "V" or x.dtype.name.startswith("float8"):
        x = x.astype(np.float32)
    return x.astype(to)


@recipe("CastLike")
def cast_like(at: At):
    float32 = np.dtype(np.float32)
    to = float32 if at.type != float32 else np.dtype(np.int32)
    yield Case([_numbers(at, at.type), np.zeros(1, to)], model=lambda x, _: _cast(x, to), widens=False)
    for kind in at.added:
        if kind not in (float32, object):
            x = _numbers(at, kind).astype(np.float32)
            yield Case([x, np.zeros(1, kind)], model=lambda x, _, kind=kind: _cast(x, kind), widens=False)


@recipe("BitCast")
def bit_cast(at: At):
    if type_name(at.type) == "bool":
        yield Case([at.values(2, 3)], {"to": TensorProto.UINT8}, model=lambda x: x.view(np.uint8))
        return
    signed = {1: np.int8, 2: np.int16, 4: np.int32, 8: np.int64}
    unsigned = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}
    narrow = type_name(at.type) in ("int4", "uint4", "int2", "uint2") or "float4" in type_name(at.type)
    if narrow:
        number = {"int4": TensorProto.UINT4, "int2": TensorProto.UINT2, "uint2": TensorProto.INT2}
        yield Case([_numbers(at, at.type)], {"to": number.get(type_name(at.type), TensorProto.INT4)}, widens=False)
        return
    size = at.type.itemsize
    for kinds in (unsigned, signed) if size in signed else ():
        to = np.dtype(kinds[size])
        if to != at.type:
            number = helper.np_dtype_to_tensor_dtype(to)
            yield Case([_numbers(at, at.type)], {"to": number}, model=lambda x, to=to: x.view(to), widens=False)
    if size == 16:
        yield Case([at.values(2, 3)], {"to": TensorProto.COMPLEX128}, model=lambda x: x, widens=False)


@recipe("SwiGLU")
def swiglu(at: At):
    yield Case([at.values(2, 6)] if len(at.schema.inputs) == 1 else [at.values(2, 6), at.values(2, 6)])
