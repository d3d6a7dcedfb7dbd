"""InferenceSession on small compiled models: what goes in, what comes out, and what is refused."""

import gc
import threading
import time

import numpy as np
import onnxc
import pytest
import small_models
from onnx import TensorProto, helper
from onnxc import _errors


@pytest.fixture(scope="module")
def session(compiled) -> onnxc.InferenceSession:
    fields = {"graph_name": "affine", "graph_doc": "2 x + 1", "metadata": {"character": "a\nb\n", "empty": ""}}
    fields |= {"producer_name": "tests", "domain": "example", "doc_string": "A model.", "model_version": 7}
    return onnxc.InferenceSession(compiled(small_models.affine(**fields)))


X = np.array([[-1, 0, 1], [2, 3, 4]], np.float32)


def test_inputs_and_outputs(session) -> None:
    assert [(i.name, i.shape, i.type) for i in session.get_inputs()] == [("x", ["N", 3], "tensor(float)")]
    assert [(o.name, o.type) for o in session.get_outputs()] == [("y", "tensor(float)"), ("z", "tensor(float)")]
    assert session.get_overridable_initializers() == []


def test_metadata(session) -> None:
    assert vars(session.get_modelmeta()) == {
        "producer_name": "tests",
        "graph_name": "affine",
        "graph_description": "2 x + 1",
        "domain": "example",
        "description": "A model.",
        "version": 7,
        "custom_metadata_map": {"character": "a\nb\n", "empty": ""},
    }


@pytest.mark.parametrize("names", [None, [], ["y", "z"]])
def test_all_outputs(session, names) -> None:
    y, z = session.run(names, {"x": X})
    np.testing.assert_array_equal(y, 2 * X + 1)
    np.testing.assert_array_equal(z, np.maximum(X, 0))
    assert y.dtype == np.float32


def test_some_outputs_in_the_order_asked_for(session) -> None:
    z, y = session.run(["z", "y"], {"x": X})
    np.testing.assert_array_equal(z, np.maximum(X, 0))
    np.testing.assert_array_equal(y, 2 * X + 1)
    (only,) = session.run(["z"], {"x": X})
    np.testing.assert_array_equal(only, z)


@pytest.mark.parametrize(
    "value",
    [
        X.tolist(),
        tuple(map(tuple, X.tolist())),
        np.asfortranarray(X),
        X.astype(">f4"),
        np.repeat(X, 2, axis=1)[:, ::2],
        X[::-1][::-1],
        X.astype(np.float32).view(np.ndarray).copy(),
    ],
    ids=["list", "tuple", "fortran", "big-endian", "strided", "reversed-twice", "plain"],
)
def test_ways_to_give_an_input(session, value) -> None:
    np.testing.assert_array_equal(session.run(["y"], {"x": value})[0], 2 * X + 1)


def test_read_only_input_is_not_written(session) -> None:
    x = X.copy()
    x.flags.writeable = False
    session.run(None, {"x": x})
    np.testing.assert_array_equal(x, X)


@pytest.mark.parametrize("rows", [0, 1, 5, 1000])
def test_dynamic_dim(session, rows: int) -> None:
    x = np.random.default_rng(rows).normal(size=(rows, 3)).astype(np.float32)
    y, z = session.run(None, {"x": x})
    assert y.shape == z.shape == (rows, 3)
    np.testing.assert_allclose(y, 2 * x + 1, rtol=1e-6)


def test_outputs_own_their_memory(compiled) -> None:
    session = onnxc.InferenceSession(compiled(small_models.affine()))
    y = session.run(["y"], {"x": X})[0]
    again = session.run(["y"], {"x": X + 1})[0]
    del session
    gc.collect()
    np.testing.assert_array_equal(y, 2 * X + 1)
    y += 1  # and may be written
    np.testing.assert_array_equal(again, 2 * (X + 1) + 1)


def test_session_from_bytes(compiled) -> None:
    with open(compiled(small_models.affine()), "rb") as file:
        session = onnxc.InferenceSession(file.read())
    np.testing.assert_array_equal(session.run(["z"], {"x": X})[0], np.maximum(X, 0))


def test_providers_are_accepted(compiled) -> None:
    providers = [("CPUExecutionProvider", {"arena_extend_strategy": "kSameAsRequested"})]
    session = onnxc.InferenceSession(compiled(small_models.affine()), providers=providers)
    assert session.get_providers() == ["CPUExecutionProvider"]
    assert onnxc.get_available_providers() == ["CPUExecutionProvider"]
    assert onnxc.get_device() == "CPU"


def test_options(compiled) -> None:
    options = onnxc.SessionOptions()
    options.graph_optimization_level = onnxc.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.execution_mode = onnxc.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 4
    options.enable_cpu_mem_arena = False
    options.intra_op_num_threads = 2
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    session = onnxc.InferenceSession(compiled(small_models.affine()), options)
    run_options = onnxc.RunOptions()
    run_options.add_run_config_entry("onnxc.max_threads", "1")
    np.testing.assert_array_equal(session.run(["y"], {"x": X}, run_options)[0], 2 * X + 1)
    run_options.terminate = True
    with pytest.raises(_errors.Fail):
        session.run(["y"], {"x": X}, run_options)
    run_options.terminate = False
    np.testing.assert_array_equal(session.run(["y"], {"x": X}, run_options)[0], 2 * X + 1)
    options.intra_op_num_threads = -1
    with pytest.raises(_errors.InvalidArgument, match="intra_op_num_threads"):
        onnxc.InferenceSession(compiled(small_models.affine()), options)


