"""Recurrent models in the spelling of PyTorch's and TensorFlow's exporters, at several batches and lengths, against
ONNX Runtime."""

import numpy as np
import onnx
import onnxc
import onnxruntime
import pytest
from onnx import TensorProto, helper
from small_models import make_model

FEATURES, HIDDEN = 12, 24

onnxruntime.set_default_logger_severity(4)


def weights(rng, prefix: str, gates: int, directions: int, inputs: int) -> dict[str, np.ndarray]:
    rows = gates * HIDDEN
    shapes = {"W": (directions, rows, inputs), "R": (directions, rows, HIDDEN), "B": (directions, 2 * rows)}
    return {prefix + name: (rng.standard_normal(shape) * 0.3).astype(np.float32) for name, shape in shapes.items()}


def pytorch(rng) -> onnx.ModelProto:
    """torch.nn.LSTM(FEATURES, HIDDEN, num_layers=2, bidirectional=True, batch_first=True) and a Linear."""
    node = helper.make_node
    constants = {
        "batch_axis": np.array(0),
        "zero": np.array([0]),
        "four": np.array([4]),
        "hidden": np.array([HIDDEN]),
        "merged": np.array([0, 0, -1]),
        "linear": (rng.standard_normal((2 * HIDDEN, 5)) * 0.3).astype(np.float32),
        "bias": rng.standard_normal(5).astype(np.float32),
    }
    nodes = [
        node("Transpose", ["x"], ["time_major"], perm=[1, 0, 2]),
        node("Shape", ["x"], ["shape"]),
        node("Gather", ["shape", "batch_axis"], ["batch"], axis=0),
        node("Unsqueeze", ["batch", "zero"], ["batch_1"]),
        node("Concat", ["four", "batch_1", "hidden"], ["state_shape"], axis=0),
        node(
            "ConstantOfShape", ["state_shape"], ["states"], value=onnx.numpy_helper.from_array(np.zeros(1, np.float32))
        ),
    ]
    data = "time_major"
    for layer in range(2):
        prefix = f"layer{layer}_"
        constants.update(weights(rng, prefix, 4, 2, FEATURES if layer == 0 else 2 * HIDDEN))
        constants.update({prefix + "first": np.array([2 * layer]), prefix + "last": np.array([2 * layer + 2])})
        outputs = [prefix + name for name in ["y", "h", "c"]]
        nodes += [
            node("Slice", ["states", prefix + "first", prefix + "last", "zero"], [prefix + "state"]),
            node(
                "LSTM",
                [data, prefix + "W", prefix + "R", prefix + "B", "", prefix + "state", prefix + "state"],
                outputs,
                direction="bidirectional",
                hidden_size=HIDDEN,
            ),
            node("Transpose", [prefix + "y"], [prefix + "by_time"], perm=[0, 2, 1, 3]),
            node("Reshape", [prefix + "by_time", "merged"], [prefix + "out"]),
        ]
        data = prefix + "out"
    nodes += [
        node("Concat", ["layer0_h", "layer1_h"], ["h"], axis=0),
        node("Concat", ["layer0_c", "layer1_c"], ["c"], axis=0),
        node("Transpose", [data], ["batch_major"], perm=[1, 0, 2]),
        node("MatMul", ["batch_major", "linear"], ["product"]),
        node("Add", ["bias", "product"], ["y"]),
    ]
    states = [4, "N", HIDDEN]
    return make_model(
        nodes,
        [("x", TensorProto.FLOAT, ["N", "T", FEATURES])],
        [("y", TensorProto.FLOAT, ["N", "T", 5]), ("h", TensorProto.FLOAT, states), ("c", TensorProto.FLOAT, states)],
        constants,
        opset=17,
    )


def tensorflow(rng, kind: str) -> onnx.ModelProto:
    """keras.layers.LSTM or GRU(HIDDEN, return_sequences=True), then one that gives its last state, as tf2onnx spells
    them: the length of every row is that of the sequence, the states are zeros expanded to the batch."""
    node = helper.make_node
    gates = 4 if kind == "LSTM" else 3
    constants = {
        "first": np.array([0]),
        "second": np.array([1]),
        "third": np.array([2]),
        "one": np.array([1]),
        "hidden": np.array([HIDDEN]),
        "zero": np.zeros((1, 1, 1), np.float32),
        **weights(rng, "a_", gates, 1, FEATURES),
        **weights(rng, "b_", gates, 1, HIDDEN),
    }
    nodes = [
        node("Transpose", ["x"], ["a_x"], perm=[1, 0, 2]),
        node("Shape", ["a_x"], ["shape"]),
        node("Slice", ["shape", "first", "second"], ["time"]),
        node("Slice", ["shape", "second", "third"], ["batch"]),
        node("Expand", ["time", "batch"], ["lengths_64"]),
        node("Cast", ["lengths_64"], ["lengths"], to=TensorProto.INT32),
        node("Concat", ["one", "batch", "hidden"], ["state_shape"], axis=0),
        node("Expand", ["zero", "state_shape"], ["state"]),
    ]
    attributes = {"hidden_size": HIDDEN} if kind == "LSTM" else {"hidden_size": HIDDEN, "linear_before_reset": 1}
    for layer, outputs in [("a", ["a_y"]), ("b", ["", "b_h"])]:
        states = ["state", "state"] if kind == "LSTM" else ["state"]
        inputs = [f"{layer}_x", f"{layer}_W", f"{layer}_R", f"{layer}_B", "lengths", *states]
        nodes.append(node(kind, inputs, outputs, direction="forward", **attributes))
        if layer == "a":
            nodes.append(node("Squeeze", ["a_y", "one"], ["b_x"]))
    nodes += [node("Squeeze", ["b_h", "first"], ["last"]), node("Softmax", ["last"], ["y"], axis=-1)]
    return make_model(
        nodes,
        [("x", TensorProto.FLOAT, ["N", "T", FEATURES])],
        [("y", TensorProto.FLOAT, ["N", HIDDEN])],
        constants,
        opset=15,
    )


@pytest.mark.parametrize("spelling", ["pytorch LSTM", "tensorflow LSTM", "tensorflow GRU"])
def test_agrees_with_onnxruntime(compiled, spelling):
    rng = np.random.default_rng(0)
    exporter, kind = spelling.split()
    model = pytorch(rng) if exporter == "pytorch" else tensorflow(rng, kind)
    reference = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    session = onnxc.InferenceSession(compiled(model))
    for batch, steps in [(1, 1), (3, 5), (1, 40), (3, 17)]:
        feeds = {"x": rng.standard_normal((batch, steps, FEATURES)).astype(np.float32)}
        for ours, expected in zip(session.run(None, feeds), reference.run(None, feeds), strict=True):
            assert ours.shape == expected.shape
            assert np.abs(ours - expected).max() <= 1e-4 * np.abs(expected).max()
