"""A C program that knows model_abi.h and libc alone runs a compiled model."""

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import small_models
from bench.trees import forest
from onnx.reference import ReferenceEvaluator

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("c") / "run_model"
    include = ROOT / "runtime" / "include"
    flags = ["-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-pedantic", "-D_DEFAULT_SOURCE"]
    subprocess.run(["clang-22", *flags, "-I", include, HERE / "run_model.c", "-o", output], check=True)
    return output


def needed(path: Path | str) -> list[str]:
    text = subprocess.run(["readelf", "-d", path], check=True, capture_output=True, text=True).stdout
    return re.findall(r"\(NEEDED\).*\[(.*)\]", text)


def reference(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Relu of a 3x3 convolution with padding 1, in double precision."""
    _, _, height, width = x.shape
    padded = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (1, 1), (1, 1)))
    y = np.zeros((x.shape[0], weight.shape[0], height, width)) + bias[:, None, None]
    for i in range(3):
        for j in range(3):
            window = padded[:, :, i : i + height, j : j + width]
            y += np.einsum("nchw,oc->nohw", window, weight[:, :, i, j])
    return np.maximum(y, 0)


def check_answer(command: list[str | Path], weight: np.ndarray, bias: np.ndarray, folder: Path, shape: tuple[int, ...]):
    """Runs `command` (a program and a library) on a random input of `shape`."""
    x = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    x.tofile(folder / "in")
    arguments = [folder / "in", folder / "out", *map(str, shape)]
    process = subprocess.run([*command, *arguments], check=True, capture_output=True, text=True)
    dims = tuple(map(int, process.stdout.split()))
    assert dims == (shape[0], 8, *shape[2:])
    y = np.fromfile(folder / "out", np.float32).reshape(dims)
    expected = reference(x, weight, bias)
    assert np.abs(y - expected).max() <= 1e-5 * np.abs(expected).max()


SHAPES = [(1, 4, 5, 7), (3, 4, 16, 16), (2, 4, 1, 1)]


@pytest.mark.parametrize("shape", SHAPES)
def test_right_answer(program: Path, compiled, tmp_path: Path, shape: tuple[int, ...]) -> None:
    model, weight, bias = small_models.convolution()
    check_answer([program, compiled(model)], weight, bias, tmp_path, shape)


@pytest.fixture(scope="module")
def arm_program(tmp_path_factory: pytest.TempPathFactory) -> list[str | Path]:
    """The same program for AArch64, and what runs it here."""
    output = tmp_path_factory.mktemp("c") / "run_model"
    target = ["--target=aarch64-linux-gnu", "--gcc-install-dir=/usr/lib/gcc-cross/aarch64-linux-gnu/12"]
    libraries = ["-isystem", "/usr/aarch64-linux-gnu/include", "-fuse-ld=lld", "-static-libgcc"]
    include = ROOT / "runtime" / "include"
    command = ["clang-22", *target, *libraries, "-O1", "-I", include, HERE / "run_model.c", "-o", output]
    subprocess.run(command, check=True)
    return ["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu", output]


@pytest.mark.parametrize("shape", SHAPES)
def test_right_answer_on_arm(arm_program: list[str | Path], compiled, tmp_path: Path, shape: tuple[int, ...]) -> None:
    model, weight, bias = small_models.convolution()
    library = compiled(model, cpu="generic", triple="aarch64-unknown-linux-gnu")
    check_answer([*arm_program, library], weight, bias, tmp_path, shape)


@pytest.mark.parametrize("shape", [(5, 30), (70, 30)])
def test_trees_on_arm(arm_program: list[str | Path], compiled, tmp_path: Path, shape: tuple[int, int]) -> None:
    """By both kernels of trees; onnx's own evaluator walks them node by node."""
    model = forest(20, 30, leaves=31, cuts=255)
    library = compiled(model, cpu="generic", triple="aarch64-unknown-linux-gnu")
    x = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    x.tofile(tmp_path / "in")
    arguments = [tmp_path / "in", tmp_path / "out", *map(str, shape)]
    subprocess.run([*arm_program, library, *arguments], check=True, capture_output=True)
    (expected,) = ReferenceEvaluator(model).run(None, {"x": x})
    np.testing.assert_allclose(np.fromfile(tmp_path / "out", np.float32), expected[:, 0], atol=1e-5)


@pytest.mark.parametrize(("machine", "chosen"), [("Nehalem", "x86-64-v2"), ("Haswell", "x86-64-v3")])
def test_the_best_code_for_the_cpu(program: Path, compiled, tmp_path: Path, machine: str, chosen: str) -> None:
    """One library for three CPUs, on machines that qemu plays (it plays none with AVX-512)."""
    model, weight, bias = small_models.convolution()
    library = compiled(model, cpu="x86-64-v3,x86-64-v2,x86-64-v4")
    run = ["qemu-x86_64", "-cpu", machine]
    facts = subprocess.run([*run, ROOT / "build/bin/onnx-run", library], check=True, capture_output=True, text=True)
    assert f"for {chosen}\n" in facts.stdout
    check_answer([*run, program, library], weight, bias, tmp_path, SHAPES[0])
    assert needed(library) == []


def test_needs_nothing_but_libc(program: Path, compiled) -> None:
    assert needed(program) == ["libc.so.6"]
    library = compiled(small_models.convolution()[0])
    assert needed(library) == []
    symbols = subprocess.run(["nm", "-D", library], check=True, capture_output=True, text=True).stdout.split("\n")
    assert [line.split()[-1] for line in symbols if line] == ["onnxc_get_model"]


def test_a_wrong_dim_is_an_error(program: Path, compiled, tmp_path: Path) -> None:
    library = compiled(small_models.convolution()[0])
    np.zeros(3 * 5 * 5, np.float32).tofile(tmp_path / "in")
    command = [program, library, tmp_path / "in", tmp_path / "out", "1", "3", "5", "5"]
    process = subprocess.run(command, capture_output=True, text=True)
    assert process.returncode == 1
    assert "'x'" in process.stderr and "3" in process.stderr
    assert len(process.stderr.splitlines()) == 1
