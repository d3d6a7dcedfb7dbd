"""Tensors whose rank only a run tells, against ONNX Runtime: of branches, of sequences, and inputs."""

import numpy as np
import onnxc
import pytest
from small_models import parse

X = np.arange(6, dtype=np.float32).reshape(2, 3) - 2
YES, NO = np.array(True), np.array(False)

# `float[]` has no shape, `float` is a scalar.
BRANCHES = """
  y = If (c) <
    then_branch = t () => (float[] p) { p = Relu(x) },
    else_branch = e () => (float[] q) { q = ReduceSum <keepdims = 0> (x) }>
"""


def test_branches_as_outputs(agree) -> None:
    """And what reads them whatever their rank is."""
    model = parse(f"""
    g (bool c, float[N, M] x, int64[K] dims) => (
      float[] y, int64[R] shape, int64[T] tail, int64 size, float[L] flat, float[A, B] matrix, float[] reshaped
    ) {{
      {BRANCHES}
      shape = Shape(y)
      tail = Shape <start = -1> (y)
      size = Size(y)
      all = Constant <value = int64[1] {{-1}}> ()
      flat = Reshape(y, all)
      matrix = Flatten <axis = 0> (y)
      reshaped = Reshape(y, dims)
    }}
    """)
    feeds = [(YES, [3, 2]), (YES, [-1]), (YES, [0, 1, -1]), (NO, [1, 1, 1]), (NO, [])]
    agree(model, *({"c": c, "x": X, "dims": np.array(dims, np.int64)} for c, dims in feeds))


def test_a_reader_tells_the_rank(agree, compiled) -> None:
    """The other branch fails when it is taken, as it does in ONNX Runtime."""
    model = parse(
        f"g (bool c, float[N, M] x) => (float[A, B] z) {{ {BRANCHES} w = Exp(y) z = Transpose<perm = [1, 0]>(w) }}"
    )
    agree(model, {"c": YES, "x": X})
    with pytest.raises(Exception, match=r"'y' \(If\): the branch gives a tensor of rank 0, where rank 2 is needed"):
        onnxc.InferenceSession(compiled(model)).run(None, {"c": NO, "x": X})


def test_reshapes_that_do_not_fit(compiled) -> None:
    model = parse("g (float[N] x, int64[K] dims) => (float[] y) { y = Reshape(x, dims) }")
    session = onnxc.InferenceSession(compiled(model))
    for dims, reason in (
        ([4], "other elements than the shape"),
        ([-1, 4], "other elements than the shape"),
        ([-1, 0], "no dim where the shape is 0"),
        ([-2, 3], "negative dim"),
        ([-1, -1], "negative dim"),
        ([1] * 17, "so many dims"),
        ([1 << 62, 1 << 62], "other elements than the shape"),
        ([-1, 0, 2], "no dim where the shape is 0"),
    ):
        with pytest.raises(Exception, match=rf"'y' \(Reshape\): .*{reason}"):
            session.run(None, {"x": X.ravel(), "dims": np.array(dims)})


def test_elements_of_several_ranks(agree) -> None:
    model = parse("""
    g (float[N] x, float[M, N] y, int64 i) => (float[] e, int64 size, float[] again) {
      s = SequenceConstruct(x, y)
      e = SequenceAt(s, i)
      size = Size(e)
      zero = Constant <value = int64 {0}> ()
      more = SequenceInsert(s, e, zero)
      again = SequenceAt(more, zero)
    }
    """)
    agree(model, *({"x": X[0], "y": X, "i": np.array(i)} for i in (0, 1, -1)))


def test_readers_that_need_a_rank(agree) -> None:
    """Of one of two or three that an element can have; in a loop, too."""
    model = parse("""
    g (float[N] x, float[M, N] y, float[A, M, N] z, int64 i) => (float[] mean, float[K] all) {
      s = SequenceConstruct(x, y, z)
      e = SequenceAt(s, i)
      last = Constant <value = int64[1] {-1}> ()
      soft = Softmax <axis = -1> (e)
      mean = ReduceSum <keepdims = 1> (soft, last)
      pair = SequenceConstruct(z, x)
      two = Constant <value = int64 {2}> ()
      yes = Constant <value = bool {1}> ()
      all = Loop (two, yes) <body = body (int64 j, bool c) => (bool d, float best) {
        d = Identity(c)
        f = SequenceAt(pair, j)
        sorted = Softmax <axis = 0> (f)
        best = ReduceMax <keepdims = 0> (sorted)
      }>
    }
    """)
    agree(model, *({"x": X[0], "y": X, "z": X[None] - 1, "i": np.array(i)} for i in (0, 1, 2)))


