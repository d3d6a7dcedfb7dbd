"""ai.onnx.ml."""

import numpy as np
import onnx
from onnx import helper, numpy_helper

from ..cases import TEXT, At, Case, Typed, recipe

ML = "ai.onnx.ml"
X = np.array([[0.3, 1.5, -2], [2, -0.7, 0.1], [0, 0, 4]])


def numbers(at: At) -> np.ndarray:
    return (X * 2 if at.type.kind in "iu" else X).astype(at.type)


@recipe("ArrayFeatureExtractor", domain=ML)
def array_feature_extractor(at: At):
    yield Case([at.values(3, 4), np.array([2, 0], np.int64)], model=lambda x, i: x[:, i])


@recipe("Binarizer", domain=ML)
def binarizer(at: At):
    yield Case([numbers(at)], {"threshold": 0.5}, model=lambda x: (x > 0.5).astype(x.dtype))


@recipe("CastMap", domain=ML)
def cast_map(at: At):
    tensor = helper.make_tensor_type_proto(onnx.TensorProto.FLOAT, [])
    map_ = helper.make_map_type_proto(onnx.TensorProto.INT64, tensor)
    yield Case([Typed({1: 0.5, 4: 2.0}, map_)], {"cast_to": "TO_FLOAT"})
    yield Case([Typed({1: 0.5, 4: 2.0}, map_)], {"cast_to": "TO_FLOAT", "map_form": "SPARSE", "max_map": 6})


@recipe("CategoryMapper", domain=ML)
def category_mapper(at: At):
    given = {"cats_strings": ["a", "b"], "cats_int64s": [3, 5], "default_string": "?", "default_int64": -9}
    x = np.array(["a", "c", "b"], object) if at.type == TEXT else np.array([3, 4, 5], np.int64)
    yield Case([x], given)


@recipe("DictVectorizer", domain=ML)
def dict_vectorizer(at: At):
    tensor = helper.make_tensor_type_proto(onnx.TensorProto.FLOAT, [])
    text = helper.make_map_type_proto(onnx.TensorProto.STRING, tensor)
    yield Case([Typed({"a": 0.5, "c": 2.0}, text)], {"string_vocabulary": ["c", "b", "a"]})
    number = helper.make_map_type_proto(onnx.TensorProto.INT64, tensor)
    yield Case([Typed({1: 0.5, 4: 2.0}, number)], {"int64_vocabulary": [4, 2, 1]})


@recipe("FeatureVectorizer", domain=ML)
def feature_vectorizer(at: At):
    x = numbers(at)
    model = lambda *v: np.concatenate(v, 1).astype(np.float32)  # noqa: E731
    yield Case([x, x[:, :2]], {"inputdimensions": [3, 2]}, model=model)


@recipe("Imputer", domain=ML)
def imputer(at: At):
    if at.type.kind in "iu":
        yield Case([numbers(at)], {"imputed_value_int64s": [7], "replaced_value_int64": 0})
    else:
        yield Case([numbers(at)], {"imputed_value_floats": [7.0, 8.0, 9.0], "replaced_value_float": 0.0})


@recipe("LabelEncoder", domain=ML, main="string")
def label_encoder(at: At):
    texts, whole = np.array(["b", "x", "a"], object), np.array([1, 7, 0], np.int64)
    if at.version == 1:
        given = {"classes_strings": ["a", "b", "c"], "default_int64": -5, "default_string": "?"}
        yield Case([texts if at.type == TEXT else whole], given)
        return
    if at.type == TEXT:
        yield Case([texts], {"keys_strings": ["a", "b"], "values_int64s": [4, 6], "default_int64": -5})
        yield Case([texts], {"keys_strings": ["a", "b"], "values_strings": ["b", "c"], "default_string": "?"})
        yield Case([texts], {"keys_strings": ["a", "b"], "values_floats": [0.5, 1.5], "default_float": -0.5})
    elif at.type == np.int64:
        yield Case([whole], {"keys_int64s": [0, 1], "values_strings": ["a", "b"], "default_string": "?"})
    elif at.type == np.float32:
        yield Case([whole.astype(np.float32)], {"keys_floats": [0.0, 1.0], "values_floats": [2.0, 3.0]})
    else:
        keys, values = (numpy_helper.from_array(np.array(v, at.type)) for v in ([0, 1], [5, 6]))
        default = numpy_helper.from_array(np.array([9], at.type))
        given = {"keys_tensor": keys, "values_tensor": values, "default_tensor": default}
        model = lambda x: np.where(x == 0, 5, np.where(x == 1, 6, 9)).astype(x.dtype)  # noqa: E731
        yield Case([whole.astype(at.type)], given, model=model)


@recipe("LinearClassifier", domain=ML)
def linear_classifier(at: At):
    given = {"coefficients": [0.5, -1.0, 2.0, 1.0, 0.2, -0.3], "intercepts": [0.1, -0.2]}
    yield Case([numbers(at)], {**given, "classlabels_ints": [3, 8], "post_transform": "SOFTMAX"}, 2)
    yield Case([numbers(at)], {**given, "classlabels_strings": ["a", "b"], "post_transform": "LOGISTIC"}, 2)


@recipe("LinearRegressor", domain=ML)
def linear_regressor(at: At):
    given = {"coefficients": [0.5, -1.0, 2.0, 1.0, 0.2, -0.3], "intercepts": [0.1, -0.2], "targets": 2}
    weights = np.array(given["coefficients"]).reshape(2, 3)
    yield Case([numbers(at)], given, model=lambda x: (x @ weights.T + [0.1, -0.2]).astype(np.float32))


