"""What only a run shows to be wrong is an error that names the node: never a read outside, never a wrong result."""

import numpy as np
import onnx
import onnx.parser
import onnxc
import onnxruntime
import pytest


def parse(graph: str, opset: int = 21) -> onnx.ModelProto:
    return onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : {opset}]> {graph}')


def numbers(*shape: int) -> np.ndarray:
    return (np.arange(np.prod(shape)) - 3).reshape(shape).astype(np.float32)


def integers(*elements: int) -> np.ndarray:
    return np.array(elements, np.int64)


# The nodes have no name of their own; the importer gives them that of their first output.
INDICES = """
g (float[A, B] x, int64[G] gi, int32[I, J] ge, int64[I, 2] gn, int64[K, 2] sn, float[K] su, int64[I, J] se,
   float[I, J] sv, int64 one, int64[A] lengths)
    => (float[G, B] g, float[I, J] e, float[I] n, float[A, B] s, float[A, B] t, float[B] o, float[A, B] r) {
  g = Gather <axis = 0> (x, gi)
  e = GatherElements <axis = 1> (x, ge)
  n = GatherND (x, gn)
  s = ScatterND (x, sn, su)
  t = ScatterElements <axis = 1> (x, se, sv)
  o = Gather <axis = 0> (x, one)
  r = ReverseSequence <batch_axis = 0, time_axis = 1> (x, lengths)
}
"""

GOOD_INDICES = {
    "x": numbers(3, 5),
    "gi": integers(2, -3),
    "ge": np.array([[4, -5, 0], [1, 2, 3]], np.int32),
    "gn": np.array([[2, 4], [-3, -5]]),
    "sn": np.array([[0, -1], [2, 0]]),
    "su": numbers(2),
    "se": np.array([[4, -5, 0], [1, 2, 3]]),
    "sv": numbers(2, 3),
    "one": np.array(-3),
    "lengths": integers(5, 1, 2),
}


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"gi": integers(0, 3)}, r"node '.*' \(Gather\): axis 0: index 3 is out of range for a dim of 3"),
        ({"gi": integers(-4, 1)}, r"\(Gather\): axis 0: index -4 is out of range for a dim of 3"),
        ({"gi": integers(0, 2**62)}, r"\(Gather\): axis 0: index 4611686018427387904 is out of range"),
        ({"gi": integers(-(2**63), 0)}, r"\(Gather\): axis 0: index -9223372036854775808 is out of range"),
        ({"ge": np.array([[4, -6, 0], [1, 2, 3]], np.int32)}, r"\(GatherElements\): axis 1: index -6 .* dim of 5"),
        ({"gn": np.array([[2, 5], [0, 0]])}, r"\(GatherND\): axis 1: index 5 .* dim of 5"),
        ({"gn": np.array([[2, 2], [3, 0]])}, r"\(GatherND\): axis 0: index 3 .* dim of 3"),
        ({"sn": np.array([[0, 0], [0, -6]])}, r"\(ScatterND\): axis 1: index -6 .* dim of 5"),
        ({"se": np.array([[4, 0, 5], [1, 2, 3]])}, r"\(ScatterElements\): axis 1: index 5 .* dim of 5"),
        ({"one": np.array(3)}, r"\(Gather\): axis 0: index 3 .* dim of 3"),
        ({"lengths": integers(5, 6, 0)}, r"\(ReverseSequence\): a length along axis 1: index 6"),
        ({"lengths": integers(5, -1, 0)}, r"\(ReverseSequence\): a length along axis 1: index -1"),
    ],
)
def test_index_out_of_range(compiled, bad, message):
    session = onnxc.InferenceSession(compiled(parse(INDICES)))
    session.run(None, GOOD_INDICES)
    with pytest.raises(Exception, match=message):
        session.run(None, GOOD_INDICES | bad)


def test_indices_in_range(compiled):
    x, feeds = GOOD_INDICES["x"], GOOD_INDICES
    results = onnxc.InferenceSession(compiled(parse(INDICES))).run(None, feeds)
    scattered, along = x.copy(), x.copy()
    scattered[[0, 2], [-1, 0]] = feeds["su"]
    np.put_along_axis(along[:2], feeds["se"] % 5, feeds["sv"], 1)
    reverse = np.stack([x[0][::-1], x[1], [*x[2][1::-1], *x[2][2:]]])
    wanted = [x[[2, -3]], np.take_along_axis(x[:2], feeds["ge"].astype(np.int64) % 5, 1), x[[2, -3], [4, -5]]]
    for result, want in zip(results, [*wanted, scattered, along, x[-3], reverse], strict=True):
        np.testing.assert_array_equal(result, want)


