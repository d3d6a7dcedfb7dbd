"""Functions on tensors against numpy: bufferization, memory planning, kernels and their lowering together."""

import os

import numpy as np
import pytest
from model_harness import Model

SEED = int(os.environ.get("ONNXC_SEED", "1"))
MLIR_TYPES = {
    "f32": np.float32, "f64": np.float64, "f16": np.float16, "i8": np.int8, "i32": np.int32, "i64": np.int64,
    "i1": np.bool_,
}  # fmt: skip


@pytest.fixture(autouse=True)
def seed():
    print("ONNXC_SEED =", SEED)
    return np.random.default_rng(SEED)


def noise(rng, shape, dtype=np.float32):
    if dtype == np.bool_:
        return rng.random(shape) < 0.5
    if np.issubdtype(dtype, np.integer):
        return rng.integers(-100, 100, shape).astype(dtype)
    return rng.standard_normal(shape).astype(dtype)


def tensor(rank, element="f32"):
    return "tensor<" + "?x" * rank + element + ">"


def dims(rank):
    return ", ".join(f"d{i}" for i in range(rank))


def sizes(name, rank, source, element="f32"):
    """Reads all dims of `source` into %name0, %name1, ..."""
    lines = []
    for i in range(rank):
        lines.append(f"%{name}c{i} = arith.constant {i} : index")
        lines.append(f"%{name}{i} = tensor.dim {source}, %{name}c{i} : {tensor(rank, element)}")
    return "\n".join(lines)


def names(name, order):
    return ", ".join(f"%{name}{i}" for i in order)


def close(actual, expected, tolerance=1e-5):
    assert actual.shape == expected.shape and actual.dtype == expected.dtype
    np.testing.assert_allclose(actual.astype(np.float64), expected.astype(np.float64), rtol=tolerance, atol=tolerance)


ADD_RELU = """
#id = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#channel = affine_map<(d0, d1, d2) -> (d2)>
#column = affine_map<(d0, d1, d2) -> (d0, 0, d2)>
func.func @main(%x: tensor<?x?x?xf32> {onnx.dims = ["N", "H", "C"]}, %b: tensor<?xf32> {onnx.dims = ["C"]},
                %g: tensor<?x1x?xf32> {onnx.dims = ["N", "", "C"]}) -> (tensor<?x?x?xf32>, tensor<?x?x?xi1>) {
  SIZES
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty(%s0, %s1, %s2) : tensor<?x?x?xf32>
  %r = linalg.generic {indexing_maps = [#id, #channel, #column, #id],
                       iterator_types = ["parallel", "parallel", "parallel"]}
    ins(%x, %b, %g : tensor<?x?x?xf32>, tensor<?xf32>, tensor<?x1x?xf32>) outs(%e : tensor<?x?x?xf32>) {
  ^bb0(%p: f32, %q: f32, %h: f32, %o: f32):
    %0 = arith.addf %p, %q : f32
    %1 = arith.maximumf %0, %zero : f32
    %2 = arith.mulf %1, %h : f32
    linalg.yield %2 : f32
  } -> tensor<?x?x?xf32>
  %f = tensor.empty(%s0, %s1, %s2) : tensor<?x?x?xi1>
  %m = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
    ins(%x, %r : tensor<?x?x?xf32>, tensor<?x?x?xf32>) outs(%f : tensor<?x?x?xi1>) {
  ^bb0(%p: f32, %q: f32, %o: i1):
    %0 = arith.cmpf olt, %p, %q : f32
    linalg.yield %0 : i1
  } -> tensor<?x?x?xi1>
  return %r, %m : tensor<?x?x?xf32>, tensor<?x?x?xi1>
}
""".replace("SIZES", sizes("s", 3, "%x"))


def test_elementwise(seed):
    model = Model(ADD_RELU, [np.float32, np.bool_])
    shapes = [(1, 1, 1), (2, 3, 64), (3, 0, 5), (0, 4, 4), (1, 57, 3), (2, 33, 130), tuple(seed.integers(1, 70, 3))]
    for shape in shapes:
        x, b = noise(seed, shape), noise(seed, shape[2])
        g = noise(seed, (shape[0], 1, shape[2]))
        for pieces in (0, 3):
            result, mask = model.run(x, b, g, pieces=pieces)
            close(result, np.maximum(x + b, 0) * g)
            np.testing.assert_array_equal(mask, x < np.maximum(x + b, 0) * g)


