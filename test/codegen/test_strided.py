"""Kernels on views whose channels are not neighbours, as slices with a step leave them."""

import kernel_reference as reference
import numpy as np
import pytest
from kernel_harness import Kernel, view_type
from test_contractions import has_avx512

EPILOGUE = """epilogue {
    ^bb0(%acc: f32, %x: f32):
      %y = arith.addf %acc, %x : f32
      kernel.yield %y : f32
    }"""
LEVELS = ["native", "x86-64-v3"]


def every_other(rng, *shape):
    """A view of every second element along the last dim."""
    return rng.standard_normal((*shape[:-1], 2 * shape[-1]), dtype=np.float32)[..., ::2]


def run(text, arrays, level, folder):
    if level == "native" and not has_avx512():
        pytest.skip("no AVX-512 here")
    types = [view_type(array) for array in arrays]
    for i, memref in enumerate(types):
        text = text.replace(f"T{i}", memref)
    behind = arrays[-1].base[..., 1::2].copy()
    Kernel(text, types, level, folder).bind(*arrays)()
    np.testing.assert_array_equal(arrays[-1].base[..., 1::2], behind, "wrote between the elements")
    return arrays[-1]


@pytest.mark.parametrize("level", LEVELS)
def test_matmul(level, tmp_path):
    rng = np.random.default_rng(1)
    a, b, bias, c = (every_other(rng, *shape) for shape in [(7, 5), (5, 21), (21,), (7, 21)])
    text = f"""kernel.matmul ins(%0, %1 : T0, T1) with(%2 : T2) outs(%3 : T3)
      {{epilogue_maps = [affine_map<(m, n) -> (n)>]}} {EPILOGUE}"""
    out = run(text, [a, b, bias, c], level, tmp_path)
    np.testing.assert_allclose(out, a.astype(np.float64) @ b + bias, atol=1e-4)


@pytest.mark.parametrize("level", LEVELS)
def test_conv(level, tmp_path):
    rng = np.random.default_rng(2)
    shapes = [(1, 6, 9, 3), (1, 3, 3, 3, 20), (20,), (1, 4, 7, 20)]
    x, w, bias, c = (every_other(rng, *shape) for shape in shapes)
    text = f"""kernel.conv ins(%0, %1 : T0, T1) with(%2 : T2) outs(%3 : T3)
      {{strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>,
       epilogue_maps = [affine_map<(n, h, w, c) -> (c)>]}} {EPILOGUE}"""
    out = run(text, [x, w, bias, c], level, tmp_path)
    np.testing.assert_allclose(out, reference.conv(x, w, (1, 1), (1, 1)) + bias, atol=1e-4)


@pytest.mark.parametrize("level", LEVELS)
def test_depthwise_conv(level, tmp_path):
    rng = np.random.default_rng(3)
    x, w, bias, c = (every_other(rng, *shape) for shape in [(1, 6, 9, 20), (3, 3, 20), (20,), (1, 6, 9, 20)])
    text = f"""kernel.depthwise_conv ins(%0, %1 : T0, T1) with(%2 : T2) outs(%3 : T3)
      {{strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1>,
       epilogue_maps = [affine_map<(n, h, w, c) -> (c)>]}} {EPILOGUE}"""
    out = run(text, [x, w, bias, c], level, tmp_path)
    seen = reference.windows(x.astype(np.float64), (3, 3), (1, 1), (1, 1), (1, 1), 6, 9, 0.0)
    np.testing.assert_allclose(out, (seen * w.reshape(9, 1, 1, 1, 20)).sum(axis=0) + bias, atol=1e-4)


@pytest.mark.parametrize("level", LEVELS)
def test_pool_and_pad(level, tmp_path):
    rng = np.random.default_rng(4)
    x, pooled, padded = (every_other(rng, *shape) for shape in [(1, 6, 9, 20), (1, 3, 4, 20), (1, 8, 12, 20)])
    text = """kernel.pool max ins(%0 : T0) outs(%1 : T1) {window = array<i64: 2, 2>, strides = array<i64: 2, 2>,
      dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>}"""
    seen = reference.windows(x, (2, 2), (2, 2), (1, 1), (0, 0), 3, 4, np.float32(-np.inf))
    np.testing.assert_array_equal(run(text, [x, pooled], level, tmp_path), seen.max(axis=0))
    text = "kernel.pad ins(%0 : T0) outs(%1 : T1) {pads = array<i64: 1, 2>}"
    expected = np.pad(x, [(0, 0), (1, 1), (2, 1), (0, 0)])
    np.testing.assert_array_equal(run(text, [x, padded], level, tmp_path), expected)