def test_equally_named_dims_must_be_equal(compiled) -> None:
    session = onnxc.InferenceSession(compiled(small_models.sum_of_two()))
    a = np.ones((2, 3), np.float32)
    np.testing.assert_array_equal(session.run(None, {"a": a, "b": a})[0], a + a)
    with pytest.raises(_errors.InvalidArgument, match=r"'b'.*\[2,4\]"):
        session.run(None, {"a": a, "b": np.ones((2, 4), np.float32)})


def test_concurrent_runs(session) -> None:
    wrong = []

    def work(seed: int) -> None:
        x = np.random.default_rng(seed).normal(size=(seed + 1, 3)).astype(np.float32)
        for _ in range(200):
            if not np.allclose(session.run(["y"], {"x": x})[0], 2 * x + 1, rtol=1e-6):
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize(
    ("names", "feeds", "error", "message"),
    [
        (None, {}, ValueError, r"\['x'\]"),
        (None, {"w": X}, ValueError, r"\['x'\].*\['w'\]"),
        (None, {"x": X, "w": X}, _errors.InvalidArgument, "w"),
        (["q"], {"x": X}, _errors.InvalidArgument, "q"),
        (None, {"x": X.astype(np.float64)}, _errors.InvalidArgument, r"'x'.*tensor\(float\).*tensor\(double\)"),
        (None, {"x": X.astype(np.int32)}, _errors.InvalidArgument, r"'x'.*tensor\(float\).*tensor\(int32\)"),
        (None, {"x": X[0]}, _errors.InvalidArgument, r"'x'.*\[N,3\].*\[3\]"),
        (None, {"x": X[:, :2]}, _errors.InvalidArgument, r"'x'.*\[N,3\].*\[2,2\]"),
        (None, {"x": np.array([["a", "b", "c"]])}, _errors.InvalidArgument, "'x'"),
        (None, {"x": np.array([object()] * 3)}, _errors.InvalidArgument, "'x'"),
        (None, {"x": [[1, 2, "a"]]}, _errors.InvalidArgument, "'x'"),
        (None, {"x": [[1], [2, 3]]}, _errors.InvalidArgument, "'x'"),
        (None, {"x": None}, ValueError, "x"),
    ],
)
def test_wrong_calls(session, names, feeds, error, message) -> None:
    with pytest.raises(error, match=message) as caught:
        session.run(names, feeds)
    assert "\n" not in str(caught.value)
    np.testing.assert_array_equal(session.run(["y"], {"x": X})[0], 2 * X + 1)  # the session still works


def test_overhead_of_a_run(compiled) -> None:
    """Under 10 µs, everything included."""
    options = onnxc.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxc.InferenceSession(compiled(small_models.affine()), options)
    feeds = {"x": X}
    best = float("inf")
    for _ in range(20):
        start = time.perf_counter()
        for _ in range(500):
            session.run(None, feeds)
        best = min(best, (time.perf_counter() - start) / 500)
    print(f"one run from Python: {best * 1e6:.2f} µs")
    assert best < 10e-6


def test_a_run_is_ended_by_another_thread(compiled) -> None:
    """A loop that would take days; ended, the session runs on, and other options' runs go on."""
    body = helper.make_graph(
        [helper.make_node("MatMul", ["a", "w"], ["b"]), helper.make_node("Identity", ["go"], ["still"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("a", TensorProto.FLOAT, [64, 64]),
        ],
        [
            helper.make_tensor_value_info("still", TensorProto.BOOL, []),
            helper.make_tensor_value_info("b", TensorProto.FLOAT, [64, 64]),
        ],
    )
    model = small_models.make_model(
        [helper.make_node("Loop", ["count", "", "x"], ["y"], body=body)],
        [("count", TensorProto.INT64, []), ("x", TensorProto.FLOAT, [64, 64])],
        [("y", TensorProto.FLOAT, [64, 64])],
        {"w": np.eye(64, dtype=np.float32)},
    )
    session = onnxc.InferenceSession(compiled(model))
    options = onnxc.RunOptions()
    x = np.random.default_rng(0).standard_normal((64, 64), np.float32)
    results = []

    def run(count: int, run_options: onnxc.RunOptions | None) -> None:
        try:
            results.append(session.run(["y"], {"count": np.int64(count), "x": x}, run_options)[0])
        except Exception as error:
            results.append(error)

    thread = threading.Thread(target=run, args=(1 << 50, options))
    thread.start()
    time.sleep(0.1)
    run(3, onnxc.RunOptions())
    assert thread.is_alive()
    options.terminate = True
    thread.join(30)
    assert not thread.is_alive()
    options.terminate = False
    run(2, options)
    other, ended, again = results
    assert isinstance(ended, _errors.Fail) and "terminate" in str(ended)
    np.testing.assert_array_equal(other, x)
    np.testing.assert_array_equal(again, x)
