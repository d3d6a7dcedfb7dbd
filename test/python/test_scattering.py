"""TensorScatter against onnx's reference evaluator, and Det against numpy."""

import numpy as np
import onnxc
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator
from small_models import make_model

FLOAT, DOUBLE, FLOAT16, INT64 = TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.INT64


def test_tensor_scatter(compiled) -> None:
    nodes = [
        helper.make_node("TensorScatter", ["cache", "update", "at"], ["linear"]),
        helper.make_node("TensorScatter", ["cache", "update", "around"], ["circular"], mode="circular"),
        helper.make_node("TensorScatter", ["cache", "update"], ["front"]),
        helper.make_node("TensorScatter", ["tall", "wide", "around"], ["along_one"], mode="circular", axis=1),
    ]
    inputs = [
        ("cache", FLOAT16, ["N", 2, "L", 3]), ("update", FLOAT16, ["N", 2, "S", 3]), ("at", INT64, ["I"]),
        ("around", INT64, ["J"]), ("tall", FLOAT16, ["N", "L", 4]), ("wide", FLOAT16, ["N", "S", 4]),
    ]  # fmt: skip
    outputs = [(node.output[0], FLOAT16, [None] * (3 if i == 3 else 4)) for i, node in enumerate(nodes)]
    model = make_model(nodes, inputs, outputs, opset=24)
    session, reference = onnxc.InferenceSession(compiled(model)), ReferenceEvaluator(model)
    for n, length, steps, at, around in ((2, 7, 3, (4, 0), (6, 5)), (1, 4, 4, (0,), (3,)), (1, 5, 0, (5,), (4,))):
        feeds = {
            name: (np.arange(np.prod(shape)).reshape(shape) * sign).astype(np.float16)
            for name, shape, sign in (
                ("cache", (n, 2, length, 3), 1), ("update", (n, 2, steps, 3), -1),
                ("tall", (n, length, 4), 1), ("wide", (n, steps, 4), -1),
            )
        } | {"at": np.array(at), "around": np.array(around)}  # fmt: skip
        for ours, want in zip(session.run(None, feeds), reference.run(None, feeds), strict=True):
            np.testing.assert_array_equal(ours, want)
    for bad, message in (
        ({"at": np.array([6])}, "write_indices"),
        ({"at": np.array([-1])}, "write_indices"),
        ({"around": np.array([5])}, "write_indices"),
        ({"at": np.array([0, 0])}, "number of write_indices"),
        ({"update": np.zeros((1, 2, 6, 3), np.float16), "wide": np.zeros((1, 6, 4), np.float16)}, "number of updates"),
    ):
        with pytest.raises(Exception, match=message):
            session.run(None, feeds | bad)


def test_determinant(compiled) -> None:
    """Of one matrix, of many, of none; singular ones and those whose first pivot is 0."""
    nodes = [helper.make_node("Det", ["x"], ["many"]), helper.make_node("Det", ["d"], ["one"])]
    inputs = [("x", FLOAT, ["A", "B", "M", "K"]), ("d", DOUBLE, ["P", "P"])]
    model = make_model(nodes, inputs, [("many", FLOAT, [None, None]), ("one", DOUBLE, [])], opset=22)
    session = onnxc.InferenceSession(compiled(model))
    generator = np.random.default_rng(8)
    for count, size, double in ((3, 4, 1), (1, 1, 2), (2, 9, 17), (0, 2, 3), (1, 0, 0)):
        x = generator.normal(size=(count, 2, size, size)).astype(np.float32)
        d = generator.normal(size=(double, double))
        if size > 1 and count:
            x[0, 0, 0, 0] = 0
            x[0, 1, 1] = 2 * x[0, 1, 0]
        many, one = session.run(None, {"x": x, "d": d})
        np.testing.assert_allclose(many, np.linalg.det(x.astype(np.float64)), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(one, np.linalg.det(d), rtol=1e-10)
    zero = session.run(None, {"x": np.zeros((1, 1, 3, 3), np.float32), "d": np.eye(2)})[0]
    np.testing.assert_array_equal(zero, [[0]])
    with pytest.raises(Exception, match="sides of a matrix"):
        session.run(None, {"x": np.zeros((1, 1, 3, 2), np.float32), "d": np.eye(2)})
