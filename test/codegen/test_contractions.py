"""kernel.matmul and kernel.conv against numpy, over random shapes: all tails, groups, strides, dilations, epilogues."""

import os
import random

import kernel_reference as reference
import numpy as np
import pytest
from kernel_harness import Kernel, memref, pack

SEED = int(os.environ.get("ONNXC_SEED", "1"))
COUNT = int(os.environ.get("ONNXC_TEST_COUNT", "12"))


def case_random(index):
    print(f"ONNXC_SEED={SEED} case {index}")
    return random.Random(f"{SEED}/{index}"), np.random.default_rng([SEED, index])


def normal(rng, *shape):
    return rng.standard_normal(shape, dtype=np.float32)


def open_dims(pick, shape, candidates):
    return tuple(i for i in candidates if pick.random() < 0.5)


class Epilogue:
    """A random epilogue over an output of `shape`: text, operand arrays and what numpy makes of it."""

    def __init__(self, pick, rng, shape, types_of_dims):
        rank = len(shape)
        names = ", ".join(f"d{i}" for i in range(rank))
        self.arrays, self.types, self.maps = [], [], []
        block, text = ["%acc: f32"], []
        value, self.steps = "%acc", []
        for kind in pick.sample(["bias", "residual", "scalar", "row"], pick.randint(0, 3)):
            number = len(self.arrays)
            if kind == "bias":
                array, dims = normal(rng, shape[-1]), [rank - 1]
            elif kind == "residual":
                array, dims = normal(rng, *shape), list(range(rank))
            elif kind == "scalar":
                array, dims = normal(rng, 1), [None]
            else:
                array, dims = normal(rng, *shape[:-1], 1), [*range(rank - 1), None]
            self.arrays.append(array)
            results = ", ".join("0" if d is None else f"d{d}" for d in dims)
            self.maps.append(f"affine_map<({names}) -> ({results})>")
            self.types.append(memref(array.shape, dynamic=[i for i, d in enumerate(dims) if d in types_of_dims]))
            block.append(f"%e{number}: f32")
            op = pick.choice(["addf", "mulf"])
            text.append(f"%v{number} = arith.{op} {value}, %e{number} : f32")
            value = f"%v{number}"
            self.steps.append((op, array))
        self.relu = pick.random() < 0.5
        if self.relu:
            text.append("%zero = arith.constant 0.0 : f32")
            text.append(f"%c = arith.cmpf ogt, {value}, %zero : f32")
            text.append(f"%r = arith.select %c, {value}, %zero : f32")
            value = "%r"
        lines = "\n".join(text)
        self.region = f"epilogue {{\n^bb0({', '.join(block)}):\n{lines}\nkernel.yield {value} : f32\n}}"

    def attributes(self):
        return f"epilogue_maps = [{', '.join(self.maps)}]"

    def operands(self, first):
        if not self.arrays:
            return ""
        names = ", ".join(f"%{first + i}" for i in range(len(self.arrays)))
        return f"with({names} : {', '.join(self.types)})"

    def apply(self, out):
        for op, array in self.steps:
            out = out + array if op == "addf" else out * array
        return np.maximum(out, 0) if self.relu else out


def check(kernel, pick, inputs, shape, expected, scale):
    """Runs all units in random parts; every element must be written, and nothing behind them."""
    guard = 64
    storage = np.full(int(np.prod(shape)) + guard, np.nan, np.float32)
    out = storage[: int(np.prod(shape))].reshape(shape)
    call = kernel.bind(*inputs, out)
    cuts = sorted(pick.randint(0, call.units) for _ in range(2))
    for begin, end in zip([0, *cuts], [*cuts, call.units], strict=True):
        call(begin, end)
    assert np.isnan(storage[out.size :]).all(), "wrote behind the output"
    if out.size:
        assert np.isfinite(out).all(), "left elements unwritten"
        assert np.abs(out - expected).max() <= 1e-5 * scale


def tile_attribute(pick):
    if pick.random() < 0.4:
        return ""
    rows, vectors = pick.choice([(14, 2), (7, 4), (6, 4), (9, 3), (1, 8), (3, 1), (24, 1)])
    return f", tile = #kernel.tile<rows = {rows}, vectors = {vectors}>"


