"""ArgMax, ArgMin and Hardmax against numpy: lines longer than vectors, along and across memory, ties and NaN."""

import numpy as np
import onnxc
import pytest
from onnx import TensorProto, helper
from small_models import make_model


def position(x, axis, operator, last):
    search = np.argmax if operator == "ArgMax" else np.argmin
    if not last:
        return np.expand_dims(search(x, axis), axis)
    return x.shape[axis] - 1 - np.expand_dims(search(np.flip(x, axis), axis), axis)


@pytest.mark.parametrize("kind", [np.float32, np.int32, np.uint8])
@pytest.mark.parametrize("dynamic", [False, True])
def test_extremes(compiled, kind, dynamic) -> None:
    shape = (5, 100, 75)
    number = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
    nodes, outputs, wanted = [], [], []
    random = np.random.default_rng(1)
    x = random.integers(0, 20, shape).astype(kind)  # many ties
    if kind is np.float32:
        x[0, 3], x[1, :, 5], x[2, 50:52, 70] = np.nan, np.nan, np.nan
        x[3], x[4, :, :40], x[4, 7] = -np.inf, np.inf, -np.inf
    for axis in (0, 1, -1):
        for operator in ("ArgMax", "ArgMin"):
            for last in (0, 1):
                name = f"{operator}{axis}{last}"
                nodes.append(helper.make_node(operator, ["x"], [name], axis=axis, select_last_index=last))
                outputs.append((name, TensorProto.INT64, [None] * 3))
                wanted.append(position(x, axis, operator, last))
        if kind is np.float32:
            nodes.append(helper.make_node("Hardmax", ["x"], [f"Hardmax{axis}"], axis=axis))
            outputs.append((f"Hardmax{axis}", number, [None] * 3))
            want = np.zeros_like(x)
            np.put_along_axis(want, position(x, axis, "ArgMax", False), 1, axis)
            wanted.append(want)
    inputs = [("x", number, ["A", "B", "C"] if dynamic else shape)]
    results = onnxc.InferenceSession(compiled(make_model(nodes, inputs, outputs))).run(None, {"x": x})
    for (name, *_), ours, want in zip(outputs, results, wanted, strict=True):
        np.testing.assert_array_equal(ours, want, err_msg=name)
