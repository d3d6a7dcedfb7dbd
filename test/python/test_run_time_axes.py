"""Reductions, Squeeze, Unsqueeze and Pad along axes that only a run tells, against numpy."""

import numpy as np
import onnxc
import pytest
from onnx import TensorProto, helper
from small_models import make_model

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def log_sum_exp(x, axis, keepdims):
    return np.log(np.exp(x).sum(axis=axis, keepdims=keepdims))


REDUCTIONS = {
    "ReduceSum": np.sum,
    "ReduceMean": np.mean,
    "ReduceMax": np.max,
    "ReduceL2": lambda x, axis, keepdims: np.sqrt((x * x).sum(axis=axis, keepdims=keepdims)),
    "ReduceLogSumExp": log_sum_exp,
}


def test_reductions(compiled) -> None:
    """Any number of axes where dims stay; where they go, as many as the output's declared rank says."""
    nodes, outputs = [], []
    for operator in REDUCTIONS:
        nodes.append(helper.make_node(operator, ["x", "axes"], [f"{operator}_kept"]))
        nodes.append(helper.make_node(operator, ["x", "axes"], [f"{operator}_noop"], noop_with_empty_axes=1))
        nodes.append(helper.make_node(operator, ["x", "two"], [f"{operator}_gone"], keepdims=0))
        outputs += [
            (f"{operator}_{kind}", FLOAT, [None] * (1 if kind == "gone" else 3)) for kind in ("kept", "noop", "gone")
        ]
    inputs = [("x", FLOAT, ["A", "B", "C"]), ("axes", INT64, ["K"]), ("two", INT64, [2])]
    session = onnxc.InferenceSession(compiled(make_model(nodes, inputs, outputs)))
    x = (np.arange(24) / 7 - 2).reshape(2, 3, 4).astype(np.float32)
    for axes, two in (((1,), (0, 1)), ((-1, 0), (2, -2)), ((), (-3, 2)), ((0, 1, 2), (1, 0)), ((1, -2), (0, 2))):
        feeds = {"x": x, "axes": np.array(axes, np.int64), "two": np.array(two)}
        results = dict(zip([output[0] for output in outputs], session.run(None, feeds), strict=True))
        every = tuple({axis % 3 for axis in axes})
        for operator, function in REDUCTIONS.items():
            want = function(x, axis=every or None, keepdims=True)
            np.testing.assert_allclose(
                results[f"{operator}_kept"], want.reshape(results[f"{operator}_kept"].shape), 1e-5
            )
            assert results[f"{operator}_kept"].shape == tuple(
                1 if d in every or not every else x.shape[d] for d in range(3)
            )
            np.testing.assert_allclose(results[f"{operator}_gone"], function(x, axis=two, keepdims=False), 1e-5)
            if every:
                np.testing.assert_allclose(results[f"{operator}_noop"], want, 1e-5)
        if not every:
            np.testing.assert_array_equal(results["ReduceSum_noop"], x)
    good = {"x": x, "axes": np.array([0]), "two": np.array([0, 1])}
    for bad, message in (({"axes": np.array([3])}, "axis"), ({"two": np.array([1, 1])}, "dims that remain")):
        with pytest.raises(Exception, match=message):
            session.run(None, good | bad)


@pytest.mark.parametrize("shape", [(), (37,), (150, 70), (9, 33, 40), (3, 18, 5, 21), (2, 3, 4, 5, 6), (2, 0, 3)])
def test_any_axes(compiled, shape) -> None:
    """All sets of axes, of tensors longer than a vector."""
    operators = ("ReduceSum", "ReduceMax", "ReduceSumSquare", "ReduceL1")
    nodes = [helper.make_node(operator, ["x", "axes"], [operator]) for operator in operators]
    inputs = [("x", FLOAT, [None] * len(shape)), ("axes", INT64, ["K"])]
    outputs = [(operator, FLOAT, [None] * len(shape)) for operator in operators]
    session = onnxc.InferenceSession(compiled(make_model(nodes, inputs, outputs)))
    x = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    for chosen in range(2 ** len(shape)):
        axes = tuple(axis for axis in range(len(shape)) if chosen >> axis & 1)
        every = axes or tuple(range(len(shape)))
        results = session.run(None, {"x": x, "axes": np.array(axes, np.int64)})
        wanted = (
            x.sum(every, keepdims=True),
            x.max(every, keepdims=True, initial=-np.inf),
            (x * x).sum(every, keepdims=True),
            abs(x).sum(every, keepdims=True),
        )
        for ours, want in zip(results, wanted, strict=True):
            assert ours.shape == want.shape
            np.testing.assert_allclose(ours, want, 1e-5, 1e-4)


