"""Operators that move elements: reshaping, slicing, gathering, scattering, padding."""

import numpy as np
import onnx
from onnx import helper, numpy_helper

from ..cases import BOOLEAN, TEXT, At, Case, Constant, recipe


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


@recipe("Concat")
def concat(at: At):
    x, y = at.values(2, 3), at.values(2, 2)
    yield Case([x, y, x], {"axis": 1}, model=lambda *xs: np.concatenate(xs, 1))
    if at.version == 1:  # the axis is optional, and 1
        yield Case([x, y], {}, model=lambda *xs: np.concatenate(xs, 1))
    if at.version >= 11:
        yield Case([x, y], {"axis": -1}, model=lambda *xs: np.concatenate(xs, 1))


@recipe("Compress")
def compress(at: At):
    x, condition = at.values(3, 4), np.array([False, True, True])
    yield Case([x, condition], {"axis": 0}, model=lambda x, c: np.compress(c, x, 0))
    yield Case([x, condition], {}, model=lambda x, c: np.compress(c, x))


@recipe("Constant", varies="output")
def constant(at: At):
    value = at.values(2, 3)
    yield Case([], {"value": numpy_helper.from_array(value)}, model=lambda: value, widens=False)
    if at.version >= 11:
        dense = np.array([[0, 1.5, 0], [0, 0, -2]], np.float32)
        for indices in ([1, 5], [[0, 1], [1, 2]]):
            elements = numpy_helper.from_array(np.array([1.5, -2], np.float32), "v")
            sparse = helper.make_sparse_tensor(elements, numpy_helper.from_array(np.array(indices), "i"), [2, 3])
            yield Case([], {"sparse_value": sparse}, model=lambda: dense)
    if at.version >= 12:
        for name, given, kind in (
            ("value_float", 1.5, np.float32),
            ("value_floats", [1.5, 2.0], np.float32),
            ("value_int", 7, np.int64),
            ("value_ints", [7, -8], np.int64),
            ("value_string", "a text", object),
            ("value_strings", ["a", "b"], object),
        ):
            yield Case([], {name: given}, model=lambda given=given, kind=kind: np.array(given, kind))


@recipe("ConstantOfShape", varies="output")
def constant_of_shape(at: At):
    value = at.values(1, low=1)
    attributes = {"value": numpy_helper.from_array(value)}
    yield Case([ints(2, 3)], attributes, model=lambda s: np.full(s, value[0], value.dtype), widens=False)
    yield Case([Constant(ints(2, 0))], attributes, model=lambda s: np.full(s, value[0], value.dtype))
    yield Case([np.zeros(0, np.int64)], {}, model=lambda s: np.float32(0))


@recipe("DepthToSpace", "SpaceToDepth")
def depth_and_space(at: At):
    x = at.values(2, 8, 2, 6) if at.operator == "DepthToSpace" else at.values(2, 2, 4, 6)
    modes = ("DCR", "CRD") if "mode" in at.schema.attributes else (None,)
    for mode in modes:
        given = {"mode": mode} if mode else {}
        model = (lambda x, m=mode: _to_depth(x, m)) if at.operator == "SpaceToDepth" else None
        yield Case([x], {"blocksize": 2, **given}, model=model)


