"""Unique and TfIdfVectorizer on numbers, against numpy and ONNX Runtime."""

import numpy as np
import onnxc
import onnxruntime
import pytest
from onnx import TensorProto, helper
from small_models import make_model

INT64 = TensorProto.INT64
onnxruntime.set_default_logger_severity(4)


def random_generator() -> np.random.Generator:
    seed = np.random.SeedSequence().entropy
    print("seed", seed)
    return np.random.default_rng(seed)


def expected_unique(x: np.ndarray, axis: int | None, ordered: int) -> list[np.ndarray]:
    values, first, inverse, counts = np.unique(x, True, True, True, axis=axis)
    inverse = inverse.reshape(-1)
    if not ordered:
        order = np.argsort(first)
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        values, first, counts = np.take(values, order, axis or 0), first[order], counts[order]
        inverse = place[inverse]
    return [values, first, inverse, counts]


def test_unique_numbers(compiled) -> None:
    """Numbers of every size, sign and kind, which are sorted by their digits."""
    generator = random_generator()
    kinds = (np.float16, np.float32, np.float64, np.int8, np.int32, np.int64, np.uint32, np.uint64, np.bool_)
    feeds, nodes, inputs, outputs = {}, [], [], []
    for kind in map(np.dtype, kinds):
        if kind == np.bool_:
            x = generator.random(2000) < 0.5
        elif kind.kind == "f":
            x = (generator.normal(size=2000) * 10.0 ** generator.integers(-3, 4, 2000)).astype(kind)
            x[::7], x[::11], x[::13], x[::17], x[::19] = np.nan, -0.0, 0.0, np.inf, -np.inf
        else:
            limits = np.iinfo(kind)
            x = generator.integers(limits.min, limits.max, 2000, kind, endpoint=True)
            x[: len(x) // 2] = x[len(x) // 2 :]
        feeds[kind.name] = x
        names = [f"{part}_{kind.name}" for part in ("values", "first", "inverse", "counts")]
        element = helper.np_dtype_to_tensor_dtype(kind)
        inputs.append((kind.name, element, ["N"]))
        nodes.append(helper.make_node("Unique", [kind.name], names))
        outputs += [(names[0], element, [None]), *((name, INT64, [None]) for name in names[1:])]
    results = onnxc.InferenceSession(compiled(make_model(nodes, inputs, outputs))).run(None, feeds)
    for i, (name, x) in enumerate(feeds.items()):
        for ours, want in zip(results[4 * i : 4 * i + 4], expected_unique(x, None, 1), strict=True):
            np.testing.assert_array_equal(ours, want, err_msg=name)


@pytest.mark.parametrize(("kind", "ranks"), [(np.float32, 3), (np.int64, 1), (np.uint8, 2)])
def test_unique(compiled, kind, ranks) -> None:
    """Sorted and in order of occurrence, along each axis and over all elements; one case reads the values alone."""
    nodes, outputs, cases = [], [], []
    element = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
    for axis in [None, *range(-1, ranks - 1)]:
        for ordered in (1, 0):
            names = [f"{name}_{len(nodes)}" for name in ("values", "first", "inverse", "counts")]
            options = {"sorted": ordered} | ({} if axis is None else {"axis": axis})
            nodes.append(helper.make_node("Unique", ["x"], names, **options))
            cases.append((axis, ordered))
            outputs.append((names[0], element, [None] * (1 if axis is None else ranks)))
            outputs += [(name, INT64, [None]) for name in names[1:]]
    nodes.append(helper.make_node("Unique", ["x"], ["alone"]))
    outputs.append(("alone", element, [None]))
    model = make_model(nodes, [("x", element, list("ABC"[:ranks]))], outputs)
    session = onnxc.InferenceSession(compiled(model))
    generator = random_generator()
    for shape in ((4, 3, 2), (1, 1, 1), (17, 2, 3), (64, 1, 2)):
        x = generator.integers(0, 3, shape[:ranks]).astype(kind)
        if kind == np.uint8:
            x[x == 2] = 255
        results = session.run(None, {"x": x})
        for i, (axis, ordered) in enumerate(cases):
            for ours, want in zip(results[4 * i : 4 * i + 4], expected_unique(x, axis, ordered), strict=True):
                np.testing.assert_array_equal(ours, want)
        np.testing.assert_array_equal(results[-1], np.unique(x))
    if kind == np.float32:
        x = np.array([np.nan, 1, -np.inf, np.nan, 1, -0.0, 0.0], np.float32).reshape(7, 1, 1)
        for ours, want in zip(session.run(None, {"x": x})[:4], np.unique(x, True, True, True), strict=True):
            np.testing.assert_array_equal(ours, want.reshape(-1))
    empty = session.run(None, {"x": np.zeros((0, 3, 2)[:ranks], kind)})
    assert [result.size for result in empty[:4]] == [0, 0, 0, 0]


def test_term_frequencies(compiled) -> None:
    pool = {"ngram_counts": [0, 3, 9], "pool_int64s": [2, 3, 5, 5, 4, 5, 6, 7, 8, 6, 7, 6, 2, 2, 3]}
    pool["ngram_indexes"] = [0, 2, 6, 1, 3, 4, 7, 5]
    weights = [0.5, 1.5, -2.0, 0.25, 3.0, 1.0, 7.0, 0.125]
    nodes, outputs = [], []
    for source, skip, least, most, mode in (
        ("x", 0, 1, 1, "TF"), ("x", 1, 1, 3, "TF"), ("x", 5, 2, 3, "IDF"), ("x", 2, 1, 2, "TFIDF"),
        ("row", 3, 3, 3, "TF"), ("row", 0, 1, 2, "IDF"),
    ):  # fmt: skip
        name = f"y{len(nodes)}"
        options = dict(pool, max_skip_count=skip, min_gram_length=least, max_gram_length=most, mode=mode)
        if mode != "TF":
            options["weights"] = weights
        nodes.append(helper.make_node("TfIdfVectorizer", [source], [name], **options))
        outputs.append((name, TensorProto.FLOAT, [None, None] if source == "x" else [None]))
    model = make_model(nodes, [("x", INT64, ["N", "C"]), ("row", TensorProto.INT32, ["D"])], outputs)
    session = onnxc.InferenceSession(compiled(model))
    reference = onnxruntime.InferenceSession(model.SerializeToString())
    generator = random_generator()
    for n, c, d in ((3, 12, 30), (1, 40, 2), (2, 1, 1)):
        feeds = {"x": generator.integers(2, 9, (n, c)), "row": generator.integers(2, 9, d).astype(np.int32)}
        for ours, want in zip(session.run(None, feeds), reference.run(None, feeds), strict=True):
            np.testing.assert_array_equal(ours, want)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"ngram_indexes": [2**31 - 2]}, "a column above 16777216"),
        ({"ngram_indexes": [-1]}, "a column of its own"),
        ({"pool_int64s": [1, 2]}, "a column of its own"),
        ({"ngram_counts": [5]}, "does not divide the pool"),
        ({"pool_int64s": [1, 1], "ngram_indexes": [0, 1]}, "twice"),
        ({"weights": [1.0, 2.0]}, "not as many weights"),
        ({"min_gram_length": 3}, "do not describe n-grams"),
    ],
)
def test_term_frequencies_refused(changes, reason, tmp_path) -> None:
    options = {"mode": "TFIDF", "min_gram_length": 1, "max_gram_length": 2, "max_skip_count": 0}
    options |= {"ngram_counts": [0], "ngram_indexes": [0], "pool_int64s": [1]} | changes
    node = helper.make_node("TfIdfVectorizer", ["x"], ["y"], **options)
    model = make_model([node], [("x", INT64, ["N"])], [("y", TensorProto.FLOAT, [None])])
    with pytest.raises(onnxc.CompileError, match=rf"node 'y' \(TfIdfVectorizer.*{reason}"):
        onnxc.compile(model.SerializeToString(), tmp_path / "m.so")
