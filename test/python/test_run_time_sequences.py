"""Sequences and optionals that only a run knows, inside a model and at its boundary, against ONNX Runtime."""

import numpy as np
import onnxc
import pytest
from onnxc._errors import RuntimeException
from small_models import parse


def rows(*lengths: int) -> list[np.ndarray]:
    generator = np.random.default_rng(len(lengths))
    return [generator.standard_normal((length, 3)).astype(np.float32) for length in lengths]


EDITS = """
g (seq(float[N, 3]) s, float[M, 3] x, int64 i, int32 j) =>
    (seq(float[A, 3]) inserted, seq(float[B, 3]) first, seq(float[C, 3]) erased, float[D, 3] element, int64 length,
     float[E, 3] joined, seq(float[F, 3]) branched) {
  inserted = SequenceInsert(s, x, i)
  zero = Constant <value = int64 {0}> ()
  first = SequenceInsert(inserted, x, zero)
  erased = SequenceErase(first, j)
  element = SequenceAt(erased, i)
  length = SequenceLength(erased)
  joined = ConcatFromSequence <axis = 0> (erased)
  three = Constant <value = int64 {3}> ()
  long = Less(three, length)
  branched = If (long) <
    then_branch = a () => (seq(float[P, 3]) p) { p = SequenceErase(erased) },
    else_branch = b () => (seq(float[Q, 3]) q) { y = Neg(x) q = SequenceInsert(s, y) }>
}
"""


def test_edits_at_positions_of_a_run(agree) -> None:
    def feeds(lengths: tuple, i: int, j: int) -> dict:
        return {"s": rows(*lengths), "x": rows(2, 2)[1], "i": np.array(i), "j": np.array(j, np.int32)}

    agree(parse(EDITS), feeds((1, 4), 1, 2), feeds((5,), 0, -1), feeds((2, 0, 3, 1), -2, -5), feeds((), 0, 1))


def test_the_sequence_that_was_made_longer_stays(agree) -> None:
    """Two that begin alike share memory, which neither may see of the other."""
    model = parse("""
    g (seq(float[N]) s, float[M] x) => (seq(float[A]) a, seq(float[B]) b, seq(float[C]) c, int64 n) {
      t = SequenceInsert(s, x)
      y = Neg(x)
      a = SequenceInsert(t, x)
      b = SequenceInsert(t, y)
      c = SequenceInsert(a, y)
      n = SequenceLength(t)
    }
    """)
    agree(model, *({"s": [np.ones(2, np.float32)] * n, "x": np.arange(3, dtype=np.float32)} for n in range(4)))


def test_parts_of_sizes_that_a_run_tells(agree) -> None:
    model = parse("""
    g (float[N, M] x, int64 step, int64[K] sizes) =>
        (seq(float[A, M]) a, seq(float[N, B]) b, seq(float[N]) c, float[C, M] back) {
      a = SplitToSequence <axis = 0> (x, step)
      b = SplitToSequence <axis = -1> (x, sizes)
      c = SplitToSequence <axis = 1, keepdims = 0> (x)
      back = ConcatFromSequence <axis = 0> (a)
    }
    """)
    x = np.arange(35, dtype=np.float32).reshape(5, 7)
    agree(
        model,
        {"x": x, "step": np.array(2), "sizes": np.array([1, 0, 6])},
        {"x": x[:, :2], "step": np.array(9), "sizes": np.array([2])},
    )


@pytest.mark.parametrize(("axis", "new_axis"), [(0, 0), (-1, 0), (0, 1), (1, 1), (-1, 1)])
def test_an_input_is_joined(agree, axis: int, new_axis: int) -> None:
    dims = ", ".join("ABC"[: 2 + new_axis])
    model = parse(f"""
    g (seq(float[N, 3]) s) => (float[{dims}] y) {{ y = ConcatFromSequence <axis = {axis}, new_axis = {new_axis}> (s) }}
    """)
    agree(model, {"s": rows(2, 2, 2)}, {"s": rows(1)})