def _to_depth(x: np.ndarray, mode: str | None) -> np.ndarray:
    n, c, h, w = x.shape
    parts = x.reshape(n, c, h // 2, 2, w // 2, 2)
    order = (0, 1, 3, 5, 2, 4) if mode == "CRD" else (0, 3, 5, 1, 2, 4)
    return parts.transpose(order).reshape(n, c * 4, h // 2, w // 2)


@recipe("Expand")
def expand(at: At):
    yield Case([at.values(3, 1), ints(2, 1, 4)], model=lambda x, s: np.broadcast_to(x, (2, 3, 4)))


@recipe("EyeLike", varies="output")
def eye_like(at: At):
    number = helper.np_dtype_to_tensor_dtype(at.type)
    x = np.zeros((3, 4), np.float32)
    yield Case([x], {"dtype": number, "k": 1}, model=lambda x: np.eye(3, 4, 1, np.float32), types=[_tensor(at.type)])
    yield Case([x], {"k": -1}, model=lambda x: np.eye(3, 4, -1, np.float32))


def _tensor(kind: np.dtype) -> onnx.TypeProto:
    return helper.make_tensor_type_proto(helper.np_dtype_to_tensor_dtype(kind), [None, None])


@recipe("Flatten")
def flatten(at: At):
    x = at.values(2, 3, 4)
    yield Case([x], {"axis": 2}, model=lambda x: x.reshape(6, 4))
    yield Case([x], {}, model=lambda x: x.reshape(2, 12))
    yield Case([x], {"axis": 0}, model=lambda x: x.reshape(1, 24))
    if at.version >= 11:
        yield Case([x], {"axis": -1}, model=lambda x: x.reshape(6, 4))


@recipe("Gather")
def gather(at: At):
    x = at.values(4, 3)
    least = -4 if at.version >= 11 else 0
    indices = at.random.integers(least, 4, (2, 2))
    yield Case([x, indices], {}, model=lambda x, i: np.take(x, i, 0))
    yield Case([x, np.array([2, 0], np.int32)], {"axis": 1}, model=lambda x, i: np.take(x, i, 1))
    yield Case([x, Constant(np.array(1))], {}, model=lambda x, i: x[1])


@recipe("GatherElements")
def gather_elements(at: At):
    x, indices = at.values(4, 3), at.indices(4, 2, 3)
    yield Case([x, indices], {}, model=lambda x, i: np.take_along_axis(x, i, 0))
    x, indices = at.values(2, 3), at.indices(3, 2, 5)
    yield Case([x, indices], {"axis": -1}, model=lambda x, i: np.take_along_axis(x, i, 1))


@recipe("GatherND")
def gather_nd(at: At):
    x = at.values(3, 4, 2)
    yield Case([x, at.indices(3, 5, 2)], model=lambda x, i: x[i[:, 0], i[:, 1]])
    if at.version >= 12:
        model = lambda x, i: np.stack([x[b][i[b, :, 0]] for b in range(3)])  # noqa: E731
        yield Case([x, at.indices(4, 3, 2, 1)], {"batch_dims": 1}, model=model)


@recipe("NonZero")
def non_zero(at: At):
    x = at.values(3, 4, low=0, high=1) if at.type != TEXT else at.values(3, 4)
    model = lambda x: np.array(np.nonzero(np.vectorize(bool, otypes=[bool])(x)), np.int64)  # noqa: E731
    yield Case([x], model=model, widens=False)


@recipe("OneHot", varies="T3")
def one_hot(at: At):
    indices = np.array([[0, 2], [3, 1]], np.int64)
    values = at.values(2)

    def model(indices, depth, values, axis=-1):
        count = int(depth.reshape(()))
        hot = np.moveaxis(indices[..., None] % count == np.arange(count), -1, axis)
        return np.where(hot, values[1], values[0])

    yield Case([indices, Constant(np.array([4], np.int64)), values], model=model)
    if at.version >= 11:
        depth = np.array(4, np.float32)
        attributes = {"axis": 1}
        yield Case([indices - 4, depth, values], attributes, model=lambda *x: model(*x, axis=1))


@recipe("Pad")
def pad(at: At):
    x = at.values(2, 3)
    value = at.values(1, low=1).reshape(())
    if at.version < 11:
        name = "paddings" if at.version == 1 else "pads"
        x = at.values(2, 3)
        constant = lambda x: np.pad(x, ((0, 0), (1, 2)), constant_values=np.array(1.5, x.dtype))  # noqa: E731
        yield Case([x], {name: [0, 1, 0, 2], "value": 1.5}, model=constant)
        for mode in ("reflect", "edge"):
            attributes = {name: [1, 2, 0, 1], "mode": mode}
            yield Case([x], attributes, model=lambda x, m=mode: np.pad(x, ((1, 0), (2, 1)), mode=m))
        yield Case([x], {name: [0, -1, 0, 1]}, model=lambda x: np.pad(x[:, 1:], ((0, 0), (0, 1))))
        return
    pads = ints(0, 1, 0, 2)
    yield Case([x, pads, value], model=lambda x, p, v: np.pad(x, ((0, 0), (1, 2)), constant_values=v))
    yield Case([x, Constant(ints(0, -1, 0, 1))], model=lambda x, p: np.pad(x[:, 1:], ((0, 0), (0, 1))))
    for mode in ("reflect", "edge", *(("wrap",) if at.version >= 19 else ())):
        attributes = {"mode": mode}
        yield Case([x, ints(1, 2, 0, 1)], attributes, model=lambda x, p, m=mode: np.pad(x, ((1, 0), (2, 1)), mode=m))
    if at.version >= 18:
        yield Case([x, ints(1, 2), None, ints(-1)], model=lambda x, *_: np.pad(x, ((0, 0), (1, 2))))


@recipe("Range", main="float32")
def numbers(at: At):
    yield Case([np.array(v).astype(at.type) for v in (2, 11, 3)], model=lambda a, b, d: np.arange(a, b, d))
    yield Case([np.array(v).astype(at.type) for v in (5, -2, -2)], model=lambda a, b, d: np.arange(a, b, d))
    yield Case([np.array(v).astype(at.type) for v in (0, 1, 0.3)])


@recipe("Reshape")
def reshape(at: At):
    x = at.values(2, 3, 4)
    for shape in ([4, 6], [0, -1], [-1], [2, 0, 1, 4]):
        resolved = [x.shape[i] if size == 0 else size for i, size in enumerate(shape)]
        if at.version == 1:
            yield Case([x], {"shape": shape}, model=lambda x, s=resolved: x.reshape(s))
        else:
            wanted = Constant(ints(*shape)) if shape[0] else ints(*shape)
            yield Case([x, wanted], model=lambda x, _, s=resolved: x.reshape(s))
    if at.version >= 14:
        x = at.values(0, 3)
        yield Case([x, ints(3, 0)], {"allowzero": 1}, model=lambda x, _: x.reshape(3, 0))


@recipe("ReverseSequence")
def reverse_sequence(at: At):
    x, lengths = at.values(4, 3, 2), ints(1, 3, 4)

    def model(x, lengths):
        y = x.copy()
        for batch, length in enumerate(lengths):
            y[:length, batch] = x[:length, batch][::-1]
        return y

    yield Case([x, lengths], model=model)
    swapped = lambda x, lengths: model(x.swapaxes(0, 1), lengths).swapaxes(0, 1)  # noqa: E731
    yield Case([at.values(3, 4, 2), lengths], {"batch_axis": 0, "time_axis": 1}, model=swapped)


REDUCTIONS = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}


def _modes(at: At) -> list[str]:
    """What is done where indices meet."""
    if at.version < 16:
        return []
    if at.type == TEXT or at.type == BOOLEAN:
        return []
    return ["add", "mul"] + (["max", "min"] if at.version >= 18 else [])


@recipe("Scatter", "ScatterElements")
def scatter_elements(at: At):
    x, updates = at.values(4, 3), at.values(2, 3)
    rows = np.array([[0, 2, 1], [3, 0, 2]], np.int64)

    def put(x, indices, updates, axis=0):
        y = x.copy()
        np.put_along_axis(y, indices % x.shape[axis], updates, axis)
        return y

    def combine(x, indices, updates, function):
        y = x.copy()
        for place in np.ndindex(indices.shape):
            to = (indices[place] % 4, place[1])
            y[to] = function(y[to], updates[place])
        return y

    yield Case([x, rows, updates], model=put)
    if at.operator == "ScatterElements":
        columns = np.array([[-1, 0], [1, -2], [0, 1], [2, 0]], np.int32)
        yield Case([x, columns, at.values(4, 2)], {"axis": -1}, model=lambda *values: put(*values, axis=1))
        for mode in _modes(at):
            twice = np.array([[0, 2, 1], [0, 2, -3]], np.int64)
            model = lambda *values, f=REDUCTIONS[mode]: combine(*values, f)  # noqa: E731
            yield Case([x, twice, updates], {"reduction": mode}, model=model)


@recipe("ScatterND")
def scatter_nd(at: At):
    x, updates = at.values(4, 3), at.values(2, 3)

    def model(x, indices, updates, function=lambda old, new: new):
        y = x.copy()
        for index, update in zip(indices, updates, strict=True):
            y[tuple(index)] = function(y[tuple(index)], update)
        return y

    yield Case([x, np.array([[2], [0]]), updates], model=model)
    yield Case([x, np.array([[2, -1], [0, 1]]), at.values(2)], model=model)
    for mode in _modes(at):
        given = {"reduction": mode}
        yield Case([x, np.array([[1], [1]]), updates], given, model=lambda *v, f=REDUCTIONS[mode]: model(*v, f))


@recipe("Shape")
def shape(at: At):
    x = at.values(2, 3, 4)
    yield Case([x], model=lambda x: np.array(x.shape, np.int64), widens=False)
    if at.version >= 15:
        yield Case([x], {"start": 1}, model=lambda x: np.array([3, 4], np.int64))
        yield Case([x], {"start": -9, "end": -1}, model=lambda x: np.array([2, 3], np.int64))


@recipe("Size")
def size(at: At):
    yield Case([at.values(2, 3, 4)], model=lambda x: np.array(24, np.int64), widens=False)


@recipe("Slice")
def slicing(at: At):
    x = at.values(4, 5)
    if at.version < 10:
        yield Case([x], {"starts": [1, 0], "ends": [3, 4]}, model=lambda x: x[1:3, :4])
        yield Case([x], {"starts": [-2], "ends": [1000], "axes": [1]}, model=lambda x: x[:, -2:])
        return
    yield Case([x, ints(1, 0), ints(3, 4)], model=lambda x, *_: x[1:3, :4])
    yield Case([x, ints(-2), ints(1000), ints(1)], model=lambda x, *_: x[:, -2:])
    given = [Constant(ints(-1, 0)), Constant(ints(-1000, 5)), Constant(ints(-2, 1)), Constant(ints(-1, 2))]
    yield Case([x, *given], model=lambda x, *_: x[::-1, ::2])
    yield Case([x, np.array([1], np.int32), np.array([3], np.int32)], model=lambda x, *_: x[1:3])


@recipe("Split")
def split(at: At):
    x = at.values(6, 4)
    uneven = lambda x, *_: tuple(np.split(x, [2, 3], 0))  # noqa: E731
    even = lambda x: tuple(np.split(x, 2, 1))  # noqa: E731
    if at.version < 13:
        yield Case([x], {"axis": 0, "split": [2, 1, 3]}, 3, model=uneven)
        yield Case([x], {"axis": 1}, 2, model=even)
        if at.version == 1:  # the sizes may be an input of the data's type
            yield Case([x, Constant(np.array([2, 1, 3], at.type))], {"axis": 0}, 3, model=uneven)
        return
    yield Case([x, Constant(ints(2, 1, 3))], {"axis": 0}, 3, model=uneven)
    yield Case([x, Constant(ints(2, 1, 3))], {"axis": -2}, 3, model=uneven)
    count = {"num_outputs": 2} if at.version >= 18 else {}
    yield Case([x], {"axis": 1, **count}, 2, model=even)
    if at.version >= 18:
        model = lambda x: tuple(np.split(x, [2, 4], 0))  # noqa: E731
        yield Case([at.values(5, 2)], {"num_outputs": 3}, 3, model=model)


@recipe("Squeeze", "Unsqueeze")
def squeeze(at: At):
    x = at.values(1, 3, 1, 2)
    removes = at.operator == "Squeeze"
    lists = [[0, 2]] + ([[-2]] if at.version >= 11 else [])
    for axes in lists:
        model = lambda x, *_, a=tuple(axes): (np.squeeze if removes else np.expand_dims)(x, a)  # noqa: E731
        if at.version < 13:
            yield Case([x], {"axes": axes}, model=model)
        else:
            yield Case([x, Constant(ints(*axes))], model=model)
    if removes:
        yield Case([x], model=lambda x: x.squeeze())


@recipe("Tile")
def tile(at: At):
    x = at.values(2, 3)
    if at.version == 1:  # how often along one axis, both of the data's type
        for times, axis in ((2, 1), (3, 0)):
            given = [Constant(np.array([v]).astype(at.type)) for v in (times, axis)]
            yield Case([x, *given], model=lambda x, t, a: np.concatenate([x] * int(t[0]), int(a[0])))
        return
    for times in (ints(2, 3), Constant(ints(2, 3)), Constant(ints(0, 2)), Constant(ints(1, 1)), ints(3, 0)):
        yield Case([x, times], model=np.tile)


@recipe("Transpose")
def transpose(at: At):
    x = at.values(2, 3, 4)
    yield Case([x], {"perm": [1, 2, 0]}, model=lambda x: x.transpose(1, 2, 0))
    yield Case([x], model=lambda x: x.transpose())


@recipe("Trilu")
def trilu(at: At):
    x = at.values(2, 3, 4)
    zero = lambda x, keep: np.where(keep, x, np.array("" if at.type == TEXT else 0, x.dtype))  # noqa: E731
    yield Case([x], model=lambda x: zero(x, np.triu(np.ones((3, 4), bool))))
    given = {"upper": 0}
    yield Case([x, Constant(np.array(-1))], given, model=lambda x, _: zero(x, np.tril(np.ones((3, 4), bool), -1)))


@recipe("Unique")
def unique(at: At):
    x = np.concatenate([words := at.values(8), words[2:5]])
    yield Case([x], outputs=4)
    yield Case([x], {"sorted": 0}, outputs=4)
    rows = at.values(4, 2, low=0, high=1)
    yield Case([rows if at.type == TEXT else rows.round()], {"axis": 0}, outputs=4)


@recipe("CenterCropPad")
def center_crop_pad(at: At):
    fill = np.array("" if at.type == TEXT else 0, at.type)
    model = lambda x, _: np.pad(x[1:3], ((0, 0), (1, 2)), constant_values=fill)  # noqa: E731
    yield Case([at.values(5, 3), ints(2, 6)], model=model)
    yield Case([at.values(5, 4), ints(7)], {"axes": [-2]})


@recipe("Col2Im")
def col2im(at: At):
    if at.type == TEXT:
        sizes = Constant(ints(4, 3)), Constant(ints(2, 2))
        yield Case([at.values(1, 8, 6), *sizes], meaningless="strings do not add up")
        return
    yield Case([at.values(1, 8, 6), ints(4, 3), ints(2, 2)], {"pads": [0, 0, 0, 0]})
    yield Case([at.values(1, 4, 16), ints(4, 3), ints(2, 2)], {"pads": [1, 1, 0, 1]})


@recipe("CumSum", "CumProd")
def cumulative(at: At):
    x = at.values(3, 4)
    for attributes in ({}, {"exclusive": 1}, {"reverse": 1}, {"exclusive": 1, "reverse": 1}):
        yield Case([x, Constant(np.array(-1, np.int32))], attributes)


@recipe("TensorScatter")
def tensor_scatter(at: At):
    cache, update = at.values(2, 3, 5, 2), at.values(2, 3, 2, 2)
    for mode, starts in (("linear", [1, 3]), ("circular", [4, 2])):
        yield Case([cache, update, ints(*starts)], {"mode": mode})
    yield Case([cache, update])
