"""Random numbers: those of a seed are the reference evaluator's, the others are judged by their distribution."""

import numpy as np
import onnxc
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator
from onnxc._errors import RuntimeException
from small_models import make_model, parse

FLOAT, DOUBLE, HALF, BFLOAT = TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16
INT32, INT64 = TensorProto.INT32, TensorProto.INT64


def test_a_seed_gives_what_the_reference_draws(compiled) -> None:
    nodes, outputs = [], []

    def add(operator: str, inputs: list[str], kind: int, rank: int, **options) -> None:
        outputs.append((f"y{len(nodes)}", kind, [None] * rank))
        nodes.append(helper.make_node(operator, inputs, [f"y{len(nodes)}"], **options))

    add("RandomUniform", [], FLOAT, 2, shape=[40, 33], seed=7.0)
    add("RandomUniform", [], DOUBLE, 1, shape=[700], seed=4294967040.0, dtype=DOUBLE, low=-3.0, high=5.5)
    add("RandomUniform", [], HALF, 1, shape=[9], seed=0.0, dtype=HALF)
    add("RandomUniformLike", ["x"], FLOAT, 2, seed=1.9)
    add("RandomUniformLike", ["i"], DOUBLE, 1, seed=3.0, dtype=DOUBLE)
    add("RandomNormal", [], FLOAT, 1, shape=[1001], seed=2.0, mean=3.0, scale=0.25)
    add("RandomNormal", [], DOUBLE, 2, shape=[0, 3], seed=2.0, dtype=DOUBLE)
    add("RandomNormalLike", ["x"], FLOAT, 2, seed=5.0)
    add("Bernoulli", ["p"], FLOAT, 1, seed=11.0)
    add("Bernoulli", ["p"], TensorProto.BOOL, 1, seed=11.0, dtype=TensorProto.BOOL)
    inputs = [("x", FLOAT, ["N", "M"]), ("i", INT64, ["K"]), ("p", FLOAT, ["P"])]
    model = make_model(nodes, inputs, outputs)
    session, reference = onnxc.InferenceSession(compiled(model)), ReferenceEvaluator(model)
    for n, m in ((5, 7), (1, 1), (0, 4)):
        feeds = {
            "x": np.zeros((n, m), np.float32),
            "i": np.arange(n + 3),
            "p": np.linspace(0.001, 0.999, 50, dtype=np.float32),
        }
        for result, want in zip(session.run(None, feeds), reference.run(None, feeds), strict=True):
            assert result.dtype == want.dtype and result.shape == want.shape
            np.testing.assert_allclose(result, want, rtol=1e-3 if want.dtype == np.float16 else 1e-6)


DROPOUT = """
g (float[N] x, float r, bool t) => (float[N] y, bool[N] mask, float[N] only) {
  y, mask = Dropout <seed = 3> (x, r, t)
  only = Dropout <seed = 9> (x, r, t)
}
"""


def test_dropout(compiled) -> None:
    model = parse(DROPOUT, opset=22)
    session, reference = onnxc.InferenceSession(compiled(model)), ReferenceEvaluator(model)
    x = np.linspace(-2, 2, 1000, dtype=np.float32)
    for ratio, training in ((0.5, True), (0.1, True), (0.0, True), (0.9, False), (7.0, False)):
        feeds = {"x": x, "r": np.array(ratio, np.float32), "t": np.array(training)}
        for result, want in zip(session.run(None, feeds), reference.run(None, feeds), strict=True):
            assert result.dtype == want.dtype
            np.testing.assert_allclose(result, want, rtol=1e-6)
    for wrong in (1.0, -0.25, np.nan):
        with pytest.raises(RuntimeException, match="the ratio is not in"):
            session.run(None, {"x": x, "r": np.array(wrong, np.float32), "t": np.array(True)})


def test_no_seed_draws_anew(compiled) -> None:
    """In each run, each node and each iteration of a loop, from the distribution that the operator names."""
    session = onnxc.InferenceSession(
        compiled(
            parse(
                """
    g (float[N] p, float[N] logits, int64 n) =>
        (float[20000] u, double[20000] z, float[N] b, int64[1, 20000] m, float[L, 2] looped, float[N] d, bool[N] kept) {
      u = RandomUniform <shape = [20000], low = -1.0, high = 3.0> ()
      z = RandomNormal <shape = [20000], dtype = 11, mean = 2.0, scale = 3.0> ()
      b = Bernoulli(p)
      first = Constant <value = int64[1] {0}> ()
      row = Unsqueeze(logits, first)
      m = Multinomial <sample_size = 20000, dtype = 7> (row)
      yes = Constant <value = bool {1}> ()
      looped = Loop (n, yes) <
        body = c (int64 i, bool on) => (bool go, float[2] v) {
          go = Identity(on)
          v = RandomUniform <shape = [2]> ()
        }>
      half = Constant <value = float {0.5}> ()
      d, kept = Dropout(p, half, yes)
    }
    """,
                opset=20,
            )
        )
    )
    count = 20000
    feeds = {
        "p": np.full(count, 0.3, np.float32),
        "logits": np.array([1, 2, -np.inf, 0.5] + [-40] * (count - 4), np.float32),
        "n": np.array(50),
    }
    runs = [session.run(None, feeds) for _ in range(2)]
    for one, other in zip(*runs, strict=True):
        assert not np.array_equal(one, other)
    # Means within 5 standard deviations.
    for u, z, b, m, looped, d, kept in runs:
        assert u.min() >= -1 and u.max() <= 3
        assert abs(u.mean() - 1) < 5 * (4 / 12**0.5) / count**0.5
        assert abs(u.var() - 16 / 12) < 0.05
        assert abs(z.mean() - 2) < 5 * 3 / count**0.5 and abs(z.std() - 3) < 0.1
        assert abs(((z - 2) / 3 < 1).mean() - 0.8413) < 5 * (0.8413 * 0.1587 / count) ** 0.5
        assert set(np.unique(b)) == {0, 1} and abs(b.mean() - 0.3) < 5 * (0.21 / count) ** 0.5
        assert looped.shape == (50, 2) and len(np.unique(looped)) == 100
        assert abs(kept.mean() - 0.5) < 5 * 0.5 / count**0.5
        np.testing.assert_array_equal(d, np.where(kept, 2 * feeds["p"], 0))
        weights = np.exp(feeds["logits"][:4])
        for index, share in enumerate(weights / weights.sum()):
            assert abs((m == index).mean() - share) <= 5 * (share * (1 - share) / count) ** 0.5
        assert m.max() < 4


def test_a_seed_that_no_generator_takes(compiled) -> None:
    for seed in ("-1.0", "4294967296.0"):
        with pytest.raises(onnxc.CompileError, match=r"RandomUniform.*seed is not in"):
            compiled(parse(f"g () => (float[2] y) {{ y = RandomUniform <shape = [2], seed = {seed}> () }}"))
