"""Products with one-hot rows, which become rows of the matrix, against ONNX Runtime."""

import numpy as np
from onnx import TensorProto, helper
from small_models import make_model

FLOAT = TensorProto.FLOAT
DEPTH, WIDTH = 11, 6


def test_one_hot_products(agree) -> None:
    generator = np.random.default_rng(7)
    constants = {
        "columns": np.arange(DEPTH, dtype=np.int64),
        "table": generator.normal(size=(DEPTH, WIDTH)).astype(np.float32),
        "bias": generator.normal(size=(1, 1, WIDTH)).astype(np.float32),
        "factor": np.float32(-2.5),
        "depth": np.int64(DEPTH),
        "off_on": np.float32([0, 1]),
        "axis": np.int64([-1]),
    }
    nodes = [
        helper.make_node("Unsqueeze", ["x", "axis"], ["column"]),
        helper.make_node("Equal", ["column", "columns"], ["equal"]),
        helper.make_node("Cast", ["equal"], ["compared"], to=FLOAT),
        helper.make_node("MatMul", ["compared", "table"], ["rows"]),
        helper.make_node("Add", ["bias", "rows"], ["shifted"]),
        helper.make_node("Tanh", ["shifted"], ["y"]),
        helper.make_node("OneHot", ["x", "depth", "off_on"], ["hot"]),
        helper.make_node("MatMul", ["hot", "table"], ["wrapped"]),
        helper.make_node("Sub", ["factor", "wrapped"], ["z"]),
    ]
    inputs = [("x", TensorProto.INT64, ["N", 40])]
    outputs = [("y", FLOAT, ["N", 40, WIDTH]), ("z", FLOAT, ["N", 40, WIDTH])]
    model = make_model(nodes, inputs, outputs, constants)
    far = np.array([-(2**40), -DEPTH - 1, -DEPTH, -1, 0, DEPTH - 1, DEPTH, DEPTH + 1, 2**40] + [3] * 31)
    agree(
        model,
        {"x": generator.integers(0, DEPTH, (3, 40))},
        {"x": np.stack([far, far[::-1]])},
        {"x": np.zeros((0, 40), np.int64)},
    )
