"""Branches, loops, sequences and optional values."""

import numpy as np
import onnx
from onnx import TensorProto, helper

from ..cases import TEXT, At, Case, Constant, Typed, recipe

BOOL, INT64 = TensorProto.BOOL, TensorProto.INT64


def element(kind: np.dtype) -> int:
    return TensorProto.STRING if kind == TEXT else helper.np_dtype_to_tensor_dtype(kind)


def tensor(kind: np.dtype, *dims: int | None) -> onnx.TypeProto:
    return helper.make_tensor_type_proto(element(kind), dims)


def graph(nodes, inputs, outputs) -> onnx.GraphProto:
    """inputs and outputs: name to type."""
    return helper.make_graph(
        nodes, "body", *([helper.make_value_info(*value) for value in values.items()] for values in (inputs, outputs))
    )


@recipe("If", varies="outputs")
def if_(at: At):
    value = at.values(2, 3)
    other = at.values(2, 3)

    def branch(array):
        node = helper.make_node("Constant", [], ["y"], value=onnx.numpy_helper.from_array(array))
        return graph([node], {}, {"y": tensor(at.type, 2, 3)})

    for condition in (True, False):
        yield Case(
            [np.array(condition)],
            {"then_branch": branch(value), "else_branch": branch(other)},
            model=lambda c: value if c else other,
            widens=False,
        )


@recipe("Loop", varies="v_initial")
def loop(at: At):
    """Hands on a tensor, and stacks it."""
    values = {"v": tensor(at.type, 2), "w": tensor(at.type, 2)}
    body = graph(
        [
            helper.make_node("Identity", ["go"], ["on"]),
            helper.make_node("Identity", ["w"], ["w_new"]),
            helper.make_node("Identity", ["v"], ["v_new"]),
            helper.make_node("Identity", ["v"], ["each"]),
        ],
        {"i": tensor(np.dtype(np.int64)), "go": tensor(np.dtype(bool)), **values},
        {"on": tensor(np.dtype(bool)), "w_new": values["w"], "v_new": values["v"], "each": values["v"]},
    )
    v, w = at.values(2), at.values(2)

    def model(trips, go, v, w):
        each = []
        for _ in range(int(trips)):
            each.append(v)
            v, w = w, v
        return v, w, np.stack(each)

    yield Case([np.array(3), np.array(True), v, w], {"body": body}, 3, model=model, widens=False)
    yield Case([Constant(np.array(4)), None, v, w], {"body": body}, 3, model=lambda t, g, v, w: model(t, g, v, w))


@recipe("Scan", varies="V")
def scan(at: At):
    """Hands on the element before: each output is the input's predecessor."""
    kind = tensor(at.type, 3)
    body = graph(
        [helper.make_node("Identity", ["x"], ["last"]), helper.make_node("Identity", ["state"], ["y"])],
        {"state": kind, "x": kind},
        {"last": kind, "y": kind},
    )

    def model(state, x):
        return x[-1], np.concatenate([state[None], x[:-1]])

    state, x = at.values(3), at.values(4, 3)
    if at.version == 8:  # with a batch, and lengths

        def batched(lengths, states, xs):
            ends, rows = [], []
            for b in range(len(xs)):
                length = xs.shape[1] if lengths is None else int(lengths[b])
                end, row = model(states[b], xs[b, :length])
                ends.append(end)
                rows.append(np.concatenate([row, np.zeros_like(xs[b, length:])]))
            return np.stack(ends), np.stack(rows)

        states, xs = at.values(2, 3), at.values(2, 4, 3)
        yield Case([None, states, xs], {"body": body, "num_scan_inputs": 1}, 2, model=batched, widens=False)
        given = {"body": body, "num_scan_inputs": 1, "directions": [0]}
        yield Case([np.array([4, 2], np.int64), states, xs], given, 2, model=batched)
        return
    yield Case([state, x], {"body": body, "num_scan_inputs": 1}, 2, model=model, widens=False)
    backwards = {"scan_input_directions": [1], "scan_output_directions": [1]}
    given = {"body": body, "num_scan_inputs": 1, **backwards}
    back = lambda s, x: (x[0], np.concatenate([x[1:], s[None]]))  # noqa: E731
    yield Case([state, x], given, 2, model=back)
    given = {"body": body, "num_scan_inputs": 1, "scan_input_axes": [1], "scan_output_axes": [1]}
    side = lambda s, x: (x[:, -1], np.concatenate([s[:, None], x[:, :-1]], 1))  # noqa: E731
    yield Case([state, at.values(3, 4)], given, 2, model=side)


