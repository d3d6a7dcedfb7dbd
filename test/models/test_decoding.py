"""A language model writes the same text as in ONNX Runtime, token by token over a growing cache."""

import decoder
import numpy as np
import onnxc
import onnxruntime
import pytest
import transformer_models
import zoo

TOKENS = 64


def decode(session, prompt: np.ndarray) -> list[list[int]]:
    """The most likely token, TOKENS times, for each row of prompt."""
    past = decoder.empty_past(len(prompt))
    text, ids = [], prompt
    for _ in range(TOKENS):
        logits, *present = session.run(None, {"input_ids": ids, **past})
        ids = logits[:, -1].argmax(-1)[:, None]
        past = dict(zip(past, present, strict=True))
        text.append(ids[:, 0].tolist())
    return text


DECODERS = [model for model in transformer_models.MODELS if model.name.startswith("decoder")]


@pytest.mark.parametrize("model", DECODERS, ids=[model.name.replace(" ", "-") for model in DECODERS])
def test_greedy_decoding(model: zoo.Model, libraries) -> None:
    prompt = zoo.generator("prompt").integers(0, decoder.VOCABULARY, (2, 8))
    path = model.path()
    reference = decode(onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]), prompt)
    assert len({tuple(tokens) for tokens in reference}) > 8, "the text says too little"
    assert decode(onnxc.InferenceSession(libraries.get(path)), prompt) == reference
