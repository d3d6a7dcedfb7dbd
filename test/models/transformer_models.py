"""Models of token ids; shapes begin with (batch, sequence length)."""

from __future__ import annotations

import functools
from pathlib import Path

import decoder
import encoder_decoder
import minilm
import numpy as np
import zoo


def make_tokens(vocabulary: int, kind: str, shape: zoo.Shape) -> np.ndarray:
    return zoo.generator(kind, shape).integers(0, vocabulary, shape)


def make_mask(kind: str, shape: zoo.Shape) -> np.ndarray:
    """Which tokens count; a "padded" batch has texts of several lengths."""
    batch, length = shape
    lengths = [length if kind == "full" else max(1, length - 1 - 3 * row) for row in range(batch)]
    return (np.arange(length) < np.array(lengths)[:, None]).astype(np.int64)


def bert_inputs(types: bool, kind: str, shape: zoo.Shape) -> dict[str, np.ndarray]:
    feeds = {"input_ids": make_tokens(minilm.VOCABULARY, kind, shape), "attention_mask": make_mask(kind, shape)}
    if types:  # the second half is another sentence
        feeds["token_type_ids"] = np.broadcast_to((np.arange(shape[1]) >= shape[1] // 2).astype(np.int64), shape)
    return feeds


def gpt2_inputs(kind: str, shape: zoo.Shape) -> dict[str, np.ndarray]:
    return {"input_ids": make_tokens(50257, kind, shape)}


def decoder_inputs(kind: str, shape: zoo.Shape) -> dict[str, np.ndarray]:
    batch, length, past = shape
    feeds = {"input_ids": make_tokens(decoder.VOCABULARY, kind, (batch, length))}
    for name, value in decoder.empty_past(batch, past).items():
        feeds[name] = zoo.generator(name, shape).normal(0, 1, value.shape).astype(np.float32)
    return feeds


def encoder_decoder_inputs(kind: str, shape: zoo.Shape) -> dict[str, np.ndarray]:
    batch, source, target = shape
    return {
        "source_ids": make_tokens(encoder_decoder.VOCABULARY, kind, (batch, source)),
        "source_mask": make_mask(kind, (batch, source)),
        "target_ids": make_tokens(encoder_decoder.VOCABULARY, "target", (batch, target)),
    }


def written(name: str, write, module) -> functools.partial[Path]:
    """A model that a script beside this one writes."""
    return functools.partial(zoo.made, name, write, Path(module.__file__), zoo.HERE / "graph.py")


def model(name: str, path, inputs, *shapes: zoo.Shape, kinds: tuple[str, ...] = ("full", "padded")) -> zoo.Model:
    """The benchmark measures the last, largest shape."""
    return zoo.Model(name, path, inputs, kinds, shapes[-1], shapes)


def decoder_model(name: str, spelling: type[decoder.Primitive]) -> zoo.Model:
    path = written(f"{name}.onnx", functools.partial(decoder.write, spelling), decoder)
    return model(name, path, decoder_inputs, (3, 7, 0), (1, 1, 9), (3, 5, 4), (1, 32, 0), kinds=("full",))


MODELS = (
    model(
        "bert_base",
        zoo.skeleton("bert_base.skeleton.onnx"),
        functools.partial(bert_inputs, False),
        (3, 17),
        (1, 40),
        (1, 128),
    ),
    model("gpt2_6l", zoo.skeleton("gpt2_6l.skeleton.onnx"), gpt2_inputs, (1, 1), (1, 17), (1, 64), kinds=("full",)),
    model(
        "all-MiniLM-L6-v2",
        written("minilm.onnx", minilm.write, minilm),
        functools.partial(bert_inputs, True),
        (3, 13),
        (1, 1),
        (1, 128),
    ),
    decoder_model("decoder of primitives", decoder.Primitive),
    decoder_model("decoder of operators", decoder.Operators),
    model(
        "encoder-decoder",
        written("encoder_decoder.onnx", encoder_decoder.write, encoder_decoder),
        encoder_decoder_inputs,
        (3, 11, 6),
        (1, 1, 1),
        (1, 40, 30),
    ),
)
