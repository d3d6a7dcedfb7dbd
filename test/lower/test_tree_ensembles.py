"""Trees of ai.onnx.ml against ONNX Runtime: random forests of every kind of node, several in each compiled model."""

import numpy as np
import onnxc
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

FLOAT, INT64, DOUBLE = TensorProto.FLOAT, TensorProto.INT64, TensorProto.DOUBLE
FEATURES = 6
MODES = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"]
MEMBER = "BRANCH_MEMBER"


class Forest:
    """The attributes of random trees. Thresholds are multiples of 1/4, so that samples meet them exactly."""

    def __init__(self, seed, trees, depth, modes=("BRANCH_LEQ",), tracks=False) -> None:
        self.random = np.random.default_rng(seed)
        self.modes, self.tracks = modes, tracks
        self.nodes = {name: [] for name in ("treeids", "nodeids", "featureids", "values", "modes")}
        self.nodes |= {name: [] for name in ("truenodeids", "falsenodeids", "missing_value_tracks_true")}
        self.leaves = []
        for tree in range(trees):
            self.count = 0
            self.grow(tree * 3, depth)

    def grow(self, tree, depth) -> int:
        node, self.count = self.count, self.count + 1
        is_leaf = depth == 0 or (node and self.random.random() < 0.15)
        row = {
            "treeids": tree,
            "nodeids": node,
            "featureids": 0 if is_leaf else int(self.random.integers(FEATURES)),
            "values": 0.0 if is_leaf else float(self.random.integers(-8, 9)) / 4,
            "modes": "LEAF" if is_leaf else str(self.random.choice(self.modes)),
            "truenodeids": 0,
            "falsenodeids": 0,
            "missing_value_tracks_true": int(self.tracks and self.random.random() < 0.5),
        }
        place = len(self.nodes["treeids"])
        for name, value in row.items():
            self.nodes[name].append(value)
        if is_leaf:
            self.leaves.append((tree, node))
        else:
            self.nodes["truenodeids"][place] = self.grow(tree, depth - 1)
            self.nodes["falsenodeids"][place] = self.grow(tree, depth - 1)
        return node

    def attributes(self, kind, targets, low=-1.0, **others):
        """Each leaf has a weight for each of `targets`."""
        pairs = [(tree, node, target) for tree, node in self.leaves for target in targets]
        return {
            **{f"nodes_{name}": values for name, values in self.nodes.items()},
            f"{kind}_treeids": [tree for tree, _, _ in pairs],
            f"{kind}_nodeids": [node for _, node, _ in pairs],
            f"{kind}_ids": [target for _, _, target in pairs],
            f"{kind}_weights": self.random.uniform(low, 1, len(pairs)).astype(np.float32).tolist(),
            **others,
        }


def regressor(name, forest, targets=1, source="x", **others):
    attributes = forest.attributes("target", range(targets), n_targets=targets, **others)
    node = helper.make_node("TreeEnsembleRegressor", [source], [name], name, domain="ai.onnx.ml", **attributes)
    return node, [(name, FLOAT, ["N", targets])]


def classifier(name, forest, labels, classes=None, low=-1.0, source="x", **others):
    targets = range(len(labels)) if classes is None else classes
    attributes = forest.attributes("class", targets, low, classlabels_int64s=labels, **others)
    outputs = [f"{name}_label", f"{name}_scores"]
    node = helper.make_node("TreeEnsembleClassifier", [source], outputs, name, domain="ai.onnx.ml", **attributes)
    return node, [(outputs[0], INT64, ["N"]), (outputs[1], FLOAT, ["N", len(labels)])]


def model_of(cases, inputs=(("x", FLOAT),)):
    graph = helper.make_graph(
        [node for node, _ in cases],
        "trees",
        [helper.make_tensor_value_info(name, kind, ["N", FEATURES]) for name, kind in inputs],
        [helper.make_tensor_value_info(*output) for _, outputs in cases for output in outputs],
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def samples(seed, count, missing=False):
    random = np.random.default_rng(seed)
    x = (random.integers(-10, 11, (count, FEATURES)) / 4).astype(np.float32)
    x[::3] += random.normal(size=x[::3].shape).astype(np.float32)
    if missing:
        x[random.random(x.shape) < 0.2] = np.nan
        x[random.random(x.shape) < 0.05] = np.inf
        x[random.random(x.shape) < 0.05] = -np.inf
    return x


def check(compiled, cases, feeds, inputs=(("x", FLOAT),), own=()):
    """`own`: results that are not onnxruntime's."""
    model = model_of(cases, inputs)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    reference = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    session = onnxc.InferenceSession(compiled(model))
    names = [output.name for output in model.graph.output]
    for feed in feeds:
        for name, ours, theirs in zip(names, session.run(names, feed), reference.run(names, feed), strict=True):
            if name in own:
                continue
            assert ours.dtype == theirs.dtype and ours.shape == theirs.shape, name
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5, err_msg=name)


