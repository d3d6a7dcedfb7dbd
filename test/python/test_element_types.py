"""Operators on every element type that their schemas list."""

import itertools

import numpy as np
import onnxc
import pytest
from onnx import TensorProto, helper
from small_models import make_model

WIDTHS = {
    8: ["BOOL", "UINT8", "INT8", "FLOAT8E4M3FN", "FLOAT8E5M2", "FLOAT8E4M3FNUZ", "FLOAT8E5M2FNUZ", "FLOAT8E8M0"],
    16: ["UINT16", "INT16", "FLOAT16", "BFLOAT16"],
    32: ["UINT32", "INT32", "FLOAT"],
    64: ["UINT64", "INT64", "DOUBLE", "COMPLEX64"],
}


def test_bit_casts(compiled) -> None:
    """Between all types of one size: numpy's view is the reference, but that every byte is a bool."""
    nodes, inputs, outputs = [], [], []
    for names in WIDTHS.values():
        for name in names:
            inputs.append((name, TensorProto.DataType.Value(name), ["N"]))
        for source, target in itertools.product(names, names):
            kind = TensorProto.DataType.Value(target)
            nodes.append(helper.make_node("BitCast", [source], [f"{source}_{target}"], to=kind))
            outputs.append((f"{source}_{target}", kind, ["N"]))
    session = onnxc.InferenceSession(compiled(make_model(nodes, inputs, outputs, opset=26)))
    patterns = np.arange(256, dtype=np.uint8)
    feeds = {}
    for width, names in WIDTHS.items():
        for name in names:
            dtype = helper.tensor_dtype_to_np_dtype(TensorProto.DataType.Value(name))
            data = np.repeat(patterns, width // 8)
            feeds[name] = (data & 1).astype(bool) if name == "BOOL" else data.view(dtype)
    for (name, kind, _), result in zip(outputs, session.run(None, feeds), strict=True):
        dtype, source = helper.tensor_dtype_to_np_dtype(kind), feeds[name.split("_")[0]]
        assert result.dtype == dtype
        if dtype == np.bool_:
            np.testing.assert_array_equal(result, source.view(np.uint8) != 0)
        else:
            assert result.tobytes() == source.tobytes(), name


def test_a_bit_cast_keeps_the_size(compiled) -> None:
    node = helper.make_node("BitCast", ["x"], ["y"], to=TensorProto.INT32)
    model = make_model([node], [("x", TensorProto.DOUBLE, ["N"])], [("y", TensorProto.INT32, ["N"])], opset=26)
    with pytest.raises(onnxc.CompileError, match=r"BitCast.*(64|size|width)"):
        compiled(model)


def test_unsigned_gemm(compiled) -> None:
    """Integers, whole factors."""
    node = helper.make_node("Gemm", ["a", "b", "c"], ["y"], alpha=3.0, beta=2.0)
    kind = TensorProto.UINT32
    model = make_model([node], [("a", kind, ["N", 3]), ("b", kind, [3, 4]), ("c", kind, [4])], [("y", kind, ["N", 4])])
    generator = np.random.default_rng(1)
    a, b, c = (generator.integers(0, 1 << 16, shape, np.uint32) for shape in ((5, 3), (3, 4), (4,)))
    (y,) = onnxc.InferenceSession(compiled(model)).run(None, {"a": a, "b": b, "c": c})
    np.testing.assert_array_equal(y, 3 * (a @ b) + 2 * c)


def test_scales_of_another_type(compiled) -> None:
    """The result of RMSNormalization has the type of its scale."""
    node = helper.make_node("RMSNormalization", ["x", "scale"], ["y"])
    inputs = [("x", TensorProto.FLOAT16, ["N", 4]), ("scale", TensorProto.FLOAT, [4])]
    model = make_model([node], inputs, [("y", TensorProto.FLOAT, ["N", 4])], opset=23)
    x = np.array([[1, -2, 3, 0.5], [4, 0, -1, 2]], np.float16)
    scale = np.array([1, 2, 3, 4], np.float32)
    (y,) = onnxc.InferenceSession(compiled(model)).run(None, {"x": x, "scale": scale})
    wide = x.astype(np.float64)
    want = wide / np.sqrt((wide**2).mean(axis=1, keepdims=True) + 1e-5) * scale
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, want, rtol=2e-3)
