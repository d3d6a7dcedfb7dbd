"""Labels that are strings, and maps of scores, as exporters of scikit-learn write them, against ONNX Runtime."""

import numpy as np
import onnxc
import onnxruntime
import pytest
from onnx import TensorProto, helper
from onnxc._errors import InvalidArgument

FLOAT, INT64, STRING = TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING
ANIMALS = ["cat", "dog", "ünïcorn"]


def ml_node(operator: str, inputs: list, outputs: list, **attributes):
    return helper.make_node(operator, inputs, outputs, domain="ai.onnx.ml", **attributes)


def ml_model(nodes: list, inputs: list, outputs: list):
    """inputs and outputs: ValueInfoProtos, or (name, element type, dims)."""
    values = [
        [helper.make_tensor_value_info(*value) if isinstance(value, tuple) else value for value in side]
        for side in (inputs, outputs)
    ]
    graph = helper.make_graph(nodes, "labels", *values)
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.ml", 4)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def maps_info(name: str, key: int):
    element = helper.make_map_type_proto(key, helper.make_tensor_type_proto(FLOAT, []))
    return helper.make_value_info(name, helper.make_sequence_type_proto(element))


def check(compiled, model, *several: dict) -> None:
    reference = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    session = onnxc.InferenceSession(compiled(model))
    assert [o.type for o in session.get_outputs()] == [o.type for o in reference.get_outputs()]
    for feeds in several:
        for ours, theirs in zip(session.run(None, feeds), reference.run(None, feeds), strict=True):
            if isinstance(theirs, list):
                assert [list(map) for map in ours] == [list(map) for map in theirs]
                rows = [[list(map.values()) for map in side] for side in (ours, theirs)]
                np.testing.assert_allclose(*rows, rtol=1e-5, atol=1e-6)
            elif theirs.dtype == object:
                assert ours.dtype == object and ours.tolist() == theirs.tolist()
            else:
                assert ours.dtype == theirs.dtype and ours.shape == theirs.shape
                np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_label_encoders(compiled) -> None:
    texts, whole, real = ["a", "b", "a", "zz"], [5, -1, 7, 9], [0.5, -0.0, 2.5, float("nan")]
    nodes = [
        ml_node("LabelEncoder", ["s"], ["si"], keys_strings=texts, values_int64s=whole, default_int64=42),
        ml_node("LabelEncoder", ["s"], ["sf"], keys_strings=texts, values_floats=real, default_float=0.25),
        ml_node("LabelEncoder", ["s"], ["ss"], keys_strings=texts, values_strings=["x", "", "y", "é"]),
        ml_node("LabelEncoder", ["i"], ["is"], keys_int64s=whole, values_strings=texts, default_string="none"),
        ml_node("LabelEncoder", ["f"], ["fs"], keys_floats=real, values_strings=texts),
        ml_node("LabelEncoder", ["i"], ["if"], keys_int64s=whole, values_floats=real),
        ml_node("CategoryMapper", ["s"], ["cs"], cats_strings=["a", "b"], cats_int64s=[3, 4], default_int64=-7),
        ml_node("OneHotEncoder", ["s"], ["hot"], cats_strings=["zz", "a"]),
        ml_node("CategoryMapper", ["i"], ["ci"], cats_strings=["a", "b"], cats_int64s=[5, 9], default_string="?"),
    ]
    types = {"si": INT64, "sf": FLOAT, "ss": STRING, "is": STRING, "fs": STRING, "if": FLOAT, "cs": INT64, "ci": STRING}
    model = ml_model(
        nodes,
        [("s", STRING, ["N", 2]), ("i", INT64, ["N", 2]), ("f", FLOAT, ["N", 2])],
        [(name, kind, ["N", 2]) for name, kind in types.items()] + [("hot", FLOAT, ["N", 2, 2])],
    )
    feeds = {
        "s": np.array([["a", "zz"], ["b", "A"], ["", "a"]], object),
        "i": np.array([[5, 9], [7, 0], [-1, 8]]),
        "f": np.array([[0.5, np.nan], [0, 2.5], [1, -0.5]], np.float32),
    }
    check(compiled, model, feeds, {name: value[:0] for name, value in feeds.items()})


@pytest.mark.parametrize("labels", [ANIMALS, [10, 20, 5]])
def test_a_logistic_regression(compiled, labels: list) -> None:
    texts = isinstance(labels[0], str)
    generator = np.random.default_rng(1)
    classes = {"classlabels_strings": labels} if texts else {"classlabels_ints": labels}
    names = {"classlabels_strings": labels} if texts else {"classlabels_int64s": labels}
    key = STRING if texts else INT64
    nodes = [
        ml_node(
            "LinearClassifier",
            ["x"],
            ["label", "scores"],
            coefficients=generator.normal(size=12).tolist(),
            intercepts=generator.normal(size=3).tolist(),
            post_transform="SOFTMAX",
            **classes,
        ),
        ml_node("Normalizer", ["scores"], ["normalized"], norm="L1"),
        ml_node("ZipMap", ["normalized"], ["probabilities"], **names),
    ]
    model = ml_model(nodes, [("x", FLOAT, ["N", 4])], [("label", key, ["N"]), maps_info("probabilities", key)])
    x = generator.normal(size=(7, 4)).astype(np.float32)
    check(compiled, model, {"x": x}, {"x": x[:1]})
    assert onnxc.InferenceSession(compiled(model)).run(None, {"x": x[:0]})[1] == []


