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
