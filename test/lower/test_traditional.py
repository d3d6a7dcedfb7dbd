"""Operators of ai.onnx.ml, compared with ONNX Runtime: several cases in each compiled model."""

import numpy as np
import onnxc
import onnxruntime
import pytest
from onnx import TensorProto, helper

FLOAT, INT64, DOUBLE, INT32 = TensorProto.FLOAT, TensorProto.INT64, TensorProto.DOUBLE, TensorProto.INT32


def ml_model(nodes, inputs, outputs):
    graph = helper.make_graph(
        nodes,
        "traditional",
        [helper.make_tensor_value_info(*value) for value in inputs],
        [helper.make_tensor_value_info(*value) for value in outputs],
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.ml", 4)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def ml_node(operator, inputs, outputs, **attributes):
    return helper.make_node(operator, inputs, outputs, domain="ai.onnx.ml", **attributes)


def check(compiled, model, feeds, tolerance=1e-6):
    reference = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    session = onnxc.InferenceSession(compiled(model))
    for feed in feeds:
        names = [output.name for output in model.graph.output]
        for name, ours, theirs in zip(names, session.run(names, feed), reference.run(names, feed), strict=True):
            assert ours.dtype == theirs.dtype and ours.shape == theirs.shape, name
            np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance, err_msg=name)


