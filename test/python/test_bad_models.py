"""Models that onnx-compile must refuse: status 1, one line that names the thing, nothing written, no crash."""

import os
import random
import subprocess
from pathlib import Path

import numpy as np
import onnx
import onnxc
import pytest
import small_models
from onnx import TensorProto, helper, numpy_helper
from onnxc import _compile, _errors
from small_models import FLOAT, make_model

ROW = [("x", FLOAT, ["N", 3])]
RESULT = [("y", FLOAT, ["N", 3])]


def compile_file(model: Path, *options: str) -> subprocess.CompletedProcess:
    command = [_compile.find_compiler(), str(model), "-o", str(model.parent / "out.so"), *options]
    return subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=120)


def refused(model: Path | bytes | onnx.ModelProto, tmp_path: Path, *options: str) -> str:
    """The one line."""
    if isinstance(model, onnx.ModelProto):
        model = model.SerializeToString()
    if isinstance(model, bytes):
        (tmp_path / "model.onnx").write_bytes(model)
        model = tmp_path / "model.onnx"
    before = sorted(os.listdir(model.parent)) if model.parent.exists() else []
    process = compile_file(model, *options)
    assert process.returncode == 1, f"status {process.returncode}: {process.stderr[-1000:]}"
    lines = process.stderr.splitlines()
    assert len(lines) == 1, process.stderr[-2000:]
    assert len(lines[0]) < 1000
    assert "internal error" not in lines[0], lines[0]
    assert (sorted(os.listdir(model.parent)) if model.parent.exists() else []) == before, "something was written"
    return lines[0]


def node(op_type: str, inputs=("x",), outputs=("y",), **attributes) -> onnx.NodeProto:
    return helper.make_node(op_type, list(inputs), list(outputs), name="culprit", **attributes)


# --- files ------------------------------------------------------------------------------------------------------------


def test_no_such_file(tmp_path: Path) -> None:
    assert "missing.onnx" in refused(tmp_path / "missing.onnx", tmp_path)


def test_a_folder(tmp_path: Path) -> None:
    (tmp_path / "folder.onnx").mkdir()
    assert "folder.onnx" in refused(tmp_path / "folder.onnx", tmp_path)


@pytest.mark.parametrize(
    "data",
    [b"", b"\0" * 100, b"this is no protobuf at all", os.urandom(1000), b"\x7fELF" + b"\0" * 100, b"\xff" * 64],
    ids=["empty", "zeros", "text", "random", "elf", "ones"],
)
def test_not_a_model(data: bytes, tmp_path: Path) -> None:
    assert "model.onnx" in refused(data, tmp_path)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.99])
def test_truncated(part: float, tmp_path: Path) -> None:
    data = small_models.convolution()[0].SerializeToString()
    assert "model.onnx" in refused(data[: int(len(data) * part)], tmp_path)


def test_no_graph(tmp_path: Path) -> None:
    model = onnx.ModelProto(ir_version=9, opset_import=[helper.make_opsetid("", 20)])
    assert "graph" in refused(model, tmp_path)


def test_mutations_never_crash_the_compiler(tmp_path: Path) -> None:
    seed = int(os.environ.get("ONNXC_SEED", "20260801"))
    print(f"seed {seed} (ONNXC_SEED)")
    generator = random.Random(seed)
    data = small_models.affine().SerializeToString()
    for index in range(60):
        mutated = bytearray(data)
        for _ in range(generator.randint(1, 4)):
            mutated[generator.randrange(len(data))] = generator.randrange(256)
        (tmp_path / "model.onnx").write_bytes(mutated)
        process = compile_file(tmp_path / "model.onnx")
        assert process.returncode in (0, 1), f"mutation {index} of seed {seed}: {process.returncode}: {process.stderr}"


# --- versions, operators, types ---------------------------------------------------------------------------------------


def test_unknown_operator(tmp_path: Path) -> None:
    message = refused(make_model([node("NoSuchOperator")], ROW, RESULT), tmp_path)
    assert "'culprit'" in message and "NoSuchOperator" in message and "20" in message


def test_unknown_domain(tmp_path: Path) -> None:
    model = make_model([node("Thing", domain="com.example")], ROW, RESULT)
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    message = refused(model, tmp_path)
    assert "'culprit'" in message and "com.example" in message and "Thing" in message


def test_every_unsupported_node_is_named(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("NoSuchOne", ["x"], ["a"], name="first"),
        helper.make_node("NoSuchTwo", ["a"], ["y"], name="second"),
    ]
    message = refused(make_model(nodes, ROW, RESULT), tmp_path)
    assert "first" in message and "second" in message


@pytest.mark.parametrize("opset", [0, 99, -1, 2**40])
def test_opset(opset: int, tmp_path: Path) -> None:
    assert str(opset) in refused(make_model([node("Relu")], ROW, RESULT, opset=opset), tmp_path)