def transpose(element, permutation):
    rank = len(permutation)
    result = tensor(rank, element)
    return f"""
func.func @main(%x: {tensor(rank, element)}) -> {result} {{
  {sizes("s", rank, "%x", element)}
  %e = tensor.empty({names("s", permutation)}) : {result}
  %t = linalg.transpose ins(%x : {tensor(rank, element)}) outs(%e : {result}) permutation = {list(permutation)}
  return %t : {result}
}}
"""


@pytest.mark.parametrize("element", ["f32", "i8", "i1", "f64", "i64", "f16"])
@pytest.mark.parametrize("permutation", [(1, 0), (0, 2, 1), (0, 3, 1, 2), (0, 2, 3, 1), (0, 2, 1, 3), (3, 2, 1, 0)])
def test_transpose(seed, element, permutation):
    model = Model(transpose(element, permutation), [MLIR_TYPES[element]])
    rank = len(permutation)
    shapes = [(1,) * rank, (16,) * rank, (2, 5, 34, 17)[-rank:], (3, 1, 40, 3)[-rank:], (2, 0, 3, 4)[-rank:]]
    shapes.append(tuple(seed.integers(1, 40, rank)))
    for shape in shapes:
        x = noise(seed, shape, MLIR_TYPES[element])
        np.testing.assert_array_equal(model.run(x, pieces=4)[0], x.transpose(permutation))


def reduction(rank, axes, combine, start, element="f32"):
    kept = [i for i in range(rank) if i not in axes]
    result = tensor(len(kept), element)
    kinds = ", ".join('"reduction"' if i in axes else '"parallel"' for i in range(rank))
    kept_dims = ", ".join(f"d{i}" for i in kept)
    return f"""
#in = affine_map<({dims(rank)}) -> ({dims(rank)})>
#out = affine_map<({dims(rank)}) -> ({kept_dims})>
func.func @main(%x: {tensor(rank, element)}) -> {result} {{
  {sizes("s", rank, "%x", element)}
  %start = arith.constant {start} : {element}
  %e = tensor.empty({names("s", kept)}) : {result}
  %f = linalg.fill ins(%start : {element}) outs(%e : {result}) -> {result}
  %r = linalg.generic {{indexing_maps = [#in, #out], iterator_types = [{kinds}]}}
    ins(%x : {tensor(rank, element)}) outs(%f : {result}) {{
  ^bb0(%p: {element}, %o: {element}):
    %0 = {combine} %o, %p : {element}
    linalg.yield %0 : {element}
  }} -> {result}
  return %r : {result}
}}
"""


@pytest.mark.parametrize("axes", [(2,), (1,), (0,), (1, 2), (0, 1), (0, 2), (0, 1, 2)])
@pytest.mark.parametrize("kind", ["sum", "max", "isum", "all"])
def test_reduction(seed, kind, axes):
    element, combine, start, reference = {
        "sum": ("f32", "arith.addf", "0.0", np.sum),
        "max": ("f32", "arith.maximumf", "0xFF800000", np.max),
        "isum": ("i64", "arith.addi", "0", np.sum),
        "all": ("i1", "arith.andi", "true", np.all),
    }[kind]
    start = start.replace("true", "1")
    model = Model(reduction(3, axes, combine, start, element), [MLIR_TYPES[element]])
    for shape in [(1, 1, 1), (3, 7, 64), (2, 49, 200), (4, 5, 3), tuple(seed.integers(1, 90, 3))]:
        x = noise(seed, shape, MLIR_TYPES[element])
        if kind == "max":
            x.flat[seed.integers(x.size)] = np.nan
        expected = np.asarray(reference(x, axis=axes)).astype(MLIR_TYPES[element])
        (result,) = model.run(x, pieces=2)
        np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-4)
    if kind != "max":
        empty = np.zeros((2, 0, 3), MLIR_TYPES[element])
        np.testing.assert_array_equal(model.run(empty)[0], reference(empty, axis=axes).astype(MLIR_TYPES[element]))


