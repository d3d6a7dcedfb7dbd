"""A translator's shape: an encoder over a padded source, a decoder that attends to itself and to the encoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from graph import Graph
from onnx import TensorProto, numpy_helper

VOCABULARY, WIDTH, HEADS, INNER, POSITIONS = 200, 96, 4, 192, 64


def _attend(g: Graph, x: str, memory: str, bias: str) -> str:
    width = WIDTH // HEADS
    query, key, value = (g.heads(g.linear(v, WIDTH, WIDTH), HEADS, width) for v in (x, memory, memory))
    y = g.join_heads(g.attention(query, key, value, width, bias), WIDTH)
    return g.layer_norm(g.op("Add", x, g.linear(y, WIDTH, WIDTH)), WIDTH)


def _feed_forward(g: Graph, x: str) -> str:
    inner = g.op("Relu", g.linear(x, WIDTH, INNER))
    return g.layer_norm(g.op("Add", x, g.linear(inner, INNER, WIDTH)), WIDTH)


def _embed(g: Graph, ids: str, table: str, positions: str) -> str:
    place = g.op("Slice", positions, g.integers(0), g.dim(ids, 1), g.integers(0))
    return g.op("Add", g.op("Gather", table, ids), place)


def write(path: Path) -> None:
    g = Graph("encoder_decoder", 17)
    source = g.input("source_ids", TensorProto.INT64, "batch", "source")
    mask = g.input("source_mask", TensorProto.INT64, "batch", "source")
    target = g.input("target_ids", TensorProto.INT64, "batch", "target")
    table, positions = g.weight(VOCABULARY, WIDTH, scale=1), g.weight(POSITIONS, WIDTH, scale=0.5)
    # [B, 1, 1, source]: 0, or -1e4 where there is padding.
    padding = g.op("Unsqueeze", g.op("Cast", mask, to=TensorProto.FLOAT), g.integers(1, 2))
    padding = g.op("Mul", g.op("Sub", g.number(1), padding), g.number(-1e4))
    memory = _embed(g, source, table, positions)
    for _ in range(2):
        memory = _feed_forward(g, _attend(g, memory, memory, padding))
    # The upper triangle of [target, target] is hidden.
    length = g.dim(target, 1)
    square = g.op(
        "ConstantOfShape", g.op("Concat", length, length, axis=0), value=numpy_helper.from_array(np.float32([-1e4]))
    )
    causal = g.op("Trilu", square, g.constant(np.int64(1)), upper=1)
    x = _embed(g, target, table, positions)
    for _ in range(2):
        x = _attend(g, x, x, causal)
        x = _feed_forward(g, _attend(g, x, memory, padding))
    g.output(g.linear(x, WIDTH, VOCABULARY), "logits", "batch", "target", VOCABULARY)
    g.save(path)
