"""An installed tree serves a program that knows nothing of the source tree."""

import os
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("ONNXC_BUILD", ROOT / "build"))
MODEL = BUILD / "test/unit/runtime/models/sum.so"
PROGRAM = pathlib.Path(__file__).parent / "program"


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=300, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """The programs' folder, built against an installation that has been moved since."""
    folder = tmp_path_factory.mktemp("install")
    run("cmake", "--install", BUILD, "--prefix", folder / "first")
    shutil.move(folder / "first", folder / "prefix")
    run("cmake", "-S", PROGRAM, "-B", folder / "build", "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={folder / 'prefix'}")
    run("cmake", "--build", folder / "build")
    return folder


@pytest.mark.parametrize("program", ["shared", "static", "plain_c"])
def test_program(programs, program):
    assert run(programs / "build" / program, MODEL) == "12\n"


def test_tools_find_their_library(programs):
    assert run(programs / "prefix/bin/onnx-run", "--version").startswith("onnxc ")
    assert "sum" in run(programs / "prefix/bin/onnx-run", MODEL)


def test_only_the_c_interface_is_exported(programs):
    (library,) = (programs / "prefix").glob("lib*/**/libonnxc_runtime.so")
    symbols = [line.split()[-1] for line in run("nm", "-D", "--defined-only", library).splitlines()]
    assert symbols
    assert [symbol for symbol in symbols if not symbol.startswith("onnxc_")] == []


def test_library_is_small_and_needs_little(programs):
    (library,) = (programs / "prefix").glob("lib*/**/libonnxc_runtime.so")
    assert library.stat().st_size < 600_000
    needed = [line for line in run("readelf", "-dW", library).splitlines() if "(NEEDED)" in line]
    names = {line.split("[")[1].rstrip("]") for line in needed}
    # The dynamic loader is part of libc: it has the thread-local variables.
    loaders = {"ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}
    assert names - loaders <= {"libstdc++.so.6", "libm.so.6", "libgcc_s.so.1", "libc.so.6"}