def test_no_index_into_an_empty_dim(compiled):
    """Where there is no index, none is out of range."""
    graph = INDICES.replace("int64 one", "int64[O] one").replace("float[B] o", "float[o, B] o")
    session = onnxc.InferenceSession(compiled(parse(graph)))
    none, pairs = np.zeros(0, np.int64), np.zeros((0, 2), np.int64)
    feeds = {"x": numbers(0, 5), "gi": none, "gn": pairs, "sn": pairs, "su": numbers(0), "lengths": none, "one": none}
    feeds |= {"ge": np.zeros((0, 3), np.int32), "se": np.zeros((0, 3), np.int64), "sv": numbers(0, 3)}
    shapes = [(0, 5), (0, 3), (0,), (0, 5), (0, 5), (0, 5), (0, 5)]
    assert [result.shape for result in session.run(None, feeds)] == shapes
    with pytest.raises(Exception, match="index 0 is out of range for a dim of 0"):
        session.run(None, feeds | {"gi": integers(0)})


DIMS = """
g (float[N] a, float[M] b, float[P, K] l, float[L, Q] r, float[N, C] c1, float[N2, C] c2, bool[M] w,
   float[Z, 4] z, int64[2] shape, int64[2] split, int64[2] expand, int64[2] repeats, int64[1] k, int64 delta,
   int64[2] dims, int64[4] pads, float[S, 3] sq, int64[4] sizes, float[1, 1, H, W] image)
    => (float[nm] sum, float[p, q] product, float[n, c] both, float[nm] chosen, float[d0, d1] shaped,
        float[s0, s1] first, float[t0, t1] second, float[e0, e1] expanded, float[r0, r1] tiled,
        float[k0, k1] top, int64[k2, k3] places, int64[v] range, float[f0, f1] filled, float[p0, p1] padded,
        float[q0] squeezed, float[i0, i1, i2, i3] resized) {
  sum = Add(a, b)
  product = MatMul(l, r)
  both = Concat <axis = 1> (c1, c2)
  chosen = Where(w, a, b)
  shaped = Reshape(z, shape)
  first, second = Split <axis = 0> (z, split)
  expanded = Expand(z, expand)
  tiled = Tile(z, repeats)
  top, places = TopK <axis = 0> (z, k)
  zero = Constant <value = int64 {0}> ()
  ten = Constant <value = int64 {10}> ()
  range = Range(zero, ten, delta)
  filled = ConstantOfShape(dims)
  padded = Pad <mode = "constant"> (z, pads)
  axis = Constant <value = int64[1] {0}> ()
  squeezed = Squeeze(sq, axis)
  no = Constant <value = float[0] {}> ()
  resized = Resize <mode = "nearest"> (image, no, no, sizes)
}
"""

GOOD_DIMS = {
    "a": numbers(4),
    "b": numbers(4),
    "l": numbers(2, 3),
    "r": numbers(3, 5),
    "c1": numbers(4, 3),
    "c2": numbers(4, 3),
    "w": np.array([True, False, True, False]),
    "z": numbers(6, 4),
    "shape": integers(3, -1),
    "split": integers(2, 4),
    "expand": integers(6, 1),
    "repeats": integers(2, 1),
    "k": integers(2),
    "delta": np.array(3),
    "dims": integers(2, 3),
    "pads": integers(1, 0, -2, 1),
    "sq": numbers(1, 3),
    "sizes": integers(1, 1, 4, 6),
    "image": numbers(1, 1, 2, 3),
}


def expect_same(session, reference, feeds):
    for result, want in zip(session.run(None, feeds), reference.run(None, feeds), strict=True):
        assert result.dtype == want.dtype
        np.testing.assert_allclose(result, want, rtol=1e-6)


