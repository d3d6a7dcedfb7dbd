"""Models of token ids; shapes are (batch, sequence length)."""

from __future__ import annotations

import functools

import numpy as np
import zoo


def make_tokens(vocabulary: int, masked: bool, kind: str, shape: zoo.Shape) -> dict[str, np.ndarray]:
    """Token ids, and, where the model takes it, which of them count. A "padded" batch has texts of several lengths."""
    batch, length = shape
    feeds = {"input_ids": zoo.generator(kind, shape).integers(0, vocabulary, shape)}
    if masked:
        lengths = [length if kind == "full" else max(1, length - 1 - 3 * row) for row in range(batch)]
        feeds["attention_mask"] = (np.arange(length) < np.array(lengths)[:, None]).astype(np.int64)
    return feeds


def model(
    name: str, path, vocabulary: int, *shapes: zoo.Shape, masked: bool = True, classes: bool = False
) -> zoo.Model:
    """The benchmark measures the last, largest shape."""
    inputs = functools.partial(make_tokens, vocabulary, masked)
    kinds = ("full", "padded") if masked else ("full",)
    return zoo.Model(name, path, inputs, kinds, shapes[-1], shapes, classes)


MODELS = (
    model("bert_base", zoo.skeleton("bert_base.skeleton.onnx"), 30522, (3, 17), (1, 40), (1, 128)),
    model("gpt2_6l", zoo.skeleton("gpt2_6l.skeleton.onnx"), 50257, (1, 1), (1, 17), (1, 64), masked=False),
)