@recipe("Normalizer", domain=ML)
def normalizer(at: At):
    for norm in ("MAX", "L1", "L2"):
        yield Case([np.abs(numbers(at))], {"norm": norm})


@recipe("OneHotEncoder", domain=ML)
def one_hot_encoder(at: At):
    if at.type == TEXT:
        yield Case([np.array(["a", "c"], object)], {"cats_strings": ["a", "b"]})
    else:
        model = lambda x: (x[:, None] == [1, 3, 5]).astype(np.float32)  # noqa: E731
        yield Case([np.array([3, 4]).astype(at.type)], {"cats_int64s": [1, 3, 5]}, model=model)


@recipe("Scaler", domain=ML)
def scaler(at: At):
    model = lambda x: ((x - [1, 2, 3]) * [0.5, 2, 1]).astype(np.float32)  # noqa: E731
    yield Case([numbers(at)], {"offset": [1.0, 2.0, 3.0], "scale": [0.5, 2.0, 1.0]}, model=model)


VECTORS = {
    "kernel_type": "RBF",
    "kernel_params": [0.5, 0.0, 3.0],
    "support_vectors": [0.1, 0.2, 0.3, 1.0, -1.0, 0.5, -0.5, 0.7, 0.2],
}


@recipe("SVMClassifier", domain=ML)
def svm_classifier(at: At):
    given = {**VECTORS, "coefficients": [0.5, -1.0, 0.7], "rho": [0.1], "vectors_per_class": [2, 1]}
    yield Case([numbers(at)], {**given, "classlabels_ints": [0, 1]}, 2)
    yield Case([numbers(at)], {**given, "classlabels_strings": ["a", "b"]}, 2)
    yield Case([numbers(at)], {**given, "classlabels_ints": [0, 1], "prob_a": [-1.0], "prob_b": [0.2]}, 2)


@recipe("SVMRegressor", domain=ML)
def svm_regressor(at: At):
    yield _in_float32(at, {**VECTORS, "coefficients": [0.5, -1.0, 0.7], "rho": [0.1], "n_supports": 3})


def _in_float32(at: At, attributes: dict) -> Case:
    """The result is f32 whatever the input: onnx's evaluator cuts it where that has integers."""
    x = numbers(at)
    return Case([x], attributes, instead=(at.operator, at.version, [x.astype(np.float32)], attributes))


NODES = {
    "nodes_treeids": [0, 0, 0],
    "nodes_nodeids": [0, 1, 2],
    "nodes_featureids": [1, 0, 0],
    "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"],
    "nodes_truenodeids": [1, 0, 0],
    "nodes_falsenodeids": [2, 0, 0],
}


@recipe("TreeEnsembleRegressor", domain=ML)
def tree_regressor(at: At):
    targets = {"target_treeids": [0, 0], "target_nodeids": [1, 2], "target_ids": [0, 0], "n_targets": 1}
    values = {"nodes_values": [0.5, 0.0, 0.0], "target_weights": [1.5, -2.5]}
    yield _in_float32(at, {**NODES, **targets, **values})
    if at.version >= 3:
        values = {f"{name}_as_tensor": numpy_helper.from_array(np.array(list_)) for name, list_ in values.items()}
        yield Case([X], {**NODES, **targets, **values})


@recipe("TreeEnsembleClassifier", domain=ML)
def tree_classifier(at: At):
    classes = {"class_treeids": [0, 0], "class_nodeids": [1, 2], "class_ids": [0, 1]}
    values = {"nodes_values": [0.5, 0.0, 0.0], "class_weights": [1.5, 2.5]}
    # ONNX Runtime takes a sample's only score for the second class's, and numbers such classes 0 and 1.
    scores = lambda x: np.where(x[:, 1:2] <= 0.5, [[1.5, 0]], [[0, 2.5]]).astype(np.float32)  # noqa: E731
    for name, labels in (("classlabels_int64s", [4, 7]), ("classlabels_strings", ["a", "b"])):
        model = lambda x, labels=labels: (np.array(labels)[scores(x).argmax(1)], scores(x))  # noqa: E731
        yield Case([numbers(at)], {**NODES, **classes, **values, name: labels}, 2, model=model)
    of_three = {"classlabels_int64s": [4, 7, 9], "post_transform": "SOFTMAX"}
    yield Case([numbers(at)], {**NODES, **classes, **values, **of_three}, 2)


@recipe("TreeEnsemble", domain=ML)
def tree_ensemble(at: At):
    yield Case(
        [numbers(at)],
        {
            "aggregate_function": 1,
            "n_targets": 1,
            "tree_roots": [0],
            "nodes_featureids": [1],
            "nodes_modes": numpy_helper.from_array(np.array([0], np.uint8)),
            "nodes_splits": numpy_helper.from_array(np.array([0.5], at.type)),
            "nodes_truenodeids": [0],
            "nodes_trueleafs": [1],
            "nodes_falsenodeids": [1],
            "nodes_falseleafs": [1],
            "leaf_targetids": [0, 0],
            "leaf_weights": numpy_helper.from_array(np.array([1.5, -2.5], at.type)),
        },
    )


@recipe("ZipMap", domain=ML)
def zip_map(at: At):
    x = np.array([[0.2, 0.8], [0.6, 0.4]], np.float32)
    yield Case(
        [x], {"classlabels_int64s": [4, 7]}, model=lambda x: ([dict(zip((4, 7), row, strict=True)) for row in x],)
    )
    yield Case(
        [x], {"classlabels_strings": ["a", "b"]}, model=lambda x: ([dict(zip("ab", row, strict=True)) for row in x],)
    )