def numbers(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_feature_transforms(compiled) -> None:
    nan = float("nan")
    nodes = [
        ml_node("Scaler", ["x"], ["scaled"], offset=[0.5, -1.0, 2.0], scale=[2.0, 0.25, -1.0]),
        ml_node("Scaler", ["x"], ["scaled_alike"], offset=[0.5], scale=[3.0]),
        ml_node("Scaler", ["i"], ["scaled_integers"], offset=[1.0, 2.0, 3.0], scale=[0.5, 0.5, 0.25]),
        ml_node("Scaler", ["d"], ["scaled_doubles"], offset=[1.0], scale=[0.5]),
        ml_node("Normalizer", ["x"], ["max"], norm="MAX"),
        ml_node("Normalizer", ["x"], ["l1"], norm="L1"),
        ml_node("Normalizer", ["x"], ["l2"], norm="L2"),
        ml_node("Binarizer", ["x"], ["binary"], threshold=0.25),
        ml_node("Imputer", ["x"], ["imputed"], imputed_value_floats=[7.0, 8.0, 9.0], replaced_value_float=nan),
        ml_node("Imputer", ["x"], ["imputed_alike"], imputed_value_floats=[7.0], replaced_value_float=0.0),
        ml_node("Imputer", ["i"], ["imputed_integers"], imputed_value_int64s=[7, 8, 9], replaced_value_int64=-1),
    ]
    outputs = [(n.output[0], INT64 if n.output[0] == "imputed_integers" else FLOAT, ["N", 3]) for n in nodes]
    inputs = [("x", FLOAT, ["N", 3]), ("i", INT64, ["N", 3]), ("d", DOUBLE, ["N", 3])]
    x = numbers(1, 6, 3)
    x[1] = 0
    x[3] = -np.abs(x[3])
    x[4, 1] = 0.25
    integers = np.arange(-3, 15).reshape(6, 3)
    feeds = [{"x": x[rows], "i": integers[rows], "d": x[rows].astype(np.float64)} for rows in ([0, 1, 2, 3, 4, 5], [2])]
    model = ml_model(nodes, inputs, outputs)
    check(compiled, model, feeds)
    imputer = ml_model(
        [ml_node("Imputer", ["x"], ["y"], imputed_value_floats=[7.0, 8.0, 9.0], replaced_value_float=nan)],
        [("x", FLOAT, ["N", 3])],
        [("y", FLOAT, ["N", 3])],
    )
    x[2, 1] = nan
    check(compiled, imputer, [{"x": x}])


def test_choosing_and_joining(compiled) -> None:
    nodes = [
        ml_node("ArrayFeatureExtractor", ["x", "at"], ["chosen"]),
        ml_node("FeatureVectorizer", ["x", "z"], ["joined"], inputdimensions=[4, 2]),
        ml_node("OneHotEncoder", ["i"], ["hot"], cats_int64s=[3, 1, -2]),
    ]
    outputs = [("chosen", FLOAT, ["N", "K"]), ("joined", FLOAT, ["N", 6]), ("hot", FLOAT, ["N", 2, 3])]
    model = ml_model(
        nodes, [("x", FLOAT, ["N", 4]), ("z", FLOAT, ["N", 2]), ("i", INT64, ["N", 2]), ("at", INT64, ["K"])], outputs
    )
    i = np.array([[3, 1], [-2, 0], [1, 3]])
    feeds = {"x": numbers(2, 3, 4), "z": numbers(3, 3, 2), "i": i}
    check(compiled, model, [feeds | {"at": np.array([3, 0, 0])}])
    session = onnxc.InferenceSession(compiled(model))
    for index in (4, -1):
        message = rf"\(ArrayFeatureExtractor\): axis 1: index {index} is out of range for a dim of 4"
        with pytest.raises(Exception, match=message):
            session.run(None, feeds | {"at": np.array([0, index])})


def test_unknown_categories(compiled) -> None:
    node = ml_node("OneHotEncoder", ["i"], ["hot"], cats_int64s=[3, 1, -2], zeros=0)
    model = ml_model([node], [("i", INT64, ["N", 2])], [("hot", FLOAT, ["N", 2, 3])])
    check(compiled, model, [{"i": np.array([[3, 1], [-2, 1]])}])
    with pytest.raises(Exception, match=r"\(OneHotEncoder\): an element is of no category"):
        onnxc.InferenceSession(compiled(model)).run(None, {"i": np.array([[3, 1], [2, 1]])})


def test_label_encoders(compiled) -> None:
    nodes = [
        ml_node("LabelEncoder", ["i"], ["reals"], keys_int64s=[4, -1, 7], values_floats=[0.5, 1.5, 2.5]),
        ml_node("LabelEncoder", ["i"], ["codes"], keys_int64s=[4, 7], values_int64s=[40, 70], default_int64=9),
        ml_node("LabelEncoder", ["x"], ["back"], keys_floats=[0.5, float("nan")], values_int64s=[1, 2]),
        ml_node("LabelEncoder", ["x"], ["other"], keys_floats=[0.5, 1.5], values_floats=[5.0, 6.0], default_float=3.0),
    ]
    outputs = [("reals", FLOAT, ["N"]), ("codes", INT64, ["N"]), ("back", INT64, ["N"]), ("other", FLOAT, ["N"])]
    model = ml_model(nodes, [("i", INT64, ["N"]), ("x", FLOAT, ["N"])], outputs)
    check(compiled, model, [{"i": np.array([7, 4, 0, -1]), "x": np.array([0.5, np.nan, 1.5, 0], np.float32)}])


TRANSFORMS = ["NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO", "PROBIT"]


def test_linear_regressor(compiled) -> None:
    weights, offsets = numbers(3, 3 * 5).tolist(), numbers(4, 3).tolist()
    nodes = [
        ml_node(
            "LinearRegressor", ["x"], [name], targets=3, coefficients=weights, intercepts=offsets, post_transform=name
        )
        for name in TRANSFORMS[:-1]
    ]
    nodes.append(ml_node("LinearRegressor", ["x"], ["one"], coefficients=weights[:5], intercepts=offsets[:1]))
    outputs = [(node.output[0], FLOAT, ["N", 1 if node.output[0] == "one" else 3]) for node in nodes]
    model = ml_model(nodes, [("x", FLOAT, ["N", 5])], outputs)
    check(compiled, model, [{"x": numbers(5, 7, 5)}, {"x": numbers(6, 1, 5)}, {"x": numbers(7, 0, 5)}], 1e-5)


def test_linear_classifier(compiled) -> None:
    weights, offsets = numbers(8, 4 * 5).tolist(), numbers(9, 4).tolist()
    nodes, outputs = [], []
    for name in TRANSFORMS[:-1]:
        nodes.append(
            ml_node(
                "LinearClassifier",
                ["x"],
                [f"{name}_label", name],
                classlabels_ints=[5, -3, 8, 11],
                coefficients=weights,
                intercepts=offsets,
                post_transform=name,
            )
        )
        outputs += [(f"{name}_label", INT64, ["N"]), (name, FLOAT, ["N", 4])]
    nodes.append(
        ml_node(
            "LinearClassifier",
            ["x"],
            ["pair_label", "pair"],
            classlabels_ints=[0, 1],
            coefficients=weights[:10],
            intercepts=offsets[:2],
            post_transform="SOFTMAX",
        )
    )
    outputs += [("pair_label", INT64, ["N"]), ("pair", FLOAT, ["N", 2])]
    for name in TRANSFORMS[:-1]:  # one score for two classes
        node = ml_node(
            "LinearClassifier",
            ["x"],
            [f"one_{name}_label", f"one_{name}"],
            classlabels_ints=[4, 7],
            coefficients=weights[:5],
            intercepts=offsets[:1],
            post_transform=name,
        )
        nodes.append(node)
        outputs += [(node.output[0], INT64, ["N"]), (node.output[1], FLOAT, ["N", 2])]
    model = ml_model(nodes, [("x", FLOAT, ["N", 5])], outputs)
    check(compiled, model, [{"x": numbers(10, 9, 5)}, {"x": numbers(11, 1, 5)}], 1e-5)


@pytest.mark.parametrize(
    ("node", "kind", "reason"),
    [
        (ml_node("Scaler", ["x"], ["y"], offset=[1.0, 2.0], scale=[1.0]), FLOAT, "offset must have one number"),
        (ml_node("Normalizer", ["x"], ["y"], norm="L3"), FLOAT, "no norm 'L3'"),
        (ml_node("LinearRegressor", ["x"], ["y"], coefficients=[1.0, 2.0]), FLOAT, "must have 2 features"),
        (
            ml_node("LinearClassifier", ["x"], ["l", "y"], coefficients=[1.0] * 6),
            FLOAT,
            "there are no class labels",
        ),
        (ml_node("LabelEncoder", ["x"], ["y"], keys_floats=[1.0, 2.0], values_floats=[1.0]), FLOAT, "as many keys"),
    ],
    ids=lambda value: value.op_type if hasattr(value, "op_type") else None,
)
def test_refused(node, kind, reason, tmp_path) -> None:
    model = ml_model([node], [("x", FLOAT, ["N", 3])], [("y", kind, ["N", None])])
    with pytest.raises(onnxc.CompileError, match=reason) as caught:
        onnxc.compile(model.SerializeToString(), tmp_path / "m.so")
    assert node.op_type in str(caught.value)