def test_loops_that_change_sequences(agree) -> None:
    """What is kept depends on data, and one iteration reads what another wrote."""
    model = parse("""
    g (int64 n, float[N, 3] x, seq(int64[K]) given) =>
        (seq(float[A, 3]) kept, seq(int64[B]) left, float[C, 3] all, int64 count) {
      yes = Constant <value = bool {1}> ()
      empty = SequenceEmpty <dtype = 1> ()
      start = SequenceInsert(empty, x)
      kept, left = Loop (n, yes, start, given) <
        body = b (int64 i, bool c, seq(float[]) q, seq(int64[]) r) => (bool on, seq(float[]) u, seq(int64[]) v) {
          on = Identity(c)
          last_place = Constant <value = int64 {-1}> ()
          last = SequenceAt(q, last_place)
          next = Cos(last)
          two = Constant <value = int64 {2}> ()
          zero = Constant <value = int64 {0}> ()
          odd = Mod(i, two)
          isodd = Equal(odd, zero)
          u, v = If (isodd) <
            then_branch = t () => (seq(float[]) p, seq(int64[]) w) {
              p = SequenceInsert(q, next)
              w = SequenceErase(r, zero)
            },
            else_branch = e () => (seq(float[]) p, seq(int64[]) w) {
              p = SequenceInsert(q, next, zero)
              shape = Shape(next)
              w = SequenceInsert(r, shape)
            }>
        }>
      all = ConcatFromSequence <axis = 0> (kept)
      count = SequenceLength(left)
    }
    """)
    given = [np.array([7, 8]), np.array([9]), np.arange(4)]
    agree(model, *({"n": np.array(n), "x": rows(m)[0], "given": given} for n, m in ((0, 2), (1, 1), (5, 3))))


def test_the_types_of_elements(agree) -> None:
    model = parse("""
    g (seq(bool[N]) b, seq(uint8[N]) u, seq(double[N]) d, seq(float16[N]) h, int64 i) =>
        (seq(bool[N]) ob, seq(uint8[N]) ou, double[N] od, seq(float16[N]) oh) {
      ob = SequenceErase(b, i)
      ou = SequenceErase(u, i)
      od = SequenceAt(d, i)
      x = SequenceAt(h, i)
      oh = SequenceInsert(h, x)
    }
    """)
    values = np.array([[1, 0, 1], [0, 0, 1]])
    types = {"b": bool, "u": np.uint8, "d": float, "h": np.float16}
    agree(model, {"i": np.array(1)} | {name: list(values.astype(dtype)) for name, dtype in types.items()})


OPTIONALS = """
g (optional(float[N]) o, optional(seq(float[M])) s, float[K] x) =>
    (bool there, optional(float[N]) same, float[A] y, float[B] z) {
  there = OptionalHasElement(o)
  same = Identity(o)
  y = If (there) <
    then_branch = a () => (float[P] p) { e = OptionalGetElement(o) p = Exp(e) },
    else_branch = b () => (float[Q] q) { q = Neg(x) }>
  full = OptionalHasElement(s)
  z = If (full) <
    then_branch = c () => (float[R] r) {
      t = OptionalGetElement(s)
      zero = Constant <value = int64 {0}> ()
      r = SequenceAt(t, zero)
    },
    else_branch = d () => (float[S] r) { r = Neg(x) }>
}
"""