def test_squeeze_and_unsqueeze(compiled) -> None:
    nodes = [
        helper.make_node("Squeeze", ["x", "gone"], ["squeezed"]),
        helper.make_node("Unsqueeze", ["x", "added"], ["unsqueezed"]),
    ]
    inputs = [("x", FLOAT, ["A", "B", "C"]), ("gone", INT64, [2]), ("added", INT64, [2])]
    outputs = [("squeezed", FLOAT, [None]), ("unsqueezed", FLOAT, [None] * 5)]
    session = onnxc.InferenceSession(compiled(make_model(nodes, inputs, outputs)))
    for shape, gone, added in (((1, 4, 1), (0, 2), (0, 1)), ((1, 1, 3), (-2, 0), (4, -3)), ((0, 1, 1), (1, 2), (2, 0))):
        x = np.arange(np.prod(shape)).reshape(shape).astype(np.float32)
        squeezed, unsqueezed = session.run(None, {"x": x, "gone": np.array(gone), "added": np.array(added)})
        np.testing.assert_array_equal(squeezed, np.squeeze(x, gone))
        np.testing.assert_array_equal(unsqueezed, np.expand_dims(x, added))
    good = {"x": np.zeros((1, 2, 1), np.float32), "gone": np.array([0, 2]), "added": np.array([0, 1])}
    session.run(None, good)
    for bad, message in (
        ({"gone": np.array([0, 1])}, "dim 1: 2 is not 1"),
        ({"gone": np.array([0, 3])}, "axis"),
        ({"added": np.array([1, 1])}, "not added"),
        ({"added": np.array([1, 5])}, "axis"),
    ):
        with pytest.raises(Exception, match=message):
            session.run(None, good | bad)


@pytest.mark.parametrize("operator", ["Squeeze", "Unsqueeze", "ReduceSum"])
@pytest.mark.parametrize("dims", [[], [1, 1]])
def test_axes_that_are_no_vector(operator, dims, tmp_path) -> None:
    rank = {"Squeeze": 1, "Unsqueeze": 3, "ReduceSum": 2}[operator]
    inputs = [("x", FLOAT, [1, 2]), ("axes", INT64, dims)]
    model = make_model([helper.make_node(operator, ["x", "axes"], ["y"])], inputs, [("y", FLOAT, [None] * rank)])
    with pytest.raises(onnxc.CompileError, match="rank"):
        onnxc.compile(model.SerializeToString(), tmp_path / "m.so")


def test_pad(compiled) -> None:
    nodes = [
        helper.make_node("Pad", ["x", "pads", "", "axes"], ["zeros"]),
        helper.make_node("Pad", ["x", "pads", "", "axes"], ["edge"], mode="edge"),
    ]
    inputs = [("x", FLOAT, ["A", "B", "C"]), ("pads", INT64, [4]), ("axes", INT64, [2])]
    outputs = [(name, FLOAT, [None] * 3) for name in ("zeros", "edge")]
    session = onnxc.InferenceSession(compiled(make_model(nodes, inputs, outputs)))
    x = np.arange(24).reshape(2, 3, 4).astype(np.float32)
    for axes, pads in (((0, 1), (1, 2, 0, 3)), ((-1, 0), (0, 1, 2, 2)), ((2, -2), (1, 0, 1, 4))):
        zeros, edge = session.run(None, {"x": x, "pads": np.array(pads), "axes": np.array(axes)})
        widths = [(0, 0)] * 3
        for i, axis in enumerate(axes):
            widths[axis] = (pads[i], pads[i + 2])
        np.testing.assert_array_equal(zeros, np.pad(x, widths))
        np.testing.assert_array_equal(edge, np.pad(x, widths, mode="edge"))
    with pytest.raises(Exception, match="axis"):
        session.run(None, {"x": x, "pads": np.array([1, 1, 1, 1]), "axes": np.array([0, 3])})
