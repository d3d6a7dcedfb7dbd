"""onnxc.compile and the compile cache."""

import hashlib
import os
import shutil
import stat
import subprocess
from pathlib import Path

import numpy as np
import onnx
import onnxc
import pytest
import small_models
from onnxc import _compile, _errors

X = np.array([[-1, 0, 1], [2, 3, 4]], np.float32)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(small_models.affine().SerializeToString())
    return path


def test_compile_to_a_file(model: Path, tmp_path: Path) -> None:
    library = onnxc.compile(model, tmp_path / "out" / "model.so")
    np.testing.assert_array_equal(onnxc.InferenceSession(library).run(["y"], {"x": X})[0], 2 * X + 1)
    assert sorted(os.listdir(tmp_path / "out")) == ["model.so"]


def test_same_bytes_again(model: Path, tmp_path: Path) -> None:
    first, second = (Path(onnxc.compile(model, tmp_path / name)).read_bytes() for name in ("a.so", "b.so"))
    assert first == second


def test_pinned_shape(model: Path, tmp_path: Path) -> None:
    session = onnxc.InferenceSession(onnxc.compile(model, tmp_path / "model.so", shapes={"x": [2, 3]}))
    assert session.get_inputs()[0].shape == [2, 3]
    np.testing.assert_array_equal(session.run(["y"], {"x": X})[0], 2 * X + 1)
    with pytest.raises(_errors.InvalidArgument, match="'x'"):
        session.run(["y"], {"x": X[:1]})


@pytest.mark.parametrize("cpu", ["x86-64-v2", "x86-64-v3"])
def test_levels(model: Path, tmp_path: Path, cpu: str) -> None:
    session = onnxc.InferenceSession(onnxc.compile(model, tmp_path / "model.so", cpu=cpu))
    np.testing.assert_array_equal(session.run(["y"], {"x": X})[0], 2 * X + 1)


def test_refusals_name_the_reason(model: Path, tmp_path: Path) -> None:
    with pytest.raises(onnxc.CompileError, match="no-such-cpu"):
        onnxc.compile(model, tmp_path / "model.so", cpu="no-such-cpu")
    with pytest.raises(onnxc.CompileError, match="q"):
        onnxc.compile(model, tmp_path / "model.so", shapes={"q": [1, 3]})
    assert not (tmp_path / "model.so").exists()