def test_dims_that_broadcast_at_run_time(compiled):
    model = parse(DIMS)
    session = onnxc.InferenceSession(compiled(model))
    reference = onnxruntime.InferenceSession(model.SerializeToString())
    one = {"b": numbers(1), "w": np.array([True])}
    for change in (
        {},
        {"a": numbers(1), "c1": numbers(1, 3), "c2": numbers(1, 3)},
        one,
        one | {"z": numbers(1, 4), "expand": integers(7, 4), "shape": integers(0, 4), "split": integers(0, 1)}
        | {"k": integers(1), "pads": integers(0, 0, 0, 0)},
        {"shape": integers(-1, 12), "repeats": integers(0, 3), "dims": integers(0, 5), "k": integers(6)},
        {"delta": np.array(-1), "shape": integers(24, 1)},
        {"delta": np.array(-(2**63))},
    ):  # fmt: skip
        expect_same(session, reference, GOOD_DIMS | change)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"b": numbers(3), "w": np.array([True] * 3)}, r"node '.*' \(Add\): dims that do not broadcast: . is not ."),
        ({"r": numbers(4, 5)}, r"\(MatMul\): the dim that is summed over: 3 is not 4"),
        ({"c2": numbers(3, 3)}, r"\(Concat\): dim 0 of the inputs: 3 is not 4"),
        ({"shape": integers(5, -1)}, r"\(Reshape\): the number of elements: 24 is not 20"),
        ({"shape": integers(-2, -12)}, r"\(Reshape\): a dim of the shape: -2 is less than 0"),
        ({"split": integers(2, 5)}, r"\(Split\): the sum of the lengths along axis 0: 7 is not 6"),
        ({"split": integers(7, -1)}, r"\(Split\): a length along axis 0: -1 is less than 0"),
        ({"expand": integers(5, 4)}, r"\(Expand\): dims that do not broadcast: . is not ."),
        ({"repeats": integers(2, -1)}, r"\(Tile\): a number of repeats: -1 is less than 0"),
        ({"repeats": integers(2**40, 2**40)}, r"\(Tile\): the result does not fit in memory"),
        ({"k": integers(7)}, r"\(TopK\): K along axis 0: 7 is more than 6"),
        ({"k": integers(-1)}, r"\(TopK\): K: -1 is less than 0"),
        ({"delta": np.array(0)}, r"\(Range\): delta is 0"),
        ({"dims": integers(2, -3)}, r"\(ConstantOfShape\): dim 1: -3 is less than 0"),
        ({"dims": integers(2**62, 2**62)}, r"\(ConstantOfShape\): the result does not fit in memory"),
        ({"pads": integers(-4, 0, -4, 0)}, r"\(Pad\): dim 0: -2 is less than 0"),
        ({"sq": numbers(2, 3)}, r"\(Squeeze\): dim 0: 2 is not 1"),
        ({"image": numbers(1, 1, 0, 3)}, r"\(Resize\): dim 2, resized from an empty one: 1 is more than 0"),
        ({"sizes": integers(1, 1, -1, 3)}, r"\(Resize\): dim 2: -1 is less than 0"),
    ],
)
def test_dims_that_do_not_fit(compiled, bad, message):
    session = onnxc.InferenceSession(compiled(parse(DIMS)))
    with pytest.raises(Exception, match=message):
        session.run(None, GOOD_DIMS | bad)


CONSTANTS = """
g (float[N, 4] x) => (float[a, 4] y) {
  far = Constant <value = int64[2] {1, 5}> ()
  y = Gather <axis = %d> (x, far)
}
"""


def test_constant_indices(compiled):
    """Judged when compiling where the dim is known, else from the dim alone."""
    with pytest.raises(Exception, match=r"\(Gather, opset 21\): axis 1: index 5 is out of range for a dim of 4"):
        compiled(parse(CONSTANTS.replace("float[a, 4] y", "float[N, 2] y") % 1))
    session = onnxc.InferenceSession(compiled(parse(CONSTANTS % 0)))
    x = numbers(6, 4)
    np.testing.assert_array_equal(session.run(None, {"x": x})[0], x[[1, 5]])
    with pytest.raises(Exception, match=r"\(Gather\): axis 0: index 5 is out of range for a dim of 5"):
        session.run(None, {"x": x[:5]})


DIVISION = """
g (int64[N] a, int64[N] b, int32[N] c, int32[N] d) => (int64[N] p, int64[N] q, int32[N] r, int32[N] s) {
  p = Div(a, b)
  q = Mod(a, b)
  r = Div(c, d)
  s = Mod(c, d)
}
"""


def test_integer_division_never_traps(compiled):
    session = onnxc.InferenceSession(compiled(parse(DIVISION)))
    low64, low32 = np.iinfo(np.int64).min, np.iinfo(np.int32).min
    feeds = {
        "a": integers(low64, 7, low64, -7, 7),
        "b": integers(-1, 0, 0, 2, -2),
        "c": np.array([low32, 7, low32, -7, 7], np.int32),
        "d": np.array([-1, 0, 0, 2, -2], np.int32),
    }
    for result, want in zip(session.run(None, feeds), ([-3, -3], [1, -1], [-3, -3], [1, -1]), strict=True):
        np.testing.assert_array_equal(result[3:], want)