def test_argmax(seed):
    """Two results, positions by linalg.index."""
    model = Model(
        """
#in = affine_map<(d0, d1) -> (d0, d1)>
#out = affine_map<(d0, d1) -> (d0)>
func.func @main(%x: tensor<?x?xf32>) -> tensor<?xi64> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x?xf32>
  %low = arith.constant 0xFF800000 : f32
  %none = arith.constant 0 : i64
  %e0 = tensor.empty(%n) : tensor<?xf32>
  %e1 = tensor.empty(%n) : tensor<?xi64>
  %f0 = linalg.fill ins(%low : f32) outs(%e0 : tensor<?xf32>) -> tensor<?xf32>
  %f1 = linalg.fill ins(%none : i64) outs(%e1 : tensor<?xi64>) -> tensor<?xi64>
  %r:2 = linalg.generic {indexing_maps = [#in, #out, #out], iterator_types = ["parallel", "reduction"]}
    ins(%x : tensor<?x?xf32>) outs(%f0, %f1 : tensor<?xf32>, tensor<?xi64>) {
  ^bb0(%p: f32, %best: f32, %where: i64):
    %i = linalg.index 1 : index
    %j = arith.index_cast %i : index to i64
    %c = arith.cmpf ogt, %p, %best : f32
    %0 = arith.select %c, %p, %best : f32
    %1 = arith.select %c, %j, %where : i64
    linalg.yield %0, %1 : f32, i64
  } -> (tensor<?xf32>, tensor<?xi64>)
  return %r#1 : tensor<?xi64>
}
""",
        [np.int64],
    )
    for shape in [(1, 1), (5, 100), (40, 33), (0, 3)]:
        x = noise(seed, shape)
        np.testing.assert_array_equal(model.run(x)[0], np.argmax(x, axis=1))


def test_concat_slice_reshape(seed):
    """Producers write into their part of the concatenation; a slice and a reshape of it come out."""
    model = Model(
        """
#id = affine_map<(d0, d1) -> (d0, d1)>
func.func @main(%x: tensor<?x?xf32> {onnx.dims = ["N", "A"]}, %y: tensor<?x?xf32> {onnx.dims = ["N", "B"]})
    -> (tensor<?x?xf32>, tensor<?x?xf32>, tensor<?xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %n = tensor.dim %x, %c0 : tensor<?x?xf32>
  %a = tensor.dim %x, %c1 : tensor<?x?xf32>
  %b = tensor.dim %y, %c1 : tensor<?x?xf32>
  %ab = arith.addi %a, %b : index
  %e = tensor.empty(%n, %ab) : tensor<?x?xf32>
  %t = tensor.empty(%n, %a) : tensor<?x?xf32>
  %neg = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
    ins(%x : tensor<?x?xf32>) outs(%t : tensor<?x?xf32>) {
  ^bb0(%p: f32, %o: f32):
    %0 = arith.negf %p : f32
    linalg.yield %0 : f32
  } -> tensor<?x?xf32>
  %i0 = tensor.insert_slice %neg into %e[0, 0] [%n, %a] [1, 1] : tensor<?x?xf32> into tensor<?x?xf32>
  %i1 = tensor.insert_slice %y into %i0[0, %a] [%n, %b] [1, 1] : tensor<?x?xf32> into tensor<?x?xf32>
  %m = arith.ceildivsi %ab, %c2 : index
  %s = tensor.extract_slice %i1[0, 0] [%n, %m] [1, 2] : tensor<?x?xf32> to tensor<?x?xf32>
  %flat = tensor.collapse_shape %i1 [[0, 1]] : tensor<?x?xf32> into tensor<?xf32>
  return %i1, %s, %flat : tensor<?x?xf32>, tensor<?x?xf32>, tensor<?xf32>
}
""",
        [np.float32] * 3,
    )
    for n, a, b in [(1, 1, 1), (3, 16, 17), (4, 0, 5), (0, 2, 2), (7, 40, 3)]:
        x, y = noise(seed, (n, a)), noise(seed, (n, b))
        whole = np.concatenate([-x, y], axis=1)
        result, every_second, flat = model.run(x, y)
        np.testing.assert_array_equal(result, whole)
        np.testing.assert_array_equal(every_second, whole[:, ::2])
        np.testing.assert_array_equal(flat, whole.ravel())


