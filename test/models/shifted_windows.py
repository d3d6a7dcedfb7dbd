"""The blocks of a Swin transformer: attention within windows of a picture, every other time in windows that are
shifted by half their size, which rolls the picture (Slice, Concat) and hides what rolled around; then merged patches.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from graph import Graph
from onnx import TensorProto

SIDE, WINDOW, WIDTH, HEADS, CLASSES = 16, 4, 48, 3, 40
AREA = WINDOW * WINDOW


def _roll(g: Graph, x: str, shift: int, axis: int) -> str:
    """Elements move `shift` places towards the front."""
    end = np.iinfo(np.int64).max
    late = g.op("Slice", x, g.integers(shift), g.integers(end), g.integers(axis))
    early = g.op("Slice", x, g.integers(0), g.integers(shift), g.integers(axis))
    return g.op("Concat", late, early, axis=axis)


def _hidden(shift: int) -> np.ndarray:
    """[windows, AREA, AREA]: -100 for two pixels of one window that were not neighbours before rolling."""
    place = np.arange(SIDE)
    region = np.where(place < SIDE - WINDOW, 0, np.where(place < SIDE - shift, 1, 2))
    regions = region[:, None] * 3 + region[None, :]
    count = SIDE // WINDOW
    windows = regions.reshape(count, WINDOW, count, WINDOW).transpose(0, 2, 1, 3).reshape(-1, AREA)
    return np.where(windows[:, :, None] == windows[:, None, :], 0, -100).astype(np.float32)


def _windows(g: Graph, x: str, shift: int) -> str:
    """Attention of [B, SIDE, SIDE, WIDTH] within its windows."""
    for axis in (1, 2) if shift else ():
        x = _roll(g, x, shift, axis)
    count, width = SIDE // WINDOW, WIDTH // HEADS
    split = g.transpose(g.reshape(x, -1, count, WINDOW, count, WINDOW, WIDTH), 0, 1, 3, 2, 4, 5)
    tokens = g.reshape(split, -1, AREA, WIDTH)
    packed = g.transpose(g.reshape(g.linear(tokens, WIDTH, 3 * WIDTH), -1, AREA, 3, HEADS, width), 2, 0, 3, 1, 4)
    query, key, value = (g.op("Gather", packed, g.constant(np.int64(part)), axis=0) for part in range(3))
    scores = g.op("MatMul", g.op("Mul", query, g.number(width**-0.5)), g.transpose(key, 0, 1, 3, 2))
    scores = g.op("Add", scores, g.weight(1, HEADS, AREA, AREA, scale=0.5))
    if shift:
        apart = g.op("Unsqueeze", g.constant(_hidden(shift)), g.integers(1))
        scores = g.op("Add", g.reshape(scores, -1, count * count, HEADS, AREA, AREA), apart)
        scores = g.reshape(scores, -1, HEADS, AREA, AREA)
    y = g.op("MatMul", g.op("Softmax", scores, axis=-1), value)
    y = g.linear(g.reshape(g.transpose(y, 0, 2, 1, 3), -1, AREA, WIDTH), WIDTH, WIDTH)
    split = g.transpose(g.reshape(y, -1, count, count, WINDOW, WINDOW, WIDTH), 0, 1, 3, 2, 4, 5)
    y = g.reshape(split, -1, SIDE, SIDE, WIDTH)
    for axis in (1, 2) if shift else ():
        y = _roll(g, y, -shift, axis)
    return y


def write(path: Path) -> None:
    g = Graph("shifted_windows", 20)
    picture = g.input("x", TensorProto.FLOAT, "batch", 3, 4 * SIDE, 4 * SIDE)
    patches = g.op("Conv", picture, g.weight(WIDTH, 3, 4, 4, scale=0.15), strides=[4, 4])
    x = g.layer_norm(g.transpose(patches, 0, 2, 3, 1), WIDTH)
    for shift in (0, WINDOW // 2):
        x = g.op("Add", x, _windows(g, g.layer_norm(x, WIDTH), shift))
        inner = g.op("Gelu", g.linear(g.layer_norm(x, WIDTH), WIDTH, 2 * WIDTH))
        x = g.op("Add", x, g.linear(inner, 2 * WIDTH, WIDTH))
    end = np.iinfo(np.int64).max
    corners = [
        g.op("Slice", x, g.integers(row, column), g.integers(end, end), g.integers(1, 2), g.integers(2, 2))
        for column in (0, 1)
        for row in (0, 1)
    ]
    merged = g.linear(g.layer_norm(g.op("Concat", *corners, axis=-1), 4 * WIDTH), 4 * WIDTH, 2 * WIDTH)
    pooled = g.op("ReduceMean", merged, g.integers(1, 2), keepdims=0)
    g.output(g.linear(pooled, 2 * WIDTH, CLASSES), "scores", "batch", CLASSES)
    g.save(path)
