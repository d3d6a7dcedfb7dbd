"""Real models agree with ONNX Runtime: max |a-b| <= 1e-4 max |b| for every output, and for tensors from inside."""

import functools

import numpy as np
import onnxc
import onnxruntime
import pytest
import zoo

# Sums of thousands of float products in another order differ by about 1e-6 of the largest; the depth of a network
# multiplies that by its layers.
TOLERANCE = 1e-4

onnxruntime.set_default_logger_severity(4)


@functools.lru_cache(maxsize=1)
def sessions(model: str, library: str) -> tuple[onnxc.InferenceSession, onnxruntime.InferenceSession]:
    return onnxc.InferenceSession(library), onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])


def compare(ours, reference, model: zoo.Model, kind: str, shape: zoo.Shape) -> None:
    feeds = model.make_inputs(kind, shape)
    names = [output.name for output in reference.get_outputs()]
    got = ours.run(names, feeds)
    expected = reference.run(names, feeds)
    for index, (output, a, b) in enumerate(zip(names, got, expected, strict=True)):
        assert a.dtype == b.dtype and a.shape == b.shape, output
        if not np.issubdtype(b.dtype, np.floating):
            np.testing.assert_array_equal(a, b, err_msg=f"output {output}")
            continue
        error = zoo.relative_error(a, b)
        assert error <= TOLERANCE, f"output {output}: relative error {error:.2e}"
        if model.classes and index == 0:
            np.testing.assert_array_equal(a.argmax(-1), b.argmax(-1), err_msg=f"arg-max of {output}")


MODELS = zoo.models()
IDS = [model.name.replace(" ", "-") for model in MODELS]
# All of one model in a row: its sessions are opened once.
CASES = [(model, shape, kind) for model in MODELS for shape in model.shapes for kind in model.kinds]
INSIDE_CASES = [(model, kind) for model in MODELS for kind in model.kinds]


@pytest.mark.parametrize(
    ("model", "shape", "kind"),
    CASES,
    ids=[f"{m.name.replace(' ', '-')}-{'x'.join(map(str, s))}-{kind}" for m, s, kind in CASES],
)
def test_outputs(model: zoo.Model, shape: zoo.Shape, kind: str, libraries) -> None:
    path = model.path()
    ours, reference = sessions(str(path), libraries.get(path))
    compare(ours, reference, model, kind, shape)


@functools.lru_cache(maxsize=1)
def intermediates(model: zoo.Model):
    return zoo.with_intermediates(model)


@pytest.mark.parametrize(
    ("model", "kind"), INSIDE_CASES, ids=[f"{m.name.replace(' ', '-')}-{kind}" for m, kind in INSIDE_CASES]
)
def test_intermediates(model: zoo.Model, kind: str, libraries) -> None:
    path, names = intermediates(model)
    assert len(set(names)) == 3
    ours, reference = sessions(str(path), libraries.get(path))
    for shape in model.shapes[:2]:
        compare(ours, reference, model, kind, shape)


@pytest.mark.parametrize("model", MODELS, ids=IDS)
def test_metadata(model: zoo.Model, libraries) -> None:
    path = model.path()
    ours, reference = sessions(str(path), libraries.get(path))
    a, b = ours.get_modelmeta(), reference.get_modelmeta()
    for field in ("producer_name", "graph_name", "domain", "description", "graph_description", "version"):
        assert getattr(a, field) == getattr(b, field), field
    assert a.custom_metadata_map == b.custom_metadata_map
    # A dim called "?" has no name: two of them need not be equal.
    expected = [(x.name, x.type, [None if d == "?" else d for d in x.shape]) for x in reference.get_inputs()]
    assert [(x.name, x.type, x.shape) for x in ours.get_inputs()] == expected
    assert [(x.name, x.type) for x in ours.get_outputs()] == [(x.name, x.type) for x in reference.get_outputs()]


def test_equal_results_for_any_number_of_threads(libraries) -> None:
    model = MODELS[0]
    path = model.path()
    results = []
    for threads in (1, 2, 3):
        options = onnxc.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxc.InferenceSession(libraries.get(path), options)
        results.append(session.run(None, model.make_inputs("noise", (1, 3, 96, 160)))[0])
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])
