"""SVMRegressor and SVMClassifier against ONNX Runtime: every kernel, with and without support vectors."""

import numpy as np
import onnxc
import onnxruntime
import pytest
from onnx import TensorProto, helper

FLOAT, INT64, STRING = TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING
FEATURES = 5
KERNELS = {"LINEAR": [0.0, 0.0, 0.0], "POLY": [0.3, 1.0, 3.0], "RBF": [0.4, 0.0, 0.0], "SIGMOID": [0.2, 0.1, 0.0]}
onnxruntime.set_default_logger_severity(4)


def model_of(nodes, outputs):
    graph = helper.make_graph(
        nodes,
        "machines",
        [helper.make_tensor_value_info("x", FLOAT, ["N", FEATURES])],
        [helper.make_tensor_value_info(*output) for output in outputs],
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def regressor(name, random, kernel, supports, **others):
    attributes = {
        "kernel_type": kernel,
        "kernel_params": KERNELS[kernel],
        "coefficients": random.normal(size=supports or FEATURES).tolist(),
        "rho": [0.25],
        "n_supports": supports,
    }
    if supports:
        attributes["support_vectors"] = random.normal(size=supports * FEATURES).tolist()
    node = helper.make_node("SVMRegressor", ["x"], [name], name, domain="ai.onnx.ml", **(attributes | others))
    return node, [(name, FLOAT, ["N", 1])]


def classifier(name, random, kernel, per_class, **others):
    classes, count = len(per_class), sum(per_class)
    pairs = classes * (classes - 1) // 2
    attributes = {
        "kernel_type": kernel,
        "kernel_params": KERNELS[kernel],
        "coefficients": random.normal(size=(classes - 1) * count).tolist(),
        "rho": random.normal(size=pairs).tolist(),
        "vectors_per_class": list(per_class),
        "support_vectors": random.normal(size=count * FEATURES).tolist(),
        "classlabels_ints": [7, -2, 5, 9][:classes],
    }
    outputs = [f"{name}_label", f"{name}_scores"]
    node = helper.make_node("SVMClassifier", ["x"], outputs, name, domain="ai.onnx.ml", **(attributes | others))
    return node, [(outputs[0], INT64, ["N"]), (outputs[1], FLOAT, ["N", None])]


def linear_classifier(name, random, classes):
    attributes = {
        "kernel_type": "LINEAR",
        "kernel_params": KERNELS["LINEAR"],
        "coefficients": random.normal(size=classes * FEATURES).tolist(),
        "rho": [0.5] * classes,
        "classlabels_ints": list(range(3, 3 + classes)),
    }
    outputs = [f"{name}_label", f"{name}_scores"]
    node = helper.make_node("SVMClassifier", ["x"], outputs, name, domain="ai.onnx.ml", **attributes)
    return node, [(outputs[0], INT64, ["N"]), (outputs[1], FLOAT, ["N", None])]


def sigmoids(random, classes) -> dict:
    """Of each pair of classes: probabilities in place of scores."""
    pairs = classes * (classes - 1) // 2
    return {"prob_a": (-random.uniform(0.5, 2, pairs)).tolist(), "prob_b": (random.normal(size=pairs) / 5).tolist()}


def texts(case):
    """The same with labels that are strings."""
    node, outputs = case
    labels = next(attribute for attribute in node.attribute if attribute.name == "classlabels_ints")
    names = helper.make_attribute("classlabels_strings", [f"class {number}" for number in labels.ints])
    node.attribute.remove(labels)
    node.attribute.append(names)
    return node, [(outputs[0][0], STRING, ["N"]), outputs[1]]


def test_machines(compiled) -> None:
    random = np.random.default_rng(11)
    cases = [regressor(f"r_{kernel}", random, kernel, 9) for kernel in KERNELS]
    cases += [
        regressor("features", random, "LINEAR", 0),
        regressor("one_class", random, "RBF", 6, one_class=1),
        *(classifier(f"c_{kernel}", random, kernel, (3, 4, 2)) for kernel in KERNELS),
        classifier("four", random, "RBF", (2, 3, 0, 4), post_transform="LOGISTIC"),
        classifier("soft", random, "POLY", (2, 3, 3), post_transform="SOFTMAX"),
        *(
            classifier(f"two_{transform}", random, "RBF", (4, 3), post_transform=transform)
            for transform in ("NONE", "LOGISTIC")
        ),
        linear_classifier("linear", random, 3),
        *(
            classifier(f"sure_{kernel}", random, kernel, (3, 4, 2, 5)[:classes], **sigmoids(random, classes))
            for kernel, classes in (("RBF", 2), ("LINEAR", 3), ("POLY", 4))
        ),
        texts(classifier("texts", random, "RBF", (3, 4, 2), **sigmoids(random, 3))),
        texts(classifier("plain_texts", random, "LINEAR", (3, 4))),
    ]
    nodes = [node for node, _ in cases]
    outputs = [output for _, several in cases for output in several]
    model = model_of(nodes, outputs)
    reference = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    session = onnxc.InferenceSession(compiled(model))
    names = [output[0] for output in outputs]
    for count in (30, 1):
        feeds = {"x": random.normal(size=(count, FEATURES)).astype(np.float32)}
        for name, ours, want in zip(names, session.run(None, feeds), reference.run(None, feeds), strict=True):
            assert ours.dtype == want.dtype, name
            assert ours.size == want.size, name
            if want.dtype == object:
                np.testing.assert_array_equal(ours, want, err_msg=name)
                continue
            np.testing.assert_allclose(ours.reshape(want.shape), want, rtol=2e-5, atol=2e-5, err_msg=name)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"coefficients": [1.0] * 6}, "do not fit"),
        ({"support_vectors": [1.0] * 7}, "do not fit"),
        ({"kernel_params": [1.0]}, "three values"),
        ({"kernel_type": "ODD"}, "no kernel_type 'ODD'"),
        ({"rho": [1.0]}, "rho"),
        ({"vectors_per_class": [3, -1, 4]}, "out of range"),
        ({"prob_a": [1.0] * 3, "prob_b": [1.0] * 2}, "prob_a and prob_b differ"),
        ({"prob_a": [1.0] * 2, "prob_b": [1.0] * 2}, "a prob_a for each pair"),
    ],
)
def test_refused(changes, reason, tmp_path) -> None:
    node, outputs = classifier("machine", np.random.default_rng(1), "RBF", (2, 2, 2), **changes)
    with pytest.raises(onnxc.CompileError, match=rf"node 'machine' \(SVMClassifier.*{reason}"):
        onnxc.compile(model_of([node], outputs).SerializeToString(), tmp_path / "m.so")
