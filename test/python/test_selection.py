"""TopK and NonMaxSuppression: every option, dynamic dims and counts, ties, NaN and nothing to select from."""

import itertools

import numpy as np
import onnx
import onnxc
import onnxruntime
import pytest
from onnx import TensorProto, helper
from small_models import make_model

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def top_k_reference(x: np.ndarray, k: int, axis: int, largest: bool) -> tuple[np.ndarray, np.ndarray]:
    """A stable sort with NaN as the greatest number."""
    rank = np.unique(x, return_inverse=True)[1].reshape(x.shape)  # unique sorts NaN last
    order = np.argsort(-rank if largest else rank, axis=axis, kind="stable")
    indices = np.take(order, np.arange(min(k, x.shape[axis])), axis=axis)
    return np.take_along_axis(x, indices, axis), indices


def test_top_k(compiled) -> None:
    cases = list(itertools.product((0, 1, 2), (True, False), (1, 3, 8)))
    nodes, outputs, constants = [], [], {}
    for number, (axis, largest, k) in enumerate(cases):
        constants[f"k{number}"] = np.array([k], np.int64)
        for source, kind in (("x", FLOAT), ("i", TensorProto.UINT8)):
            names = [f"{source}v{number}", f"{source}i{number}"]
            nodes.append(
                helper.make_node(
                    "TopK", [source, f"k{number}"], names, axis=axis - 3, largest=largest, sorted=number % 2
                )
            )
            outputs += [(names[0], kind, [None] * 3), (names[1], INT64, [None] * 3)]
    nodes.append(helper.make_node("TopK", ["x", "k"], ["v", "ii"], axis=1))
    outputs += [("v", FLOAT, [None] * 3), ("ii", INT64, [None] * 3)]
    inputs = [("x", FLOAT, ["A", "B", "C"]), ("i", TensorProto.UINT8, ["A", "B", "C"]), ("k", INT64, [1])]
    session = onnxc.InferenceSession(compiled(make_model(nodes, inputs, outputs, constants)))
    seed = np.random.SeedSequence().entropy
    print("seed", seed)
    generator = np.random.default_rng(seed)
    for shape in ((8, 9, 10), (8, 33, 200), (8, 8, 8)):
        x = generator.normal(size=shape).round(1).astype(np.float32)  # with ties
        x[generator.random(shape) < 0.05] = np.nan
        x[generator.random(shape) < 0.05] = -np.inf
        i = generator.integers(0, 256, shape).astype(np.uint8)
        k = generator.integers(1, shape[1] + 1)
        got = session.run(None, {"x": x, "i": i, "k": np.array([k])})
        expected = []
        for axis, largest, number in cases:
            expected += [*top_k_reference(x, number, axis, largest), *top_k_reference(i, number, axis, largest)]
        expected += top_k_reference(x, k, 1, True)
        for value, a, b in zip(session.get_outputs(), got, expected, strict=True):
            np.testing.assert_array_equal(a, b, err_msg=value.name)


KINDS = (np.float32, np.float16, np.int64, np.int8, np.uint32)


