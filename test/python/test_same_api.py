"""The same client code on onnxruntime and on onnxc: equal results, the same exceptions for the same mistakes."""

import importlib

import numpy as np
import onnx
import onnxc
import onnxruntime
import pytest
from onnx import helper
from small_models import FLOAT, make_model

A = np.arange(6, dtype=np.float32).reshape(2, 3)
B = np.full((2, 3), -2, np.float32)


class Package:
    """One of the two packages, a session of it, and its module of exceptions."""

    def __init__(self, module, session, folder) -> None:
        self.module = module
        self.session = session
        self.folder = folder
        self.state = importlib.import_module(f"{module.__name__}.capi.onnxruntime_pybind11_state")

    def value(self, array):
        return self.module.OrtValue.ortvalue_from_numpy(array)

    def binding(self):
        binding = self.session.io_binding()
        binding.bind_cpu_input("a", A)
        binding.bind_cpu_input("b", B)
        return binding


@pytest.fixture(scope="module")
def packages(compiled, tmp_path_factory):
    """sum = a + b, positive = Relu(a), for a and b of [N, 3]."""
    model = make_model(
        [helper.make_node("Add", ["a", "b"], ["sum"]), helper.make_node("Relu", ["a"], ["positive"])],
        [("a", FLOAT, ["N", 3]), ("b", FLOAT, ["N", 3])],
        [("sum", FLOAT, ["N", 3]), ("positive", FLOAT, ["N", 3])],
    )
    folder = tmp_path_factory.mktemp("api")
    (folder / "garbage.onnx").write_bytes(b"garbage")
    reference = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    ours = onnxc.InferenceSession(compiled(model))
    return Package(onnxruntime, reference, folder), Package(onnxc, ours, folder)


def model_of(operator: str, opset: int = 20) -> bytes:
    return make_model(
        [helper.make_node(operator, ["a"], ["c"])], [("a", FLOAT, [1])], [("c", FLOAT, [1])], opset=opset
    ).SerializeToString()


# --- what gives a result ---


def values(p):
    value = p.value(A.copy())
    facts = [value.shape(), value.data_type(), value.element_type(), value.device_name(), value.tensor_size_in_bytes()]
    kinds = [value.has_value(), value.is_tensor(), value.is_sparse_tensor(), value.is_tensor_sequence()]
    empty = p.module.OrtValue.ortvalue_from_shape_and_type([2, 0, 4], np.int64)
    return [*facts, *kinds, value.numpy(), empty.shape(), empty.data_type(), empty.numpy()]


def value_types(p):
    types = [np.float16, np.float64, np.bool_, np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.uint64]
    named = [p.module.OrtValue.ortvalue_from_shape_and_type([1], kind).data_type() for kind in types]
    by_number = p.module.OrtValue.ortvalue_from_shape_and_type([1], onnx.TensorProto.INT64)
    return [*named, by_number.data_type()]


def value_shares_memory(p):
    array = A.copy()
    value = p.value(array)
    array[0, 0] = 77
    seen = value.numpy().copy()
    value.update_inplace(2 * A)
    return [seen, array, value.numpy(), value.data_ptr() == array.ctypes.data]


def value_of_a_strided_array(p):
    return p.value(A[:, ::2]).numpy()


def value_as_array_and_dlpack(p):
    value = p.value(A)
    return [np.asarray(value), np.from_dlpack(value)]


def run_on_values(p):
    feeds = {"a": p.value(A), "b": p.value(B)}
    some = p.session.run_with_ort_values(["sum"], feeds)
    everything = p.session.run_with_ort_values(None, feeds)
    return [some[0].numpy(), *(value.numpy() for value in everything), p.session.run(["sum"], feeds)[0]]


def bind_arrays(p):
    binding = p.binding()
    target = np.zeros((2, 3), np.float32)
    binding.bind_output("sum", "cpu", 0, np.float32, target.shape, target.ctypes.data)
    binding.bind_output("positive")
    p.session.run_with_iobinding(binding)
    return [target, binding.copy_outputs_to_cpu(), [value.shape() for value in binding.get_outputs()]]


