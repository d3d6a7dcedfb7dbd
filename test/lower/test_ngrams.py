"""TfIdfVectorizer, against ONNX Runtime: several cases in each compiled model."""

import numpy as np
import pytest
from onnx import TensorProto, helper

# Unigrams, then bigrams, then trigrams.
COUNTS, ITEMS = [0, 3, 7], [2, 3, 5, 5, 4, 7, 8, 2, 2, 2, 3, 4, 5]
CASES = {
    "unigrams": {"min_gram_length": 1, "max_gram_length": 1, "max_skip_count": 0, "mode": "TF"},
    "all": {"min_gram_length": 1, "max_gram_length": 3, "max_skip_count": 0, "mode": "TF"},
    "skips": {"min_gram_length": 2, "max_gram_length": 3, "max_skip_count": 3, "mode": "TF"},
    "presence": {"min_gram_length": 1, "max_gram_length": 2, "max_skip_count": 1, "mode": "IDF"},
    "weighted": {"min_gram_length": 1, "max_gram_length": 3, "max_skip_count": 2, "mode": "TFIDF"},
}
WEIGHTS = [0.5, 2.0, -1.0, 3.0, 0.25, 1.5, 7.0]


def vectorizers(kind: int, dims: list, **pool):
    nodes = [
        helper.make_node(
            "TfIdfVectorizer",
            ["x"],
            [name],
            ngram_counts=COUNTS,
            ngram_indexes=list(range(7)),
            **pool,
            **case,
            **({"weights": WEIGHTS} if case["mode"] != "TF" else {}),
        )
        for name, case in CASES.items()
    ]
    graph = helper.make_graph(
        nodes,
        "ngrams",
        [helper.make_tensor_value_info("x", kind, dims)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [*dims[:-1], 7]) for name in CASES],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


@pytest.mark.parametrize("dims", [["N", "L"], ["L"]])
@pytest.mark.parametrize("kind", [TensorProto.INT64, TensorProto.INT32, TensorProto.STRING])
def test_ngrams(agree, kind: int, dims: list) -> None:
    if kind == TensorProto.STRING:
        model = vectorizers(kind, dims, pool_strings=[str(item) for item in ITEMS])
    else:
        model = vectorizers(kind, dims, pool_int64s=ITEMS)
    generator = np.random.default_rng(3)
    dtype = {TensorProto.INT64: np.int64, TensorProto.INT32: np.int32, TensorProto.STRING: str}[kind]
    sizes = [(4, length) if len(dims) == 2 else (length,) for length in (1, 2, 40)]
    agree(model, *({"x": generator.integers(2, 9, size).astype(dtype)} for size in sizes))
