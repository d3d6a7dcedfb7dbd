"""Models of scikit-learn, LightGBM and XGBoost, as their converters write them (make_converted.py), and boosted trees
of the size that is usual, against ONNX Runtime: labels are equal, and for scores max |a-b| <= 1e-4 max |b|."""

from pathlib import Path

import numpy as np
import onnx
import onnxc
import onnxruntime
import pytest
from bench.trees import forest
from onnx import helper

MODELS = sorted((Path(__file__).parent / "converted").glob("*.onnx"))
TEXTS = ["this is the first document", "Hello, BIG big world: unseen", "", "is the third one this", "9 documents"]
onnxruntime.set_default_logger_severity(4)


def feeds_for(model, count: int) -> dict:
    random = np.random.default_rng(count)
    x = (random.normal(size=(count, 4)) * 1.5).astype(np.float32)
    names = [value.name for value in model.graph.input]
    if names == ["text"]:
        return {"text": np.array(TEXTS[:count], object).reshape(-1, 1)}
    if names == ["a", "b", "c", "d"]:
        kinds = np.array(["u", "v", "w", "unknown"], object)[np.arange(count) % 4]
        return {"a": x[:, :1], "b": x[:, 1:2], "c": kinds.reshape(-1, 1), "d": np.arange(count).reshape(-1, 1) % 4}
    if names == ["x"]:  # those of boosted trees take missing values
        x[::3, 0] = np.nan
    return {names[0]: x}


def check(compiled, model, feeds: list[dict]) -> None:
    for node in model.graph.node:
        if node.op_type == "StringNormalizer":  # ONNX Runtime's own, en_US, is not everywhere.
            node.attribute.append(helper.make_attribute("locale", "C.UTF-8"))
    reference = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    session = onnxc.InferenceSession(compiled(model))
    for feed in feeds:
        for name, ours, want in zip(
            [output.name for output in model.graph.output],
            session.run(None, feed),
            reference.run(None, feed),
            strict=True,
        ):
            if isinstance(want, list):  # of ZipMap's dictionaries
                assert [list(row) for row in ours] == [list(row) for row in want], name
                ours, want = (np.array([list(row.values()) for row in rows]) for rows in (ours, want))
            assert ours.shape == want.shape and ours.dtype == want.dtype, name
            if want.dtype.kind == "f":
                assert np.abs(ours - want).max() <= 1e-4 * np.abs(want).max(), name
            else:
                np.testing.assert_array_equal(ours, want, err_msg=name)


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_converted(path, compiled) -> None:
    model = onnx.load(path)
    many = len(TEXTS) if path.stem.startswith("text") else 40
    check(compiled, model, [feeds_for(model, many), feeds_for(model, 1)])


def test_categories(compiled) -> None:
    """LightGBM's sets of categories: nodes that several others name."""
    model = onnx.load(Path(__file__).parent / "converted" / "lightgbm_categories.onnx")
    x = np.random.default_rng(3).normal(size=(48, 4)).astype(np.float32)
    x[:, 3] = np.arange(48) % 8
    x[::5, 3] = np.nan
    check(compiled, model, [{"x": x}, {"x": x[:1]}])


def test_five_hundred_trees(compiled) -> None:
    model = forest(500, 30, leaves=31, cuts=255)
    feeds = [{"x": np.random.default_rng(count).normal(size=(count, 30)).astype(np.float32)} for count in (1, 7, 300)]
    check(compiled, model, feeds)