OPERATORS = """
g (bool[C] condition, float[A, 2] first, float[B, 2] second, float[1, 1, H, W] image, float[1, 2, 2, 2] grid,
   float[1, 4] regions, int64[1] numbers, uint8[2, 3] x, uint8[3, 4] w, uint8 x_zero, uint8[Z] w_zero)
    => (float[c] chosen, float[s, 2] scanned, float[1, 1, 2, 2] sampled, float[1, 1, 1, 1] region, int32[2, 4] product)
{
  chosen = If (condition) <
    then_branch = yes () => (float[c] a) { a = Constant <value_floats = [1.0]> () },
    else_branch = no () => (float[c] b) { b = Constant <value_floats = [2.0]> () }
  >
  scanned = Scan <num_scan_inputs = 2, body = step (float[2] p, float[2] q) => (float[2] r) { r = Add (p, q) }>
      (first, second)
  sampled = GridSample (image, grid)
  region = RoiAlign (image, regions, numbers)
  product = MatMulInteger (x, w, x_zero, w_zero)
}
"""
GOOD_OPERATORS = {
    "condition": np.array([True]),
    "first": numbers(3, 2),
    "second": numbers(3, 2),
    "image": numbers(1, 1, 4, 5),
    "grid": numbers(1, 2, 2, 2),
    "regions": np.array([[0, 0, 2, 2]], np.float32),
    "numbers": integers(0),
    "x": np.arange(6, dtype=np.uint8).reshape(2, 3),
    "w": np.arange(12, dtype=np.uint8).reshape(3, 4),
    "x_zero": np.array(1, np.uint8),
    "w_zero": np.arange(4, dtype=np.uint8),
}


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"condition": np.array([True, False])}, r"node '.*' \(If\): a dim of the condition: 2 is not 1"),
        ({"condition": np.zeros(0, bool)}, r"\(If\): a dim of the condition: 0 is not 1"),
        ({"second": numbers(2, 2)}, r"\(Scan\): the scan inputs' lengths: 3 is not 2"),
        ({"image": numbers(1, 1, 0, 5)}, r"\(GridSample\): a spatial dim of the input: 0 is less than 1"),
        ({"w_zero": np.zeros(3, np.uint8)}, r"\(MatMulInteger\): dims that do not broadcast: 3 is not 4"),
    ],
)
def test_operands_that_do_not_fit(compiled, bad, message):
    session = onnxc.InferenceSession(compiled(parse(OPERATORS)))
    product = session.run(["product"], GOOD_OPERATORS)[0]
    x, w = (GOOD_OPERATORS[name].astype(int) for name in ("x", "w"))
    np.testing.assert_array_equal(product, (x - 1) @ (w - np.arange(4)))
    with pytest.raises(Exception, match=message):
        session.run(None, GOOD_OPERATORS | bad)


# Windows longer than what they slide over; what follows hides the dim from the checks of outputs.
WINDOWS = {
    "Conv": ("float[1, 2, A] x", "Conv <strides = [2]> (x, w)", 9, (1, 2, 3), -2),
    "Conv, depthwise": ("float[1, 2, A] x", "Conv <group = 2> (x, v)", 9, (1, 2, 3), -5),
    "MaxPool": ("float[1, 2, A] x", "MaxPool <kernel_shape = [9]> (x)", 9, (1, 2, 3), -5),
    "AveragePool": ("float[1, 2, A] x", "AveragePool <kernel_shape = [9], strides = [3]> (x)", 9, (1, 2, 3), -1),
    "LpPool": ("float[1, 2, A] x", "LpPool <kernel_shape = [9]> (x)", 9, (1, 2, 3), -5),
    "ConvTranspose": ("float[1, 2, A] x", "ConvTranspose <pads = [4, 4]> (x, u)", 7, (1, 2, 3), -3),
}


@pytest.mark.parametrize("name", WINDOWS)
def test_windows_that_do_not_fit(compiled, agree, name):
    parameter, node, enough, shape, count = WINDOWS[name]
    generator = np.random.default_rng(3)
    model = parse(f"g ({parameter}) => (float y) {{\n z = {node}\n a = Abs (z)\n y = ReduceMax <keepdims = 0> (a) }}")
    constants = {"w": (3, 2, 9), "v": (2, 1, 9), "u": (2, 3, 3)}
    for key, dims in constants.items():
        model.graph.initializer.append(
            onnx.numpy_helper.from_array(generator.normal(size=dims).astype(np.float32), key)
        )
    agree(model, {"x": numbers(*(enough if dim == 3 else dim for dim in shape))})
    with pytest.raises(Exception, match=rf"{name.split(',')[0]}\): .*: {count} is less than 0"):
        onnxc.InferenceSession(compiled(model)).run(None, {"x": numbers(*shape)})
