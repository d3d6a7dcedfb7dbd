"""Models compiled with --profile: the events' names, shapes, work and times, in traces and on the terminal."""

import json
import os
import pathlib
import subprocess

import numpy as np
import onnx
import onnxc
import pytest
from onnx import helper
from onnxc._errors import InvalidArgument
from small_models import FLOAT, make_model

BUILD = pathlib.Path(os.environ.get("ONNXC_BUILD", pathlib.Path(__file__).resolve().parents[2] / "build"))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Relu(x W + b), its softmax, and a transpose, with a batch that only a run knows."""
    generator = np.random.default_rng(3)
    nodes = [
        helper.make_node("Gemm", ["x", "w", "b"], ["g"], name="fc"),
        helper.make_node("Relu", ["g"], ["r"], name="act"),
        helper.make_node("Softmax", ["r"], ["s"], name="probabilities", axis=-1),
        helper.make_node("Transpose", ["s"], ["y"], name="turn", perm=[1, 0]),
    ]
    constants = {
        "w": generator.normal(size=(32, 48)).astype(np.float32),
        "b": generator.normal(size=48).astype(np.float32),
    }
    path = tmp_path_factory.mktemp("profile") / "model.onnx"
    onnx.save(make_model(nodes, [("x", FLOAT, ["N", 32])], [("y", FLOAT, [48, "N"])], constants), path)
    return path


@pytest.fixture(scope="module")
def library(model):
    return onnxc.compile(model, model.with_suffix(".so"), profile=True)


def profiling(prefix):
    options = onnxc.SessionOptions()
    options.enable_profiling = True
    options.profile_file_prefix = str(prefix)
    return options


def test_trace(library, tmp_path):
    session = onnxc.InferenceSession(library, profiling(tmp_path / "trace"))
    assert session.get_profiling_start_time_ns() > 1_600_000_000 * 10**9
    for batch in (1, 7):
        session.run(None, {"x": np.ones((batch, 32), np.float32)})
    path = session.end_profiling()
    assert path.startswith(str(tmp_path / "trace")) and path.endswith(".json")
    events = json.loads(pathlib.Path(path).read_text())
    runs = [event for event in events if event["name"] == "model_run"]
    kernels = [event for event in events if event["cat"] == "Node"]
    assert len(runs) == 2
    for index, run in enumerate(runs):
        inside = [event for event in kernels if event["args"]["run"] == index]
        assert sum(event["dur"] for event in inside) <= run["dur"]
        for event in inside:
            assert run["ts"] <= event["ts"] and event["ts"] + event["dur"] <= run["ts"] + run["dur"] + 0.001
        nodes = {(node["name"], node["op_type"]) for event in inside for node in event["args"]["nodes"]}
        assert nodes == {("fc", "Gemm"), ("act", "Relu"), ("probabilities", "Softmax"), ("turn", "Transpose")}
    for batch, run in ((1, 0), (7, 1)):
        (product,) = (event["args"] for event in kernels if event["args"]["run"] == run and "fc" in event["name"])
        assert product["op_name"] == "Gemm + Relu" and product["kernel"] == "matmul"
        assert product["shapes"].startswith(f"f32[{batch},32],") and product["shapes"].endswith(f"-> f32[{batch},48]")
        # Two for each product, one each for the bias and for what Relu computes, which is at most one.
        assert batch * 48 * (2 * 32 + 1) <= product["flops"] <= batch * 48 * (2 * 32 + 2)
        assert product["bytes"] == 4 * (batch * 32 + 32 * 48 + 48 + batch * 48)


def test_options_of_a_model_on_the_fly(model, tmp_path, monkeypatch):
    monkeypatch.setenv("ONNXC_CACHE", str(tmp_path / "cache"))
    assert onnxc.cache_path(model) != onnxc.cache_path(model, profile=True)
    session = onnxc.InferenceSession(model, profiling(tmp_path / "trace"))
    assert os.path.exists(onnxc.cache_path(model, profile=True))
    session.run(None, {"x": np.ones((2, 32), np.float32)})
    assert len(json.loads(pathlib.Path(session.end_profiling()).read_text())) > 3


def test_same_results_and_no_trace_of_it_without_the_flag(model, library, tmp_path):
    plain = onnxc.compile(model, tmp_path / "plain.so")
    x = np.random.default_rng(1).normal(size=(5, 32)).astype(np.float32)
    results = [onnxc.InferenceSession(path).run(None, {"x": x})[0] for path in (plain, library)]
    np.testing.assert_array_equal(*results)
    assert b"probabilities" in pathlib.Path(library).read_bytes()
    assert b"probabilities" not in pathlib.Path(plain).read_bytes()
    with pytest.raises(InvalidArgument, match="compile it with onnx-compile --p"):
        onnxc.InferenceSession(plain, profiling(tmp_path / "trace"))
    session = onnxc.InferenceSession(plain)
    assert session.get_profiling_start_time_ns() == 0 and session.end_profiling() == ""


def test_table_of_onnx_run(library, tmp_path):
    trace = tmp_path / "trace.json"
    command = [BUILD / "bin/onnx-run", library, "--shape", "x=9x32", "--repeat", "4", f"--profile={trace}"]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "profile    of 4 runs" in done.stdout
    lines = done.stdout.splitlines()
    (line,) = (line for line in lines if "fc + act: matmul f32[9,32]" in line)
    assert "Gemm + Relu" in line
    share, milliseconds, calls, *_ = line.split()
    assert share.endswith("%") and float(milliseconds) > 0 and float(calls) == 1
    kernels, types = (done.stdout.split("operators")[part] for part in (1, 2))
    for table in (kernels, types):
        shares = [float(line.split("%")[0]) for line in table.splitlines() if "%" in line]
        assert sum(shares) == pytest.approx(100, abs=1) and shares == sorted(shares, reverse=True)
    assert len([event for event in json.loads(trace.read_text()) if event["name"] == "model_run"]) == 4