def test_optional_inputs_and_outputs(compiled) -> None:
    """ONNX Runtime takes no absent optionals from Python: numpy is the reference."""
    session = onnxc.InferenceSession(compiled(parse(OPTIONALS)))
    assert [value.type for value in session.get_inputs()] == [
        "optional(tensor(float))",
        "optional(seq(tensor(float)))",
        "tensor(float)",
    ]
    x, o = np.array([1, 2], np.float32), np.array([0, 1, 2], np.float32)
    there, same, y, z = session.run(None, {"o": o, "s": [x, o], "x": x})
    assert there
    np.testing.assert_array_equal(same, o)
    np.testing.assert_allclose(y, np.exp(o), rtol=1e-6)
    np.testing.assert_array_equal(z, x)
    for absent in ({"o": None, "s": None, "x": x}, {"x": x}):
        there, same, y, z = session.run(None, absent)
        assert not there and same is None
        np.testing.assert_array_equal(y, -x)
        np.testing.assert_array_equal(z, -x)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"i": np.array(3)}, r"'inserted' \(SequenceInsert\): position 3 is out of range: the sequence has 2 elements"),
        ({"i": np.array(-3)}, r"\(SequenceInsert\): position -3 is out of range"),
        ({"j": np.array(4, np.int32)}, r"'erased' \(SequenceErase\): position 4 is out of range: .* 4 elements"),
        (
            {"s": [np.ones((1, 3), np.float32), np.ones(3, np.float32)]},
            r"input 's': expected shape \[\?,3\], got \[3\]",
        ),
        ({"s": [np.ones((1, 3))]}, r"input 's': expected tensor\(float\), got tensor\(double\)"),
        ({"s": np.ones((1, 3), np.float32)}, "input 's': expected a list, got ndarray"),
        ({"s": [None]}, "input 's'"),
    ],
)
def test_mistakes_of_a_run(compiled, change: dict, message: str) -> None:
    session = onnxc.InferenceSession(compiled(parse(EDITS)))
    feeds = {"s": rows(1, 4), "x": rows(2)[0], "i": np.array(0), "j": np.array(1, np.int32)}
    session.run(None, feeds)
    with pytest.raises(Exception, match=message) as raised:
        session.run(None, feeds | change)
    assert type(raised.value).__module__.startswith("onnxc")


def test_elements_that_do_not_fit(compiled) -> None:
    model = parse("""
    g (seq(float[N, 3]) s) => (float[A, 3] y, float[B, C, 3] z) {
      y = ConcatFromSequence <axis = 0> (s)
      z = ConcatFromSequence <axis = 0, new_axis = 1> (s)
    }
    """)
    session = onnxc.InferenceSession(compiled(model))
    assert [result.shape for result in session.run(None, {"s": rows(2, 2)})] == [(4, 3), (2, 2, 3)]
    with pytest.raises(RuntimeException, match=r"'z' \(ConcatFromSequence\): dims of the elements: 1 is not 2"):
        session.run(None, {"s": rows(2, 1)})
    with pytest.raises(RuntimeException, match=r"'y' \(ConcatFromSequence\): the sequence is empty"):
        session.run(None, {"s": []})


@pytest.mark.parametrize(
    ("graph", "reason"),
    [
        ("(seq(float[N]) s, double[N] x) => (seq(float[N]) y) { y = SequenceInsert(s, x) }", "SequenceInsert"),
        ("(seq(float[N]) s, int64 i) => (double[N] y) { y = SequenceAt(s, i) }", "SequenceAt"),
        ("(double[N] x) => (optional(float[N]) y) { y = Optional(x) }", r"\(Optional,"),
        ("(optional(float[N]) x) => (double[N] y) { y = OptionalGetElement(x) }", "OptionalGetElement"),
        (
            """(bool c, seq(float[N]) s, seq(double[N]) t) => (seq(float[N]) y) {
              y = If (c) <
                then_branch = a () => (seq(float[N]) p) { p = Identity(s) },
                else_branch = b () => (seq(double[N]) q) { q = Identity(t) }>
            }""",
            r"\(If,",
        ),
        (
            """(int64 n, seq(float[N]) s, seq(double[N]) t) => (seq(float[N]) y) {
              yes = Constant <value = bool {1}> ()
              y = Loop (n, yes, s) <
                body = b (int64 i, bool c, seq(float[N]) q) => (bool d, seq(double[N]) r) {
                  d = Identity(c)
                  r = Identity(t)
                }>
            }""",
            r"\(Loop,",
        ),
    ],
)
def test_elements_of_another_type_are_refused(compiled, graph: str, reason: str) -> None:
    with pytest.raises(onnxc.CompileError, match=reason):
        compiled(parse(f"g {graph}"))
