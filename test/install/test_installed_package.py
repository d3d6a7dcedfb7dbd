"""The installed Python package compiles and runs with what is installed beside it."""

import os
import subprocess
import sys
from pathlib import Path

import small_models

ROOT = Path(__file__).resolve().parent.parent.parent

SCRIPT = """
import numpy, onnxc
session = onnxc.InferenceSession("model.onnx")
print(onnxc.__file__)
print(session.run(["y"], {"x": numpy.array([[0, 1, 2]], numpy.float32)})[0].tolist())
"""


def test_package(tmp_path: Path) -> None:
    prefix = tmp_path / "prefix"
    subprocess.run(["cmake", "--install", ROOT / "build", "--prefix", prefix], check=True, capture_output=True)
    (site,) = prefix.glob("lib/**/site-packages")
    (tmp_path / "model.onnx").write_bytes(small_models.affine().SerializeToString())
    environment = {**os.environ, "PYTHONPATH": str(site), "ONNXC_CACHE": str(tmp_path / "cache")}
    environment.pop("ONNXC_COMPILER", None)
    command = [sys.executable, "-c", SCRIPT]
    process = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert process.returncode == 0, process.stderr
    where, result = process.stdout.splitlines()
    assert where.startswith(str(prefix))
    assert result == "[[1.0, 3.0, 5.0]]"