def test_gather_scatter(seed):
    """Pull by tensor.extract in a generic, push by scf.for over tensor.insert."""
    model = Model(
        """
#rows = affine_map<(d0, d1) -> (d0)>
#id = affine_map<(d0, d1) -> (d0, d1)>
func.func @main(%x: tensor<?x?xf32> {onnx.dims = ["N", "C"]}, %i: tensor<?xi64> {onnx.dims = ["K"]})
    -> (tensor<?x?xf32>, tensor<?x?xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = tensor.dim %x, %c0 : tensor<?x?xf32>
  %c = tensor.dim %x, %c1 : tensor<?x?xf32>
  %k = tensor.dim %i, %c0 : tensor<?xi64>
  %e = tensor.empty(%k, %c) : tensor<?x?xf32>
  %g = linalg.generic {indexing_maps = [#rows, #id], iterator_types = ["parallel", "parallel"]}
    ins(%i : tensor<?xi64>) outs(%e : tensor<?x?xf32>) {
  ^bb0(%p: i64, %o: f32):
    %r = arith.index_cast %p : i64 to index
    %d = linalg.index 1 : index
    %v = tensor.extract %x[%r, %d] : tensor<?x?xf32>
    linalg.yield %v : f32
  } -> tensor<?x?xf32>
  %s = scf.for %q = %c0 to %k step %c1 iter_args(%t = %x) -> tensor<?x?xf32> {
    %p = tensor.extract %i[%q] : tensor<?xi64>
    %r = arith.index_cast %p : i64 to index
    %u = scf.for %d = %c0 to %c step %c1 iter_args(%w = %t) -> tensor<?x?xf32> {
      %old = tensor.extract %w[%r, %d] : tensor<?x?xf32>
      %new = tensor.extract %g[%q, %d] : tensor<?x?xf32>
      %sum = arith.addf %old, %new : f32
      %z = tensor.insert %sum into %w[%r, %d] : tensor<?x?xf32>
      scf.yield %z : tensor<?x?xf32>
    }
    scf.yield %u : tensor<?x?xf32>
  }
  return %g, %s : tensor<?x?xf32>, tensor<?x?xf32>
}
""",
        [np.float32] * 2,
    )
    for n, c, k in [(1, 1, 1), (10, 64, 4), (5, 3, 20), (4, 0, 2), (3, 8, 0)]:
        x, index = noise(seed, (n, c)), seed.integers(0, n, k)
        gathered, scattered = model.run(x, index, pieces=2)
        np.testing.assert_array_equal(gathered, x[index])
        expected = x.copy()
        np.add.at(expected, index, x[index])
        close(scattered, expected)


