"""Networks as tf2onnx writes Keras's and skl2onnx writes scikit-learn's, node by node, against ONNX Runtime."""

import numpy as np
import onnxc
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

FLOAT, INT64, STRING = TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING


def weight(generator, name: str, *shape: int):
    scale = (2 / np.prod(shape[1:])) ** 0.5
    return numpy_helper.from_array((generator.standard_normal(shape) * scale).astype(np.float32), name)


def keras_classifier():
    """Channels last: Conv2D, BatchNormalization, MaxPooling2D; DepthwiseConv2D of stride 2; GlobalAveragePooling2D and
    a Flatten side by side; Dense; softmax."""
    generator = np.random.default_rng(1)
    node = helper.make_node
    nodes = [
        node("Transpose", ["image"], ["t"], "model/conv2d/Conv2D__6", perm=[0, 3, 1, 2]),
        node("Conv", ["t", "conv/W", "conv/b"], ["c"], "model/conv2d/BiasAdd", kernel_shape=[3, 3], auto_pad="VALID"),
        node("Relu", ["c"], ["r"], "model/conv2d/Relu"),
        node("BatchNormalization", ["r", "bn/g", "bn/b", "bn/m", "bn/v"], ["n"], "model/bn/FusedBatchNormV3"),
        node("MaxPool", ["n"], ["p"], "model/max_pooling2d/MaxPool", kernel_shape=[2, 2], strides=[2, 2]),
        node(
            "Conv",
            ["p", "depthwise/W"],
            ["d"],
            "model/depthwise_conv2d/depthwise",
            kernel_shape=[3, 3],
            strides=[2, 2],
            group=8,
            auto_pad="SAME_UPPER",
        ),
        node("Clip", ["d", "zero", "six"], ["d6"], "model/re_lu/Relu6"),
        node("Conv", ["d6", "point/W", "point/b"], ["e"], "model/conv2d_1/BiasAdd", kernel_shape=[1, 1]),
        node("Relu", ["e"], ["f"], "model/conv2d_1/Relu"),
        node("ReduceMean", ["f"], ["m"], "model/global_average_pooling2d/Mean", axes=[2, 3], keepdims=0),
        node("Transpose", ["f"], ["back"], "model/conv2d_1/Relu__12", perm=[0, 2, 3, 1]),
        node("Reshape", ["back", "flat"], ["v"], "model/flatten/Reshape"),
        node("Concat", ["m", "v"], ["j"], "model/concatenate/concat", axis=1),
        node("MatMul", ["j", "dense/W"], ["g"], "model/dense/MatMul"),
        node("Add", ["g", "dense/b"], ["h"], "model/dense/BiasAdd"),
        node("Softmax", ["h"], ["probabilities"], "model/dense/Softmax", axis=-1),
    ]
    constants = {
        "bn/g": generator.uniform(0.5, 1.5, 8),
        "bn/b": generator.standard_normal(8),
        "bn/m": generator.standard_normal(8),
        "bn/v": generator.uniform(0.5, 1.5, 8),
        "zero": 0,
        "six": 6,
    }
    initializers = [numpy_helper.from_array(np.float32(value), name) for name, value in constants.items()]
    shapes = {
        "conv/W": (8, 3, 3, 3),
        "conv/b": (8,),
        "depthwise/W": (8, 1, 3, 3),
        "point/W": (12, 8, 1, 1),
        "point/b": (12,),
        "dense/W": (12 + 12 * 49, 10),
        "dense/b": (10,),
    }
    initializers += [weight(generator, name, *shape) for name, shape in shapes.items()]
    initializers.append(numpy_helper.from_array(np.array([-1, 12 * 49], np.int64), "flat"))
    graph = helper.make_graph(
        nodes,
        "tf2onnx",
        [helper.make_tensor_value_info("image", FLOAT, ["unk__7", 28, 28, 3])],
        [helper.make_tensor_value_info("probabilities", FLOAT, ["unk__8", 10])],
        initializers,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)