def test_regressors(compiled) -> None:
    cases = [
        regressor("plain", Forest(1, 20, 5)),
        regressor("targets", Forest(2, 7, 4), 3, base_values=[0.5, -1.0, 2.0]),
        regressor("average", Forest(3, 9, 4), 2, aggregate_function="AVERAGE", base_values=[1.0, 2.0]),
        regressor("leaf", Forest(4, 1, 0), base_values=[0.25]),
        regressor("deep", Forest(5, 2, 12)),
        *(regressor(mode, Forest(6 + i, 8, 4, [mode])) for i, mode in enumerate(MODES)),
    ]
    check(compiled, cases, [{"x": samples(20, 50)}, {"x": samples(21, 1)}, {"x": samples(22, 0)}])


def test_features_of_unknown_number(compiled) -> None:
    model = model_of([regressor("trees", Forest(60, 10, 5))])
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "features"
    session = onnxc.InferenceSession(compiled(model))
    reference = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    x = samples(61, 9)
    for feed in ({"x": x}, {"x": np.hstack([x, x])}):
        np.testing.assert_allclose(session.run(None, feed)[0], reference.run(None, feed)[0], rtol=1e-5, atol=1e-5)
    with pytest.raises(Exception, match=f"the number of features: 2 is less than {FEATURES}"):
        session.run(None, {"x": x[:, :2]})


def test_missing_values(compiled) -> None:
    cases = [
        regressor("leq", Forest(30, 12, 5, tracks=True)),
        *(regressor(mode, Forest(31 + i, 12, 5, [mode], tracks=True)) for i, mode in enumerate(MODES)),
    ]
    check(compiled, cases, [{"x": samples(40, 60, missing=True)}])


def test_other_types(compiled) -> None:
    cases = [
        regressor("doubles", Forest(50, 10, 4, ["BRANCH_LT"]), source="d"),
        classifier("integers", Forest(51, 10, 4), [1, 2, 3], source="i"),
    ]
    x = samples(52, 40)
    feeds = [{"d": x.astype(np.float64), "i": np.round(x).astype(np.int64)}]
    check(compiled, cases, feeds, [("d", DOUBLE), ("i", INT64)])


def test_classifiers(compiled) -> None:
    transforms = ["NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO"]
    cases = []
    for i, name in enumerate(transforms):
        three, two, one, other = (Forest(60 + 4 * i + k, 9, 4) for k in range(4))
        cases += [
            classifier(f"three_{name}", three, [4, -5, 6], post_transform=name, base_values=[0.5, 0.0, -0.25]),
            classifier(f"two_{name}", two, [3, 8], post_transform=name),
            classifier(f"one_{name}", one, [0, 1], [0], post_transform=name, base_values=[0.125]),
            classifier(f"second_{name}", other, [0, 1], [1], post_transform=name),
            classifier(f"probability_{name}", Forest(90 + i, 1, 4), [0, 1], [0], low=0.0, post_transform=name),
        ]
    # Of two classes with scores onnxruntime takes the second whenever its score is above 0, and says 0 or 1 whatever
    # the labels; the standard asks for the label of the greatest.
    own = [f"two_{name}_label" for name in transforms]
    check(compiled, cases, [{"x": samples(80, 40)}, {"x": samples(81, 1)}], own=own)
    session = onnxc.InferenceSession(compiled(model_of(cases)))
    labels, scores = session.run(["two_NONE_label", "two_NONE_scores"], {"x": samples(80, 40)})
    np.testing.assert_array_equal(labels, np.array([3, 8])[scores.argmax(axis=1)])
    assert set(labels) == {3, 8}


