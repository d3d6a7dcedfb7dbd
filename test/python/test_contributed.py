"""Operators of ONNX Runtime's own domain, against ONNX Runtime: several in each compiled model."""

import numpy as np
import onnxc
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

FLOAT, INT32, INT8, UINT8 = TensorProto.FLOAT, TensorProto.INT32, TensorProto.INT8, TensorProto.UINT8
onnxruntime.set_default_logger_severity(4)
DOMAIN = "com.microsoft"


def random_generator() -> np.random.Generator:
    seed = np.random.SeedSequence().entropy
    print("seed", seed)
    return np.random.default_rng(seed)


class Model:
    """Grows node by node; inputs and constants come from arrays."""

    def __init__(self, opset: int) -> None:
        self.opset = opset
        self.nodes, self.outputs, self.constants, self.inputs, self.feeds = [], [], [], {}, {}

    def give(self, name: str, array: np.ndarray, dims: list) -> str:
        """An input with the dims `dims`."""
        self.inputs[name] = helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), dims)
        self.feeds[name] = array
        return name

    def constant(self, name: str, array: np.ndarray) -> str:
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def add(self, operator: str, inputs: list[str], outputs: int = 1, domain: str = DOMAIN, **attributes) -> str:
        """`outputs`: how many, of which those with an empty name are not asked for."""
        base = f"{operator}_{len(self.nodes)}"
        names = (
            [f"{base}_{i}" for i in range(outputs)] if isinstance(outputs, int) else [n and base + n for n in outputs]
        )
        self.nodes.append(helper.make_node(operator, inputs, names, base, domain=domain, **attributes))
        self.outputs += [name for name in names if name]
        return names[0]

    def build(self, ranks: list[int] | None = None):
        """Outputs have the given ranks; ONNX Runtime needs none."""
        dims = [[None] * rank for rank in ranks] if ranks else [None] * len(self.outputs)
        outputs = [
            helper.make_tensor_value_info(*value) for value in zip(self.outputs, [FLOAT] * len(dims), dims, strict=True)
        ]
        graph = helper.make_graph(self.nodes, "contributed", list(self.inputs.values()), outputs, self.constants)
        opsets = [helper.make_opsetid("", self.opset), helper.make_opsetid(DOMAIN, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8 if self.opset < 19 else 10)

    def check(self, compiled, tolerance: float = 2e-5) -> None:
        data = self.build().SerializeToString()
        wanted = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"]).run(None, self.feeds)
        session = onnxc.InferenceSession(compiled(self.build([want.ndim for want in wanted])))
        for name, ours, want in zip(self.outputs, session.run(None, self.feeds), wanted, strict=True):
            assert ours.dtype == want.dtype and ours.shape == want.shape, name
            atol = tolerance * max(1, np.abs(want).max(initial=0))
            np.testing.assert_allclose(ours, want, rtol=0, atol=atol, err_msg=name)


def floats(generator: np.random.Generator, *shape: int) -> np.ndarray:
    return generator.normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("opset", [11, 21])
def test_element_wise_and_normalisations(compiled, opset) -> None:
    generator, model = random_generator(), Model(opset)
    x = model.give("x", floats(generator, 2, 5, 24), ["B", "S", 24])
    skip = model.give("skip", floats(generator, 2, 5, 24), ["B", "S", 24])
    gamma, beta, bias = (model.constant(name, floats(generator, 24)) for name in ("gamma", "beta", "bias"))
    model.add("Gelu", [x])
    model.add("BiasGelu", [x, bias])
    model.add("FastGelu", [x])
    model.add("FastGelu", [x, bias])
    model.add("QuickGelu", [x], alpha=1.5)
    model.add("QuickGelu", [x])
    model.add("SkipLayerNormalization", [x, skip, gamma, beta, bias], epsilon=1e-5)
    model.add("SkipLayerNormalization", [x, skip, gamma], outputs=["0", "", "", "3"])
    model.add("SkipSimplifiedLayerNormalization", [x, skip, gamma, bias], outputs=["0", "", "", "3"], epsilon=1e-6)
    model.add("SimplifiedLayerNormalization", [x, gamma], domain="", axis=-1, epsilon=1e-5)
    model.check(compiled)


@pytest.mark.parametrize("opset", [11, 18])
def test_embeddings(compiled, opset) -> None:
    generator, model = random_generator(), Model(opset)
    ids = model.give("ids", generator.integers(0, 30, (2, 7)).astype(np.int32), ["B", "S"])
    segments = model.give("segments", generator.integers(0, 2, (2, 7)).astype(np.int32), ["B", "S"])
    places = model.give("places", generator.integers(0, 12, (2, 7)).astype(np.int32), ["B", "S"])
    mask = model.give("mask", (np.arange(7) < np.array([[4], [7]])).astype(np.int32), ["B", "S"])
    tables = [model.constant(name, floats(generator, rows, 16)) for name, rows in (("w", 30), ("p", 12), ("t", 2))]
    scales = [model.constant(name, floats(generator, 16)) for name in ("gamma", "beta")]
    embedded = model.add("EmbedLayerNormalization", [ids, segments, *tables, *scales, mask], outputs=["0", "1"])
    model.outputs.remove(model.nodes[-1].output[1])
    model.add("EmbedLayerNormalization", [ids, "", *tables[:2], "", *scales, "", places], outputs=["0", "", "2"])
    weights = model.constant("weights", floats(generator, 16, 48) / 4)
    model.add("Attention", [embedded, weights, model.constant("bias", floats(generator, 48)), model.nodes[0].output[1]],
              num_heads=2)  # fmt: skip
    model.check(compiled)


def test_quantised_embeddings(compiled) -> None:
    generator, model = random_generator(), Model(17)
    ids = model.give("ids", generator.integers(0, 30, (2, 7)).astype(np.int32), ["B", "S"])
    segments = model.give("segments", generator.integers(0, 2, (2, 7)).astype(np.int32), ["B", "S"])
    mask = model.give("mask", (np.arange(7) < np.array([[4], [7]])).astype(np.int32), ["B", "S"])
    shapes = {"words": (30, 16), "places": (12, 16), "kinds": (2, 16), "gamma": (16,), "beta": (16,)}
    tables, scales, zeros = [], [], []
    for name, shape in shapes.items():
        tables.append(model.constant(name, generator.integers(0, 256, shape).astype(np.uint8)))
        scale = generator.uniform(0.01, 0.02)
        scales.append(model.constant(f"{name}_scale", np.array(scale, np.float32)))
        zeros.append(model.constant(f"{name}_zero", np.array(generator.integers(100, 150), np.uint8)))
    embedded = model.add("QEmbedLayerNormalization", [ids, segments, *tables, mask, *scales, *zeros], outputs=2)
    model.outputs.remove(embedded[:-1] + "1")  # not a float
    model.check(compiled)


@pytest.mark.parametrize("opset", [12, 17])
def test_attention(compiled, opset) -> None:
    """Masks of each rank, biases, scales, causal ones; from one tensor, from three, and between two sequences."""
    generator, model = random_generator(), Model(opset)
    batch, queries, keys, heads, width = 2, 6, 9, 4, 32
    x = model.give("x", floats(generator, batch, queries, width), ["B", "S", width])
    k = model.give("k", floats(generator, batch, keys, width), ["B", "L", width])
    v = model.give("v", floats(generator, batch, keys, width), ["B", "L", width])
    by_heads = [
        model.give(name, floats(generator, batch, heads, keys, width // heads), ["B", heads, "L", width // heads])
        for name in ("kh", "vh")
    ]
    weights = model.constant("weights", floats(generator, width, 3 * width) / 6)
    bias = model.constant("bias", floats(generator, 3 * width))
    mask = model.give("mask", generator.integers(0, 2, (batch, queries)).astype(np.int32), ["B", "S"])
    own = model.give("own", generator.integers(0, 2, (batch, queries, queries)).astype(np.int32), ["B", "S", "T"])
    padding = model.give("padding", generator.integers(0, 2, (batch, keys)).astype(np.int32), ["B", "L"])
    added = model.give("added", floats(generator, 1, heads, queries, keys), [1, heads, "S", "L"])
    model.add("Attention", [x, weights, bias], num_heads=heads)
    model.add("Attention", [x, weights, bias, mask], num_heads=heads, mask_filter_value=-50.0)
    model.add("Attention", [x, weights, bias, own], num_heads=heads, scale=0.3)
    model.add("Attention", [x, weights, bias], num_heads=heads, unidirectional=1)
    model.add("MultiHeadAttention", [x, x, x, bias], num_heads=heads)
    model.add("MultiHeadAttention", [x, x, x], num_heads=heads, unidirectional=1)
    model.add("MultiHeadAttention", [x, k, v, bias, padding], num_heads=heads)
    model.add("MultiHeadAttention", [x, k, v, "", "", added], num_heads=heads, scale=0.2)
    model.add("MultiHeadAttention", [x, *by_heads], num_heads=heads)
    model.check(compiled)


def test_decoding(compiled) -> None:
    """Attention that appends to a past, causal too, and rotary embeddings of every form."""
    generator, model = random_generator(), Model(17)
    heads, size = 3, 8
    x = model.give("x", floats(generator, 2, 4, heads * size), ["B", "S", heads * size])
    past = [model.give(name, floats(generator, 2, heads, 5, size), ["B", heads, "P", size]) for name in ("pk", "pv")]
    padding = model.give("padding", (np.arange(9) > np.array([[2], [-1]])).astype(np.int32), ["B", "T"])
    model.add("MultiHeadAttention", [x, x, x, "", "", "", *past], outputs=3, num_heads=heads)
    # Without its second and third results ONNX Runtime reads memory that nobody wrote.
    model.add("MultiHeadAttention", [x, x, x, "", "", "", *past], outputs=3, num_heads=heads, unidirectional=1)
    model.add("MultiHeadAttention", [x, x, x, "", padding, "", *past], outputs=3, num_heads=heads)
    tables = [model.constant(name, floats(generator, 20, size // 2)) for name in ("cosines", "sines")]
    half = [model.constant(f"half_{i}", floats(generator, 20, size // 4)) for i in range(2)]
    by_heads = model.give("by_heads", floats(generator, 2, heads, 4, size), ["B", heads, "S", size])
    first = model.give("first", np.array([7]), [1])
    each = model.give("each", generator.integers(0, 20, (2, 4)), ["B", "S"])
    for place in (first, each):
        for interleaved in (0, 1):
            model.add("RotaryEmbedding", [x, place, *tables], interleaved=interleaved)
            model.add("RotaryEmbedding", [by_heads, place, *tables], interleaved=interleaved)
    model.add("RotaryEmbedding", [x, each, *half], num_heads=heads, rotary_embedding_dim=size // 2)
    model.check(compiled)


def test_products(compiled) -> None:
    generator, model = random_generator(), Model(13)
    a = model.give("a", floats(generator, 3, 5, 8), ["B", "M", 8])
    t = model.give("t", floats(generator, 3, 8, 5), ["B", 8, "M"])
    w = model.constant("w", floats(generator, 8, 6))
    wt = model.constant("wt", floats(generator, 6, 8))
    model.add("FusedMatMul", [a, w], alpha=0.5)
    once = model.add("FusedMatMul", [a, wt], transB=1)
    model.add("FusedMatMul", [t, w], transA=1, alpha=2.0)
    model.add("FusedMatMul", [once, a], transA=1)
    # Of greater weights ONNX Runtime adds products in 16 bits where the processor has nothing better.
    q = model.constant("q", generator.integers(-63, 64, (8, 6)).astype(np.int8))
    zero = model.constant("zero", np.array(3, np.int8))
    scale = model.constant("scale", np.array(0.02, np.float32))
    bias = model.constant("b6", floats(generator, 6))
    model.add("DynamicQuantizeMatMul", [a, q, scale, zero, bias])
    model.add("DynamicQuantizeMatMul", [a, q, scale])
    u = model.give("u", generator.integers(0, 256, (4, 8)).astype(np.uint8), ["R", 8])
    shift = model.constant("shift", np.array(120, np.uint8))
    model.add("MatMulIntegerToFloat", [u, q, scale, model.constant("per_column", np.abs(floats(generator, 6))), shift])
    x = model.give("image", floats(generator, 1, 3, 9, 8), ["N", 3, "H", "W"])
    kernel = model.constant("kernel", floats(generator, 4, 3, 3, 3))
    four = model.constant("b4", floats(generator, 4))
    conv = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    model.add("FusedConv", [x, kernel, four], activation="Relu", **conv)
    model.add("FusedConv", [x, kernel], activation="LeakyRelu", activation_params=[0.2], strides=[2, 2], **conv)
    model.add("FusedConv", [x, kernel, four], activation="Clip", activation_params=[-0.5, 1.0], **conv)
    square = model.give("square", floats(generator, 4, 8), ["R", 8])
    model.add("FusedGemm", [square, w, bias], activation="LeakyRelu", activation_alpha=0.1, alpha=0.5)
    model.add("FusedGemm", [square, wt], activation="Tanh", transB=1)
    for metric in ("euclidean", "sqeuclidean"):
        model.add("CDist", [square, wt], metric=metric)
    model.check(compiled, 1e-4)


@pytest.mark.parametrize("rows", [1, 6, "S"])
def test_products_with_few_bits(compiled, rows) -> None:
    """One row, some, and a number that only a run knows; blocks of all sizes, the last one cut short or not; packed
    zero points, floats or none."""
    generator, model = random_generator(), Model(13 if rows == 1 else 21)
    count = 6 if rows == "S" else rows
    for bits, block, columns, depth in (
        (4, 16, 70, 100),
        (8, 32, 33, 40),
        (4, 128, 16, 384),
        (8, 64, 8, 515),
        (4, 32, 5, 8),
    ):
        name = f"{bits}_{block}"
        blocks = -(-depth // block)
        x = model.give(f"x{name}", floats(generator, count, depth), [rows, depth])
        packed = generator.integers(0, 256, (columns, blocks, block * bits // 8)).astype(np.uint8)
        zeros = generator.integers(0, 256, (columns, -(-blocks * bits // 8))).astype(np.uint8)
        real = generator.uniform(0, 2**bits, (columns, blocks)).astype(np.float32)
        weights = [x, model.constant(f"w{name}", packed)]
        weights.append(model.constant(f"s{name}", generator.uniform(0.01, 0.1, (columns, blocks)).astype(np.float32)))
        shape = {"N": columns, "K": depth, "block_size": block, "bits": bits}
        model.add("MatMulNBits", weights, **shape)
        bias = model.constant(f"b{name}", floats(generator, columns))
        model.add("MatMulNBits", [*weights, model.constant(f"z{name}", zeros), "", bias], **shape)
        if bits == 4:
            model.add("MatMulNBits", [*weights, model.constant(f"r{name}", real)], accuracy_level=1, **shape)
    model.check(compiled, 1e-4)


def test_products_with_few_bits_in_a_batch(compiled) -> None:
    """Any rank of A, halves, and a matrix that is an input."""
    generator, model = random_generator(), Model(17)
    shape = {"N": 24, "K": 64, "block_size": 16, "bits": 4}
    packed = generator.integers(0, 256, (24, 4, 8)).astype(np.uint8)
    scales = generator.uniform(0.01, 0.1, (24, 4)).astype(np.float32)
    weights = [model.constant("w", packed), model.constant("s", scales)]
    x = model.give("x", floats(generator, 2, 3, 64), ["B", "S", 64])
    model.add("MatMulNBits", [x, *weights], **shape)
    model.add("MatMulNBits", [x, model.give("given", packed, [24, 4, 8]), "s"], **shape)
    model.add("Transpose", [x], domain="", perm=[1, 0, 2])
    model.add("MatMulNBits", [model.outputs[-1], *weights], **shape)
    model.check(compiled, 1e-4)


@pytest.mark.parametrize("bits", [2, 4])
def test_weights_of_few_bits_in_a_library(bits, tmp_path) -> None:
    """A library has the bits of the file; 2 bits against NumPy: not every processor's ONNX Runtime takes them."""
    generator, model = random_generator(), Model(21)
    columns, depth, block = 1024, 4096, 32
    x = model.give("x", floats(generator, 2, depth), ["S", depth])
    packed = generator.integers(0, 256, (columns, depth // block, block * bits // 8)).astype(np.uint8)
    zeros = generator.integers(0, 256, (columns, depth // block * bits // 8)).astype(np.uint8)
    scales = generator.uniform(0.01, 0.1, (columns, depth // block)).astype(np.float16).astype(np.float32)
    weights = [model.constant("w", packed), model.constant("s", scales), model.constant("z", zeros)]
    model.add("MatMulNBits", [x, *weights], N=columns, K=depth, block_size=block, bits=bits)
    data, library = model.build([2]).SerializeToString(), tmp_path / "m.so"
    onnxc.compile(data, library)
    assert library.stat().st_size < 1.02 * len(data) + (1 << 20)

    def numbers(array: np.ndarray) -> np.ndarray:
        shifts = np.arange(0, 8, bits, dtype=np.uint8)
        return ((array[..., None] >> shifts) & (2**bits - 1)).reshape(columns, -1).astype(np.float64)

    centred = numbers(packed) - numbers(zeros).repeat(block, axis=1)
    wanted = model.feeds["x"] @ (centred * scales.repeat(block, axis=1)).T
    (ours,) = onnxc.InferenceSession(library).run(None, model.feeds)
    np.testing.assert_allclose(ours, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())


def test_attention_with_a_past(compiled) -> None:
    """What is appended to a past, in floats and from 8 bits; values narrower than keys."""
    generator, model = random_generator(), Model(17)
    batch, heads, size, width = 2, 4, 8, 24
    x = model.give("x", floats(generator, batch, 3, width), ["B", "S", width])
    weights = model.constant("weights", floats(generator, width, 3 * heads * size) / 5)
    bias = model.constant("bias", floats(generator, 3 * heads * size))
    past = model.give("past", floats(generator, 2, batch, heads, 5, size), [2, "B", heads, "P", size])
    mask = model.give("mask", (np.arange(8) > np.array([[2], [-1]])).astype(np.int32), ["B", "T"])
    model.add("Attention", [x, weights, bias, "", past], outputs=2, num_heads=heads)
    model.add("Attention", [x, weights, bias, "", past], outputs=2, num_heads=heads, unidirectional=1)
    model.add("Attention", [x, weights, bias, mask, past], outputs=2, num_heads=heads)
    model.add("Attention", [x, weights, bias], outputs=2, num_heads=heads, unidirectional=1)
    narrow = model.constant("narrow", floats(generator, width, 2 * heads * size + heads * 5) / 5)
    short = model.constant("short", floats(generator, 2 * heads * size + heads * 5))
    sizes = [heads * size, heads * size, heads * 5]
    model.add("Attention", [x, narrow, short], num_heads=heads, qkv_hidden_sizes=sizes)
    # Of greater weights ONNX Runtime adds products in 16 bits where the processor has nothing better.
    q = model.constant("q", generator.integers(-63, 64, (width, 3 * heads * size)).astype(np.int8))
    u = model.give("u", generator.integers(0, 256, (batch, 3, width)).astype(np.uint8), ["B", "S", width])
    scales = [model.constant(name, np.array(value, np.float32)) for name, value in (("us", 0.02), ("qs", 0.01))]
    zeros = [model.constant("uz", np.array(128, np.uint8)), model.constant("qz", np.array(0, np.int8))]
    model.add("QAttention", [u, q, bias, *scales, "", *zeros], num_heads=heads)
    model.add("QAttention", [u, q, bias, *scales, "", *zeros], num_heads=heads, unidirectional=1)
    model.add("QAttention", [u, q, bias, *scales, mask, *zeros, past], outputs=2, num_heads=heads)
    model.check(compiled)


GROUPED = {
    "plain": {},
    "scale": {"scale": 0.2, "softcap": 2.0},
    "window": {"local_window_size": 3},
    "smooth": {"smooth_softmax": 1},
    "rotary": {"do_rotary": 1},
    "interleaved": {"do_rotary": 1, "rotary_interleaved": 1},
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("past", [0, 6])
def test_group_query_attention(compiled, past, packed) -> None:
    """The first run over a prompt, and one token more in rows of different lengths."""
    generator, model = random_generator(), Model(17)
    batch, heads, groups, size = 2, 6, 2, 32
    steps = 1 if past else 5
    total = past + steps
    lengths = np.array([total - 1, total - 3 if past else total - 1], np.int32)
    q = floats(generator, batch, steps, heads * size)
    k, v = (floats(generator, batch, steps, groups * size) for _ in range(2))
    if packed:
        inputs = [model.give("qkv", np.concatenate([q, k, v], axis=2), ["B", "S", (heads + 2 * groups) * size]), "", ""]
    else:
        inputs = [model.give(name, array, ["B", "S", array.shape[2]]) for name, array in (("q", q), ("k", k), ("v", v))]
    caches = ["", ""]
    if past:
        caches = [
            model.give(name, floats(generator, batch, groups, past, size), ["B", groups, "P", size])
            for name in ("past_key", "past_value")
        ]
    sizes = [model.give("lengths", lengths, ["B"]), model.give("total", np.array(total, np.int32), [])]
    tables = [model.constant(name, floats(generator, 20, size // 2)) for name in ("cosines", "sines")]
    half = [model.constant(f"half_{i}", floats(generator, 20, size // 4)) for i in range(2)]
    common = {"num_heads": heads, "kv_num_heads": groups}
    for attributes in GROUPED.values():
        turning = tables if "do_rotary" in attributes else []
        model.add("GroupQueryAttention", [*inputs, *caches, *sizes, *turning], outputs=3, **common, **attributes)
    model.add("GroupQueryAttention", [*inputs, *caches, *sizes, *half], outputs=3, do_rotary=1, **common)
    model.check(compiled)


def test_shared_cache(compiled) -> None:
    """A cache longer than its tokens: in memory that past and present share only the new row is written, and what is
    behind it, no numbers even, is not looked at."""
    generator, model = random_generator(), Model(17)
    heads, groups, size, room, tokens = 4, 2, 24, 9, 5
    inputs = [
        model.give(name, floats(generator, 2, 1, width * size), ["B", "S", width * size])
        for name, width in (("q", heads), ("k", groups), ("v", groups))
    ]
    caches = [
        model.give(name, floats(generator, 2, groups, room, size), ["B", groups, "P", size])
        for name in ("past_key", "past_value")
    ]
    sizes = [
        model.give("lengths", np.array([tokens - 1, tokens - 2], np.int32), ["B"]),
        model.give("total", np.array(tokens, np.int32), []),
    ]
    model.add("GroupQueryAttention", inputs + caches + sizes, outputs=3, num_heads=heads, kv_num_heads=groups)
    library = compiled(model.build([3, 4, 4]))
    model.check(compiled)

    session = onnxc.InferenceSession(library)
    wanted, *presents = session.run(None, model.feeds)
    binding = session.io_binding()
    for name in ("q", "k", "v", "lengths", "total"):
        binding.bind_cpu_input(name, model.feeds[name])
    shared = []
    for name, output in zip(("past_key", "past_value"), model.outputs[1:], strict=True):
        memory = model.feeds[name].copy()
        memory[:, :, tokens:] = np.nan
        shared.append(onnxc.OrtValue.ortvalue_from_numpy(memory))
        binding.bind_ortvalue_input(name, shared[-1])
        binding.bind_ortvalue_output(output, shared[-1])
    before = [value.numpy().copy() for value in shared]
    binding.bind_output(model.outputs[0])
    session.run_with_iobinding(binding)
    results = dict(zip([*model.outputs[1:], model.outputs[0]], binding.copy_outputs_to_cpu(), strict=True))
    np.testing.assert_allclose(results[model.outputs[0]], wanted, rtol=0, atol=1e-6)
    for value, old, present in zip(shared, before, presents, strict=True):
        for batch, start in enumerate((tokens - 1, tokens - 2)):
            old[batch, :, start] = present[batch, :, start]
        np.testing.assert_array_equal(value.numpy(), old)

    for lengths in ([room, 0], [-2, 0]):
        with pytest.raises(Exception, match="seqlens_k"):
            session.run(None, model.feeds | {"lengths": np.array(lengths, np.int32)})


def test_quantised_recurrence(compiled) -> None:
    """ONNX Runtime's own products are of activations in 8 bits; with the weights' exact values it agrees."""
    generator = random_generator()
    inputs, hidden = 6, 8
    for directions, per_column in ((1, False), (2, True)):
        model, exact = Model(17), Model(17)
        x = floats(generator, 5, 3, inputs)
        values = {}
        for name, rows in (("w", inputs), ("r", hidden)):
            packed = generator.integers(-63, 64, (directions, rows, 4 * hidden)).astype(np.int8)
            shape = (directions, 4 * hidden) if per_column else (directions,)
            scale = generator.uniform(0.004, 0.02, shape).astype(np.float32)
            zero = np.zeros(shape, np.int8)
            values[name] = (packed, scale, zero)
            spread = scale[:, None] if per_column else scale[:, None, None]
            exact.constant(name, np.ascontiguousarray((packed * spread).transpose(0, 2, 1).astype(np.float32)))
        bias = floats(generator, directions, 8 * hidden) / 4
        attributes = {"hidden_size": hidden, "direction": "bidirectional" if directions == 2 else "forward"}
        for one in (model, exact):
            one.give("x", x, ["T", "B", inputs])
            one.constant("b", bias)
        exact.add("LSTM", ["x", "w", "r", "b"], outputs=3, domain="", **attributes)
        for name in ("w", "r"):
            for part, array in zip(("", "_scale", "_zero"), values[name], strict=True):
                model.constant(name + part, array)
        names = ["x", "w", "r", "b", "", "", "", "", "w_scale", "w_zero", "r_scale", "r_zero"]
        model.add("DynamicQuantizeLSTM", names, outputs=3, **attributes)
        theirs, wanted = (
            onnxruntime.InferenceSession(one.build().SerializeToString(), providers=["CPUExecutionProvider"]).run(
                None, one.feeds
            )
            for one in (model, exact)
        )
        session = onnxc.InferenceSession(compiled(model.build([want.ndim for want in wanted])))
        results = session.run(None, model.feeds)
        for ours, same, near in zip(results, wanted, theirs, strict=True):
            np.testing.assert_allclose(ours, same, rtol=0, atol=2e-5)
            np.testing.assert_allclose(ours, near, rtol=0, atol=0.03)


def test_tensors(compiled) -> None:
    generator, model = random_generator(), Model(17)
    x = model.give("x", floats(generator, 2, 3, 7, 7), ["B", "C", "N", "N"])
    model.add("Inverse", [x])
    swaps = model.give("swaps", np.eye(5, dtype=np.float32)[[3, 0, 4, 1, 2]] * 4, ["M", "M"])
    model.add("Inverse", [swaps])
    rows = model.give("rows", floats(generator, 4, 6), ["R", 6])
    for upper, shift in ((1, None), (0, 1), (1, -2)):
        shifts = [] if shift is None else [model.constant(f"shift{shift}", np.array(shift, np.int64))]
        model.add("Trilu", [rows, *shifts], upper=upper)
    model.check(compiled, 1e-4)


def test_channels_last(compiled, tmp_path) -> None:
    generator = random_generator()
    x = generator.integers(0, 256, (2, 9, 8, 3)).astype(np.uint8)
    scale, zero = helper.make_tensor("scale", FLOAT, [], [0.02]), helper.make_tensor("zero", UINT8, [], [120])
    weights = [
        numpy_helper.from_array(generator.integers(-63, 64, (4, 3, 3, 3)).astype(np.int8), "w"),
        helper.make_tensor("wz", INT8, [], [0]),
        helper.make_tensor("wide", FLOAT, [], [0.3]),
    ]
    window = {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 1]}
    node, inputs = helper.make_node, ["x", "scale", "zero", "scale", "zero"]
    nodes = [
        node("NhwcMaxPool", ["x"], ["greatest"], domain=DOMAIN, **window),
        node("QLinearAveragePool", inputs, ["mean"], domain=DOMAIN, channels_last=1, **window),
        node("QLinearGlobalAveragePool", inputs, ["whole"], domain=DOMAIN, channels_last=1),
        node("QLinearConv", [*inputs[:3], "w", "scale", "wz", "wide", "zero"], ["conv"], domain=DOMAIN, channels_last=1,
             pads=[1, 0, 1, 0], strides=[2, 1], kernel_shape=[3, 3]),
    ]  # fmt: skip
    graph = helper.make_graph(
        nodes,
        "pools",
        [helper.make_tensor_value_info("x", UINT8, ["N", "H", "W", 3])],
        [helper.make_tensor_value_info(name, UINT8, [None] * 4) for name in ("greatest", "mean", "whole", "conv")],
        [scale, zero, *weights],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(DOMAIN, 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    reference = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    session = onnxc.InferenceSession(compiled(model))
    for ours, want in zip(session.run(None, {"x": x}), reference.run(None, {"x": x}), strict=True):
        assert np.abs(ours.astype(int) - want).max() <= 1  # a mean that lies between two numbers


def test_tokens(compiled) -> None:
    """By what tokens match, by what is between them, and by characters."""
    texts = ["a bc  déf", "", "ünï, cödé", "x" * 5, "12 3"]
    cases = {
        "words": {"tokenexp": r"\w+"},
        "long": {"tokenexp": "[^ ,]+", "mincharnum": 3, "mark": 1, "pad_value": "<pad>"},
        "any": {"tokenexp": "."},
        "empty": {"tokenexp": "x*"},
        "between": {"separators": [" ", ",+"]},
        "characters": {"separators": [""]},
    }
    usual = {"mark": 0, "mincharnum": 1, "pad_value": "#"}
    nodes = [
        helper.make_node("Tokenizer", ["x"], [name], domain=DOMAIN, **(usual | case)) for name, case in cases.items()
    ]
    for dims, shape in ((["C"], (5,)), (["N", "C"], (5, 1))):
        graph = helper.make_graph(
            nodes,
            "tokens",
            [helper.make_tensor_value_info("x", TensorProto.STRING, dims)],
            [helper.make_tensor_value_info(name, TensorProto.STRING, [*dims, None]) for name in cases],
        )
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid(DOMAIN, 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        reference = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        session = onnxc.InferenceSession(compiled(model))
        feeds = {"x": np.array(texts, object).reshape(shape)}
        for name, ours, want in zip(cases, session.run(None, feeds), reference.run(None, feeds), strict=True):
            np.testing.assert_array_equal(ours, want, err_msg=name)


@pytest.mark.parametrize(
    ("operator", "inputs", "attributes", "reason"),
    [
        ("Attention", ["x", "w"], {"num_heads": 2, "do_rotary": 1}, "attribute 'do_rotary' is not supported yet"),
        ("Attention", ["x", "w"], {}, "num_heads is missing"),
        ("MultiHeadAttention", ["x"], {"num_heads": 2}, "packed keys and values"),
        ("FusedGemm", ["w", "w"], {"activation": "Odd"}, "activation 'Odd' is not supported yet"),
        ("FusedMatMul", ["w", "w"], {"transBatchA": 1}, "transBatchA and transBatchB"),
        ("MatMulNBits", ["x", "w", "w"], {"N": 4, "K": 4, "block_size": 16, "bits": 3}, "bits other than 2, 4 and 8"),
        ("MatMulNBits", ["x", "w", "w"], {"K": 4}, "N, K or block_size"),
        ("Unheard", ["x"], {}, "operator domain 'com.microsoft' is not supported"),
    ],
)
def test_refused(operator, inputs, attributes, reason, tmp_path) -> None:
    model = Model(17)
    model.give("x", np.zeros((1, 2, 4), np.float32), [1, 2, 4])
    model.give("w", np.zeros((4, 4), np.float32), [4, 4])
    name = model.add(operator, inputs, **attributes)
    with pytest.raises(onnxc.CompileError, match=rf"node '{name[:-2]}' \({operator}.*{reason}"):
        onnxc.compile(model.build([3]).SerializeToString(), tmp_path / "m.so")
