"""kernel.winograd_input and kernel.winograd_conv against numpy's direct convolution, over random shapes."""

import kernel_reference as reference
import numpy as np
import pytest
from kernel_harness import Kernel, memref, pack
from test_contractions import COUNT, Epilogue, case_random, check, has_avx512, normal, open_dims, tile_attribute

G = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
GAP = 16


def transform(x, shape, pads, first, opened, level, folder):
    """The patches from row `first` on, of the given shape."""
    patches = np.full(shape, np.nan, np.float32)
    types = [memref(x.shape, dynamic=opened), memref(shape, dynamic=opened)]
    body = f"""%first = arith.constant {first} : index
      kernel.winograd_input from(%first) ins(%0 : {types[0]}) outs(%1 : {types[1]})
      {{pads = array<i64: {pads[0]}, {pads[1]}>}}"""
    Kernel(body, types, level, folder).bind(x, patches)()
    assert np.isfinite(patches[..., :-GAP]).all(), "left elements unwritten"
    assert np.isnan(patches[..., -GAP:]).all(), "wrote into the gap"
    return patches


@pytest.mark.parametrize("level", ["native", "x86-64-v3", "x86-64-v2"])
@pytest.mark.parametrize("index", range(COUNT))
def test_winograd(index, level, tmp_path):
    if level == "native" and not has_avx512():
        pytest.skip("no AVX-512 here")
    pick, rng = case_random(index)
    ic, oc = pick.choice([1, 7, 16, 20, 32]), pick.choice([1, 8, 16, 24, 40])
    n = pick.choice([0, 1, 1, 2, 3])
    pads = [pick.choice([0, 1, 2]), pick.choice([0, 1])]
    after = [pick.choice([0, 1]), pick.choice([0, 1, 2])]
    h, w = (max(3 - pad - end, 1) + pick.choice([0, 1, 4, 7, 14]) for pad, end in zip(pads, after, strict=True))
    x, filters = normal(rng, n, h, w, ic), normal(rng, 1, 3, 3, ic, oc)
    padded = np.pad(x, [(0, 0), (pads[0], after[0]), (pads[1], after[1]), (0, 0)])
    expected = reference.conv(padded, filters, [1, 1], [1, 1])
    shape = expected.shape
    opened = open_dims(pick, shape, [0, 1, 2])

    # A row more than the output needs: the last band may have some.
    patch_shape = (n, -(-shape[1] // 2) + pick.choice([0, 0, 1]), -(-shape[2] // 2), 16 * ic + GAP)
    patches = transform(x, patch_shape, pads, 0, opened, level, tmp_path)
    if patch_shape[1] > 1:  # a band
        band = transform(x, (n, 1, *patch_shape[2:]), pads, patch_shape[1] - 1, opened, level, tmp_path)
        np.testing.assert_array_equal(band, patches[:, -1:])

    transformed = np.einsum("ay,yxio,bx->abio", G, filters[0].astype(np.float64), G).reshape(16, ic, oc)
    weights = pack(transformed.astype(np.float32), 0)
    epilogue = Epilogue(pick, rng, shape, opened)
    types = [memref(patch_shape, dynamic=opened), memref(weights.shape), *epilogue.types, memref(shape, dynamic=opened)]
    body = f"""kernel.winograd_conv ins(%0, %1 : {types[0]}, {types[1]}) {epilogue.operands(2)}
      outs(%{len(types) - 1} : {types[-1]}) {{{epilogue.attributes()}{tile_attribute(pick)}}}
      {epilogue.region}"""
    kernel = Kernel(body, types, level, tmp_path)
    check(kernel, pick, [patches, weights, *epilogue.arrays], shape, epilogue.apply(expected), 1 + 9 * ic)