def sklearn_perceptron(classes: list, labels: int):
    """make_pipeline(StandardScaler(), MLPClassifier((16,))) with a ZipMap behind it."""
    generator = np.random.default_rng(len(classes))
    node, binary = helper.make_node, len(classes) == 2
    width = 1 if binary else len(classes)
    domain = {"domain": "ai.onnx.ml"}
    nodes = [
        node("Scaler", ["X"], ["variable"], offset=[0.1] * 6, scale=[1.5] * 6, **domain),
        node("Cast", ["variable"], ["cast_input"], to=FLOAT),
        node("MatMul", ["cast_input", "coefficient"], ["mul_result"]),
        node("Add", ["mul_result", "intercepts"], ["add_result"]),
        node("Relu", ["add_result"], ["next_activations"]),
        node("MatMul", ["next_activations", "coefficient1"], ["mul_result1"]),
        node("Add", ["mul_result1", "intercepts1"], ["add_result1"]),
    ]
    if binary:
        nodes += [
            node("Sigmoid", ["add_result1"], ["out_activations_result"]),
            node("Sub", ["unity", "out_activations_result"], ["negative_class_proba"]),
            node("Concat", ["negative_class_proba", "out_activations_result"], ["probabilities"], axis=1),
        ]
    else:
        nodes.append(node("Softmax", ["add_result1"], ["probabilities"], axis=1))
    nodes.append(node("ArgMax", ["probabilities"], ["argmax_output"], axis=1))
    nodes.append(node("ArrayFeatureExtractor", ["classes", "argmax_output"], ["extracted"], **domain))
    nodes.append(node("Reshape", ["extracted", "shape_tensor"], ["reshaped"]))
    text = labels == STRING
    nodes.append(
        node("Identity" if text else "Cast", ["reshaped"], ["output_label"], **({} if text else {"to": INT64}))
    )
    key = "classlabels_strings" if text else "classlabels_int64s"
    nodes.append(node("ZipMap", ["probabilities"], ["output_probability"], **{key: classes}, **domain))
    initializers = [
        weight(generator, "coefficient", 6, 16),
        weight(generator, "intercepts", 1, 16),
        weight(generator, "coefficient1", 16, width),
        weight(generator, "intercepts1", 1, width),
        numpy_helper.from_array(np.array([-1], np.int64), "shape_tensor"),
        numpy_helper.from_array(np.float32([1]), "unity"),
        helper.make_tensor("classes", labels if text else TensorProto.INT32, [len(classes)], classes),
    ]
    scores = helper.make_map_type_proto(labels, helper.make_tensor_type_proto(FLOAT, []))
    graph = helper.make_graph(
        nodes,
        "skl2onnx",
        [helper.make_tensor_value_info("X", FLOAT, [None, 6])],
        [
            helper.make_tensor_value_info("output_label", labels, [None]),
            helper.make_value_info("output_probability", helper.make_sequence_type_proto(scores)),
        ],
        initializers,
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def sessions(model, path, inside: dict[str, int]):
    """Of the model with tensors from inside it made outputs; their names and ranks are `inside`."""
    for name, rank in inside.items():
        model.graph.output.append(helper.make_tensor_value_info(name, FLOAT, [None] * rank))
    onnxc.compile(model.SerializeToString(), path)
    reference = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return onnxc.InferenceSession(str(path)), reference


def test_keras(tmp_path) -> None:
    ours, reference = sessions(keras_classifier(), tmp_path / "keras.so", {"p": 4, "f": 4, "j": 2})
    for batch in (1, 3):
        image = np.random.default_rng(batch).random((batch, 28, 28, 3), np.float32)
        got, expected = (session.run(None, {"image": image}) for session in (ours, reference))
        for a, b in zip(got, expected, strict=True):
            assert np.abs(a - b).max() <= 1e-4 * np.abs(b).max()
        np.testing.assert_array_equal(got[0].argmax(-1), expected[0].argmax(-1))


@pytest.mark.parametrize(
    ("classes", "labels"), [(["no", "yes"], STRING), (["cat", "dog", "ünïcorn"], STRING), ([3, 5, 9, 10], INT64)]
)
def test_perceptron(classes, labels, tmp_path) -> None:
    inside = {"add_result": 2, "next_activations": 2, "add_result1": 2}
    ours, reference = sessions(sklearn_perceptron(classes, labels), tmp_path / "perceptron.so", inside)
    for batch in (1, 40):
        feeds = {"X": np.random.default_rng(batch).standard_normal((batch, 6)).astype(np.float32)}
        (label, maps, *inner), (expected, expected_maps, *expected_inner) = (
            session.run(None, feeds) for session in (ours, reference)
        )
        np.testing.assert_array_equal(label, expected)
        for a, b in zip(inner, expected_inner, strict=True):
            assert np.abs(a - b).max() <= 1e-4 * np.abs(b).max()
        assert [list(scores) for scores in maps] == [list(scores) for scores in expected_maps]
        rows = [[list(scores.values()) for scores in side] for side in (maps, expected_maps)]
        np.testing.assert_allclose(*rows, rtol=1e-5, atol=1e-6)