def test_inputs_of_any_rank(agree) -> None:
    model = parse("""
    g (float[] x) => (int64[R] shape, float[L] flat, float[] same) {
      shape = Shape(x)
      all = Constant <value = int64[1] {-1}> ()
      flat = Reshape(x, all)
      same = Reshape(flat, shape)
    }
    """)
    agree(model, *({"x": x} for x in (X, X[0], np.array(3, np.float32), X[:0], X.reshape(1, 2, 1, 3))))


def test_element_by_element(agree) -> None:
    model = parse("""
    g (float[] x, float k) => (float[] y, bool[] z, float[] w) {
      scaled = Mul(x, k)
      y = Add(scaled, scaled)
      low = Constant <value = float {-1.0}> ()
      high = Constant <value = float {0.5}> ()
      w = Clip(y, low, high)
      z = Less(x, k)
    }
    """)
    agree(model, *({"x": x, "k": np.array(-0.5, np.float32)} for x in (X, X[0], np.array(3, np.float32), X[:0])))


def test_what_follows_branches(agree) -> None:
    """Also by way of a shape, and an If behind it, which both become part of the branches."""
    model = parse(f"""
    g (bool c, bool d, float[N, M] x) => (float[] mean, float[K] sizes, float[] chosen, int64 count) {{
      {BRANCHES}
      doubled = Add(y, x)
      two = Constant <value = int64[1] {{-1}}> ()
      mean = ReduceMean <keepdims = 0> (doubled, two)
      shape = Shape(y)
      longer = Concat <axis = 0> (two, shape)
      sizes = Cast <to = 1> (longer)
      independent = Transpose(x)
      zero = Constant <value = int64[1] {{0}}> ()
      count = Size(independent)
      chosen = If (d) <
        then_branch = tt () => (float[] r) {{ r = Unsqueeze(y, zero) }},
        else_branch = ee () => (float[] s) {{ s = Exp(y) }}>
    }}
    """)
    agree(model, *({"c": c, "d": d, "x": X} for c in (YES, NO) for d in (YES, NO)))


def test_a_rank_that_only_a_branch_needs(agree) -> None:
    """The number of dims decides which branch can be taken."""
    model = parse("""
    g (float[N, M] x, int64[K] dims) => (float[A, B] y) {
      z = Reshape(x, dims)
      rank = Size(dims)
      three = Constant <value = int64 {3}> ()
      is_three = Equal(rank, three)
      axes = Constant <value = int64[1] {1}> ()
      y = If (is_three) <
        then_branch = t () => (float[] p) { p = Squeeze(z, axes) },
        else_branch = e () => (float[] q) { q = Transpose <perm = [1, 0]> (z) }>
    }
    """)
    agree(model, *({"x": X, "dims": np.array(dims)} for dims in ([3, 1, 2], [3, 2], [2, 1, 3])))


def test_in_subgraphs(agree) -> None:
    """From outside of a loop, out of a sequence in one branch, by way of an optional, as branches of branches."""
    model = parse("""
    g (bool c, bool d, float[] x, float[N, M] y, seq(float[]) s, int64 n) => (
      int64[K] sizes, float[] e, float[] doubled, float[] same, bool there, float[] deep
    ) {
      yes = Constant <value = bool {1}> ()
      zero = Constant <value = int64 {0}> ()
      sizes = Loop (n, yes) <body = b (int64 i, bool b0) => (bool b1, int64 w) { b1 = Identity(b0) w = Size(x) }>
      e = If (c) <
        then_branch = t () => (float[] p) { p = SequenceAt(s, zero) },
        else_branch = f () => (float[] q) { q = Neg(y) }>
      doubled = Add(e, e)
      o = Optional(x)
      there = OptionalHasElement(o)
      same = OptionalGetElement(o)
      deep = If (c) <
        then_branch = t2 () => (float[] r) {
          r = If (d) <
            then_branch = t3 () => (float[] u) { u = Relu(y) },
            else_branch = f3 () => (float[] v) { v = ReduceSum <keepdims = 0> (y) }>
        },
        else_branch = f2 () => (float[] k) { axes = Constant <value = int64[1] {0}> () k = Unsqueeze(y, axes) }>
    }
    """)
    feeds = {"x": X.reshape(2, 1, 3), "y": X, "s": [X[0]], "n": np.array(2)}
    agree(model, *({**feeds, "c": c, "d": d} for c in (YES, NO) for d in (YES, NO)))


def test_the_rest_is_refused(compiled) -> None:
    for body in ("y = Softmax(x)", "y = Add(x, x2)", "s = SequenceInsert(q, x, p)  y = SequenceAt(s, i)"):
        with pytest.raises(onnxc.CompileError, match=r"opset 18\): a tensor whose rank only a run tells"):
            compiled(
                parse(f"g (float[] x, float[] x2, seq(float[]) q, int64 i, int64[] p) => (float[] y) {{ {body} }}")
            )
