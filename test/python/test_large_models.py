"""Weights stay in the model's file: what compiling a large model costs, and weights beside it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxc
import pytest
import small_models
from onnx import TensorProto, helper
from onnxc import _compile

WIDTH, LAYERS = 2048, 6


@pytest.fixture(scope="module")
def large(tmp_path_factory) -> Path:
    """y = x times six matrices of 16 MB."""
    generator = np.random.default_rng(0)
    names = [f"x{i}" for i in range(LAYERS + 1)]
    weights = {f"w{i}": generator.normal(size=(WIDTH, WIDTH)).astype(np.float32) / 45 for i in range(LAYERS)}
    nodes = [helper.make_node("MatMul", [names[i], f"w{i}"], [names[i + 1]]) for i in range(LAYERS)]
    ends = [(name, TensorProto.FLOAT, ["N", WIDTH]) for name in (names[0], names[-1])]
    path = tmp_path_factory.mktemp("large") / "large.onnx"
    onnx.save(small_models.make_model(nodes, ends[:1], ends[1:], weights), path)
    return path


# Run by an interpreter of its own: a process inherits the peak of the one that starts it, and pytest's may be large.
MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def peak_bytes(model: Path, library: Path) -> int:
    """Compiles, and returns the most memory that the compiler held."""
    command = [_compile.find_compiler(), str(model), "-o", str(library)]
    process = subprocess.run([sys.executable, "-c", MEASURE, *command], capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    return int(process.stdout) * 1024


def test_peak_memory(large: Path, tmp_path: Path) -> None:
    small = tmp_path / "small.onnx"
    small.write_bytes(small_models.affine().SerializeToString())
    base = peak_bytes(small, tmp_path / "small.so")
    peak = peak_bytes(large, tmp_path / "large.so")
    # The mapped file counts once; so may what is written.
    assert peak - base < 2 * large.stat().st_size


def test_a_killed_compile_leaves_nothing(large: Path, tmp_path: Path) -> None:
    """Whenever it is killed: nothing beside the library, no part of one."""
    whole = tmp_path / "whole.so"
    start = time.monotonic()
    peak_bytes(large, whole)
    duration = time.monotonic() - start
    for part in (0.3, 0.6, 0.8, 0.9, 0.95):
        folder = tmp_path / str(part)
        folder.mkdir()
        process = subprocess.Popen([_compile.find_compiler(), str(large), "-o", str(folder / "model.so")])
        time.sleep(part * duration)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert os.listdir(folder) in ([], ["model.so"])
        if (folder / "model.so").exists():
            assert (folder / "model.so").read_bytes() == whole.read_bytes()


def test_result_of_detached_weights(large: Path, tmp_path: Path) -> None:
    library = onnxc.compile(large, tmp_path / "large.so")
    x = np.random.default_rng(1).normal(size=(2, WIDTH)).astype(np.float32)
    expected = x.astype(np.float64)
    for tensor in onnx.load(large).graph.initializer:
        expected = expected @ onnx.numpy_helper.to_array(tensor)
    (result,) = onnxc.InferenceSession(library).run(None, {"x0": x})
    np.testing.assert_allclose(result, expected, atol=1e-4 * np.abs(expected).max())


def test_weights_beside_the_model(tmp_path: Path) -> None:
    """Rows from both ends of a table whose file is a hole but for those."""
    rows, columns = 1 << 14, 1024
    table = TensorProto(
        name="table", data_type=TensorProto.FLOAT, dims=[rows, columns], data_location=TensorProto.EXTERNAL
    )
    for key, value in {"location": "table.bin", "offset": "0", "length": str(rows * columns * 4)}.items():
        table.external_data.add(key=key, value=value)
    model = small_models.make_model(
        [helper.make_node("Gather", ["table", "at"], ["y"])],
        [("at", TensorProto.INT64, ["N"])],
        [("y", TensorProto.FLOAT, ["N", columns])],
    )
    model.graph.initializer.append(table)
    first, last = np.arange(columns, dtype=np.float32), np.arange(columns, dtype=np.float32)[::-1]
    with open(tmp_path / "table.bin", "wb") as file:
        file.write(first.tobytes())
        file.seek((rows - 1) * columns * 4)
        file.write(last.tobytes())
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    library = onnxc.compile(tmp_path / "model.onnx", tmp_path / "model.so")
    at = np.array([0, rows - 1, 7])
    (y,) = onnxc.InferenceSession(library).run(None, {"at": at})
    np.testing.assert_array_equal(y, [first, last, np.zeros(columns, np.float32)])


@pytest.fixture
def passing_folder(tmp_path: Path) -> Iterator[Path]:
    """Removed at once: pytest keeps its own, and gigabytes are too many."""
    yield tmp_path
    shutil.rmtree(tmp_path)


def test_more_than_two_gigabytes(passing_folder: Path) -> None:
    """Weights that no ModelProto can hold: a chain of matrices in a file beside the model. They are windows of one
    random block, each a row further, so that no two are alike and the file is written fast."""
    width, layers = 4096, 33
    size = 4 * width * width
    total = layers * size
    assert total > 1 << 31
    if shutil.disk_usage(passing_folder).free < 3 * total:
        pytest.skip(f"the model and the library need {3 * total >> 30} GB of disk")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if memory < 4 * total:
        pytest.skip(f"needs {4 * total >> 30} GB of memory")
    block = np.random.default_rng(0).standard_normal((width + layers, width), np.float32) / 64
    windows = [block[index : index + width] for index in range(layers)]
    with open(passing_folder / "weights.bin", "wb") as file:
        for window in windows:
            window.tofile(file)
    names = [f"x{i}" for i in range(layers + 1)]
    nodes = [helper.make_node("MatMul", [names[i], f"w{i}"], [names[i + 1]]) for i in range(layers)]
    ends = [(name, TensorProto.FLOAT, ["N", width]) for name in (names[0], names[-1])]
    model = small_models.make_model(nodes, ends[:1], ends[1:])
    for index in range(layers):
        tensor = TensorProto(
            name=f"w{index}", data_type=TensorProto.FLOAT, dims=[width, width], data_location=TensorProto.EXTERNAL
        )
        for key, value in {"location": "weights.bin", "offset": str(index * size), "length": str(size)}.items():
            tensor.external_data.add(key=key, value=value)
        model.graph.initializer.append(tensor)
    (passing_folder / "model.onnx").write_bytes(model.SerializeToString())

    assert peak_bytes(passing_folder / "model.onnx", passing_folder / "model.so") < 2.5 * total
    x = np.random.default_rng(1).standard_normal((1, width), np.float32)
    (y,) = onnxc.InferenceSession(str(passing_folder / "model.so")).run(None, {"x0": x})
    expected = x
    for window in windows:
        expected = expected @ window
    assert np.abs(y - expected).max() < 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize("stage", ["onnx", "graph", "tensor", "loops", "llvm", "asm"])
def test_a_stage_on_the_standard_output(tmp_path: Path, stage: str) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(small_models.affine().SerializeToString())
    command = [_compile.find_compiler(), str(model), f"--emit={stage}", "-o", "-"]
    process = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert process.returncode == 0 and len(process.stdout.splitlines()) > 5, process.stderr
    assert os.listdir(tmp_path) == ["model.onnx"]


@pytest.mark.parametrize("stage", ["obj", "so"])
def test_no_machine_code_on_the_standard_output(tmp_path: Path, stage: str) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(small_models.affine().SerializeToString())
    command = [_compile.find_compiler(), str(model), f"--emit={stage}", "-o", "-"]
    process = subprocess.run(command, capture_output=True, cwd=tmp_path)
    assert process.returncode == 1 and process.stdout == b""
    assert b"machine code is not written to the standard output" in process.stderr
    assert os.listdir(tmp_path) == ["model.onnx"]