def test_rows_alone(compiled) -> None:
    """Many rows go by another kernel than few: to the last bit the results are the same, in every mode. Of deep trees
    it scans the top; there are several weights at a leaf (targets), and more leaves than one of its groups has."""
    every = [*MODES]
    cases = [
        regressor("plain", Forest(500, 40, 5, every, tracks=True)),
        regressor("targets", Forest(501, 20, 6, every, tracks=True), 9),
        regressor("greatest", Forest(502, 20, 4, every, tracks=True), 3, aggregate_function="MAX"),
        regressor("deep", Forest(503, 3, 13)),
        regressor("deeper", Forest(507, 6, 10, every, tracks=True), 3),
        regressor("doubles", Forest(504, 20, 5, every, tracks=True), source="d"),
        classifier("classes", Forest(505, 20, 5), [1, 2, 3, 4, 5]),
    ]
    inputs = [("x", FLOAT), ("d", DOUBLE)]
    for count in (300, 77, 11):
        x = samples(506 + count, count, missing=True)
        feeds = {"x": x, "d": x.astype(np.float64)}
        check(compiled, cases, [feeds], inputs)
        session = onnxc.InferenceSession(compiled(model_of(cases, inputs)))
        whole = session.run(None, feeds)
        for row in range(0, count, 7):
            one = session.run(None, {name: rows[row : row + 1] for name, rows in feeds.items()})
            for together, alone in zip(whole, one, strict=True):
                np.testing.assert_array_equal(together[row : row + 1], alone)


def test_many_features(compiled) -> None:
    """More columns than ranks are kept of, and a tree that is too wide for 16-bit distances."""
    random = np.random.default_rng(510)
    features, depth = 700, 16
    count = 2**depth - 1
    branches = np.arange(count)
    attributes = {
        "nodes_treeids": [0] * (2 * count + 1),
        "nodes_nodeids": list(range(2 * count + 1)),
        "nodes_featureids": [*random.integers(0, features, count).tolist(), *([0] * (count + 1))],
        "nodes_values": [*random.normal(size=count).astype(np.float32).tolist(), *([0.0] * (count + 1))],
        "nodes_modes": ["BRANCH_LEQ"] * count + ["LEAF"] * (count + 1),
        "nodes_truenodeids": [*(2 * branches + 1).tolist(), *([0] * (count + 1))],
        "nodes_falsenodeids": [*(2 * branches + 2).tolist(), *([0] * (count + 1))],
        "target_treeids": [0] * (count + 1),
        "target_nodeids": list(range(count, 2 * count + 1)),
        "target_ids": [0] * (count + 1),
        "target_weights": random.normal(size=count + 1).astype(np.float32).tolist(),
    }
    node = helper.make_node("TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", n_targets=1, **attributes)
    x = helper.make_tensor_value_info("x", FLOAT, ["N", features])
    y = helper.make_tensor_value_info("y", FLOAT, ["N", 1])
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(helper.make_graph([node], "wide", [x], [y]), opset_imports=opsets, ir_version=9)
    feeds = {"x": random.normal(size=(40, features)).astype(np.float32)}
    reference = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (ours,), (theirs,) = onnxc.InferenceSession(compiled(model)).run(None, feeds), reference.run(None, feeds)
    np.testing.assert_array_equal(ours, theirs)


def chain(count, shared):
    """The attributes of one tree, each of whose nodes names the next; where `shared`, in two ways."""
    names = list(range(count + 1))
    leaves = [] if shared else list(range(count + 1, 2 * count + 1))
    size = count + 1 + len(leaves)
    return {
        "nodes_treeids": [0] * size,
        "nodes_nodeids": names + leaves,
        "nodes_featureids": [i % FEATURES for i in range(size)],
        "nodes_values": [float(i % 7 - 3) for i in range(size)],
        "nodes_modes": ["BRANCH_LEQ"] * count + ["LEAF"] * (1 + len(leaves)),
        "nodes_truenodeids": [*names[1:], *[0] * (1 + len(leaves))],
        "nodes_falsenodeids": [*(leaves or names[1:]), *[0] * (1 + len(leaves))],
        "target_treeids": [0] * (1 + len(leaves)),
        "target_nodeids": [count, *leaves],
        "target_ids": [0] * (1 + len(leaves)),
        "target_weights": [i / 100 for i in range(1 + len(leaves))],
        "n_targets": 1,
    }


def leaf_weight(attributes, row) -> float:
    node = 0
    while attributes["nodes_modes"][node] != "LEAF":
        is_less = row[attributes["nodes_featureids"][node]] <= attributes["nodes_values"][node]
        node = attributes["nodes_truenodeids" if is_less else "nodes_falsenodeids"][node]
    return attributes["target_weights"][attributes["target_nodeids"].index(node)]


