"""Reductions, and what looks for or sorts the greatest."""

import numpy as np

from ..cases import BOOLEAN, At, Case, Constant, recipe
from .movement import ints

FUNCTIONS = {
    "ReduceL1": lambda x, **k: np.abs(x).sum(**k),
    "ReduceL2": lambda x, **k: np.sqrt(np.square(x.astype(np.float64)).sum(**k)),
    "ReduceLogSum": lambda x, **k: np.log(x.astype(np.float64).sum(**k)),
    "ReduceLogSumExp": lambda x, **k: np.log(np.exp(x.astype(np.float64)).sum(**k)),
    "ReduceMax": np.max,
    "ReduceMean": lambda x, **k: x.sum(**k) / (x.size / x.sum(**k).size),
    "ReduceMin": np.min,
    "ReduceProd": lambda x, **k: x.prod(**k),
    "ReduceSum": lambda x, **k: x.sum(**k),
    "ReduceSumSquare": lambda x, **k: np.square(x).sum(**k),
}


@recipe(*FUNCTIONS)
def reduce(at: At):
    function = FUNCTIONS[at.operator]
    x = at.values(3, 2, 4, low=1, high=3)
    if at.operator == "ReduceMean" and at.type.kind in "iu":
        x[...] = 2  # how a mean of integers is rounded is open
    takes_input = at.version >= (13 if at.operator == "ReduceSum" else 18)

    def of(axes, keep=True):
        def model(x, *_):
            result = np.asarray(function(x, axis=axes, keepdims=keep))
            return result if x.dtype.kind == "V" or at.type == BOOLEAN else result.astype(x.dtype)

        return model

    def given(axes):
        return ([Constant(ints(*axes))], {}) if takes_input else ([], {"axes": list(axes)})

    inputs, attributes = given((0, 2))
    yield Case([x, *inputs], attributes, model=of((0, 2)))
    inputs, attributes = given((1,))
    yield Case([x, *inputs], {**attributes, "keepdims": 0}, model=of((1,), False))
    yield Case([x], {"keepdims": 0}, model=of(None, False))
    if at.version >= 11:
        inputs, attributes = given((-1,))
        yield Case([x, *inputs], attributes, model=of((-1,)))
    if takes_input:
        nothing = np.zeros(0, np.int64)
        yield Case([x, ints(1)], model=of((1,)))
        yield Case([x, nothing], {"noop_with_empty_axes": 0}, model=of(None))
        element_wise = {
            "ReduceL1": np.abs,
            "ReduceL2": np.abs,
            "ReduceLogSum": np.log,
            "ReduceSumSquare": np.square,
        }.get(at.operator, lambda x: x)
        yield Case([x, Constant(nothing)], {"noop_with_empty_axes": 1}, model=lambda x, _: element_wise(x))


@recipe("ArgMax", "ArgMin")
def arg(at: At):
    x = at.values(3, 4, low=0, high=3)
    function = np.argmax if at.operator == "ArgMax" else np.argmin
    first = lambda x, axis, keep=True: np.asarray(function(x, axis, keepdims=keep), np.int64)  # noqa: E731
    yield Case([x], model=lambda x: first(x, 0), widens=False)
    yield Case([x], {"axis": 1, "keepdims": 0}, model=lambda x: first(x, 1, False))
    if at.version >= 11:
        yield Case([x], {"axis": -1}, model=lambda x: first(x, 1))
    if at.version >= 12:
        x = np.array([[1, 3, 3, 1], [0, 0, 0, 0]], at.type)
        yield Case([x], {"axis": 1, "select_last_index": 1}, model=lambda x: 3 - first(x[:, ::-1], 1))


@recipe("TopK")
def top_k(at: At):
    x = at.random.permutation(24).reshape(2, 12).astype(at.type)

    def model(x, *_, axis=-1, largest=True):
        order = np.argsort(-x.astype(np.float64) if largest else x.astype(np.float64), axis, kind="stable")
        order = np.take(order, range(3), axis)
        return np.take_along_axis(x, order, axis), order

    given = [] if at.version < 10 else [Constant(ints(3))]
    k = {"k": 3} if at.version < 10 else {}
    yield Case([x, *given], k, 2, model=model)
    y = np.ascontiguousarray(x.T)
    yield Case([y, *given], {**k, "axis": 0}, 2, model=lambda *v: model(*v, axis=0))
    if at.version >= 11:
        yield Case([x, ints(3)], {"largest": 0}, 2, model=lambda *v: model(*v, largest=False))
    equal = np.array([[1, 2, 2, 1, 2, 0]]).astype(at.type)
    yield Case([equal, *given], k, 2, model=model)


@recipe("Hardmax", "Softmax", "LogSoftmax")
def softmax(at: At):
    x = at.values(2, 3, 4)

    def along(x, axes):
        x = x.astype(np.float64)
        e = np.exp(x - x.max(axes, keepdims=True))
        p = e / e.sum(axes, keepdims=True)
        if at.operator == "Hardmax":
            flat = x.reshape(-1, np.prod([x.shape[a] for a in axes], dtype=int))
            return np.eye(flat.shape[1])[flat.argmax(1)].reshape(x.shape)
        return p if at.operator == "Softmax" else np.log(p)

    if at.version < 13:  # over all axes from `axis` on
        yield Case([x], model=lambda x: along(x, (1, 2)).astype(x.dtype))
        yield Case([x], {"axis": 2}, model=lambda x: along(x, (2,)).astype(x.dtype))
        yield Case([x], {"axis": 0}, model=lambda x: along(x, (0, 1, 2)).astype(x.dtype))
        if at.version >= 11:
            yield Case([x], {"axis": -2}, model=lambda x: along(x, (1, 2)).astype(x.dtype))
        return
    yield Case([x], model=lambda x: along(x, (2,)).astype(x.dtype))
    if at.operator == "Hardmax":
        yield Case([x], {"axis": 0})
    else:
        yield Case([x], {"axis": 1}, model=lambda x: along(x, (1,)).astype(x.dtype))
