"""Integer matmul, conv and depthwise_conv kernels are exact: against numpy in 64 bits, over random shapes."""

import os
import random

import kernel_reference as reference
import numpy as np
import pytest
from kernel_harness import Kernel, memref, pack, pair

SEED = int(os.environ.get("ONNXC_SEED", "1"))
COUNT = int(os.environ.get("ONNXC_TEST_COUNT", "3"))
TYPES = {"i8": np.int8, "i16": np.int16}
# Each level with and without pmaddwd.
VARIANTS = [("x86-64-v4", True), ("x86-64-v3", True), ("x86-64-v3", False), ("x86-64-v2", True)]

pytestmark = pytest.mark.parametrize(("level", "pairs"), VARIANTS)


@pytest.fixture(autouse=True)
def needs_avx512(level):
    with open("/proc/cpuinfo") as info:
        if level == "x86-64-v4" and "avx512bw" not in info.read():
            pytest.skip("no AVX-512 here")


def case_random(index):
    print(f"ONNXC_SEED={SEED} case {index}")
    return random.Random(f"{SEED}/{index}"), np.random.default_rng([SEED, index])


def numbers(pick, rng, element, shape):
    """Values as lowering makes them: 8 bits, or what 8 bits less a zero point are; often only the extremes."""
    low, high = (-128, 127) if element == "i8" else (-255, 255)
    if pick.random() < 0.5:
        return rng.choice(np.array([low, high], TYPES[element]), shape)
    return rng.integers(low, high, shape, TYPES[element], endpoint=True)


class Requantize:
    """Stores the sum itself, or a saturated, scaled one as i8."""

    def __init__(self, pick, rng, shape, open_dims):
        self.stored = pick.choice(["i32", "i8"])
        self.scale = rng.uniform(1e-4, 1e-2, shape[-1:]).astype(np.float32)
        self.operands, self.maps, self.inputs, self.types = "", "", [], []
        self.region = "epilogue {\n^bb0(%acc: i32):\nkernel.yield %acc : i32\n}"
        if self.stored == "i8":
            dims = ", ".join(f"d{i}" for i in range(len(shape)))
            opened = [0] if len(shape) - 1 in open_dims else []
            self.types = [memref(self.scale.shape, dynamic=opened)]
            self.operands, self.inputs = f"with(%2 : {self.types[0]})", [self.scale]
            self.maps = f"affine_map<({dims}) -> (d{len(shape) - 1})>"
            self.region = """epilogue {
            ^bb0(%acc: i32, %scale: f32):
              %low = arith.constant -128.0 : f32
              %high = arith.constant 127.0 : f32
              %v0 = arith.sitofp %acc : i32 to f32
              %v1 = arith.mulf %v0, %scale : f32
              %v2 = math.roundeven %v1 : f32
              %v3 = arith.maximumf %v2, %low : f32
              %v4 = arith.minimumf %v3, %high : f32
              %v5 = arith.fptosi %v4 : f32 to i32
              %v6 = arith.trunci %v5 : i32 to i8
              kernel.yield %v6 : i8
            }"""

    def apply(self, sums):
        if self.stored == "i32":
            return sums.astype(np.int32)
        scaled = sums.astype(np.float32) * self.scale
        return np.clip(np.rint(scaled), -128, 127).astype(np.int8)


def check(kernel, pick, inputs, expected):
    """Runs all units in random parts; nothing may be written behind the output."""
    guard = 64
    storage = np.full(expected.size + guard, 99, expected.dtype)
    out = storage[: expected.size].reshape(expected.shape)
    call = kernel.bind(*inputs, out)
    cuts = sorted(pick.randint(0, call.units) for _ in range(2))
    for begin, end in zip([0, *cuts], [*cuts, call.units], strict=True):
        call(begin, end)
    assert (storage[expected.size :] == 99).all(), "wrote behind the output"
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("index", range(COUNT))
def test_matmul(index, level, pairs, tmp_path):
    pick, rng = case_random(index)
    left, right, packed = pick.choice(["i8", "i16"]), pick.choice(["i8", "i16"]), pick.random() < 0.7
    m, k, n = pick.choice([0, 1, 13, 29]), pick.choice([0, 1, 2, 3, 16, 37]), pick.choice([1, 5, 16, 33, 70])
    a, b = numbers(pick, rng, left, (m, k)), numbers(pick, rng, right, (k, n))
    open_m, open_k, open_n = pick.random() < 0.5, not packed and pick.random() < 0.5, not packed and pick.random() < 0.5
    out_open = ([0] if open_m else []) + ([1] if open_n else [])
    epilogue = Requantize(pick, rng, (m, n), out_open)
    weights = pack(b, 0) if packed else b
    paired = packed and k % 2 == 0 and pick.random() < 0.7
    weights = pair(weights) if paired else weights
    rhs_open = ([0] if open_k else []) + ([1] if open_n else [])
    types = [
        memref(a.shape, left, ([0] if open_m else []) + ([1] if open_k else [])),
        memref(weights.shape, right, rhs_open),
        *epilogue.types,
        memref((m, n), epilogue.stored, out_open),
    ]
    body = f"""kernel.matmul ins(%0, %1 : {types[0]}, {types[1]}) {epilogue.operands}
      outs(%{len(types) - 1} : {types[-1]})
      {{{"packed, " if packed else ""}{"paired, " if paired else ""}
      epilogue_maps = [{epilogue.maps}]}} {epilogue.region}"""
    kernel = Kernel(body, types, level, tmp_path, pairs=pairs)
    check(kernel, pick, [a, weights, *epilogue.inputs], epilogue.apply(a.astype(np.int64) @ b.astype(np.int64)))


