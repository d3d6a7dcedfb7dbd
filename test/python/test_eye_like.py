"""EyeLike against numpy: any diagonal, inside the matrix or not."""

import itertools

import numpy as np
import onnxc
import pytest
from onnx import TensorProto, helper
from small_models import make_model

CASES = tuple(itertools.product((0, 1, -1, 4, -4, 6, -5, 7, -7, 2**63 - 1, -(2**63)), (np.float32, np.int8)))


@pytest.mark.parametrize("dynamic", [False, True])
def test_diagonals(compiled, dynamic) -> None:
    nodes, outputs = [], []
    for i, (k, kind) in enumerate(CASES):
        element = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
        nodes.append(helper.make_node("EyeLike", ["x"], [f"y{i}"], k=k, dtype=element))
        outputs.append((f"y{i}", element, [None, None]))
    for shape in ((5, 7), (7, 5), (0, 3)):
        inputs = [("x", TensorProto.FLOAT, ["A", "B"] if dynamic else shape)]
        session = onnxc.InferenceSession(compiled(make_model(nodes, inputs, outputs)))
        results = session.run(None, {"x": np.zeros(shape, np.float32)})
        for (k, kind), ours in zip(CASES, results, strict=True):
            want = np.eye(*shape, max(-9, min(9, k)), dtype=kind)
            assert ours.dtype == want.dtype
            np.testing.assert_array_equal(ours, want, err_msg=f"{shape} {k}")
