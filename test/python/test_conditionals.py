"""If against ONNX Runtime: branches of equal and of differing dims, nested, with values from outside."""

import numpy as np
import onnxc
import pytest
from small_models import parse


def values(*shape: int) -> np.ndarray:
    return (np.arange(np.prod(shape)) - 3).reshape(shape).astype(np.float32)


YES, NO = np.array(True), np.array(False)

BRANCHES = """
g (bool c, float[N, 4] x, float[4, 5] w) => (float[N, 5] y, float[N, 4] z, float[N] s) {
  twice = Add(x, x)
  axis = Constant <value = int64[1] {1}> ()
  y, z, s = If (c) <
    then_branch = t () => (float[N, 5] p, float[N, 4] q, float[N] r) {
      h = MatMul(x, w)
      p = Relu(h)
      q = Identity(twice)
      r = ReduceSum <keepdims = 0> (twice, axis)
    },
    else_branch = e () => (float[N, 5] pe, float[N, 4] qe, float[N] re) {
      he = MatMul(twice, w)
      pe = Neg(he)
      n = Neg(x)
      qe = Softmax(n)
      re = ReduceMax <keepdims = 0> (qe, axis)
    }>
}
"""


def test_branches_of_equal_dims(agree) -> None:
    model = parse(BRANCHES)
    w = np.random.default_rng(1).standard_normal((4, 5)).astype(np.float32)
    agree(model, *({"c": c, "x": values(n, 4), "w": w} for c in (YES, NO) for n in (3, 1, 0)))


def test_branches_of_differing_dims(agree) -> None:
    model = parse("""
    g (bool c, float[N, 4] x) => (float[A, B] y, float[D] total) {
      y = If (c) <
        then_branch = t () => (float[A, B] p) { p = Transpose(x) },
        else_branch = e () => (float[A, B] q) { q = Concat <axis = 0> (x, x) }>
      flat = Constant <value = int64[1] {-1}> ()
      total = Reshape(y, flat)
    }
    """)
    agree(model, *({"c": c, "x": values(n, 4)} for c in (YES, NO) for n in (2, 3, 0)))


def test_nested_conditions_on_data(agree) -> None:
    model = parse("""
    g (float[N] x, int64 limit) => (float[M] y) {
      zero = Constant <value = float {0.0}> ()
      sum = ReduceSum <keepdims = 0> (x)
      positive = Greater(sum, zero)
      y = If (positive) <
        then_branch = t () => (float[M] p) {
          shape = Shape(x)
          none = Constant <value = int64[1] {0}> ()
          size = Squeeze(shape, none)
          long = Greater(size, limit)
          p = If (long) <
            then_branch = tt () => (float[M] pp) {
              start = Constant <value = int64[1] {0}> ()
              one = Constant <value = int64[1] {-1}> ()
              end = Reshape(limit, one)
              pp = Slice(x, start, end)
            },
            else_branch = te () => (float[M] pe) { pe = Exp(x) }>
        },
        else_branch = e () => (float[M] q) { q = Neg(x) }>
    }
    """)
    feeds = ([1, 2, 3], 2), ([1, 2, 3], 4), ([-1, -2], 0), ([], 3)
    agree(model, *({"x": np.array(x, np.float32), "limit": np.array(limit)} for x, limit in feeds))


def test_the_same_value_in_and_behind_a_branch(agree) -> None:
    # Shape arithmetic and constants made for one branch do not serve another, nor what follows.
    model = parse("""
    g (bool c, float[N, M] x) => (int64[2] y, float[M, N] z, int64[2] s) {
      shape = Shape(x)
      one = Constant <value = int64[2] {1, 0}> ()
      order = Gather(shape, one)
      y, z = If (c) <
        then_branch = t () => (int64[2] p, float[M, N] pz) { p = Add(order, shape)  pz = Reshape(x, order) },
        else_branch = e () => (int64[2] q, float[M, N] qz) { q = Mul(order, shape)  qz = Expand(k, order) }>
      s = Add(order, order)
      k = Constant <value = float {2.0}> ()
    }
    """)
    # `k` is defined first, as the standard asks.
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([nodes[-1], *nodes[:-1]])
    agree(model, *({"c": c, "x": values(2, 3)} for c in (YES, NO)))


def test_condition_of_one_element(agree, compiled) -> None:
    model = parse("""
    g (bool[K] c, float[2] x) => (float[2] y) {
      y = If (c) <
        then_branch = t () => (float[2] p) { p = Abs(x) },
        else_branch = e () => (float[2] q) { q = Neg(x) }>
    }
    """)
    agree(model, *({"c": np.array([c]), "x": values(2)} for c in (True, False)))
    session = onnxc.InferenceSession(compiled(model))
    with pytest.raises(Exception, match="condition"):
        session.run(None, {"c": np.array([True, False]), "x": values(2)})


@pytest.mark.parametrize(
    ("branch", "reason"),
    [
        ("(int64[2] q) { q = Cast <to = 7> (x) }", "type"),
    ],
)
def test_branches_that_do_not_fit(branch: str, reason: str, tmp_path) -> None:
    model = parse(f"""
    g (bool c, float[2] x) => (float[2] y) {{
      axes = Constant <value = int64[1] {{0}}> ()
      y = If (c) <
        then_branch = t () => (float[2] p) {{ p = Abs(x) }},
        else_branch = e () => {branch}>
    }}
    """)
    with pytest.raises(Exception, match=reason):
        onnxc.compile(model.SerializeToString(), tmp_path / "m.so")
