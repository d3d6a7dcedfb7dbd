"""onnxc in the place of onnxruntime, for code that is not edited."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import small_models

ROOT = Path(__file__).resolve().parent.parent.parent


def python(*arguments, **options) -> str:
    command = [sys.executable, *map(str, arguments)]
    process = subprocess.run(command, capture_output=True, text=True, timeout=600, **options)
    assert process.returncode == 0, process.stderr[-3000:]
    return process.stdout


def read_page(*, stand_in: bool) -> dict:
    module = ["-m", "onnxc.run_as_onnxruntime"] if stand_in else []
    output = python(*module, ROOT / "tools" / "read_page.py", ROOT / "test" / "models" / "sample.png", 1)
    return json.loads(output.splitlines()[-1])


def test_a_published_package_reads_a_page(cache: Path) -> None:
    """rapidocr_onnxruntime as it is: the same text as with onnxruntime, and no onnxruntime in the process."""
    ours = read_page(stand_in=True)
    reference = read_page(stand_in=False)
    assert reference["onnxruntime_libraries"], "this test must be able to see onnxruntime's libraries"
    assert ours["onnxruntime_libraries"] == []
    assert len(reference["lines"]) == 7
    assert ours["lines"] == reference["lines"]
    np.testing.assert_allclose(ours["scores"], reference["scores"], atol=2e-3)
    assert len(list(cache.iterdir())) == 3


def test_a_published_package_identifies_files(cache: Path, tmp_path: Path) -> None:
    """magika as it is, with its model standard_v3_3: the same labels as with onnxruntime."""
    made = {
        "data.json": json.dumps({"users": [{"name": "Ada", "id": 1}, {"name": "Alan", "id": 2}]}, indent=2).encode(),
        "table.csv": b"name,age,city\nAda,36,London\nAlan,41,Wilmslow\nGrace,85,Arlington\n" * 8,
        "page.html": b"<!DOCTYPE html><html><head><title>A page</title></head><body><p>Text.</p></body></html>\n",
        "noise": np.random.default_rng(5).bytes(5000),
        "short": b"ab",
        "empty": b"",
    }
    for name, content in made.items():
        (tmp_path / name).write_bytes(content)
    present = ["README.md", "LICENSE", "python/onnxc/_session.py", "runtime/src/Run.cpp", "test/models/sample.png"]
    files = [*(ROOT / name for name in present), *(tmp_path / name for name in made)]
    script = ROOT / "test" / "python" / "identify.py"
    reference = json.loads(python(script, *files))
    ours = json.loads(python("-m", "onnxc.run_as_onnxruntime", script, *files))
    assert reference["onnxruntime"] and not ours["onnxruntime"]
    assert reference["model"] == "standard_v3_3"
    assert {"markdown", "python", "cpp", "png", "json", "csv", "html", "empty"} <= set(reference["labels"])
    assert ours["labels"] == reference["labels"]
    np.testing.assert_allclose(ours["scores"], reference["scores"], atol=1e-4)
    assert len(list(cache.iterdir())) == 1


SCRIPT = """
import sys
import numpy as np
import onnxruntime as ort
from onnxruntime.capi._pybind_state import Fail, InvalidArgument, InvalidProtobuf, NoSuchFile
from onnxruntime.capi.onnxruntime_pybind11_state import NotImplemented as Missing
import onnxruntime.capi.onnxruntime_inference_collection as collection
from onnxruntime import GraphOptimizationLevel, InferenceSession, RunOptions, SessionOptions

options = SessionOptions()
options.graph_optimization_level = GraphOptimizationLevel.ORT_ENABLE_ALL
options.inter_op_num_threads = 1
session = InferenceSession(sys.argv[1], sess_options=options, providers=ort.get_available_providers())
feeds = {session.get_inputs()[0].name: [[1, 2, 3]]}
print(session.run([session.get_outputs()[0].name], feeds, RunOptions())[0].tolist())
try:
    session.run(None, {"x": np.zeros((1, 4), np.float32)})
except InvalidArgument as error:
    print("refused:", "'x'" in str(error))
print(sys.argv[0].endswith("script.py"), collection.InferenceSession is InferenceSession, ort.__version__)
print(any("onnxruntime" in line for line in open("/proc/self/maps")))
"""


def test_a_script(compiled, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    output = python("-m", "onnxc.run_as_onnxruntime", tmp_path / "script.py", compiled(small_models.affine()))
    lines = output.splitlines()
    assert lines[0] == "[[3.0, 5.0, 7.0]]"
    assert lines[1] == "refused: True"
    assert lines[2].startswith("True True 0.")
    assert lines[3] == "False"


def test_too_late(tmp_path: Path) -> None:
    script = "import onnxruntime\nfrom onnxc import as_onnxruntime\nas_onnxruntime.install()"
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert process.returncode != 0
    assert "imported already" in process.stderr


@pytest.mark.parametrize("arguments", [[], ["-m"], ["--help"]])
def test_usage(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "onnxc.run_as_onnxruntime", *arguments]
    process = subprocess.run(command, capture_output=True, text=True)
    assert process.returncode == 2
    assert "usage:" in process.stderr
