"""Softmax and attention in many shapes: blocks of keys and queries that are not full, masks of every form, rows that a
mask hides whole, no keys, no queries."""

import subprocess

import numpy as np
import onnxc
import onnxruntime
import pytest
import zoo
from graph import Graph
from onnx import TensorProto
from onnxc import _compile

HEADS, WIDTH = 4, 16
MODEL_WIDTH = HEADS * WIDTH
SHAPES = [
    (1, 1, 1), (3, 17, 5), (2, 33, 300), (1, 64, 700), (1, 7, 256), (1, 16, 257), (2, 5, 513), (1, 2, 0), (0, 3, 3),
    (2, 0, 4),
]  # fmt: skip


def write(path) -> None:
    """Outputs of queries from x [b, s, 64], and keys and values from z [b, t, 64]."""
    g = Graph("attention", 17)
    x = g.input("x", TensorProto.FLOAT, "b", "s", MODEL_WIDTH)
    z = g.input("z", TensorProto.FLOAT, "b", "t", MODEL_WIDTH)
    row = g.input("row", TensorProto.FLOAT, "b", 1, 1, "t")
    matrix = g.input("matrix", TensorProto.FLOAT, 1, 1, "s", "t")

    def projected():
        return (g.heads(g.linear(value, MODEL_WIDTH, MODEL_WIDTH), HEADS, WIDTH) for value in (x, z, z))

    heads = ("b", HEADS, "s", WIDTH)
    g.output(g.attention(*projected(), WIDTH, g.op("Add", row, matrix)), "masks", *heads)
    joined = g.join_heads(g.attention(*projected(), WIDTH, row), MODEL_WIDTH)
    g.output(g.linear(joined, MODEL_WIDTH, MODEL_WIDTH), "joined", "b", "s", MODEL_WIDTH)

    # Scaled keys, a mask by -inf, rows of NaN made zero.
    query, key, value = projected()
    scores = g.op("MatMul", query, g.transpose(g.op("Mul", key, g.number(0.3)), 0, 1, 3, 2))
    weights = g.op("Softmax", g.op("Add", scores, matrix), axis=-1)
    weights = g.op("Where", g.op("IsNaN", weights), g.number(0), weights)
    g.output(g.op("MatMul", weights, value), "zero_rows", *heads)

    # A mask per query alone; values of a width that fills no vector.
    query, key, value = projected()
    first = g.op("Slice", matrix, g.integers(0), g.integers(1), g.integers(3))
    scores = g.op("Mul", g.op("MatMul", query, g.transpose(key, 0, 1, 3, 2)), first)
    value = g.op("Slice", value, g.integers(0), g.integers(13), g.integers(3))
    g.output(g.op("MatMul", g.op("Softmax", scores, axis=-1), value), "narrow", "b", HEADS, "s", 13)

    g.output(g.op("Softmax", g.op("MatMul", x, g.transpose(z, 0, 2, 1)), axis=-1), "weights", "b", "s", "t")
    g.save(path)


@pytest.mark.parametrize("cpu", ["native", "x86-64-v2"])
def test_attention(cpu: str, tmp_path) -> None:
    path, library = tmp_path / "attention.onnx", tmp_path / "attention.so"
    write(path)
    command = [_compile.find_compiler(), path, "-o", library, f"--mcpu={cpu}"]
    subprocess.run(command, check=True, timeout=300)
    ours = onnxc.InferenceSession(str(library))
    reference = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in reference.get_outputs()]
    for batch, queries, keys in SHAPES:
        rng = zoo.generator(batch, queries, keys)
        feeds = {
            "x": rng.normal(0, 1, (batch, queries, MODEL_WIDTH)),
            "z": rng.normal(0, 2, (batch, keys, MODEL_WIDTH)),
            "row": np.where(rng.random((batch, 1, 1, keys)) < 0.2, -1e4, 0),
            "matrix": np.where(rng.random((1, 1, queries, keys)) < 0.3, -np.inf, 0.5),
        }
        feeds["matrix"][:, :, 2:3, 1:] = -np.inf
        if queries > 3:
            feeds["matrix"][:, :, 3] = -np.inf
            feeds["matrix"][:, :, 4:] = np.maximum(feeds["matrix"][:, :, 4:], -1e4)
        feeds = {name: value.astype(np.float32) for name, value in feeds.items()}
        for name, a, b in zip(names, ours.run(names, feeds), reference.run(names, feeds), strict=True):
            assert a.shape == b.shape, name
            error = zoo.relative_error(a, b)
            assert error <= 1e-5, f"{name} of {batch}x{queries}x{keys}: relative error {error:.2e}"