def test_shape_from_input_and_data(seed):
    """A size read from an input is known at the entry; one computed from data is allocated when it is known."""
    model = Model(
        """
#id = affine_map<(d0) -> (d0)>
func.func @main(%x: tensor<?xi64>, %shape: tensor<2xi64>) -> (tensor<?x?xi64>, tensor<?xi64>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0 : i64
  %n = tensor.dim %x, %c0 : tensor<?xi64>
  %h64 = tensor.extract %shape[%c0] : tensor<2xi64>
  %w64 = tensor.extract %shape[%c1] : tensor<2xi64>
  %h = arith.index_cast %h64 : i64 to index
  %w = arith.index_cast %w64 : i64 to index
  %dims = tensor.from_elements %h64, %w64 : tensor<2xi64>
  %r = tensor.reshape %x(%dims) : (tensor<?xi64>, tensor<2xi64>) -> tensor<?x?xi64>
  %e = tensor.empty(%h, %w) : tensor<?x?xi64>
  %copy = linalg.add ins(%r, %r : tensor<?x?xi64>, tensor<?x?xi64>) outs(%e : tensor<?x?xi64>) -> tensor<?x?xi64>
  %e0 = tensor.empty() : tensor<i64>
  %f0 = linalg.fill ins(%zero : i64) outs(%e0 : tensor<i64>) -> tensor<i64>
  %sum = linalg.reduce ins(%x : tensor<?xi64>) outs(%f0 : tensor<i64>) dimensions = [0] (%a: i64, %b: i64) {
    %0 = arith.addi %a, %b : i64
    linalg.yield %0 : i64
  }
  %s = tensor.extract %sum[] : tensor<i64>
  %m = arith.index_cast %s : i64 to index
  %t = tensor.empty(%m) : tensor<?xi64>
  %u = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel"]} outs(%t : tensor<?xi64>) {
  ^bb0(%o: i64):
    %i = linalg.index 0 : index
    %v = arith.index_cast %i : index to i64
    linalg.yield %v : i64
  } -> tensor<?xi64>
  return %copy, %u : tensor<?x?xi64>, tensor<?xi64>
}
""",
        [np.int64] * 2,
    )
    for h, w in [(1, 1), (2, 3), (0, 4), (8, 9)]:
        x = seed.integers(0, 4, h * w)
        doubled, counted = model.run(x, np.array([h, w]))
        np.testing.assert_array_equal(doubled, 2 * x.reshape(h, w))
        np.testing.assert_array_equal(counted, np.arange(x.sum()))


def test_outputs_that_are_no_buffers_of_their_own():
    """An input, one value twice, a weight, a constant: each output has memory of its own."""
    weights = np.arange(6, dtype=np.float32)
    model = Model(
        """
func.func @main(%x: tensor<?xf32>) -> (tensor<?xf32>, tensor<?xf32>, tensor<?xf32>, tensor<2x3xf32>, tensor<3xi64>) {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?xf32>
  %e = tensor.empty(%n) : tensor<?xf32>
  %a = linalg.abs ins(%x : tensor<?xf32>) outs(%e : tensor<?xf32>) -> tensor<?xf32>
  %w = kernel.weight dense<[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]> : tensor<6xf32>
    {expanded_shape = array<i64: 2, 3>, offset = 64} -> tensor<2x3xf32>
  %k = arith.constant dense<[5, 6, 7]> : tensor<3xi64>
  return %x, %a, %a, %w, %k : tensor<?xf32>, tensor<?xf32>, tensor<?xf32>, tensor<2x3xf32>, tensor<3xi64>
}
""",
        [np.float32] * 4 + [np.int64],
        weights=b"\0" * 64 + weights.tobytes(),
    )
    for n in (0, 1, 100):
        x = np.linspace(-1, 1, n, dtype=np.float32)
        results = model.run(x)
        expectations = [x, abs(x), abs(x), weights.reshape(2, 3), np.array([5, 6, 7])]
        for result, expected in zip(results, expectations, strict=True):
            np.testing.assert_array_equal(result, expected)


def test_check_fails_the_run():
    model = Model(
        """
func.func @main(%x: tensor<?xf32>) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %c3 = arith.constant 3 : index
  %n = tensor.dim %x, %c0 : tensor<?xf32>
  %ok = arith.cmpi ult, %n, %c3 : index
  cf.assert %ok, "node 'a': too long"
  %e = tensor.empty(%n) : tensor<?xf32>
  %a = linalg.abs ins(%x : tensor<?xf32>) outs(%e : tensor<?xf32>) -> tensor<?xf32>
  return %a : tensor<?xf32>
}
""",
        [np.float32],
    )
    np.testing.assert_array_equal(model.run(np.float32([-1, 2]))[0], [1, 2])
    with pytest.raises(RuntimeError, match="node 'a': too long"):
        model.run(np.zeros(3, np.float32))


