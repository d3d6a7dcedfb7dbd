"""MatMul, Gemm and Einsum of doubles and of integers against numpy: all remainders of rows and columns, batches."""

import numpy as np
import onnxc
import pytest
from onnx import helper
from small_models import make_model

SHAPES = (
    ((4, 9), (9, 8)),
    ((5, 3), (3, 70)),
    ((13, 40), (40, 9)),
    ((7, 1), (1, 33)),
    ((1, 5), (5, 40)),
    ((3, 6, 17), (17, 20)),
    ((2, 3, 6, 17), (3, 17, 21)),
    ((4, 0), (0, 9)),
)


@pytest.mark.parametrize("kind", [np.float64, np.int32, np.int64])
@pytest.mark.parametrize("dynamic", [False, True])
def test_products(compiled, kind, dynamic) -> None:
    random = np.random.default_rng(1)
    element = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
    nodes, inputs, outputs, feeds, wanted = [], [], [], {}, []
    for number, shapes in enumerate(SHAPES):
        pair = [f"a{number}", f"b{number}"]
        for name, shape in zip(pair, shapes, strict=True):
            values = random.normal(size=shape) if kind is np.float64 else random.integers(-(2**20), 2**20, shape)
            feeds[name] = values.astype(kind)
            inputs.append((name, element, [f"{name}_{d}" for d in range(len(shape))] if dynamic else shape))
        wanted.append(feeds[pair[0]] @ feeds[pair[1]])
        nodes.append(helper.make_node("MatMul", pair, [f"y{number}"]))
        outputs.append((f"y{number}", element, [None] * wanted[-1].ndim))
        if len(shapes[0]) == 2:
            wanted.append(np.einsum("ik,kj->ij", feeds[pair[0]], feeds[pair[1]]))
            nodes.append(helper.make_node("Einsum", pair, [f"z{number}"], equation="ik,kj->ij"))
            outputs.append((f"z{number}", element, [None] * 2))
    results = onnxc.InferenceSession(compiled(make_model(nodes, inputs, outputs))).run(None, feeds)
    for (name, *_), ours, want in zip(outputs, results, wanted, strict=True):
        assert ours.shape == want.shape and ours.dtype == want.dtype, name
        np.testing.assert_allclose(ours, want, 1e-12, 1e-12, err_msg=name)
