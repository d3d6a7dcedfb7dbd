"""Loop and Scan against ONNX Runtime: what iterations hand on, stack, end early, and capture from outside."""

import itertools

import numpy as np
import onnxc
import pytest
from small_models import parse

YES, NO = np.array(True), np.array(False)


def values(*shape: int) -> np.ndarray:
    return (np.arange(np.prod(shape)) % 7 - 3).reshape(shape).astype(np.float32) / 2


def test_counted_loop_with_stacked_outputs(agree) -> None:
    # `a` and `b` are exchanged, `c` stays, `n` counts; `w` comes from outside.
    model = parse("""
    g (int64 n, float[N, 3] x, float[N, 3] y, float[3, 3] w) =>
      (float[N, 3] p, float[N, 3] q, float[N, 3] r, int64 s, float[T, N, 3] stack, int64[T] numbers) {
      t = Constant <value = bool {1}> ()
      zero = Constant <value = int64 {0}> ()
      p, q, r, s, stack, numbers = Loop (n, t, x, y, x, zero) <
        body = body (int64 i, bool go, float[N, 3] a, float[N, 3] b, float[N, 3] c, int64 m) =>
          (bool on, float[N, 3] a2, float[N, 3] b2, float[N, 3] c2, int64 m2, float[N, 3] out, int64 number) {
          on = Identity(go)
          a2 = Identity(b)
          h = MatMul(a, w)
          b2 = Tanh(h)
          c2 = Identity(c)
          m2 = Add(m, i)
          out = Sub(a, b)
          number = Identity(i)
        }>
    }
    """)
    w = np.random.default_rng(3).standard_normal((3, 3)).astype(np.float32)
    agree(
        model,
        *({"n": np.array(n), "x": values(d, 3), "y": -values(d, 3), "w": w} for n in (0, 1, 2, 7) for d in (2, 0)),
    )


def test_exchanged_values(agree) -> None:
    model = parse("""
    g (int64 n, float[4] x, float[4] y) => (float[4] p, float[4] q) {
      none = Constant <value = bool {1}> ()
      p, q = Loop (n, none, x, y) <
        body = b (int64 i, bool go, float[4] a, float[4] b) => (bool on, float[4] b2, float[4] a2) {
          on = Identity(go)
          b2 = Identity(b)
          a2 = Identity(a)
        }>
    }
    """)
    agree(model, *({"n": np.array(n), "x": values(4), "y": values(4) + 9} for n in range(4)))


def test_break_condition_and_stack_of_unknown_height(agree) -> None:
    model = parse("""
    g (int64 n, bool go, float limit, float[N] x) => (float[N] p, float[T, N] stack, float[T] sums) {
      p, stack, sums = Loop (n, go, x) <
        body = b (int64 i, bool c, float[N] a) => (bool on, float[N] a2, float[N] s, float sum) {
          a2 = Add(a, x)
          s = Mul(a2, a2)
          sum = ReduceSum <keepdims = 0> (s)
          on = Less(sum, limit)
        }>
    }
    """)
    cases = itertools.product((0, 3, 100), (YES, NO), (0.0, 50.0, 1e9))
    agree(
        model,
        *(
            {"n": np.array(n), "go": c, "limit": np.array(m, np.float32), "x": values(k)}
            for n, c, m in cases
            for k in (3, 5)
        ),
    )


def test_no_trip_count(agree) -> None:
    model = parse("""
    g (float x, float limit) => (float y, int64 count) {
      zero = Constant <value = int64 {0}> ()
      one = Constant <value = int64 {1}> ()
      two = Constant <value = float {2.0}> ()
      y, count = Loop ("", "", x, zero) <
        body = b (int64 i, bool c, float a, int64 k) => (bool on, float a2, int64 k2) {
          a2 = Mul(a, two)
          k2 = Add(k, one)
          on = Less(a2, limit)
        }>
    }
    """)
    agree(model, *({"x": np.array(1, np.float32), "limit": np.array(m, np.float32)} for m in (0, 100, 1e6)))


def test_carried_shape_that_changes(agree) -> None:
    # `a` grows, `b` loses its first element; their temporaries differ in size in each iteration.
    model = parse("""
    g (int64 n, float[N] x) => (float[A] p, float[B] q) {
      t = Constant <value = bool {1}> ()
      one = Constant <value = int64[1] {1}> ()
      end = Constant <value = int64[1] {1000000}> ()
      p, q = Loop (n, t, x, x) <
        body = body (int64 i, bool go, float[C] a, float[D] b) => (bool on, float[E] a2, float[F] b2) {
          on = Identity(go)
          h = Concat <axis = 0> (a, b)
          sum = ReduceSum <keepdims = 1> (a)
          k = Tanh(h)
          a2 = Add(k, sum)
          b2 = Slice(b, one, end)
        }>
    }
    """)
    agree(model, *({"n": np.array(n), "x": values(k)} for n in (0, 1, 2, 6, 9) for k in (7, 3, 0)))