def test_chains(compiled, tmp_path) -> None:
    """A tree as deep as it has nodes (too deep for ONNX Runtime), one whose nodes are shared, and one that would be too
    large without."""
    names, cases = {"deep": chain(20000, False), "shared": chain(10, True)}, []
    for name, attributes in names.items():
        node = helper.make_node("TreeEnsembleRegressor", ["x"], [name], name, domain="ai.onnx.ml", **attributes)
        cases.append((node, [(name, FLOAT, ["N", 1])]))
    session = onnxc.InferenceSession(compiled(model_of(cases)))
    x = samples(520, 40)
    x[:5] = -9  # to the end
    for rows in (x, x[:1]):
        for attributes, ours in zip(names.values(), session.run(None, {"x": rows}), strict=True):
            np.testing.assert_allclose(ours[:, 0], [leaf_weight(attributes, row) for row in rows], rtol=1e-6)
    node = helper.make_node("TreeEnsembleRegressor", ["x"], ["y"], "y", domain="ai.onnx.ml", **chain(60, True))
    with pytest.raises(onnxc.CompileError, match="too many paths lead to the same nodes"):
        onnxc.compile(model_of([(node, [("y", FLOAT, ["N", 1])])]).SerializeToString(), tmp_path / "m.so")


def broken(**changes):
    attributes = Forest(100, 2, 2).attributes("target", [0], n_targets=1)
    for name, change in changes.items():
        change(attributes[name])
    node = helper.make_node("TreeEnsembleRegressor", ["x"], ["y"], "trees", domain="ai.onnx.ml", **attributes)
    return model_of([(node, [("y", FLOAT, ["N", 1])])])


def setter(value, position=0):
    return lambda values: values.__setitem__(position, value)


def joined(values):
    """Both children of the root are one node."""
    values[0] = 1


BROKEN = {
    "2 roots": {"nodes_falsenodeids": joined},
    "feature 99 of 6": {"nodes_featureids": setter(99)},
    "feature -1 of 6": {"nodes_featureids": setter(-1)},
    "names node 77, which does not exist": {"nodes_truenodeids": setter(77)},
    "in a circle": {"nodes_truenodeids": setter(0)},
    "is given twice": {"nodes_nodeids": setter(0, 1)},
    "different lengths": {"nodes_modes": list.pop},
    "which is no leaf": {"target_nodeids": setter(0)},
    "for target 5 of 1": {"target_ids": setter(5)},
    "compares with NaN": {"nodes_values": setter(float("nan"))},
    "mode 'BRANCH_ODD' is not supported": {"nodes_modes": setter("BRANCH_ODD")},
    "weights differ in length": {"target_weights": list.pop},
}


@pytest.mark.parametrize("reason", BROKEN)
def test_refused(reason, tmp_path) -> None:
    with pytest.raises(onnxc.CompileError, match=reason) as caught:
        onnxc.compile(broken(**BROKEN[reason]).SerializeToString(), tmp_path / "m.so")
    assert "node 'trees' (TreeEnsembleRegressor" in str(caught.value)


