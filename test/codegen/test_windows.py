"""kernel.depthwise_conv, kernel.pool and kernel.pad against numpy, over random shapes and types."""

import kernel_reference as reference
import numpy as np
import pytest
from kernel_harness import DTYPES, Kernel, memref
from test_contractions import COUNT, Epilogue, case_random, check, has_avx512, normal, open_dims

LEVELS = ["native", "x86-64-v3", "x86-64-v2"]


def random_window(pick):
    """Window, strides, dilations, pads before, input and output sizes."""
    dims = []
    for _ in range(2):
        taps, stride, dilation = pick.choice([1, 2, 3, 3, 5, 11]), pick.choice([1, 1, 2, 3]), pick.choice([1, 1, 2])
        pad = pick.choice([0, 1, 2, taps * dilation])
        size = pick.choice([1, 2, 5, 14, 23, 40])
        after = pick.choice([0, pad, 1])
        outputs = max(0, (size + pad + after - (taps - 1) * dilation - 1) // stride + 1)
        dims.append((taps, stride, dilation, pad, size, outputs, after))
    return list(zip(*dims, strict=True))


def attributes(**arrays):
    return ", ".join(f"{name} = array<i64: {', '.join(map(str, values))}>" for name, values in arrays.items())


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("index", range(COUNT))
def test_depthwise_conv(index, level, tmp_path):
    if level == "native" and not has_avx512():
        pytest.skip("no AVX-512 here")
    pick, rng = case_random(index)
    taps, strides, dilations, pads, sizes, outputs, _ = random_window(pick)
    n, c = pick.choice([0, 1, 2]), pick.choice([1, 3, 16, 24, 40])
    x, filters = normal(rng, n, *sizes, c), normal(rng, *taps, c)
    seen = reference.windows(x.astype(np.float64), taps, strides, dilations, pads, *outputs, 0.0)
    expected = (seen * filters.reshape(-1, 1, 1, 1, c)).sum(axis=0)
    shape = expected.shape
    opened = open_dims(pick, shape, [0, 1, 2])
    epilogue = Epilogue(pick, rng, shape, opened)
    types = [memref(x.shape, dynamic=opened), memref(filters.shape), *epilogue.types, memref(shape, dynamic=opened)]
    body = f"""kernel.depthwise_conv ins(%0, %1 : {types[0]}, {types[1]}) {epilogue.operands(2)}
      outs(%{len(types) - 1} : {types[-1]})
      {{{attributes(strides=strides, dilations=dilations, pads=pads)}, {epilogue.attributes()}}}
      {epilogue.region}"""
    kernel = Kernel(body, types, level, tmp_path)
    check(kernel, pick, [x, filters, *epilogue.arrays], shape, epilogue.apply(expected), 1 + taps[0] * taps[1])


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("index", range(COUNT))
def test_pool(index, level, tmp_path):
    if level == "native" and not has_avx512():
        pytest.skip("no AVX-512 here")
    pick, rng = case_random(index)
    kind = pick.choice(["max", "average", "average_with_pad", "sum"])
    element = pick.choice(["f32", "f32", "f64", "i8", "ui8", "f16"] if kind == "max" else ["f32", "f32", "f64"])
    if element == "f16" and level != "native":
        element = "f32"  # the harness links no half conversions
    dtype = DTYPES[element]
    taps, strides, dilations, pads, sizes, outputs, after = random_window(pick)
    n, c = pick.choice([0, 1, 2]), pick.choice([1, 3, 16, 24, 70])
    if dtype in (np.int8, np.uint8):
        x = rng.integers(0, 255, (n, *sizes, c)).astype(dtype)
        lowest = np.iinfo(dtype).min
    else:
        x = rng.standard_normal((n, *sizes, c)).astype(dtype)
        lowest = -np.inf if kind == "max" else 0
        if kind == "max" and x.size:
            x.reshape(-1)[rng.integers(0, x.size)] = np.nan
    seen = reference.windows(x, taps, strides, dilations, pads, *outputs, dtype(lowest))
    expected = seen.max(axis=0) if kind == "max" else seen.sum(axis=0)
    ones = np.ones((1, *sizes, 1))
    if kind == "average":
        inside = reference.windows(ones, taps, strides, dilations, pads, *outputs, 0.0).sum(axis=0)
        expected = expected / np.maximum(inside, 1)
    elif kind == "average_with_pad":
        whole = np.ones((1, sizes[0] + pads[0] + after[0], sizes[1] + pads[1] + after[1], 1))
        inside = reference.windows(whole, taps, strides, dilations, (0, 0), *outputs, 0.0).sum(axis=0)
        expected = expected / np.maximum(inside, 1)
    shape = expected.shape
    opened = open_dims(pick, shape, [0, 1, 2])
    signless = element.lstrip("u")
    types = [memref(x.shape, signless, opened), memref(shape, signless, opened)]
    unsigned = ", is_unsigned" if element.startswith("u") else ""
    body = f"""kernel.pool {kind} ins(%0 : {types[0]}) outs(%1 : {types[1]})
      {{{attributes(window=taps, strides=strides, dilations=dilations, pads=[*pads, *after])}{unsigned}}}"""
    out = np.full(shape, 77, dtype)
    Kernel(body, types, level, tmp_path).bind(x, out)()
    if kind == "max":
        np.testing.assert_array_equal(out, expected)
    else:
        np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("index", range(COUNT))
def test_pad(index, tmp_path):
    pick, rng = case_random(index)
    level = pick.choice(LEVELS if has_avx512() else LEVELS[1:])
    element = pick.choice(["f32", "f16", "i8", "f64"])
    shape = (pick.choice([0, 1, 2]), pick.choice([0, 1, 5]), pick.choice([0, 1, 9]), pick.choice([1, 3, 16, 20]))
    before, after = [pick.randint(0, 3) for _ in range(2)], [pick.randint(0, 3) for _ in range(2)]
    x = rng.integers(-100, 100, shape).astype(DTYPES[element])
    expected = np.pad(x, [(0, 0), (before[0], after[0]), (before[1], after[1]), (0, 0)])
    opened = open_dims(pick, shape, [0, 1, 2])
    types = [memref(shape, element, opened), memref(expected.shape, element, opened)]
    body = f"kernel.pad ins(%0 : {types[0]}) outs(%1 : {types[1]}) {{{attributes(pads=before)}}}"
    out = np.full(expected.shape, 77, DTYPES[element])
    Kernel(body, types, level, tmp_path).bind(x, out)()
    np.testing.assert_array_equal(out, expected)