def test_a_forest(compiled) -> None:
    """Two trees of three leaves; a leaf votes for one class or more."""
    generator = np.random.default_rng(2)
    leaves = [(tree, node) for tree in (0, 1) for node in (1, 3, 4)]
    votes = [(tree, node, label) for tree, node in leaves for label in range(3)]
    node = ml_node(
        "TreeEnsembleClassifier",
        ["x"],
        ["label", "scores"],
        nodes_treeids=[0] * 5 + [1] * 5,
        nodes_nodeids=[0, 1, 2, 3, 4] * 2,
        nodes_featureids=[0, 0, 1, 0, 0, 1, 0, 2, 0, 0],
        nodes_values=[0.1, 0, -0.2, 0, 0, 0.0, 0, 0.3, 0, 0],
        nodes_modes=["BRANCH_LEQ", "LEAF", "BRANCH_LEQ", "LEAF", "LEAF"] * 2,
        nodes_truenodeids=[1, 0, 3, 0, 0] * 2,
        nodes_falsenodeids=[2, 0, 4, 0, 0] * 2,
        class_treeids=[tree for tree, _, _ in votes],
        class_nodeids=[leaf for _, leaf, _ in votes],
        class_ids=[label for _, _, label in votes],
        class_weights=generator.uniform(size=len(votes)).tolist(),
        classlabels_strings=ANIMALS,
        post_transform="NONE",
    )
    zip_map = ml_node("ZipMap", ["scores"], ["probabilities"], classlabels_strings=ANIMALS)
    outputs = [("label", STRING, ["N"]), ("scores", FLOAT, ["N", 3]), maps_info("probabilities", STRING)]
    model = ml_model([node, zip_map], [("x", FLOAT, ["N", 3])], outputs)
    check(compiled, model, {"x": generator.normal(size=(40, 3)).astype(np.float32)})


def test_a_vectorizer_of_maps(compiled) -> None:
    kind = helper.make_map_type_proto(STRING, helper.make_tensor_type_proto(FLOAT, []))
    model = ml_model(
        [ml_node("DictVectorizer", ["m"], ["y"], string_vocabulary=["b", "a", "c"])],
        [helper.make_value_info("m", kind)],
        [("y", FLOAT, [1, 3])],
    )
    check(compiled, model, {"m": {"a": 1.5, "c": -2.0, "other": 9.0}}, {"m": {"b": 3.0}})
    session = onnxc.InferenceSession(compiled(model))
    assert session.run(None, {"m": {}})[0].tolist() == [[0, 0, 0]]
    for wrong in ({1: 2.0}, [1.0], {"a": "text"}):
        with pytest.raises((InvalidArgument, ValueError)):
            session.run(None, {"m": wrong})


def test_a_vectorizer_of_numbered_maps(compiled) -> None:
    kind = helper.make_map_type_proto(INT64, helper.make_tensor_type_proto(FLOAT, []))
    model = ml_model(
        [ml_node("DictVectorizer", ["m"], ["y"], int64_vocabulary=[4, -2, 9])],
        [helper.make_value_info("m", kind)],
        [("y", FLOAT, [1, 3])],
    )
    check(compiled, model, {"m": {9: 1.5, 4: -2.0, 5: 9.0}}, {"m": {-2: 3.0}})
    assert onnxc.InferenceSession(compiled(model)).run(None, {"m": {}})[0].tolist() == [[0, 0, 0]]


def test_a_cast_of_maps(compiled) -> None:
    """By ascending keys, or each value at its key's place."""
    sorts = {"TO_FLOAT": FLOAT, "TO_INT64": INT64}
    nodes, outputs = [], []
    for target, kind in sorts.items():
        for form, width in (("DENSE", None), ("SPARSE", 6)):
            name = f"{target}_{form}"
            nodes.append(ml_node("CastMap", ["m"], [name], cast_to=target, map_form=form, max_map=6))
            outputs.append((name, kind, [1, width]))
    numbers = helper.make_map_type_proto(INT64, helper.make_tensor_type_proto(FLOAT, []))
    model = ml_model(nodes, [helper.make_value_info("m", numbers)], outputs)
    feeds = [{"m": {5: 1.5, 1: -2.75, 9: 3.25}}, {"m": {0: 1.0}}]
    check(compiled, model, *feeds)
    session = onnxc.InferenceSession(compiled(model))
    with pytest.raises(Exception, match=r"\(CastMap\): key -3 is negative"):
        session.run(None, {"m": {4: 1.0, -3: 2.0}})
    assert session.run(["TO_FLOAT_DENSE"], {"m": {}})[0].shape == (1, 0)
    # ONNX Runtime's Python module takes no map to strings.
    texts = helper.make_map_type_proto(INT64, helper.make_tensor_type_proto(STRING, []))
    nodes.append(ml_node("CastMap", ["m"], ["texts"], cast_to="TO_STRING", map_form="DENSE"))
    model = ml_model(nodes, [helper.make_value_info("m", texts)], [*outputs, ("texts", STRING, [1, None])])
    results = onnxc.InferenceSession(compiled(model)).run(None, {"m": {4: "-27", 1: "15"}})
    assert [result.tolist() for result in results] == [
        [[15, -27]], [[0, 15, 0, 0, -27, 0]], [[15, -27]], [[0, 15, 0, 0, -27, 0]], [["15", "-27"]],
    ]  # fmt: skip


def test_as_many_numbers_as_labels(compiled) -> None:
    model = ml_model(
        [ml_node("ZipMap", ["x"], ["y"], classlabels_strings=ANIMALS)],
        [("x", FLOAT, ["N", "C"])],
        [maps_info("y", STRING)],
    )
    session = onnxc.InferenceSession(compiled(model))
    (maps,) = session.run(None, {"x": np.array([[1, 2, 3]], np.float32)})
    assert maps == [{"cat": 1, "dog": 2, "ünïcorn": 3}]
    with pytest.raises(Exception, match=r"\(ZipMap\): numbers and class labels: 2 is not 3"):
        session.run(None, {"x": np.ones((1, 2), np.float32)})