def test_shapes_exchanged(agree) -> None:
    model = parse("""
    g (int64 n, float[N, M] x) => (float[A, B] p, float[C] q) {
      t = Constant <value = bool {1}> ()
      flat = Constant <value = int64[1] {-1}> ()
      start = Reshape(x, flat)
      p, q = Loop (n, t, x, start) <
        body = body (int64 i, bool go, float[A, B] a, float[C] b) => (bool on, float[D, E] a2, float[F] b2) {
          on = Identity(go)
          a2 = Transpose(a)
          b2 = Concat <axis = 0> (b, start)
        }>
    }
    """)
    agree(model, *({"n": np.array(n), "x": values(2, 3)} for n in (0, 1, 2, 5)))


def test_nested_loops_and_conditions(agree) -> None:
    model = parse("""
    g (int64 n, int64 m, float[N] x) => (float[A] y, float[T, U] table) {
      t = Constant <value = bool {1}> ()
      two = Constant <value = int64 {2}> ()
      zero = Constant <value = int64 {0}> ()
      y, table = Loop (n, t, x) <
        body = outer (int64 i, bool go, float[A] a) => (bool on, float[B] a2, float[U] row) {
          on = Identity(go)
          rest = Mod(i, two)
          even = Equal(rest, zero)
          f = Cast <to = 1> (i)
          inner, row = Loop (m, t, a) <
            body = inner (int64 j, bool go2, float[C] b) => (bool on2, float[C] b2, float cell) {
              on2 = Identity(go2)
              g = Cast <to = 1> (j)
              b2 = If (even) <
                then_branch = te () => (float[C] p) { h = Add(b, f) p = Sub(h, g) },
                else_branch = ee () => (float[C] q) { q = Mul(b, b) }>
              cell = ReduceMax <keepdims = 0> (b2)
            }>
          a2 = If (even) <
            then_branch = t2 () => (float[D] p2) { p2 = Concat <axis = 0> (inner, x) },
            else_branch = e2 () => (float[D] q2) { q2 = Tanh(inner) }>
        }>
    }
    """)
    agree(model, *({"n": np.array(n), "m": np.array(m), "x": values(4)} for n in (0, 1, 2, 5) for m in (1, 3)))


def test_many_iterations_take_little_memory(compiled) -> None:
    # 20000 iterations whose temporaries would be 20000 times 40 KB, if none were used again.
    import resource

    model = parse("""
    g (int64 n, float[N] x) => (float[A] y) {
      t = Constant <value = bool {1}> ()
      y = Loop (n, t, x) <
        body = b (int64 i, bool go, float[A] a) => (bool on, float[B] a2) {
          on = Identity(go)
          one = Constant <value = int64[1] {1}> ()
          end = Constant <value = int64[1] {1000000}> ()
          k = Slice(a, one, end)
          c = Sigmoid(k)
          a2 = Concat <axis = 0> (c, f)
        }>
      f = Constant <value = float[1] {0.5}> ()
    }
    """)
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([nodes[0], nodes[2], nodes[1]])
    session = onnxc.InferenceSession(compiled(model))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (y,) = session.run(None, {"n": np.array(20000), "x": values(10000)})
    assert y.shape == (10000,)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10


@pytest.mark.parametrize(
    ("count", "outputs", "nodes", "reason"),
    [
        ('""', ", float[2] e", "e = Abs(a)", "never ends"),
        ("n", ", int64[2] e", "e = Cast <to = 7> (a)", "type|fit"),
        ("n", ", float[2, 2] e", 'e = Einsum <equation = "i,j->ij"> (a, a)', "rank"),
        ("n", "", "", "body"),
    ],
)
def test_loops_that_do_not_fit(count: str, outputs: str, nodes: str, reason: str, tmp_path) -> None:
    model = parse(f"""
    g (int64 n, float[2] x) => (float[2] y) {{
      t = Constant <value = bool {{1}}> ()
      y = Loop ({count}, t, x) <
        body = b (int64 i, bool c, float[2] a) => (bool d{outputs}) {{ d = Identity(c) {nodes} }}>
    }}
    """)
    with pytest.raises(Exception, match=reason):
        onnxc.compile(model.SerializeToString(), tmp_path / "m.so")