@pytest.mark.parametrize("level", ["native", "x86-64-v3", "x86-64-v2"])
@pytest.mark.parametrize("index", range(COUNT))
def test_matmul(index, level, tmp_path):
    if level == "native" and not has_avx512():
        pytest.skip("no AVX-512 here")
    pick, rng = case_random(index)
    packed = pick.random() < 0.5
    batch = [pick.choice([1, 2, 3]) for _ in range(pick.randint(0, 2))]
    m, k, n = (
        pick.choice([0, 1, 2, 13, 29, 50, 130]),
        pick.choice([0, 1, 3, 16, 37, 1100]),
        pick.choice([1, 5, 16, 33, 70]),
    )
    lhs_batch, rhs_batch = list(batch), list(batch)
    if not packed and batch:
        if pick.random() < 0.5:
            rhs_batch = rhs_batch[pick.randint(0, len(batch)) :]
        elif pick.random() < 0.5:
            lhs_batch[0] = 1
    a, b = normal(rng, *lhs_batch, m, k), normal(rng, *([] if packed else rhs_batch), k, n)
    shape = (*batch, m, n)
    expected = a.astype(np.float64) @ b
    if list(expected.shape) != list(shape):
        expected = np.broadcast_to(expected, shape)
    rank = len(shape)
    open_batch = open_dims(pick, shape, range(rank - 2)) if lhs_batch == rhs_batch or packed else ()
    open_m, open_k, open_n = (pick.random() < 0.5 for _ in range(3))
    if packed:
        open_k = open_n = False
    out_open = [*open_batch] + ([rank - 2] if open_m else []) + ([rank - 1] if open_n else [])
    lhs_open = [*open_batch] + ([rank - 2] if open_m else []) + ([rank - 1] if open_k else [])
    weights = pack(b, 0) if packed else b
    rhs_open = [] if packed else [*open_batch] + ([b.ndim - 2] if open_k else []) + ([b.ndim - 1] if open_n else [])
    epilogue = Epilogue(pick, rng, shape, out_open)
    types = [memref(a.shape, dynamic=lhs_open), memref(weights.shape, dynamic=rhs_open), *epilogue.types]
    types.append(memref(shape, dynamic=out_open))
    body = f"""kernel.matmul ins(%0, %1 : {types[0]}, {types[1]}) {epilogue.operands(2)}
      outs(%{len(types) - 1} : {types[-1]})
      {{{"packed, " if packed else ""}{epilogue.attributes()}{tile_attribute(pick)}}}
      {epilogue.region}"""
    kernel = Kernel(body, types, level, tmp_path)
    check(kernel, pick, [a, weights, *epilogue.arrays], shape, epilogue.apply(expected), 1 + k)


@pytest.mark.parametrize("level", ["native", "x86-64-v3", "x86-64-v2"])
@pytest.mark.parametrize("index", range(COUNT))
def test_conv(index, level, tmp_path):
    if level == "native" and not has_avx512():
        pytest.skip("no AVX-512 here")
    pick, rng = case_random(index)
    packed = pick.random() < 0.7
    groups = pick.choice([1, 1, 2, 3])
    kh, kw = pick.choice([(1, 1), (1, 1), (3, 3), (2, 3), (1, 5), (7, 7)])
    ic, oc = pick.choice([1, 3, 8, 20, 130]), pick.choice([1, 8, 16, 24, 40])
    strides = [pick.choice([1, 1, 2, 3]), pick.choice([1, 1, 2])]
    dilations = [pick.choice([1, 1, 2]), pick.choice([1, 1, 2])]
    n = pick.choice([0, 1, 1, 2, 3])
    h = (kh - 1) * dilations[0] + pick.choice([1, 4, 7, 15])
    w = (kw - 1) * dilations[1] + pick.choice([1, 2, 7, 20, 33])
    x, filters = normal(rng, n, h, w, groups * ic), normal(rng, groups, kh, kw, ic, oc)
    expected = reference.conv(x, filters, strides, dilations)
    shape = expected.shape
    # Where an input dim is open its output dim is too.
    opened = open_dims(pick, shape, [0, 1, 2])
    epilogue = Epilogue(pick, rng, shape, opened)
    weights = pack(filters, 1) if packed else filters
    types = [memref(x.shape, dynamic=opened), memref(weights.shape), *epilogue.types, memref(shape, dynamic=opened)]
    body = f"""kernel.conv ins(%0, %1 : {types[0]}, {types[1]}) {epilogue.operands(2)}
      outs(%{len(types) - 1} : {types[-1]}) {{strides = array<i64: {strides[0]}, {strides[1]}>,
      dilations = array<i64: {dilations[0]}, {dilations[1]}>,
      {"packed, " if packed else ""}{epilogue.attributes()}{tile_attribute(pick)}}}
      {epilogue.region}"""
    kernel = Kernel(body, types, level, tmp_path)
    inputs = [x, weights, *epilogue.arrays]
    check(kernel, pick, inputs, shape, epilogue.apply(expected), 1 + kh * kw * ic)


def has_avx512():
    with open("/proc/cpuinfo") as info:
        return "avx512f" in info.read()
