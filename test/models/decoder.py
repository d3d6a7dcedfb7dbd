"""A decoder as in today's language models: rotary positions, RMS norms, grouped-query attention over a cache of keys
and values, a gated MLP. In two spellings: of primitive operators, and of those that opset 23 brought for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from graph import Graph
from onnx import TensorProto

VOCABULARY, WIDTH, LAYERS, HEADS, KEY_HEADS, HEAD_WIDTH, INNER, POSITIONS = 320, 128, 2, 4, 2, 32, 256, 256
EPSILON = 1e-6


class Primitive(Graph):
    """Every step written out."""

    def rms_norm(self, x: str) -> str:
        square = self.op("ReduceMean", self.op("Mul", x, x), self.integers(-1), keepdims=1)
        root = self.op("Sqrt", self.op("Add", square, self.number(EPSILON)))
        return self.op("Mul", self.op("Div", x, root), self.around_one(WIDTH))

    def rotate(self, x: str) -> str:
        cosine, sine = (
            self.op("Unsqueeze", self.op("Gather", table, self.positions), self.integers(1))
            for table in (self.cosines, self.sines)
        )
        left, right = self.ops("Split", 2, x, axis=-1, num_outputs=2)
        return self.op(
            "Concat",
            self.op("Sub", self.op("Mul", left, cosine), self.op("Mul", right, sine)),
            self.op("Add", self.op("Mul", left, sine), self.op("Mul", right, cosine)),
            axis=-1,
        )

    def repeat_heads(self, x: str) -> str:
        """[B, KEY_HEADS, S, D] to [B, HEADS, S, D]."""
        group = HEADS // KEY_HEADS
        shape = self.op(
            "Concat",
            self.dim(x, 0),
            self.integers(KEY_HEADS, group),
            self.dim(x, 2),
            self.integers(HEAD_WIDTH),
            axis=0,
        )
        repeated = self.op("Expand", self.op("Unsqueeze", x, self.integers(2)), shape)
        shape = self.op(
            "Concat", self.dim(x, 0), self.integers(HEADS), self.dim(x, 2), self.integers(HEAD_WIDTH), axis=0
        )
        return self.op("Reshape", repeated, shape)

    def attend(self, query: str, key: str, value: str, past_key: str, past_value: str) -> tuple[str, str, str]:
        key = self.op("Concat", past_key, key, axis=2)
        value = self.op("Concat", past_value, value, axis=2)
        columns = self.op("Range", self.scalar(0), self.op("Squeeze", self.dim(key, 2)), self.scalar(1))
        rows = self.op("Unsqueeze", self.positions, self.integers(1, -1))
        visible = self.op("LessOrEqual", columns, rows)
        bias = self.op("Where", visible, self.number(0), self.number(-np.inf))
        y = self.attention(query, self.repeat_heads(key), self.repeat_heads(value), HEAD_WIDTH, bias)
        return y, key, value

    def scalar(self, value: int) -> str:
        return self.constant(np.int64(value))


class Operators(Primitive):
    """RMSNormalization, RotaryEmbedding and Attention."""

    def rms_norm(self, x: str) -> str:
        return self.op("RMSNormalization", x, self.around_one(WIDTH), axis=-1, epsilon=EPSILON)

    def rotate(self, x: str) -> str:
        return self.op("RotaryEmbedding", x, self.cosines, self.sines, self.positions)

    def attend(self, query: str, key: str, value: str, past_key: str, past_value: str) -> tuple[str, str, str]:
        return tuple(self.ops("Attention", 3, query, key, value, "", past_key, past_value, is_causal=1))


def write(spelling: type[Primitive], path: Path) -> None:
    g = spelling("decoder", 23)
    ids = g.input("input_ids", TensorProto.INT64, "batch", "sequence")
    past = [
        (
            g.input(f"past.{layer}.key", TensorProto.FLOAT, "batch", KEY_HEADS, "past", HEAD_WIDTH),
            g.input(f"past.{layer}.value", TensorProto.FLOAT, "batch", KEY_HEADS, "past", HEAD_WIDTH),
        )
        for layer in range(LAYERS)
    ]
    frequencies = 10000.0 ** (-np.arange(0, HEAD_WIDTH, 2) / HEAD_WIDTH)
    angles = np.arange(POSITIONS)[:, None] * frequencies
    g.cosines = g.constant(np.cos(angles).astype(np.float32))
    g.sines = g.constant(np.sin(angles).astype(np.float32))
    # Positions [B, S]: those after the past.
    begin, length = (g.op("Squeeze", g.dim(*of)) for of in ((past[0][0], 2), (ids, 1)))
    row = g.op("Range", begin, g.op("Add", begin, length), g.scalar(1))
    g.positions = g.op("Expand", row, g.op("Shape", ids))
    embedding = g.weight(VOCABULARY, WIDTH, scale=1)
    x = g.op("Gather", embedding, ids)
    presents = []
    for layer in range(LAYERS):
        normed = g.rms_norm(x)
        query, key, value = (
            g.heads(g.op("MatMul", normed, g.weight(WIDTH, heads * HEAD_WIDTH)), heads, HEAD_WIDTH)
            for heads in (HEADS, KEY_HEADS, KEY_HEADS)
        )
        y, *present = g.attend(g.rotate(query), g.rotate(key), value, *past[layer])
        presents.append(present)
        y = g.join_heads(y, HEADS * HEAD_WIDTH)
        x = g.op("Add", x, g.op("MatMul", y, g.weight(HEADS * HEAD_WIDTH, WIDTH)))
        normed = g.rms_norm(x)
        gate = g.op("MatMul", normed, g.weight(WIDTH, INNER))
        gate = g.op("Mul", gate, g.op("Sigmoid", gate))
        inner = g.op("Mul", gate, g.op("MatMul", normed, g.weight(WIDTH, INNER)))
        x = g.op("Add", x, g.op("MatMul", inner, g.weight(INNER, WIDTH)))
    g.output(g.op("MatMul", g.rms_norm(x), g.weight(WIDTH, VOCABULARY)), "logits", "batch", "sequence", VOCABULARY)
    for layer, present in enumerate(presents):
        for value, name in zip(present, ("key", "value"), strict=True):
            g.output(value, f"present.{layer}.{name}", "batch", KEY_HEADS, "total", HEAD_WIDTH)
    g.save(path)


def empty_past(batch: int, length: int = 0) -> dict[str, np.ndarray]:
    names = [f"past.{layer}.{part}" for layer in range(LAYERS) for part in ("key", "value")]
    return {name: np.zeros((batch, KEY_HEADS, length, HEAD_WIDTH), np.float32) for name in names}
