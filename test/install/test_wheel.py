"""pip makes a wheel that works in an environment which knows nothing of the source tree."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
import small_models

ROOT = Path(__file__).resolve().parent.parent.parent

SCRIPT = """
import numpy, onnxc
session = onnxc.InferenceSession("model.onnx")
print(onnxc.__file__)
print(session.run(["y"], {"x": numpy.array([[0, 1, 2]], numpy.float32)})[0].tolist())
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh virtual environment with the wheel; what else it needs it takes from this interpreter's."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "requirements.pth").write_text(sysconfig.get_path("purelib"))
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin/python")]
    settings = {
        "cmake.define.ONNXC_COMPILER": ROOT / "build/bin/onnx-compile",
        "build-dir": ROOT / "build/test/wheel",
    }
    install = ["install", "--no-deps", "--no-build-isolation", "--no-index", str(ROOT / "python")]
    options = [f"--config-settings={key}={value}" for key, value in settings.items()]
    process = subprocess.run(pip + install + options, capture_output=True, text=True)
    assert process.returncode == 0, process.stdout + process.stderr
    return folder


def run(environment: Path, folder: Path, *command: str) -> str:
    variables = {key: value for key, value in os.environ.items() if not key.startswith(("ONNXC_", "PYTHON"))}
    variables["ONNXC_CACHE"] = str(folder / "cache")
    process = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=variables)
    assert process.returncode == 0, process.stderr
    return process.stdout


def test_package(environment: Path, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(small_models.affine().SerializeToString())
    where, result = run(environment, tmp_path, str(environment / "bin/python"), "-c", SCRIPT).splitlines()
    assert where.startswith(str(environment))
    assert result == "[[1.0, 3.0, 5.0]]"


def test_tools(environment: Path, tmp_path: Path) -> None:
    """The programs run when the folder has moved."""
    (package,) = environment.glob("lib/python*/site-packages/onnxc")
    shutil.copytree(package, tmp_path / "moved")
    (tmp_path / "model.onnx").write_bytes(small_models.affine().SerializeToString())
    run(environment, tmp_path, "moved/bin/onnx-compile", "model.onnx", "-o", "model.so")
    assert "y: [1,3]" in run(environment, tmp_path, "moved/bin/onnx-run", "model.so")
