"""onnx-run on a model written in C, so that neither the compiler nor a real model is needed."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

BUILD = pathlib.Path(os.environ.get("ONNXC_BUILD", pathlib.Path(__file__).resolve().parents[2] / "build"))
SUM = BUILD / "test/unit/runtime/models/sum.so"


def onnx_run(*arguments):
    environment = {**os.environ, "ONNXC_PYTHON": sys.executable}
    return subprocess.run(
        [str(word) for word in (BUILD / "bin/onnx-run", *arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
    )


def save_sum(path, operator):
    shape = ["N", 3, None, None]
    graph = helper.make_graph(
        [helper.make_node(operator, ["x", "y"], ["s"]), helper.make_node("ReduceSum", ["s"], ["t"], keepdims=0)],
        "sum",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in "xy"],
        [
            helper.make_tensor_value_info("s", TensorProto.FLOAT, shape),
            helper.make_tensor_value_info("t", TensorProto.FLOAT, []),
        ],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_prints_what_the_model_is():
    done = onnx_run(SUM, "--repeat", 3, "--threads", 1)
    assert done.returncode == 0, done.stderr
    for text in (
        "graph      sum",
        "input      x: float [N,3,?,?]",
        "threads    1",
        "median of 3",
        "result     s: [1,3,1,1]",
    ):
        assert text in done.stdout


def test_arrays_in_and_out(tmp_path):
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", 2 * x)
    done = onnx_run(
        SUM,
        "--input",
        f"x={tmp_path / 'x.npy'}",
        "--input",
        f"y={tmp_path / 'y.npy'}",
        "--output-dir",
        tmp_path / "out",
    )
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.load(tmp_path / "out/output0.npy"), 3 * x)
    assert np.load(tmp_path / "out/output1.npy").shape == ()
    assert (tmp_path / "out/outputs.txt").read_text() == "output0.npy\ts\noutput1.npy\tt\n"


def test_seed(tmp_path):
    def total(seed, folder):
        done = onnx_run(SUM, "--seed", seed, "--output-dir", tmp_path / folder)
        assert done.returncode == 0, done.stderr
        return np.load(tmp_path / folder / "output1.npy")

    assert total(1, "a") == total(1, "b") != total(2, "c")


@pytest.mark.parametrize("operator, status", [("Add", 0), ("Mul", 2)])
def test_compare(tmp_path, operator, status):
    model = save_sum(tmp_path / "sum.onnx", operator)
    done = onnx_run(SUM, "--shape", "x=2x3x5x7", "--shape", "y=2x3x5x7", "--compare", model)
    assert done.returncode == status, done.stdout + done.stderr
    assert "compare    s: max abs difference" in done.stdout
    assert ("too far off" in done.stdout) == (status == 2)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["missing.so"], "cannot open 'missing.so': No such file or directory"),
        ([SUM, "--input", "z=a.npy"], "--input z=a.npy: expected NAME=... with the name of an input"),
        ([SUM, "--input", "x=missing.npy"], "'missing.npy': cannot be opened"),
        ([SUM, "--input", f"x={__file__}"], "not a .npy file"),
        ([SUM, "--shape", "x=1x2"], "input 'x': expected shape [N,3,?,?], got [1,2]"),
        ([SUM, "--shape", "x=1xtwo"], "expected NAME=1x3x224x224"),
        ([SUM, "--shape", "x=999999999999x3x999999999x1"], "no tensor can have the shape"),
    ],
)
def test_errors(arguments, message):
    done = onnx_run(*arguments)
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda b: b[:-4],
        lambda b: b[:20],
        lambda b: b[:7],
        lambda b: b.replace(b"<f4", b"<U4"),
        lambda b: b.replace(b"(1,", b"[1,"),
    ],
)
def test_damaged_array(tmp_path, change):
    np.save(tmp_path / "x.npy", np.ones((1, 3, 1, 1), np.float32))
    (tmp_path / "x.npy").write_bytes(change((tmp_path / "x.npy").read_bytes()))
    done = onnx_run(SUM, "--input", f"x={tmp_path / 'x.npy'}")
    assert done.returncode == 1
    assert f"'{tmp_path / 'x.npy'}': " in done.stderr


def test_fortran_order(tmp_path):
    np.save(tmp_path / "x.npy", np.asfortranarray(np.ones((2, 3, 2, 2), np.float32)))
    done = onnx_run(SUM, "--input", f"x={tmp_path / 'x.npy'}")
    assert done.returncode == 1
    assert "Fortran order" in done.stderr
