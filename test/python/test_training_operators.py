"""The steps of optimizers, and BatchNormalization that learns, against onnx's reference evaluator and numpy."""

import numpy as np
import onnxc
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

FLOAT, DOUBLE, INT64 = TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT64
OPTIMIZERS = {
    "Adagrad": (1, [{"norm_coefficient": 0.01, "epsilon": 1e-5, "decay_factor": 0.1}]),
    "Adam": (
        2,
        [{"norm_coefficient": 0.1, "norm_coefficient_post": 0.05, "alpha": 0.8, "beta": 0.95, "epsilon": 1e-4}],
    ),
    "Momentum": (
        1,
        [
            {"norm_coefficient": 0.01, "alpha": 0.9, "beta": 0.1, "mode": "standard"},
            {"norm_coefficient": 0.01, "alpha": 0.9, "beta": 0.1, "mode": "nesterov"},
        ],
    ),
}


def test_optimizers(compiled) -> None:
    """Two tensors a step, with dims that a run tells; the first step and a later one."""
    nodes, inputs, outputs = [], [("R", FLOAT, []), ("T", INT64, [])], []
    for operator, (states, cases) in OPTIMIZERS.items():
        kinds = "XGVH"[: states + 2]
        for attributes in cases:
            case = f"{operator}{len(nodes)}"
            operands = [f"{case}_{kind}{i}" for kind in kinds for i in (1, 2)]
            results = [f"{name}_new" for name in operands if "_G" not in name]
            nodes.append(
                helper.make_node(
                    operator, ["R", "T", *operands], results, domain="ai.onnx.preview.training", **attributes
                )
            )
            inputs += [
                (name, FLOAT, ["N", 3] if name.endswith("1") else [f"{case}_K" if "_G" in name else "M"])
                for name in operands
            ]
            outputs += [(name, FLOAT, [None, 3] if "1" in name[-5:] else [None]) for name in results]
    graph = helper.make_graph(
        nodes, "steps", *([helper.make_tensor_value_info(*value) for value in values] for values in (inputs, outputs))
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.preview.training", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    session, reference = onnxc.InferenceSession(compiled(model)), ReferenceEvaluator(model)
    generator = np.random.default_rng(5)
    for step, n, m in ((0, 2, 5), (7, 4, 0)):
        feeds = {"R": np.array(0.1, np.float32), "T": np.array(step)}
        for name, _, dims in inputs[2:]:
            shape = (n, 3) if len(dims) == 2 else (m,)
            feeds[name] = generator.uniform(0.1, 1, shape).astype(np.float32)
        for (name, _, _), ours, want in zip(outputs, session.run(None, feeds), reference.run(None, feeds), strict=True):
            np.testing.assert_allclose(ours, want, rtol=2e-6, err_msg=name)
    with pytest.raises(Exception, match="dims of a tensor and its gradient"):
        session.run(None, feeds | {"Adam1_G2": np.zeros(1, np.float32)})


def test_batch_normalization_in_training(compiled) -> None:
    node = helper.make_node(
        "BatchNormalization", list("xsbmv"), ["y", "mean", "variance"], training_mode=1, momentum=0.8
    )
    graph = helper.make_graph(
        [node],
        "learns",
        [helper.make_tensor_value_info("x", FLOAT, ["N", "C", "H", "W"])]
        + [helper.make_tensor_value_info(name, FLOAT, ["C"]) for name in "sbmv"],
        [helper.make_tensor_value_info("y", FLOAT, [None] * 4)]
        + [helper.make_tensor_value_info(name, FLOAT, [None]) for name in ("mean", "variance")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=9)
    session = onnxc.InferenceSession(compiled(model))
    generator = np.random.default_rng(6)
    for shape in ((2, 3, 4, 5), (1, 17, 1, 8)):
        x = generator.normal(2, 3, shape).astype(np.float32)
        s, b, m, v = (generator.uniform(0.5, 2, shape[1]).astype(np.float32) for _ in range(4))
        y, mean, variance = session.run(None, {"x": x, "s": s, "b": b, "m": m, "v": v})
        own, spread = x.mean((0, 2, 3), keepdims=True), x.var((0, 2, 3), keepdims=True)
        want = (x - own) / np.sqrt(spread + 1e-5) * s[:, None, None] + b[:, None, None]
        np.testing.assert_allclose(y, want, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(mean, 0.8 * m + 0.2 * own.ravel(), rtol=1e-5)
        np.testing.assert_allclose(variance, 0.8 * v + 0.2 * spread.ravel(), rtol=1e-5)