def bind_values(p):
    binding = p.session.io_binding()
    source = B.copy()
    binding.bind_ortvalue_input("a", p.value(A))
    binding.bind_input("b", "cpu", 0, np.float32, source.shape, source.ctypes.data)
    target = p.module.OrtValue.ortvalue_from_shape_and_type([2, 3], np.float32)
    binding.bind_ortvalue_output("sum", target)
    binding.synchronize_inputs()
    p.session.run_with_iobinding(binding)
    binding.synchronize_outputs()
    first = target.numpy().copy()
    source[:] = 5
    p.session.run_with_iobinding(binding, p.module.RunOptions())
    return [first, target.numpy(), binding.get_outputs()[0].data_ptr() == target.data_ptr()]


def bind_again(p):
    binding = p.binding()
    binding.bind_output("sum")
    p.session.run_with_iobinding(binding)
    before = binding.copy_outputs_to_cpu()
    binding.clear_binding_outputs()
    binding.bind_output("positive")
    p.session.run_with_iobinding(binding)
    return [before, binding.copy_outputs_to_cpu()]


def results_of_runs_are_independent(p):
    binding = p.binding()
    binding.bind_output("sum")
    p.session.run_with_iobinding(binding)
    first = binding.copy_outputs_to_cpu()[0]
    binding.bind_cpu_input("a", A * 10)
    p.session.run_with_iobinding(binding)
    return [first, binding.copy_outputs_to_cpu()[0]]


def defaults_of_options(p):
    attributes = [
        "enable_cpu_mem_arena enable_mem_pattern enable_mem_reuse enable_profiling execution_mode execution_order",
        "graph_optimization_level inter_op_num_threads intra_op_num_threads log_severity_level log_verbosity_level",
        "logid optimized_model_filepath profile_file_prefix use_deterministic_compute use_per_session_threads",
    ]
    session, run = p.module.SessionOptions(), p.module.RunOptions()
    kept = [getattr(session, name) for name in " ".join(attributes).split()]
    kept += [
        run.log_severity_level,
        run.log_verbosity_level,
        run.logid,
        run.terminate,
        run.only_execute_path_to_fetches,
    ]
    return [str(value) for value in kept]


def options_are_kept(p):
    session, run = p.module.SessionOptions(), p.module.RunOptions()
    session.intra_op_num_threads = np.int64(2)
    session.graph_optimization_level = p.module.GraphOptimizationLevel.ORT_DISABLE_ALL
    session.enable_mem_pattern = 0
    session.add_session_config_entry("session.intra_op.allow_spinning", "0")
    run.add_run_config_entry("some.key", "3")
    run.logid, run.log_severity_level = "tag", 4
    entries = [
        session.get_session_config_entry("session.intra_op.allow_spinning"),
        run.get_run_config_entry("some.key"),
    ]
    return [
        session.intra_op_num_threads,
        session.enable_mem_pattern,
        run.logid,
        *entries,
        *p.session.run(None, FEEDS, run),
    ]


def facts_of_the_session(p):
    session = p.session
    names = [(node.name, node.shape, node.type) for node in (*session.get_inputs(), *session.get_outputs())]
    return [names, session.get_providers(), session.end_profiling(), session.get_profiling_start_time_ns()]


FEEDS = {"a": A, "b": B}
RESULTS = [
    values,
    value_types,
    value_shares_memory,
    value_of_a_strided_array,
    value_as_array_and_dlpack,
    run_on_values,
    bind_arrays,
    bind_values,
    bind_again,
    results_of_runs_are_independent,
    defaults_of_options,
    options_are_kept,
    facts_of_the_session,
]


@pytest.mark.parametrize("snippet", RESULTS, ids=lambda snippet: snippet.__name__)
def test_result(packages, snippet) -> None:
    reference, ours = (snippet(package) for package in packages)
    assert_same(reference, ours)