def ensemble_attributes(forest, targets, kind=np.float32, sets=False) -> dict:
    """The forest in TreeEnsemble's form; with `sets`, nodes that ask for equality ask for a set of three values."""
    place, leaf_place, attributes = {}, {}, {}
    lists = forest.nodes
    for i, mode in enumerate(lists["modes"]):
        kinds = leaf_place if mode == "LEAF" else place
        kinds[lists["treeids"][i], lists["nodeids"][i]] = len(kinds)
    numbers = [*MODES, MEMBER]
    branches = [i for i, mode in enumerate(lists["modes"]) if mode != "LEAF"]
    modes = [MEMBER if sets and lists["modes"][i] == "BRANCH_EQ" else lists["modes"][i] for i in branches]
    attributes["nodes_modes"] = numpy_helper.from_array(np.array([numbers.index(mode) for mode in modes], np.uint8))
    splits = np.array([lists["values"][i] for i in branches], kind)
    attributes["nodes_splits"] = numpy_helper.from_array(splits)
    attributes["nodes_featureids"] = [lists["featureids"][i] for i in branches]
    attributes["nodes_missing_value_tracks_true"] = [lists["missing_value_tracks_true"][i] for i in branches]
    for side in ("true", "false"):
        children = [(lists["treeids"][i], lists[f"{side}nodeids"][i]) for i in branches]
        attributes[f"nodes_{side}leafs"] = [int(child in leaf_place) for child in children]
        attributes[f"nodes_{side}nodeids"] = [(leaf_place | place)[child] for child in children]
    # The reference evaluator takes a member that is 0 for the end of its set.
    members = [
        [*(member for member in (split, split + 0.5, split - 1) if member), np.nan]
        for split, mode in zip(splits, modes, strict=True)
        if mode == MEMBER
    ]
    if members:
        attributes["membership_values"] = numpy_helper.from_array(np.concatenate(members).astype(kind))
    attributes["tree_roots"] = [place[tree, 0] for tree in dict.fromkeys(lists["treeids"])]
    attributes["leaf_targetids"] = [i % targets for i in range(len(leaf_place))]
    weights = forest.random.uniform(-1, 1, len(leaf_place)).astype(kind)
    return attributes | {"leaf_weights": numpy_helper.from_array(weights), "n_targets": targets}


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_ensembles(compiled, kind) -> None:
    """Every mode, sets too, and every aggregation and transform."""
    element = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
    nodes, outputs = [], []
    for aggregate, targets, transform, sets, tracks in (
        (1, 1, 0, False, False), (1, 3, 1, True, False), (0, 2, 2, True, True),
        (2, 1, 0, True, False), (3, 1, 0, False, True),
    ):  # fmt: skip
        forest = Forest(200 + len(nodes), 7, 5, MODES, tracks)
        attributes = ensemble_attributes(forest, targets, kind, sets)
        name = f"y{len(nodes)}"
        attributes |= {"aggregate_function": aggregate, "post_transform": transform}
        nodes.append(helper.make_node("TreeEnsemble", ["x"], [name], domain="ai.onnx.ml", **attributes))
        outputs.append(helper.make_tensor_value_info(name, element, ["N", targets]))
    x = helper.make_tensor_value_info("x", element, ["N", FEATURES])
    graph = helper.make_graph(nodes, "ensembles", [x], outputs)
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 5)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    reference, session = ReferenceEvaluator(model), onnxc.InferenceSession(compiled(model))
    for count in (40, 1):
        feeds = {"x": samples(300 + count, count).astype(kind)}
        for node, ours, want in zip(nodes, session.run(None, feeds), reference.run(None, feeds), strict=True):
            assert ours.dtype == kind
            # The reference evaluator leaves the transforms out.
            transform = next(a.i for a in node.attribute if a.name == "post_transform")
            if transform == 1:
                want = np.exp(want) / np.exp(want).sum(axis=1, keepdims=True)
            elif transform == 2:
                want = 1 / (1 + np.exp(-want))
            np.testing.assert_allclose(ours, want, rtol=1e-5, atol=1e-5)


def out_of_range(attributes) -> None:
    attributes["nodes_truenodeids"][0] = 99


def no_members(attributes) -> None:
    attributes["nodes_modes"] = numpy_helper.from_array(np.full(len(attributes["nodes_featureids"]), 6, np.uint8))


def unknown_mode(attributes) -> None:
    attributes["nodes_modes"] = numpy_helper.from_array(np.full(len(attributes["nodes_featureids"]), 7, np.uint8))


def circle(attributes) -> None:
    attributes["nodes_truenodeids"][0], attributes["nodes_trueleafs"][0] = 0, 0


BROKEN_ENSEMBLES = {
    "no (leaf|node) 99": out_of_range,
    "membership_values end": no_members,
    "no mode 7": unknown_mode,
    "has 0 roots": circle,
}


@pytest.mark.parametrize("reason", BROKEN_ENSEMBLES)
def test_ensemble_refused(reason, tmp_path) -> None:
    attributes = ensemble_attributes(Forest(400, 2, 2), 1)
    BROKEN_ENSEMBLES[reason](attributes)
    node = helper.make_node("TreeEnsemble", ["x"], ["y"], "trees", domain="ai.onnx.ml", **attributes)
    graph = helper.make_graph(
        [node],
        "broken",
        [helper.make_tensor_value_info("x", FLOAT, ["N", FEATURES])],
        [helper.make_tensor_value_info("y", FLOAT, ["N", 1])],
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 5)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    with pytest.raises(onnxc.CompileError, match=reason) as caught:
        onnxc.compile(model.SerializeToString(), tmp_path / "m.so")
    assert "node 'trees' (TreeEnsemble" in str(caught.value)
