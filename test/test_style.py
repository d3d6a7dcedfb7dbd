"""The sources are formatted as .clang-format and .ruff.toml say, and ruff has nothing to say about the Python files."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("compiler", "dialects", "runtime", "tools", "python", "test")


@pytest.mark.parametrize("command", [("check",), ("format", "--check")], ids=" ".join)
def test_python(command):
    done = subprocess.run(["ruff", *command, "."], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("folder", FOLDERS)
def test_c_and_cpp(folder):
    files = [path for suffix in ("cpp", "h", "hpp", "c") for path in sorted((ROOT / folder).rglob(f"*.{suffix}"))]
    if not files:
        return
    done = subprocess.run(["clang-format-22", "--dry-run", "-Werror", *files], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
