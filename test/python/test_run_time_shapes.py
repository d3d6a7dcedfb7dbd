"""Operands whose dims only a run tells: filters, broadcasts, and vectors of shapes, axes and pads of unknown length."""

import numpy as np
import onnxc
import pytest
from small_models import parse

RANDOM = np.random.default_rng(7)


def floats(*shape: int) -> np.ndarray:
    return RANDOM.uniform(-1, 1, shape).astype(np.float32)


def integers(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def test_filters(agree):
    model = parse(
        """filters (float[N,C,H,W] x, float[M,C,A,B] w, float[M] b, float[P,Q,D,E] g, float[C,R,F,G] t,
                    float[N,C,L] line, float[M,C,K] taps, float[N,C,Z,H,W] volume, float[M,C,U,V,S] box)
           => (float[c1,c2,c3,c4] y0, float[d1,d2,d3,d4] y1, float[e1,e2,e3,e4] y2, float[f1,f2,f3] y3,
               float[g1,g2,g3,g4,g5] y4, float[h1,h2,h3,h4] y5, float[i1,i2,i3,i4] y6) {
             y0 = Conv<strides = [2, 1], pads = [1, 0, 2, 1]>(x, w, b)
             y1 = Conv<group = 2, dilations = [1, 2]>(x, g)
             y2 = Conv<auto_pad = "SAME_LOWER">(x, w)
             y3 = Conv<pads = [1, 1]>(line, taps, b)
             y4 = Conv(volume, box, b)
             y5 = ConvTranspose<strides = [2, 3], output_padding = [1, 0], pads = [0, 1, 1, 0]>(x, t)
             y6 = ConvTranspose<strides = [2, 2], output_shape = [18, 20]>(x, t)
           }"""
    )

    def feeds(batch, channels, outputs, kernel):
        return {
            "x": floats(batch, channels, 9, 10),
            "w": floats(outputs, channels, *kernel),
            "b": floats(outputs),
            "g": floats(2 * outputs, channels // 2, *kernel),
            "t": floats(channels, outputs, *kernel),
            "line": floats(batch, channels, 11),
            "taps": floats(outputs, channels, kernel[0]),
            "volume": floats(batch, channels, 4, 9, 10),
            "box": floats(outputs, channels, 2, *kernel),
        }

    agree(model, feeds(1, 4, 3, (3, 2)), feeds(2, 2, 5, (1, 4)), feeds(0, 2, 1, (2, 1)))


def test_filters_that_do_not_fit(compiled):
    model = parse("m (float[N,C,H,W] x, float[M,K,A,B] w, float[P] b) => (float[a,c,d,e] y) { y = Conv(x, w, b) }")
    session = onnxc.InferenceSession(compiled(model))
    good = {"x": floats(1, 3, 5, 5), "w": floats(2, 3, 2, 2), "b": floats(2)}
    session.run(None, good)
    for name, value, message in (
        ("w", floats(2, 4, 2, 2), "the channels of the input: 3 is not 4"),
        ("w", floats(2, 3, 0, 2), "a dim of the kernel: 0 is less than 1"),
        ("b", floats(3), "the bias: 3 is not 2"),
    ):
        with pytest.raises(Exception, match=message):
            session.run(None, {**good, name: value})


def test_gemm_broadcasts_its_addend(agree):
    model = parse(
        """gemm (float[M,K] a, float[K,N] b, float[P,Q] c, float[R] d) => (float[M,N] y, float[M,N] z) {
             y = Gemm<alpha = 0.5, beta = 2.0>(a, b, c)
             z = Gemm(a, b, d)
           }"""
    )
    shapes = [(3, 4), (1, 4), (3, 1), (1, 1)]
    agree(model, *({"a": floats(3, 5), "b": floats(5, 4), "c": floats(*c), "d": floats(c[1])} for c in shapes))


def test_scales_are_one_or_one_for_each_channel(agree, compiled):
    model = parse(
        """scales (uint8[N,C,H] x, float[S] scale, uint8[S] zero, float[N,C,H] f) => (float[N,C,H] y, uint8[N,C,H] z) {
             y = DequantizeLinear(x, scale, zero)
             z = QuantizeLinear(f, scale, zero)
           }"""
    )

    def feeds(count):
        zero = RANDOM.integers(0, 255, count, np.uint8)
        scale = np.abs(floats(count)) / 64 + np.float32(0.01)
        return {"x": RANDOM.integers(0, 255, (2, 3, 4), np.uint8), "scale": scale, "zero": zero, "f": floats(2, 3, 4)}

    agree(model, feeds(1), feeds(3))
    with pytest.raises(Exception, match="2 is not 3"):
        onnxc.InferenceSession(compiled(model)).run(None, feeds(2))


def test_vectors_of_unknown_length(agree):
    model = parse(
        """vectors (float[A,B,C] x, int64[S] starts, int64[S] ends, int64[S] axes, int64[S] steps, int64[R] repeats,
                    int64[P] pads, int64[Q] some_pads, int64[T] pad_axes, int64[E] wide, int64[G] long, int64[V] parts,
                    int64[K] k)
           => (float[a1,a2,a3] sliced, float[b1,b2,b3] leading, float[c1,c2,c3] tiled, float[d1,d2,d3] padded,
               float[e1,e2,e3] partly, float[f1,f2,f3] expanded, float[g1,g2,g3,g4] longer, float[h1,h2,h3] first,
               float[i1,i2,i3] second, float[j1,j2,j3] most, float[k1,k2] flat, float[l1,l2] reduced) {
             sliced = Slice(x, starts, ends, axes, steps)
             leading = Slice(x, starts, ends)
             tiled = Tile(x, repeats)
             padded = Pad(x, pads)
             zero = Constant<value_float = 0.0>()
             partly = Pad(x, some_pads, zero, pad_axes)
             expanded = Expand(x, wide)
             longer = Expand(x, long)
             first, second = Split<axis = 1>(x, parts)
             most, places = TopK(x, k)
             two = Constant<value_ints = [2, -1]>()
             flat = Reshape(x, two)
             all = ReduceSum<keepdims = 0>(x, axes)
             reduced = Sqrt(all)
           }""",
        opset=18,
    )
    x = np.abs(floats(2, 1, 6))

    def feeds(starts, ends, axes, steps, wide, pad_axes):
        return {
            "x": x,
            "starts": integers(*starts),
            "ends": integers(*ends),
            "axes": integers(*axes),
            "steps": integers(*steps),
            "repeats": integers(1, 3, 2),
            "pads": integers(1, 0, 2, 0, 1, 3),
            "some_pads": integers(*range(2 * len(pad_axes))),
            "pad_axes": integers(*pad_axes),
            "wide": integers(*wide),
            "long": integers(3, 1, 4, 1),
            "parts": integers(0, 1),
            "k": integers(2),
        }

    agree(
        model,
        feeds([1], [9], [-1], [2], (5, 1), (2, 0)),
        feeds([0], [2], [0], [1], (1,), (-2,)),
        feeds([-1], [-9], [2], [-2], (2, 4, 6), (0, 1, 2)),
    )


def test_vectors_of_wrong_length(compiled):
    model = parse(
        """wrong (float[A,B] x, int64[S] starts, int64[E] ends, int64[R] repeats, int64[T] target)
           => (float[a1,a2] sliced, float[b1,b2] tiled, float[c1,c2,c3] shaped) {
             sliced = Slice(x, starts, ends)
             tiled = Tile(x, repeats)
             shaped = Reshape(x, target)
           }"""
    )
    session = onnxc.InferenceSession(compiled(model))
    good = {
        "x": floats(2, 3),
        "starts": integers(1),
        "ends": integers(2),
        "repeats": integers(1, 1),
        "target": integers(1, 2, 3),
    }
    session.run(None, good)
    for name, value, message in (
        ("ends", integers(1, 2), r"the number of axes: 2 is not 1"),
        ("starts", integers(0, 0, 0), r"the number of"),
        ("repeats", integers(2), r"node '.*' .*: the number of elements: 1 is not 2"),
        ("target", integers(6), r"the number of elements: 1 is not 3"),
    ):
        with pytest.raises(Exception, match=message):
            session.run(None, {**good, name: value})


@pytest.mark.parametrize(
    ("node", "axes", "rank", "message"),
    [
        ("Squeeze(x)", [], 3, "the number of dims that remain: 2 is not 3"),
        ("Squeeze(x, v)", [0], 3, "the number of dims that remain: 2 is not 3"),
        ("Unsqueeze(x, v)", [0], 3, "the number of dims that are not added: 2 is not 3"),
        ("ReduceSum<keepdims = 0>(x, v)", [0], 1, "the number of dims that remain: 2 is not 1"),
        ("Expand(x, v)", [1], 2, "has more dims than the model declares"),
        ("GatherND(x, v)", [0], 4, "the indices' last dim"),
    ],
)
def test_declared_ranks_that_are_wrong(compiled, node, axes, rank, message):
    """What the model says of its output is not believed where a run finds otherwise."""
    dims = ", ".join(f"d{i}" for i in range(rank))
    model = parse(f"ranks (float[A,B,C] x, int64[S] v) => (float[{dims}] y) {{ y = {node} }}")
    with pytest.raises(Exception, match=message):
        onnxc.InferenceSession(compiled(model)).run(None, {"x": floats(1, 6, 4), "v": integers(*axes)})


def test_ones_that_only_a_run_finds(agree):
    model = parse("ones (float[A,B,C,D] x) => (float[p,q] y) { y = Squeeze(x) }")
    agree(model, {"x": floats(1, 3, 1, 2)}, {"x": floats(4, 1, 1, 2)})


def test_channels_that_only_a_run_tells(agree):
    model = parse(
        """channels (float[N,C,H,W] x, float[C] scale, float[C] shift, float[N,L,P] signal)
           => (float[a1,a2,a3,a4] y, float[b1,b2,b3,b4] z, float[c1,c2,c3] spectrum) {
             y = DepthToSpace<blocksize = 2>(x)
             z = GroupNormalization<num_groups = 2>(x, scale, shift)
             spectrum = DFT(signal)
           }""",
        opset=21,
    )

    def feeds(channels, parts):
        return {
            "x": floats(2, channels, 3, 4),
            "scale": floats(channels),
            "shift": floats(channels),
            "signal": floats(2, 9, parts),
        }

    agree(model, feeds(4, 1), feeds(8, 2))
