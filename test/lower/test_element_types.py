"""Elements of 8 bits and fewer: conversions against ml_dtypes for every pattern, and tensors that are only moved."""

import ml_dtypes
import numpy as np
import onnx
import onnxc
import pytest
from onnx import TensorProto as T
from onnx import helper

FLOATS = {
    T.FLOAT8E4M3FN: ml_dtypes.float8_e4m3fn,
    T.FLOAT8E4M3FNUZ: ml_dtypes.float8_e4m3fnuz,
    T.FLOAT8E5M2: ml_dtypes.float8_e5m2,
    T.FLOAT8E5M2FNUZ: ml_dtypes.float8_e5m2fnuz,
    T.FLOAT4E2M1: ml_dtypes.float4_e2m1fn,
    T.FLOAT6E2M3: ml_dtypes.float6_e2m3fn,
    T.FLOAT6E3M2: ml_dtypes.float6_e3m2fn,
}
FINITE = (T.FLOAT4E2M1, T.FLOAT6E2M3, T.FLOAT6E3M2)  # with neither infinity nor NaN
BITS = {T.FLOAT4E2M1: 4, T.FLOAT6E2M3: 6, T.FLOAT6E3M2: 6, T.UINT4: 4, T.INT4: 4, T.UINT2: 2, T.INT2: 2}
INTEGERS = {
    T.UINT4: ml_dtypes.uint4,
    T.INT4: ml_dtypes.int4,
    T.UINT2: ml_dtypes.uint2,
    T.INT2: ml_dtypes.int2,
}
NARROW = {**FLOATS, T.FLOAT8E8M0: ml_dtypes.float8_e8m0fnu, **INTEGERS}


def name(elem_type: int) -> str:
    return T.DataType.Name(elem_type).lower()


@pytest.fixture
def run(compiled):
    """run(nodes, inputs, outputs, feeds) in one library; inputs and outputs by name, with element type and shape."""

    def run_model(nodes, inputs, outputs, feeds):
        values = [[helper.make_tensor_value_info(*value) for value in side] for side in (inputs, outputs)]
        model = helper.make_model(
            helper.make_graph(nodes, "elements", *values), opset_imports=[helper.make_opsetid("", 28)], ir_version=14
        )
        onnx.checker.check_model(model)
        return onnxc.InferenceSession(compiled(model)).run(None, feeds)

    return run_model


def patterns(elem_type: int) -> np.ndarray:
    bits = BITS.get(elem_type, 8)
    raw = np.arange(1 << bits, dtype=np.uint8)
    if elem_type in (T.INT4, T.INT2):  # ml_dtypes keeps the sign in the upper bits
        raw = (raw.astype(np.int8) << (8 - bits) >> (8 - bits)).view(np.uint8)
    return raw.view(NARROW[elem_type])


def same(actual, expected):
    """Equal bit by bit, but for which NaN it is."""
    assert actual.dtype == expected.dtype and actual.shape == expected.shape
    a, b = actual.astype(np.float64), expected.astype(np.float64)
    np.testing.assert_array_equal(np.isnan(a), np.isnan(b))
    number = ~np.isnan(a)
    np.testing.assert_array_equal(a[number], b[number])
    np.testing.assert_array_equal(np.signbit(a[number]), np.signbit(b[number]))


def test_every_pattern_as_float(run):
    kinds = list(NARROW)
    nodes = [helper.make_node("Cast", [f"x{k}"], [f"y{k}"], to=T.FLOAT) for k in kinds]
    data = {f"x{k}": patterns(k) for k in kinds}
    inputs = [(f"x{k}", k, data[f"x{k}"].shape) for k in kinds]
    outputs = [(f"y{k}", T.FLOAT, data[f"x{k}"].shape) for k in kinds]
    for k, y in zip(kinds, run(nodes, inputs, outputs, data), strict=True):
        same(y, patterns(k).astype(np.float32))


def numbers_around(elem_type: int) -> np.ndarray:
    """What is near the numbers of a format and their middles, in f32; and what no format has."""
    with np.errstate(all="ignore"):
        exact = patterns(elem_type)
        exact = np.unique(exact.astype(np.float32)[np.isfinite(exact.astype(np.float32))])
        middles = (exact[1:] + exact[:-1]) / 2
        near = [np.nextafter(v, np.float32(s) * np.inf, dtype=np.float32) for v in (exact, middles) for s in (-1, 1)]
    special = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e30, -1e30, 1e-40, 500.0, 60000.0, 61440.0], np.float32)
    return np.concatenate([exact, middles, *near, special, np.float32(2) * exact[-3:]])


@pytest.mark.parametrize("saturate", [0, 1])
def test_rounding(saturate, run):
    kinds = list(FLOATS)
    nodes = [helper.make_node("Cast", [f"x{k}"], [f"y{k}"], to=k, saturate=saturate) for k in kinds]
    data = {f"x{k}": numbers_around(k) for k in kinds}
    inputs = [(f"x{k}", T.FLOAT, data[f"x{k}"].shape) for k in kinds]
    outputs = [(f"y{k}", k, data[f"x{k}"].shape) for k in kinds]
    for k, y in zip(kinds, run(nodes, inputs, outputs, data), strict=True):
        x = data[f"x{k}"]
        with np.errstate(all="ignore"):
            expected = x.astype(FLOATS[k])
            if saturate and k not in FINITE:
                greatest = ml_dtypes.finfo(FLOATS[k]).max.astype(np.float32)
                beyond = ~np.isnan(x) & ~np.isfinite(expected.astype(np.float32))
                expected[beyond] = np.copysign(greatest, x[beyond]).astype(FLOATS[k])
        same(y, expected)