@pytest.mark.parametrize("backwards", [0, 1])
@pytest.mark.parametrize("axis", [0, 1])
def test_scan(agree, compiled, backwards: int, axis: int) -> None:
    shape = "[T, N, 3]" if axis == 0 else "[N, T, 3]"
    model = parse(f"""
    g (float[N, 3] s, float{shape} x, float[T, N] z) => (float[N, 3] last, float{shape} all, float[N, T] sums) {{
      last, all, sums = Scan <num_scan_inputs = 2, scan_input_axes = [{axis}, 0], scan_output_axes = [{axis}, -1],
                              scan_input_directions = [{backwards}, 0], scan_output_directions = [0, {backwards}],
        body = b (float[N, 3] a, float[N, 3] v, float[N] k) => (float[N, 3] a2, float[N, 3] o, float[N] sum) {{
          axes = Constant <value = int64[1] {{1}}> ()
          col = Unsqueeze(k, axes)
          h = Mul(a, v)
          a2 = Sub(col, h)
          o = Tanh(a2)
          sum = ReduceSum <keepdims = 0> (h, axes)
        }}>(s, x, z)
    }}
    """)
    for length, n in ((5, 2), (1, 3)):
        x = values(length, n, 3) if axis == 0 else values(n, length, 3)
        agree(model, {"s": values(n, 3), "x": x, "z": values(length, n)})
    # ONNX Runtime divides by a length of 0.
    session = onnxc.InferenceSession(compiled(model))
    x = values(0, 2, 3) if axis == 0 else values(2, 0, 3)
    last, stacked, sums = session.run(None, {"s": values(2, 3), "x": x, "z": values(0, 2)})
    np.testing.assert_array_equal(last, values(2, 3))
    assert stacked.shape == x.shape and sums.shape == (2, 0)


def test_scan_of_scalars_and_slices_of_unknown_size(agree) -> None:
    model = parse("""
    g (float[T] x, int64[1] k) => (float total, float[T] sums, float[B, T] tiles) {
      zero = Constant <value = float {0.0}> ()
      total, sums, tiles = Scan <num_scan_inputs = 1, scan_output_axes = [0, 1],
        body = b (float a, float v) => (float a2, float o, float[B] tile) {
          a2 = Add(a, v)
          o = Identity(a2)
          axes = Constant <value = int64[1] {0}> ()
          row = Unsqueeze(v, axes)
          tile = Tile(row, k)
        }>(zero, x)
    }
    """)
    agree(model, *({"x": values(t), "k": np.array([k])} for t in (1, 5) for k in (1, 4)))


def test_scan_inputs_of_different_lengths(compiled) -> None:
    model = parse("""
    g (float[T] x, float[U] y) => (float[V] z) {
      z = Scan <num_scan_inputs = 2,
        body = b (float a, float c) => (float o) { o = Add(a, c) }>(x, y)
    }
    """)
    session = onnxc.InferenceSession(compiled(model))
    np.testing.assert_array_equal(session.run(None, {"x": values(3), "y": values(3)})[0], 2 * values(3))
    with pytest.raises(Exception, match="length"):
        session.run(None, {"x": values(3), "y": values(4)})


def test_scan_over_a_batch(agree, compiled) -> None:
    """The Scan of opset 8: each row on its own, up to its length; what is behind that is not looked at."""
    body = """body (float[3] s, float[3] a, float[2] b) => (float[3] t, float[3] out) {
          sum = Add(s, a)
          part = ReduceSum(b)
          t = Add(sum, part)
          out = Identity(t)
        }"""
    whole = parse(
        f"""
    g (float[B, 3] s, float[B, T, 3] x, float[B, T, 2] y) => (float[B, 3] last, float[B, T, 3] steps) {{
      last, steps = Scan ("", s, x, y) <num_scan_inputs = 2, directions = [0, 1], body = {body}>
    }}
    """,
        opset=8,
    )
    feeds = [{"s": values(b, 3), "x": values(b, t, 3), "y": values(b, t, 2)} for b, t in ((2, 4), (1, 1), (3, 2))]
    agree(whole, *feeds)
    cut = parse(
        f"""
    g (int64[B] n, float[B, 3] s, float[B, T, 3] x, float[B, T, 2] y) => (float[B, 3] last) {{
      last, steps = Scan (n, s, x, y) <num_scan_inputs = 2, body = {body}>
    }}
    """,
        opset=8,
    )
    feeds = {"n": np.array([4, 1, 2]), "s": values(3, 3), "x": values(3, 4, 3), "y": values(3, 4, 2)}
    last = agree(cut, feeds)[0]
    # ONNX Runtime takes no row of length 0.
    feeds["n"] = np.array([4, 0, 2])
    last[1] = feeds["s"][1]
    session = onnxc.InferenceSession(compiled(cut))
    (result,) = session.run(None, feeds)
    np.testing.assert_allclose(result, last, rtol=1e-6)
    for wrong in (5, -1):
        with pytest.raises(Exception, match=rf"\(Scan\): the length of a row: index {wrong} is out of range"):
            session.run(None, {**feeds, "n": np.array([4, wrong, 2])})
