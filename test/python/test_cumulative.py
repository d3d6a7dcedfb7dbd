"""CumSum and CumProd along each axis, forwards and backwards, against numpy."""

import itertools

import numpy as np
import onnxc
import pytest
from onnx import TensorProto, helper
from small_models import make_model


def cumulative(x, axis, operator, exclusive, reverse):
    if reverse:
        x = np.flip(x, axis)
    result = (np.cumsum if operator == "CumSum" else np.cumprod)(x, axis, dtype=x.dtype)
    if exclusive:
        neutral = np.full_like(np.take(x, [0], axis), operator == "CumProd")
        result = np.concatenate([neutral, np.delete(result, -1, axis)], axis)
    return np.flip(result, axis) if reverse else result


@pytest.mark.parametrize("shape", [(300,), (70, 90), (5, 33, 4), (3, 4, 5, 20)])
@pytest.mark.parametrize("dynamic", [False, True])
def test_cumulative(compiled, shape, dynamic) -> None:
    """Where dims are dynamic the axes are, too."""
    nodes, outputs, wanted = [], [], []
    x = np.random.default_rng(1).integers(-3, 4, shape).astype(np.int32)
    for axis, operator, exclusive, reverse in itertools.product(
        range(-1, len(shape) - 1), ("CumSum", "CumProd"), (0, 1), (0, 1)
    ):
        name = f"y{len(nodes)}"
        nodes.append(helper.make_node(operator, ["x", f"a{axis}"], [name], exclusive=exclusive, reverse=reverse))
        outputs.append((name, TensorProto.INT32, [None] * len(shape)))
        wanted.append(cumulative(x, axis, operator, exclusive, reverse))
    dims = list("NCHW"[: len(shape)]) if dynamic else shape
    axes = {f"a{axis}": np.array(axis) for axis in range(-1, len(shape) - 1)}
    inputs, feeds = [("x", TensorProto.INT32, dims)], {"x": x}
    if dynamic:
        inputs += [(name, TensorProto.INT64, []) for name in axes]
        feeds |= axes
    model = make_model(nodes, inputs, outputs, {} if dynamic else axes, opset=26)
    for node, ours, want in zip(nodes, onnxc.InferenceSession(compiled(model)).run(None, feeds), wanted, strict=True):
        np.testing.assert_array_equal(ours, want, err_msg=str(node))
