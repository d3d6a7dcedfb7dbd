"""Sequences and optionals inside a model, of known length, against ONNX Runtime."""

import numpy as np
import pytest
from small_models import parse


def test_a_sequence_built_changed_and_joined(agree) -> None:
    model = parse("""
    g (float[N, 3] x, float[M, 3] y) => (float[A, 3] all, float[B, N, 3] stack, float[C, 3] one, int64 count) {
      first = Constant <value = int64 {0}> ()
      second = Constant <value = int64 {-1}> ()
      nx = Neg(x)
      a = SequenceConstruct(x, y, nx)
      b = SequenceInsert(a, y, first)
      all = ConcatFromSequence <axis = 0> (b)
      c = SequenceEmpty <dtype = 1> ()
      d = SequenceInsert(c, x)
      e = SequenceInsert(d, nx, first)
      f = SequenceInsert(e, x, second)
      stack = ConcatFromSequence <axis = 0, new_axis = 1> (f)
      g = SequenceErase(b, second)
      one = SequenceAt(g, second)
      count = SequenceLength(g)
    }
    """)
    x, y = np.random.default_rng(0).standard_normal((2, 4, 3)).astype(np.float32)
    agree(model, {"x": x, "y": y}, {"x": x, "y": y[:1]}, {"x": x[:2], "y": y[:0]})


def test_parts_of_a_tensor(agree) -> None:
    model = parse("""
    g (float[7, N] x) => (float[A, N] y, float[N] row, float[B, N] z, float[7, C] column) {
      three = Constant <value = int64 {3}> ()
      two = Constant <value = int64 {2}> ()
      sizes = Constant <value = int64[3] {1, 4, 2}> ()
      a = SplitToSequence <axis = 0> (x, three)
      y = SequenceAt(a, two)
      b = SplitToSequence <axis = -2, keepdims = 0> (x)
      row = SequenceAt(b, three)
      c = SplitToSequence <axis = 0> (x, sizes)
      d = SequenceErase(c, two)
      z = ConcatFromSequence <axis = 0> (d)
      column = ConcatFromSequence <axis = 1, new_axis = 1> (b)
    }
    """)
    model.graph.output[3].type.tensor_type.shape.dim[0].dim_param = "N"
    model.graph.output[3].type.tensor_type.shape.dim[1].dim_value = 7
    agree(model, *({"x": np.arange(7 * n, dtype=np.float32).reshape(7, n)} for n in (1, 5)))


def test_optionals(agree) -> None:
    model = parse("""
    g (float[2] x) => (float[2] y, bool there, bool absent) {
      o = Optional(x)
      there = OptionalHasElement(o)
      e = OptionalGetElement(o)
      y = Exp(e)
      absent = OptionalHasElement("")
    }
    """)
    agree(model, {"x": np.array([1, 2], np.float32)})


@pytest.mark.parametrize(("axis", "new_axis"), [(0, 1), (-1, 1), (1, 1), (0, 0), (1, 0)])
def test_a_sequence_that_a_loop_appends_to(agree, axis: int, new_axis: int) -> None:
    dims = ", ".join("ABC"[: 2 + new_axis])
    model = parse(f"""
    g (int64 n, float[N, 3] x) => (float[{dims}] y, float[N, 3] last) {{
      yes = Constant <value = bool {{1}}> ()
      empty = SequenceEmpty <dtype = 1> ()
      s, last = Loop (n, yes, empty, x) <
        body = b (int64 i, bool c, seq(float[N, 3]) q, float[N, 3] a) => (bool on, seq(float[N, 3]) r, float[N, 3] t) {{
          on = Identity(c)
          t = Cos(a)
          r = SequenceInsert(q, t)
        }}>
      y = ConcatFromSequence <axis = {axis}, new_axis = {new_axis}> (s)
    }}
    """)
    x = np.arange(15, dtype=np.float32).reshape(5, 3)
    agree(model, *({"n": np.array(n), "x": x[:m]} for n in (1, 4) for m in (2, 5)))