def test_missing_compiler(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONNXC_COMPILER", "/no/such/compiler")
    with pytest.raises(_errors.Fail, match="/no/such/compiler"):
        onnxc.compile(model, tmp_path / "model.so")


def test_key_is_as_documented(model: Path, cache: Path) -> None:
    """python/README.md, word by word."""
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    text = f"onnxc-cache-1\n{onnxc.__version__}\nnative\n\n{digest}"
    assert onnxc.cache_path(model) == str(cache / f"{hashlib.sha256(text.encode()).hexdigest()}.so")
    text = f"onnxc-cache-1\n{onnxc.__version__}\nx86-64-v3\n\nshape.a=1x-1\nshape.x=2x3\n{digest}"
    path = onnxc.cache_path(model.read_bytes(), cpu="x86-64-v3", shapes={"x": [2, 3], "a": [1, -1]})
    assert path == str(cache / f"{hashlib.sha256(text.encode()).hexdigest()}.so")


def test_the_compiler_fills_the_same_cache(model: Path, cache: Path) -> None:
    subprocess.run([_compile.find_compiler(), "--cache", model], check=True, capture_output=True)
    assert [str(cache / name) for name in os.listdir(cache)] == [onnxc.cache_path(model)]
    command = [_compile.find_compiler(), "--cache", "--mcpu=x86-64-v3", "--shape=x=2x3", model]
    subprocess.run(command, check=True, capture_output=True)
    assert Path(onnxc.cache_path(model, cpu="x86-64-v3", shapes={"x": [2, 3]})).exists()


def test_a_hit_never_loads_the_compiler(model: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = onnxc.InferenceSession(model).run(None, {"x": X})
    assert len(os.listdir(cache)) == 1
    monkeypatch.setenv("ONNXC_COMPILER", "/no/such/compiler")
    for source in (str(model), model, model.read_bytes()):
        for a, b in zip(onnxc.InferenceSession(source).run(None, {"x": X}), expected, strict=True):
            np.testing.assert_array_equal(a, b)


def test_what_an_older_compiler_made_is_compiled_again(
    model: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = Path(onnxc.compile(model))

    def age() -> None:
        os.utime(library, (1, 1))

    age()
    np.testing.assert_array_equal(onnxc.InferenceSession(model).run(["y"], {"x": X})[0], 2 * X + 1)
    assert library.stat().st_mtime > 1
    age()
    subprocess.run([_compile.find_compiler(), "--cache", model], check=True, capture_output=True)
    made = library.stat().st_mtime_ns
    assert made > 10**9
    onnxc.InferenceSession(model)
    subprocess.run([_compile.find_compiler(), "--cache", model], check=True, capture_output=True)
    assert library.stat().st_mtime_ns == made
    age()
    monkeypatch.setenv("ONNXC_COMPILER", "/no/such/compiler")
    onnxc.InferenceSession(model)
    assert library.stat().st_mtime == 1


def test_a_damaged_file_in_the_cache_is_compiled_again(model: Path, cache: Path) -> None:
    onnxc.InferenceSession(model)
    library = Path(onnxc.cache_path(model))
    library.chmod(library.stat().st_mode | stat.S_IWUSR)
    library.write_bytes(library.read_bytes()[:1000])
    np.testing.assert_array_equal(onnxc.InferenceSession(model).run(["y"], {"x": X})[0], 2 * X + 1)


def external_model(folder: Path, values: np.ndarray) -> Path:
    """y = x + w with w in a file of its own."""
    model = small_models.make_model(
        [onnx.helper.make_node("Add", ["x", "w"], ["y"])],
        [("x", small_models.FLOAT, ["N", values.size])],
        [("y", small_models.FLOAT, ["N", values.size])],
        {"w": values},
    )
    folder.mkdir(exist_ok=True)
    onnx.save(
        model, folder / "model.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0
    )  # fmt: skip
    return folder / "model.onnx"


def test_external_data(tmp_path: Path, cache: Path) -> None:
    """Its content is in the key, its place is not."""
    values = np.arange(300, dtype=np.float32)
    first = external_model(tmp_path / "a", values)
    x = np.ones((1, 300), np.float32)
    np.testing.assert_array_equal(onnxc.InferenceSession(first).run(None, {"x": x})[0], x + values)
    second = external_model(tmp_path / "b", values * 2)
    assert first.read_bytes() == second.read_bytes()
    assert onnxc.cache_path(first) != onnxc.cache_path(second)
    np.testing.assert_array_equal(onnxc.InferenceSession(second).run(None, {"x": x})[0], x + values * 2)
    shutil.copytree(tmp_path / "a", tmp_path / "c")
    assert onnxc.cache_path(tmp_path / "c" / "model.onnx") == onnxc.cache_path(first)
    digests = [
        hashlib.sha256((tmp_path / "a" / name).read_bytes()).hexdigest() for name in ("model.onnx", "weights.bin")
    ]
    text = f"onnxc-cache-1\n{onnxc.__version__}\nnative\n\n{''.join(digests)}"
    assert onnxc.cache_path(first).endswith(f"{hashlib.sha256(text.encode()).hexdigest()}.so")
    subprocess.run([_compile.find_compiler(), "--cache", first], check=True, capture_output=True)
    assert len(os.listdir(cache)) == 2


def test_a_tied_embedding_is_stored_once(tmp_path: Path) -> None:
    """A matrix whose rows are looked up and which is the last product's, transposed, too."""
    vocabulary, width = 3001, 400
    table = np.random.default_rng(1).standard_normal((vocabulary, width), dtype=np.float32)
    nodes = [
        onnx.helper.make_node("Gather", ["table", "ids"], ["rows"]),
        onnx.helper.make_node("Transpose", ["table"], ["transposed"], perm=[1, 0]),
        onnx.helper.make_node("MatMul", ["rows", "transposed"], ["scores"]),
    ]
    graph = onnx.helper.make_graph(
        nodes,
        "tied",
        [onnx.helper.make_tensor_value_info("ids", onnx.TensorProto.INT64, ["n"])],
        [
            onnx.helper.make_tensor_value_info("rows", onnx.TensorProto.FLOAT, ["n", width]),
            onnx.helper.make_tensor_value_info("scores", onnx.TensorProto.FLOAT, ["n", vocabulary]),
        ],
        [onnx.numpy_helper.from_array(table, "table")],
    )
    path, library = tmp_path / "tied.onnx", tmp_path / "tied.so"
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10), path)
    onnxc.compile(str(path), str(library))
    assert library.stat().st_size < 1.02 * table.nbytes + 100_000
    ids = np.array([0, 17, -1, 3000, 1234], np.int64)
    rows, scores = onnxc.InferenceSession(str(library)).run(None, {"ids": ids})
    np.testing.assert_array_equal(rows, table[ids])
    np.testing.assert_allclose(scores, table[ids] @ table.T, rtol=1e-4, atol=1e-4)