def test_no_opset(tmp_path: Path) -> None:
    model = make_model([node("Relu")], ROW, RESULT)
    del model.opset_import[:]
    assert "opset" in refused(model, tmp_path)


@pytest.mark.parametrize("elem_type", [0, 8, 999])
def test_type_of_an_input(elem_type: int, tmp_path: Path) -> None:
    model = make_model([node("Relu")], ROW, RESULT)
    model.graph.input[0].type.tensor_type.elem_type = elem_type
    assert "x" in refused(model, tmp_path)


def test_input_without_a_type(tmp_path: Path) -> None:
    model = make_model([node("Relu")], ROW, RESULT)
    model.graph.input[0].ClearField("type")
    assert "x" in refused(model, tmp_path)


def test_type_that_an_operator_does_not_take(tmp_path: Path) -> None:
    model = make_model([node("Sqrt")], [("x", TensorProto.INT32, [3])], [("y", TensorProto.INT32, [3])])
    message = refused(model, tmp_path)
    assert "'culprit'" in message and "Sqrt" in message


# --- graphs -----------------------------------------------------------------------------------------------------------


def test_cycle(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Add", ["x", "b"], ["a"], name="culprit"),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Relu", ["b"], ["y"]),
    ]
    message = refused(make_model(nodes, ROW, RESULT), tmp_path)
    assert "culprit" in message and "cycle" in message


def test_undefined_value(tmp_path: Path) -> None:
    message = refused(make_model([node("Add", ["x", "nowhere"])], ROW, RESULT), tmp_path)
    assert "nowhere" in message


def test_output_that_nothing_makes(tmp_path: Path) -> None:
    message = refused(make_model([node("Relu")], ROW, [("nowhere", FLOAT, ["N", 3])]), tmp_path)
    assert "nowhere" in message


def test_value_made_twice(tmp_path: Path) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Abs", ["x"], ["y"])]
    assert "y" in refused(make_model(nodes, ROW, RESULT), tmp_path)


def test_too_few_inputs(tmp_path: Path) -> None:
    message = refused(make_model([node("Add", ["x"])], ROW, RESULT), tmp_path)
    assert "culprit" in message and "Add" in message


def test_missing_attribute(tmp_path: Path) -> None:
    message = refused(make_model([node("Concat", ["x", "x"])], ROW, [("y", FLOAT, ["A", "B"])]), tmp_path)
    assert "culprit" in message and "axis" in message


def test_attribute_of_the_wrong_type(tmp_path: Path) -> None:
    message = refused(make_model([node("Softmax", axis="last")], ROW, RESULT), tmp_path)
    assert "culprit" in message and "axis" in message


def test_unknown_attribute(tmp_path: Path) -> None:
    message = refused(make_model([node("Relu", slope=0.1)], ROW, RESULT), tmp_path)
    assert "culprit" in message and "slope" in message


def test_axis_out_of_range(tmp_path: Path) -> None:
    message = refused(make_model([node("Softmax", axis=7)], ROW, RESULT), tmp_path)
    assert "culprit" in message and "7" in message


def test_shapes_that_do_not_fit(tmp_path: Path) -> None:
    model = make_model(
        [node("MatMul", ["x", "w"])], ROW, [("y", FLOAT, ["A", "B"])], {"w": np.zeros((4, 5), np.float32)}
    )  # fmt: skip
    assert "culprit" in refused(model, tmp_path)


def test_rank_that_does_not_fit(tmp_path: Path) -> None:
    model = make_model([node("Conv", ["x", "w"])], ROW, [("y", FLOAT, ["A", "B"])], {"w": np.zeros((4, 3), np.float32)})
    assert "culprit" in refused(model, tmp_path)


def test_graphs_nested_too_deep(tmp_path: Path) -> None:
    # On the wire: the package onnx refuses to build this. Fields are those of onnx.proto.
    def field(number: int, data: bytes) -> bytes:
        length = len(data)
        size = b""
        while length >= 128:
            size += bytes([length % 128 + 128])
            length //= 128
        return bytes([number * 8 + 2]) + size + bytes([length]) + data

    graph = field(2, b"inner")
    for _ in range(5000):
        attribute = field(1, b"then_branch") + field(6, graph)
        graph = field(1, field(1, b"x") + field(2, b"y") + field(4, b"If") + field(5, attribute)) + field(2, b"inner")
    assert "model.onnx" in refused(bytes([8, 9]) + field(7, graph) + field(8, bytes([16, 20])), tmp_path)


def test_function_that_calls_itself(tmp_path: Path) -> None:
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("local", 1)]
    body = [helper.make_node("Endless", ["a"], ["b"], domain="local", name="culprit")]
    function = helper.make_function("local", "Endless", ["a"], ["b"], body, opsets)
    model = make_model([helper.make_node("Endless", ["x"], ["y"], domain="local")], ROW, RESULT)
    model.opset_import.append(opsets[1])
    model.functions.append(function)
    assert "Endless" in refused(model, tmp_path)