def assert_same(reference, ours) -> None:
    assert isinstance(ours, type(reference))
    if isinstance(reference, list | tuple):
        assert len(reference) == len(ours)
        for one, other in zip(reference, ours, strict=True):
            assert_same(one, other)
    elif isinstance(reference, np.ndarray):
        assert reference.dtype == ours.dtype
        np.testing.assert_array_equal(reference, ours)
    else:
        assert reference == ours


# --- what is refused ---


def terminated(p):
    options = p.module.RunOptions()
    options.terminate = True
    p.session.run(None, FEEDS, options)


def bind_and_run(p, **targets):
    binding = p.binding()
    for name, array in targets.items():
        binding.bind_ortvalue_output(name, p.value(array))
    p.session.run_with_iobinding(binding)


def set_option(p, name, value):
    setattr(p.module.SessionOptions(), name, value)


MISTAKES = {
    "missing input": lambda p: p.session.run(None, {"a": A}),
    "missing value": lambda p: p.session.run_with_ort_values(None, {"a": p.value(A)}),
    "unknown input": lambda p: p.session.run(None, {**FEEDS, "c": A}),
    "unknown output": lambda p: p.session.run(["c"], FEEDS),
    "type": lambda p: p.session.run(None, {"a": A, "b": B.astype(np.float64)}),
    "rank": lambda p: p.session.run(None, {"a": A, "b": B[0]}),
    "dim": lambda p: p.session.run(None, {"a": A, "b": np.ones((2, 4), np.float32)}),
    "no such file": lambda p: p.module.InferenceSession(str(p.folder / "none.onnx")),
    "not protobuf": lambda p: p.module.InferenceSession(b"garbage"),
    "file not protobuf": lambda p: p.module.InferenceSession(str(p.folder / "garbage.onnx")),
    "not a path": lambda p: p.module.InferenceSession(5),
    "unknown operator": lambda p: p.module.InferenceSession(model_of("NoSuchOperator")),
    "terminated": terminated,
    "no outputs bound": bind_and_run,
    "output too small": lambda p: bind_and_run(p, sum=np.zeros((1, 3), np.float32)),
    "output too large": lambda p: bind_and_run(p, sum=np.zeros((4, 3), np.float32)),
    "output of another type": lambda p: bind_and_run(p, sum=np.zeros((2, 3))),
    "binding of no input": lambda p: p.session.io_binding().bind_cpu_input("c", A),
    "value of a list": lambda p: p.value([1, 2]),
    "value of strings": lambda p: p.value(np.array(["a"])),
    "value elsewhere": lambda p: p.module.OrtValue.ortvalue_from_numpy(A, "cuda", 0),
    "update of another size": lambda p: p.value(A.copy()).update_inplace(np.ones((3, 3), np.float32)),
    "level as a number": lambda p: set_option(p, "graph_optimization_level", 7),
    "threads as a text": lambda p: set_option(p, "intra_op_num_threads", "2"),
    "misspelled option": lambda p: set_option(p, "intra_op_threads", 2),
    "no such entry": lambda p: p.module.SessionOptions().get_session_config_entry("none"),
    "no such run entry": lambda p: p.module.RunOptions().get_run_config_entry("none"),
    "severity": lambda p: p.module.set_default_logger_severity(9),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake(packages, name, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("ONNXC_CACHE", str(tmp_path))
    raised = []
    for package in packages:
        with pytest.raises(Exception) as caught:
            MISTAKES[name](package)
        raised.append(caught.value)
        if "onnx" in type(caught.value).__module__:
            assert getattr(package.state, type(caught.value).__name__) is type(caught.value)
    assert type(raised[0]).__name__ == type(raised[1]).__name__, raised


def test_same_names() -> None:
    """Every exception of onnxruntime's module is in ours, and an Exception and no more."""
    theirs = importlib.import_module("onnxruntime.capi.onnxruntime_pybind11_state")
    ours = importlib.import_module("onnxc.capi.onnxruntime_pybind11_state")
    for name, kind in vars(theirs).items():
        if isinstance(kind, type) and issubclass(kind, Exception):
            assert getattr(ours, name).__mro__[1:] == (Exception, BaseException, object), name