@pytest.mark.parametrize("index", range(COUNT))
def test_conv(index, level, pairs, tmp_path):
    pick, rng = case_random(index)
    left, right, packed = pick.choice(["i8", "i16"]), pick.choice(["i8", "i16"]), pick.random() < 0.7
    groups = pick.choice([1, 1, 2])
    kh, kw = pick.choice([(1, 1), (3, 3), (2, 3), (7, 7)])
    ic, oc = pick.choice([1, 3, 8, 20]), pick.choice([1, 8, 16, 40])
    strides, dilations = [pick.choice([1, 2]), pick.choice([1, 2])], [pick.choice([1, 2]), pick.choice([1, 1, 2])]
    h, w = (kh - 1) * dilations[0] + pick.choice([1, 4, 7]), (kw - 1) * dilations[1] + pick.choice([1, 2, 7, 20])
    x = numbers(pick, rng, left, (pick.choice([1, 2]), h, w, groups * ic))
    filters = numbers(pick, rng, right, (groups, kh, kw, ic, oc))
    sums = reference.conv(x.astype(np.float64), filters.astype(np.float64), strides, dilations)
    opened = [dim for dim in (0, 1, 2) if pick.random() < 0.5]
    epilogue = Requantize(pick, rng, sums.shape, opened)
    weights = pack(filters, 1) if packed else filters
    paired = packed and ic % 2 == 0 and pick.random() < 0.7
    weights = pair(weights) if paired else weights
    types = [
        memref(x.shape, left, opened),
        memref(weights.shape, right),
        *epilogue.types,
        memref(sums.shape, epilogue.stored, opened),
    ]
    body = f"""kernel.conv ins(%0, %1 : {types[0]}, {types[1]}) {epilogue.operands}
      outs(%{len(types) - 1} : {types[-1]}) {{strides = array<i64: {strides[0]}, {strides[1]}>,
      dilations = array<i64: {dilations[0]}, {dilations[1]}>,
      {"packed, " if packed else ""}{"paired, " if paired else ""}
      epilogue_maps = [{epilogue.maps}]}} {epilogue.region}"""
    kernel = Kernel(body, types, level, tmp_path, pairs=pairs)
    check(kernel, pick, [x, weights, *epilogue.inputs], epilogue.apply(sums))


@pytest.mark.parametrize("index", range(COUNT))
def test_depthwise_conv(index, level, pairs, tmp_path):
    pick, rng = case_random(index)
    channels, stride = pick.choice([3, 8, 24]), pick.choice([1, 2])
    x = numbers(pick, rng, "i16", (2, 9, pick.choice([7, 20]), channels))
    filters = numbers(pick, rng, pick.choice(["i8", "i16"]), (3, 3, channels))
    element = "i8" if filters.dtype == np.int8 else "i16"
    padded = np.pad(x.astype(np.float64), [(0, 0), (1, 1), (1, 1), (0, 0)])
    one = [
        reference.conv(padded[..., c : c + 1], filters[None, :, :, c : c + 1, None], [stride] * 2, [1, 1])
        for c in range(channels)
    ]
    sums = np.concatenate(one, axis=-1)
    epilogue = Requantize(pick, rng, sums.shape, [])
    types = [memref(x.shape, "i16"), memref(filters.shape, element), *epilogue.types]
    types.append(memref(sums.shape, epilogue.stored))
    body = f"""kernel.depthwise_conv ins(%0, %1 : {types[0]}, {types[1]}) {epilogue.operands}
      outs(%{len(types) - 1} : {types[-1]}) {{strides = array<i64: {stride}, {stride}>,
      dilations = array<i64: 1, 1>, pads = array<i64: 1, 1>, epilogue_maps = [{epilogue.maps}]}} {epilogue.region}"""
    kernel = Kernel(body, types, level, tmp_path, pairs=pairs)
    check(kernel, pick, [x, filters, *epilogue.inputs], epilogue.apply(sums))
