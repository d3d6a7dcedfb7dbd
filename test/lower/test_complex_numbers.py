"""Operators that are linear in complex numbers, against ONNX Runtime on each part; and the order that Unique gives."""

import numpy as np
import onnx
import onnxc
import onnxruntime
import pytest
from onnx import TensorProto as T
from onnx import helper, numpy_helper


def model_of(nodes, inputs, outputs, constants=()) -> onnx.ModelProto:
    values = [[helper.make_tensor_value_info(*value) for value in side] for side in (inputs, outputs)]
    tensors = [numpy_helper.from_array(array, name) for name, array in constants]
    graph = helper.make_graph(nodes, "complex", *values, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


def numbers(kind: type, *shape: int) -> np.ndarray:
    generator = np.random.default_rng(5)
    return (generator.normal(size=shape) + 1j * generator.normal(size=shape)).astype(kind)


@pytest.mark.parametrize("kind", [np.complex64, np.complex128])
def test_interpolated_and_summed(kind, compiled) -> None:
    """What is outside of the picture is a real number."""
    window = np.array([0, 0, 0.1, 0.2, 1, 1, 0.8, 1.3], np.float32)
    constants = [
        ("scales", np.array([1, 1, 1.7, 0.6], np.float32)),
        ("sizes", np.array([1, 2, 4, 5])),
        ("window", window),
        ("image", np.array([4, 3])),
        ("block", np.array([2, 2])),
        ("grid", np.random.default_rng(6).uniform(-1.3, 1.3, (1, 3, 2, 2)).astype(np.float32)),
    ]
    cropped = {"coordinate_transformation_mode": "tf_crop_and_resize", "extrapolation_value": 7.0}
    nodes = [
        helper.make_node("Resize", ["x", "", "scales"], ["linear"], mode="linear"),
        helper.make_node("Resize", ["x", "", "scales"], ["cubic"], mode="cubic", antialias=1),
        helper.make_node("Resize", ["x", "window", "", "sizes"], ["cropped"], mode="linear", **cropped),
        helper.make_node("GridSample", ["x", "grid"], ["sampled"], mode="linear"),
        helper.make_node("GridSample", ["x", "grid"], ["nearest"], mode="nearest"),
        helper.make_node("Col2Im", ["columns", "image", "block"], ["summed"]),
    ]
    names = [node.output[0] for node in nodes]
    x, columns = numbers(kind, 1, 2, 5, 6), numbers(kind, 1, 8, 6)
    element = helper.np_dtype_to_tensor_dtype(x.dtype)

    def typed(element: int) -> onnx.ModelProto:
        inputs = [("x", element, [1, 2, "h", "w"]), ("columns", element, [1, 8, "n"])]
        return model_of(nodes, inputs, [(name, element, [None] * 4) for name in names], constants)

    results = onnxc.InferenceSession(compiled(typed(element))).run(None, {"x": x, "columns": columns})
    reference = onnxruntime.InferenceSession(typed(T.FLOAT).SerializeToString(), providers=["CPUExecutionProvider"])
    parts = [
        reference.run(None, {"x": part(x).astype(np.float32), "columns": part(columns).astype(np.float32)})
        for part in (np.real, np.imag)
    ]
    for name, result, real, imaginary in zip(names, results, *parts, strict=True):
        if name == "cropped":
            imaginary = np.where(real == 7, 0, imaginary)
        assert result.dtype == kind
        np.testing.assert_allclose(result, real + 1j * imaginary, 1e-5, 1e-5, err_msg=name)


def test_unique(compiled) -> None:
    """By the real part, then the imaginary one, as numpy sorts."""
    x = np.array([1 + 2j, 1 - 2j, -1 + 9j, 1 + 2j, 0, -1 + 9j, -0.0], np.complex64)
    node = helper.make_node("Unique", ["x"], ["y", "first", "group", "count"])
    kinds = [T.COMPLEX64, T.INT64, T.INT64, T.INT64]
    outputs = [(name, kind, [None]) for name, kind in zip(node.output, kinds, strict=True)]
    model = model_of([node], [("x", T.COMPLEX64, ["n"])], outputs)
    wanted = np.unique(x, return_index=True, return_inverse=True, return_counts=True)
    for result, want in zip(onnxc.InferenceSession(compiled(model)).run(None, {"x": x}), wanted, strict=True):
        np.testing.assert_array_equal(result, want)