def sequence(kind: np.dtype, *dims: int | None) -> onnx.TypeProto:
    return helper.make_sequence_type_proto(tensor(kind, *dims))


def given(at: At, *lengths: int) -> Typed:
    return Typed([at.values(length) for length in lengths], sequence(at.type, None))


@recipe("SequenceConstruct")
def sequence_construct(at: At):
    yield Case([at.values(2), at.values(3)], model=lambda *v: (list(v),), widens=False)


@recipe("SequenceEmpty", varies="output")
def sequence_empty(at: At):
    yield Case([], model=lambda: ([],), types=[sequence(np.dtype(np.float32))])
    yield Case([], {"dtype": INT64}, model=lambda: ([],), types=[sequence(np.dtype(np.int64))])


@recipe("SequenceAt", varies="tensor")
def sequence_at(at: At):
    values = given(at, 2, 3, 4)
    yield Case([values, np.array(1)], model=lambda s, i: s[1], widens=False)
    yield Case([values, Constant(np.array(-1, np.int32))], model=lambda s, i: s[-1])


@recipe("SequenceErase", varies="tensor")
def sequence_erase(at: At):
    values = given(at, 2, 3, 4)
    yield Case([values, np.array(1)], model=lambda s, i: (s[:1] + s[2:],))
    yield Case([values], model=lambda s: (s[:-1],))


@recipe("SequenceInsert", varies="tensor")
def sequence_insert(at: At):
    values, new = given(at, 2, 3), at.values(1)
    yield Case([values, new, np.array(1)], model=lambda s, t, i: ([s[0], t, s[1]],), widens=False)
    yield Case([values, new], model=lambda s, t: ([*s, t],))


@recipe("SequenceLength")
def sequence_length(at: At):
    yield Case([given(at, 2, 3)], model=lambda s: np.array(2, np.int64))


@recipe("ConcatFromSequence", varies="concat_result")
def concat_from_sequence(at: At):
    values = Typed([at.values(2, 3), at.values(2, 3)], sequence(at.type, 2, 3))
    yield Case([values], {"axis": 1}, model=lambda s: np.concatenate(s, 1), widens=False)
    yield Case([values], {"axis": 0, "new_axis": 1}, model=lambda s: np.stack(s))


@recipe("SplitToSequence")
def split_to_sequence(at: At):
    x = at.values(4, 3)
    rows = lambda *sizes: lambda x, *_: (np.split(x, np.cumsum(sizes)[:-1]),)  # noqa: E731
    yield Case([x, np.array([1, 3])], model=rows(1, 3), widens=False)
    yield Case([x, np.array(3)], model=rows(3, 1))
    yield Case([x], model=rows(1, 1, 1, 1))
    yield Case([x], {"keepdims": 0}, model=lambda x: (list(x),))


@recipe("SequenceMap")
def sequence_map(at: At):
    kind = tensor(np.dtype(np.float32), None)
    body = graph([helper.make_node("Neg", ["x"], ["y"])], {"x": kind}, {"y": kind})
    values = Typed([at.normal(2), at.normal(3)], sequence(np.dtype(np.float32), None))
    yield Case([values], {"body": body}, model=lambda s: ([-v for v in s],))


def optional(kind: onnx.TypeProto) -> onnx.TypeProto:
    return helper.make_optional_type_proto(kind)


@recipe("Optional", varies="V")
def optional_(at: At):
    x = at.values(3)
    kind = tensor(at.type, 3)
    yield Case([x], model=lambda x: x, types=[optional(kind)], widens=False)
    yield Case([], {"type": kind}, model=lambda: None, types=[optional(kind)])
    yield Case([[x, x]], model=lambda s: (s,), types=[optional(sequence(at.type, 3))])


@recipe("OptionalHasElement", "OptionalGetElement", varies="V")
def optional_element(at: At):
    gets = at.operator == "OptionalGetElement"
    kind = optional(tensor(np.dtype(np.float32), 3))
    x = at.normal(3)
    yield Case([Typed(x, kind)], model=lambda x: x if gets else np.array(True))
    if not gets:
        yield Case([Typed(None, kind)], model=lambda x: np.array(False))
    if at.version >= 18:
        yield Case([x], model=lambda x: x if gets else np.array(True))
        if not gets:
            yield Case([], model=lambda: np.array(False))