def test_double_rounds_once(run):
    """Half way between two numbers of e4m3fn but for less than f32 tells."""
    x = np.array([1.0625 + 2.0**-40, 1.0625 - 2.0**-40, 1.0625, -1.1875 - 2.0**-40, 2.0**-10 + 2.0**-50, np.nan])
    (y,) = run(
        [helper.make_node("Cast", ["x"], ["y"], to=T.FLOAT8E4M3FN)],
        [("x", T.DOUBLE, x.shape)],
        [("y", T.FLOAT8E4M3FN, x.shape)],
        {"x": x},
    )
    same(y, np.array([1.125, 1.0, 1.0, -1.25, 2.0**-9, np.nan]).astype(ml_dtypes.float8_e4m3fn))


def test_integers_wrap(run):
    x = np.arange(-40, 41, dtype=np.int32)
    kinds = list(INTEGERS)
    outputs = run(
        [helper.make_node("Cast", ["x"], [f"y{k}"], to=k) for k in kinds],
        [("x", T.INT32, x.shape)],
        [(f"y{k}", k, x.shape) for k in kinds],
        {"x": x},
    )
    for k, y in zip(kinds, outputs, strict=True):
        bits = 4 if k in (T.UINT4, T.INT4) else 2
        low = 0 if k in (T.UINT4, T.UINT2) else -(1 << (bits - 1))
        np.testing.assert_array_equal(y.astype(np.int32), (x - low) % (1 << bits) + low)


@pytest.mark.parametrize("elem_type", [kind for kind in NARROW if BITS.get(kind) != 6], ids=name)
def test_moved(elem_type, run):
    """Shapes whose elements fill the last byte or not, and dims that only a run knows."""
    generator = np.random.default_rng(elem_type)
    x, weights = (generator.choice(patterns(elem_type), shape) for shape in ((3, 5), (10, 13)))
    nodes = [
        helper.make_node("Constant", [], ["w"], value=onnx.numpy_helper.from_array(weights, "w")),
        helper.make_node("Constant", [], ["flat"], value_ints=[-1]),
        helper.make_node("Constant", [], ["axes"], value_ints=[0]),
        helper.make_node("Transpose", ["x"], ["transposed"], perm=[1, 0]),
        helper.make_node("Reshape", ["x", "flat"], ["reshaped"]),
        helper.make_node("Unsqueeze", ["x", "axes"], ["unsqueezed"]),
        helper.make_node("Identity", ["x"], ["copy"]),
        helper.make_node("Transpose", ["w"], ["constant"], perm=[1, 0]),
    ]
    expected = {
        "transposed": x.T,
        "reshaped": x.ravel(),
        "unsqueezed": x[None],
        "copy": x,
        "constant": weights.T,
    }
    outputs = [(n, elem_type, [None] * array.ndim) for n, array in expected.items()]
    results = run(nodes, [("x", elem_type, ["n", 5])], outputs, {"x": x})
    for (n, wanted), got in zip(expected.items(), results, strict=True):
        assert got.dtype == wanted.dtype, n
        np.testing.assert_array_equal(got.view(np.uint8), np.ascontiguousarray(wanted).view(np.uint8), err_msg=n)


@pytest.mark.parametrize("elem_type", BITS, ids=name)
def test_held(elem_type, compiled):
    """In optionals and sequences tensors share bytes as the model's own do; and in constants."""
    generator = np.random.default_rng(elem_type)
    x, y, empty, weights = (generator.choice(patterns(elem_type), shape) for shape in ((3, 5), (2, 5), (0, 5), (7, 11)))
    tensor = helper.make_tensor_type_proto(elem_type, [None, 5])
    optional = helper.make_optional_type_proto(tensor)
    sequence = helper.make_sequence_type_proto(tensor)
    floats = helper.make_tensor_type_proto(T.FLOAT, [7, 11])
    nodes = [
        helper.make_node("OptionalGetElement", ["given"], ["read"]),
        helper.make_node("Optional", ["x"], ["there"]),
        helper.make_node("Optional", ["s"], ["list"]),
        helper.make_node("Constant", [], ["w"], value=onnx.numpy_helper.from_array(weights, "w")),
        helper.make_node("Cast", ["w"], ["constant"], to=T.FLOAT),
    ]
    inputs = [("given", optional), ("x", tensor), ("s", sequence)]
    outputs = [("read", tensor), ("there", optional), ("list", helper.make_optional_type_proto(sequence))]
    outputs.append(("constant", floats))
    sides = [[helper.make_value_info(*value) for value in side] for side in (inputs, outputs)]
    model = helper.make_model(
        helper.make_graph(nodes, "held", *sides), opset_imports=[helper.make_opsetid("", 28)], ir_version=14
    )
    feeds = {"given": y, "x": x, "s": [y, empty, x]}
    read, there, held, constant = onnxc.InferenceSession(compiled(model)).run(None, feeds)
    for got, wanted in zip([read, there, *held], [y, x, y, empty, x], strict=True):
        assert got.dtype == wanted.dtype and got.shape == wanted.shape
        np.testing.assert_array_equal(got.view(np.uint8), wanted.view(np.uint8))
    same(constant, weights.astype(np.float32))


def test_complex_numbers_are_moved(run):
    x = (np.arange(6) + 1j * np.arange(6)[::-1]).astype(np.complex64).reshape(2, 3)
    transposed, copy = run(
        [
            helper.make_node("Transpose", ["x"], ["t"], perm=[1, 0]),
            helper.make_node("Concat", ["x", "x"], ["c"], axis=0),
        ],
        [("x", T.COMPLEX64, ["n", 3])],
        [("t", T.COMPLEX64, [3, None]), ("c", T.COMPLEX64, [None, 3])],
        {"x": x},
    )
    np.testing.assert_array_equal(transposed, x.T)
    np.testing.assert_array_equal(copy, np.concatenate([x, x]))