def test_half_precision(seed):
    model = Model(
        """
#id = affine_map<(d0) -> (d0)>
func.func @main(%x: tensor<?xf16>, %y: tensor<?xf16>) -> tensor<?xf16> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?xf16>
  %two = arith.constant 2.0 : f16
  %e = tensor.empty(%n) : tensor<?xf16>
  %a = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]}
    ins(%x, %y : tensor<?xf16>, tensor<?xf16>) outs(%e : tensor<?xf16>) {
  ^bb0(%p: f16, %q: f16, %o: f16):
    %0 = arith.addf %p, %q : f16
    %1 = arith.mulf %0, %two : f16
    linalg.yield %1 : f16
  } -> tensor<?xf16>
  return %a : tensor<?xf16>
}
""",
        [np.float16],
    )
    for n in (0, 1, 37, 3000):
        x, y = noise(seed, n, np.float16), noise(seed, n, np.float16)
        np.testing.assert_array_equal(model.run(x, y)[0], (x + y) * np.float16(2))


def chain(count):
    """`count` maps in a row, each into a tensor of its own."""
    lines = ["%v0 = linalg.abs ins(%x : tensor<?x8xf32>) outs(%e : tensor<?x8xf32>) -> tensor<?x8xf32>"]
    for i in range(1, count):
        lines.append(
            f"%v{i} = linalg.exp ins(%v{i - 1} : tensor<?x8xf32>) outs(%e : tensor<?x8xf32>) -> tensor<?x8xf32>"
        )
    return f"""
func.func @main(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {{
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x8xf32>
  %e = tensor.empty(%n) : tensor<?x8xf32>
  {os.linesep.join(lines)}
  %r = linalg.sub ins(%v{count - 1}, %v{count - 2} : tensor<?x8xf32>, tensor<?x8xf32>)
    outs(%e : tensor<?x8xf32>) -> tensor<?x8xf32>
  return %r : tensor<?x8xf32>
}}
"""


def test_workspace_follows_the_dims(seed):
    """Of the chain's buffers one is in the workspace: another is the output, the rest are written over."""
    model = Model(chain(3), [np.float32])
    for n in (1, 100, 1000):
        x = noise(seed, (n, 8)) * np.float32(0.1)
        e1 = np.exp(abs(x))
        close(model.run(x)[0], np.exp(e1) - e1, 1e-4)
        assert model.seen.workspace_bytes <= max(n * 32, 64)
        assert model.seen.allocations == 0


def test_matmul_between(seed):
    """A kernel op among linalg ops, with a packed weight."""
    weight = noise(seed, (40, 24))
    packed = np.zeros((2, 40, 16), np.float32)
    packed[0], packed[1, :, :8] = weight[:, :16], weight[:, 16:]
    model = Model(
        """
#id = affine_map<(d0, d1) -> (d0, d1)>
#t = affine_map<(d0, d1) -> (d1, d0)>
func.func @main(%x: tensor<40x?xf32>) -> tensor<?x24xf32> {
  %c1 = arith.constant 1 : index
  %n = tensor.dim %x, %c1 : tensor<40x?xf32>
  %e = tensor.empty(%n) : tensor<?x40xf32>
  %xt = linalg.transpose ins(%x : tensor<40x?xf32>) outs(%e : tensor<?x40xf32>) permutation = [1, 0]
  %w = kernel.weight dense<0.0> : tensor<40x24xf32>
    {panel_width = 16, panel_axis = 0, offset = 0} -> tensor<2x40x16xf32>
  %o = tensor.empty(%n) : tensor<?x24xf32>
  %zero = arith.constant 0.0 : f32
  %r = kernel.matmul ins(%xt, %w : tensor<?x40xf32>, tensor<2x40x16xf32>) outs(%o : tensor<?x24xf32>)
    {packed, epilogue_maps = []} -> tensor<?x24xf32> epilogue {
  ^bb0(%acc: f32):
    %0 = arith.maximumf %acc, %zero : f32
    kernel.yield %0 : f32
  }
  return %r : tensor<?x24xf32>
}
""",
        [np.float32],
        weights=packed.tobytes(),
    )
    for n in (0, 1, 50, 200):
        x = noise(seed, (40, n))
        close(model.run(x, pieces=3)[0], np.maximum(x.T @ weight, 0), 1e-4)