# --- tensors ----------------------------------------------------------------------------------------------------------


def add_tensor(tensor: TensorProto) -> onnx.ModelProto:
    model = make_model([node("Add", ["x", "w"])], ROW, [("y", FLOAT, ["A", "B"])])
    model.graph.initializer.append(tensor)
    return model


@pytest.mark.parametrize(
    "dims", [[2**40, 2**40], [2**62], [-1], [4], [2**31, 2**31, 2], [1] * 200 + [4]], ids=lambda dims: str(dims[:3])
)
def test_dims_of_a_tensor(dims: list[int], tmp_path: Path) -> None:
    tensor = TensorProto(name="w", data_type=FLOAT, dims=dims, raw_data=b"\0" * 12)
    assert "w" in refused(add_tensor(tensor), tmp_path)


def test_tensor_without_a_type(tmp_path: Path) -> None:
    assert "w" in refused(add_tensor(TensorProto(name="w", dims=[3], raw_data=b"\0" * 12)), tmp_path)


@pytest.mark.parametrize("dims", [[2**62, 2**62], [2**40, 2**40, 3]])
def test_dims_of_an_input(dims: list[int], tmp_path: Path) -> None:
    """A size beyond the address space."""
    model = make_model([node("Relu")], [("x", FLOAT, dims)], [("y", FLOAT, dims)])
    assert "x" in refused(model, tmp_path)


# --- external data ----------------------------------------------------------------------------------------------------


def external(location: str, **entries: str) -> onnx.ModelProto:
    tensor = TensorProto(name="w", data_type=FLOAT, dims=[3], data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=value)
    return add_tensor(tensor)


def test_missing_external_data(tmp_path: Path) -> None:
    assert "weights.bin" in refused(external("weights.bin"), tmp_path)


@pytest.mark.parametrize("location", ["../weights.bin", "/etc/hostname", "a/../../weights.bin", "", "."])
def test_external_data_outside_the_folder(location: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "weights.bin").write_bytes(b"\0" * 12)
    assert "w" in refused(external(location), folder)


def test_external_data_through_a_link(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "weights.bin").write_bytes(b"\0" * 12)
    (folder / "weights.bin").symlink_to(tmp_path / "weights.bin")
    assert "weights.bin" in refused(external("weights.bin"), folder)


@pytest.mark.parametrize(
    "entries",
    [{"offset": "8"}, {"offset": "-4"}, {"length": "400"}, {"length": "4"}, {"offset": "99999999999999999999"}],
    ids=str,
)
def test_external_data_out_of_range(entries: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(b"\0" * 12)
    assert "w" in refused(external("weights.bin", **entries), tmp_path)


# --- the command line -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--target", "nvptx"], "nvptx"),
        (["--mcpu=no-such-cpu"], "no-such-cpu"),
        (["--shape=q=1x3"], "q"),
        (["--shape=x=1x4"], "x"),
        (["--shape=x=1x2x3"], "x"),
        (["--shape=x=1xbanana"], "banana"),
        (["--shape=x"], "x"),
        (["--emit=nonsense"], "nonsense"),
        (["--no-such-option"], "no-such-option"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_options(options: list[str], named: str, tmp_path: Path) -> None:
    assert named in refused(small_models.affine(), tmp_path, *options)


def test_output_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(small_models.affine().SerializeToString())
    command = [_compile.find_compiler(), str(tmp_path / "model.onnx"), "-o", str(tmp_path / "no" / "such" / "out.so")]
    process = subprocess.run(command, capture_output=True, text=True)
    assert process.returncode == 1
    assert len(process.stderr.splitlines()) == 1
    assert "out.so" in process.stderr


# --- through InferenceSession -----------------------------------------------------------------------------------------


def test_classes_of_a_session(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(_errors.NoSuchFile, match=r"missing\.onnx"):
        onnxc.InferenceSession(tmp_path / "missing.onnx")
    with pytest.raises(_errors.InvalidProtobuf):
        onnxc.InferenceSession(b"this is no protobuf at all")
    model = make_model([node("NoSuchOperator")], ROW, RESULT)
    with pytest.raises((_errors.NotImplemented, _errors.InvalidGraph), match="NoSuchOperator"):
        onnxc.InferenceSession(model.SerializeToString())
    with pytest.raises(TypeError):
        onnxc.InferenceSession(3)
    assert not cache.exists() or os.listdir(cache) == []


def test_numpy_helper_agrees_about_a_tensor() -> None:
    """The tensors above are wrong only in what each test says."""
    tensor = TensorProto(name="w", data_type=FLOAT, dims=[3], raw_data=b"\0" * 12)
    np.testing.assert_array_equal(numpy_helper.to_array(tensor), np.zeros(3, np.float32))