@pytest.mark.parametrize("axis", [0, 1])
def test_top_k_sorts(compiled, axis) -> None:
    """So many that they are sorted by digits, and all there are, of each kind of number."""
    nodes, outputs, cases = [], [], [(kind, *case) for kind in KINDS for case in ((True, 70), (False, 300))]
    generator = np.random.default_rng(1)
    feeds = {}
    for kind in KINDS:
        name = np.dtype(kind).name
        if np.issubdtype(kind, np.floating):
            x = generator.normal(size=(300, 300)).round(1).astype(kind)
            x[generator.random(x.shape) < 0.05] = np.nan
            x[generator.random(x.shape) < 0.05] = -0.0
            x[generator.random(x.shape) < 0.05] = np.inf
        else:
            limits = np.iinfo(kind)
            x = generator.integers(limits.min, limits.max, (300, 300), kind, endpoint=True)
            x[:, ::3] = x[:, 1::3]
        feeds[name] = x
    for number, (kind, largest, k) in enumerate(cases):
        names = [f"v{number}", f"i{number}"]
        inputs = [np.dtype(kind).name, f"k{k}"]
        nodes.append(helper.make_node("TopK", inputs, names, axis=axis, largest=largest))
        outputs += [
            (names[0], helper.np_dtype_to_tensor_dtype(np.dtype(kind)), [None] * 2),
            (names[1], INT64, [None] * 2),
        ]
    inputs = [(name, helper.np_dtype_to_tensor_dtype(x.dtype), ["A", "B"]) for name, x in feeds.items()]
    constants = {f"k{k}": np.array([k]) for k in (70, 300)}
    session = onnxc.InferenceSession(compiled(make_model(nodes, inputs, outputs, constants)))
    got = iter(session.run(None, feeds))
    for kind, largest, k in cases:
        values, indices = top_k_reference(feeds[np.dtype(kind).name], k, axis, largest)
        np.testing.assert_array_equal(next(got), values, err_msg=f"{kind} {largest} {k}")
        np.testing.assert_array_equal(next(got), indices, err_msg=f"{kind} {largest} {k}")


def suppression_model(limit: int | None) -> onnx.ModelProto:
    nodes, outputs = [], []
    constants = {"overlap": np.array([0.4], np.float32), "score": np.array([0.55], np.float32)}
    if limit is not None:
        constants["limit"] = np.array([limit], np.int64)
    for number, (centred, overlap, score) in enumerate(itertools.product((0, 1), ("", "overlap"), ("", "score"))):
        operands = ["boxes", "scores", "limit", overlap, score]
        nodes.append(helper.make_node("NonMaxSuppression", operands, [f"y{number}"], center_point_box=centred))
        outputs.append((f"y{number}", INT64, [None, 3]))
    inputs = [("boxes", FLOAT, ["batch", "box", 4]), ("scores", FLOAT, ["batch", "class", "box"])]
    if limit is None:
        inputs.append(("limit", INT64, [1]))
    return make_model(nodes, inputs, outputs, constants)


def random_boxes(generator: np.random.Generator, batch: int, count: int) -> np.ndarray:
    """Read as corners or as centre and size: overlapping, some without an area, corners of either diagonal."""
    boxes = generator.random((batch, count, 4)).astype(np.float32)
    boxes[..., 2:] = np.where(generator.random((batch, count, 1)) < 0.1, boxes[..., :2], boxes[..., 2:])
    return boxes


@pytest.mark.parametrize("limit", [None, 5])
def test_non_max_suppression(limit: int | None, compiled) -> None:
    model = suppression_model(limit)
    ours = onnxc.InferenceSession(compiled(model))
    reference = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    seed = np.random.SeedSequence().entropy
    print("seed", seed)
    generator = np.random.default_rng(seed)
    for batch, classes, count, most in (
        (1, 1, 1, 3),
        (2, 3, 57, 20),
        (1, 5, 300, 1 << 40),
        (3, 2, 40, 0),
        (1, 2, 0, 4),
    ):
        # Scores in steps of 0.01: ties are decided by the lower index.
        scores = generator.random((batch, classes, count)).round(2).astype(np.float32)
        feeds = {"boxes": random_boxes(generator, batch, count), "scores": scores}
        if limit is None:
            feeds["limit"] = np.array([most], np.int64)
        for value, a in zip(ours.get_outputs(), ours.run(None, feeds), strict=True):
            (b,) = reference.run([value.name], feeds)
            np.testing.assert_array_equal(a, b, err_msg=f"{value.name} of {batch}x{classes}x{count}, limit {most}")


def test_non_zero_scalar(compiled) -> None:
    """A scalar has no indices, but is there or not."""
    node = helper.make_node("NonZero", ["x"], ["y"])
    session = onnxc.InferenceSession(compiled(make_model([node], [("x", FLOAT, [])], [("y", INT64, [0, None])])))
    for x, count in ((2.5, 1), (0.0, 0), (np.nan, 1)):
        (y,) = session.run(None, {"x": np.array(x, np.float32)})
        assert y.dtype == np.int64 and y.shape == (0, count)
