"""Quantising, and products of quantised tensors."""

import numpy as np
from onnx import helper

from ..cases import At, Case, Constant, recipe, type_name


@recipe("QuantizeLinear", varies="y_zero_point")
def quantize(at: At):
    x = at.random.uniform(-3, 3, (2, 4)).astype(np.float32)
    scale = np.array(0.25, np.float32)
    zero = np.zeros((), at.type)
    yield Case([x, scale, zero], widens=False)
    yield Case([x, Constant(scale), Constant(zero)])
    yield Case([x, scale])
    if at.version >= 13:
        yield Case(
            [x, Constant(np.array([0.1, 0.2], np.float32)), Constant(np.array([1, 2]).astype(at.type))], {"axis": 0}
        )
    if at.version >= 21:
        scales = np.array([[0.1, 0.2], [0.3, 0.4]], np.float32)
        yield Case([x, scales, np.zeros((2, 2), at.type)], {"axis": 1, "block_size": 2})
        yield Case([x, scale], {"output_dtype": helper.np_dtype_to_tensor_dtype(np.dtype(np.int16))})


@recipe("DequantizeLinear", main="uint8")
def dequantize(at: At):
    low = 0 if type_name(at.type).startswith(("u", "float8_e8")) else -2
    x = at.values(2, 4, low=low, high=3, type=np.int64).astype(at.type)
    scale = np.array(0.25, np.float32)
    model = lambda x, s, z=0: (x.astype(np.float32) - np.asarray(z, np.float32)) * s  # noqa: E731
    yield Case([x, scale], model=model, widens=False)
    if at.type != np.int32:
        yield Case([x, scale, np.array(1, at.type)], model=model)
    if at.version >= 13:
        scales = Constant(np.array([0.1, 0.2], np.float32))
        yield Case([x, scales], {"axis": 0}, model=lambda x, s: model(x, s[:, None]))
    if at.version >= 19:
        half = lambda x, s: model(x, s).astype(np.float16)  # noqa: E731
        yield Case([x, np.array(0.25, np.float16)], model=half)
    if at.version >= 21:
        scales = np.array([[0.1, 0.2], [0.3, 0.4]], np.float32)
        yield Case([x, scales], {"axis": 1, "block_size": 2}, model=lambda x, s: model(x, np.repeat(s, 2, 1)))


@recipe("DynamicQuantizeLinear")
def dynamic_quantize(at: At):
    yield Case([at.values(3, 4)], outputs=3)


@recipe("QLinearConv", main="uint8")
def qlinear_conv(at: At):
    x, w = at.values(1, 2, 5, 5, low=0, high=100), at.values(3, 2, 3, 3, low=0, high=20)
    scale = lambda v: Constant(np.array(v, np.float32))  # noqa: E731
    zero = lambda v: Constant(np.array(v, at.type))  # noqa: E731
    inputs = [
        x,
        scale(0.02),
        zero(3),
        Constant(w),
        scale(0.03),
        zero(2 if at.type == np.uint8 else 0),
        scale(0.1),
        zero(4),
    ]
    bias = Constant(at.random.integers(-200, 200, 3).astype(np.int32))

    def model(x, xs, xz, w, ws, wz, ys, yz, b=0):
        x, w = (v.astype(np.int64) - int(z) for v, z in ((x, xz), (w, wz)))
        x = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
        patches = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (2, 3))
        sums = np.einsum("ncyxhw,ochw->noyx", patches, w) + np.reshape(b, (-1, 1, 1))
        bounds = np.iinfo(at.type)
        return np.clip(np.rint(sums * (xs * ws / ys)) + int(yz), bounds.min, bounds.max).astype(at.type)

    yield Case([*inputs, bias], {"pads": [1, 1, 1, 1]}, model=model)
    yield Case(inputs, {"pads": [1, 1, 1, 1]}, model=model)


@recipe("QLinearMatMul", main="uint8")
def qlinear_matmul(at: At):
    whole = at.type.kind in "iu"
    a, b = at.values(3, 4, low=0, high=100), at.values(4, 5, low=0, high=100)
    if not whole:  # floats of 8 bits
        a, b = (at.random.integers(-3, 4, size).astype(at.type) for size in ((3, 4), (4, 5)))
    scale = lambda v: np.array(v, np.float32)  # noqa: E731
    zero = lambda v: np.array(v if whole else 0).astype(at.type)  # noqa: E731

    def model(a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero):
        a, b = ((v.astype(np.float64) - float(z)) * s for v, s, z in ((a, a_scale, a_zero), (b, b_scale, b_zero)))
        y = a @ b / y_scale
        if not whole:
            return y.astype(np.float32).astype(at.type)
        bounds = np.iinfo(at.type)
        return np.clip(np.rint(y) + int(y_zero), bounds.min, bounds.max).astype(at.type)

    inputs = [a, scale(0.02), zero(3), b, scale(0.03), zero(2), scale(0.5), zero(4)]
    yield Case(inputs, model=model, widens=False)
    yield Case([a, *map(Constant, inputs[1:])], model=model, widens=False)
