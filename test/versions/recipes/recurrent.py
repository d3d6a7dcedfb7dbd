"""RNN, GRU, LSTM, and operators that hand a state from position to position."""

import numpy as np

from ..cases import At, Case, Constant, recipe

STEPS, BATCH, INPUTS, HIDDEN = 4, 2, 3, 5


@recipe("RNN", "GRU", "LSTM")
def recurrent(at: At):
    gates = {"RNN": 1, "GRU": 3, "LSTM": 4}[at.operator]
    small = {"low": -0.5, "high": 0.5}

    def weights(directions):
        sizes = [(gates * HIDDEN, INPUTS), (gates * HIDDEN, HIDDEN), (2 * gates * HIDDEN,)]
        return [Constant(at.values(directions, *size, **small)) for size in sizes]

    outputs = 3 if at.operator == "LSTM" else 2
    x = at.values(STEPS, BATCH, INPUTS, low=-1, high=1)
    # Before 7 the whole sequence was an output on request; without, the first output may be empty.
    old = {"output_sequence": 1} if at.version < 7 else {}
    if at.operator == "GRU" and at.version == 1:
        old["direction"] = "forward"  # the default is misspelled there
    given = {"hidden_size": HIDDEN}
    inputs = [x, *weights(1)]
    newer = 7 if at.version < 7 else at.version

    def case(inputs, attributes):
        same = {name: value for name, value in attributes.items() if name != "output_sequence"}
        instead = (at.operator, newer, inputs, same) if at.version < 7 else None
        return Case(inputs, attributes, outputs, instead=instead)

    yield case(inputs, {**given, **old})
    lengths = np.array([2, 4], np.int32)
    state = [at.values(2, BATCH, HIDDEN, **small) for _ in range(outputs - 1)]
    both = {**given, **old, "direction": "bidirectional", "clip": 0.4}
    yield case([x, *weights(2), lengths, *state], both)
    yield case([x, *weights(1)], {**given, **old, "direction": "reverse"})
    if at.operator == "GRU" and at.version >= 3:
        yield case([x, *weights(1)], {**given, **old, "linear_before_reset": 1})
    if at.operator == "LSTM":
        peepholes = Constant(at.values(1, 3 * HIDDEN, **small))
        yield case([x, *weights(1), None, None, None, peepholes], {**given, **old, "input_forget": 0})
    names = {"RNN": ["Relu"], "GRU": ["HardSigmoid", "Softsign"], "LSTM": ["HardSigmoid", "Relu", "Elu"]}[at.operator]
    yield case([x, *weights(1)], {**given, **old, "activations": names})
    if at.version >= 14:
        yield _batch_first(at, x, weights(1), outputs)


def _batch_first(at: At, x, weights, outputs):
    """ONNX Runtime lacks layout = 1: the same with transposed values."""
    from ..cases import NodeTest
    from ..expected import expected

    steps_first = NodeTest(at.schema, at.type, Case([x, *weights], {"hidden_size": HIDDEN}, outputs), 0)

    def model(*_):
        y, *states = expected(steps_first).values
        return (y.transpose(2, 0, 1, 3), *(state.swapaxes(0, 1) for state in states))

    inputs = [np.ascontiguousarray(x.swapaxes(0, 1)), *weights]
    return Case(inputs, {"hidden_size": HIDDEN, "layout": 1}, outputs, model=model)


@recipe("CausalConvWithState")
def causal_conv(at: At):
    x, w = at.values(2, 3, 6), at.values(3, 1, 4)
    yield Case([x, w], outputs=2)
    yield Case([x, w, at.values(3), at.values(2, 3, 3)], {"activation": "silu"}, 2)


@recipe("LinearAttention")
def linear_attention(at: At):
    q, k, v = (at.values(1, 4, 2 * size, low=-1, high=1) for size in (3, 3, 2))
    heads = {"q_num_heads": 2, "kv_num_heads": 2}
    yield Case([q, k, v], {**heads, "update_rule": "linear"}, 2)
    decay, beta = at.values(1, 4, 2, low=-1, high=-0.1), at.values(1, 4, 2, low=0.1, high=1)
    yield Case([q, k, v, None, decay, beta], {**heads, "update_rule": "gated_delta"}, 2)
    yield Case([q, k, v, at.values(1, 2, 3, 2, type=np.float32), decay], {**heads, "update_rule": "gated"}, 2)


@recipe("Attention")
def attention(at: At):
    q, k, v = at.values(2, 4, 3, 8), at.values(2, 2, 5, 8), at.values(2, 2, 5, 6)
    near = {2: 0.05, 8: 1e-6}.get(at.type.itemsize)  # onnx defines the scale in f32
    yield Case([q, k, v], {}, atol=near)
    yield Case([q, k, v], {"is_causal": 1, "scale": 0.3})
    yield Case([q, k, v, at.values(3, 5)], {"softcap": 2.0})
    yield Case([q, k, v, at.values(3, 5, type=bool) | np.eye(3, 5, dtype=bool)])
    flat = [at.values(2, 3, 32), at.values(2, 5, 16), at.values(2, 5, 12)]
    yield Case(flat, {"q_num_heads": 4, "kv_num_heads": 2})
    past = [at.values(2, 2, 4, 8), at.values(2, 2, 4, 6)]
    yield Case([q, k, v, None, *past], {}, 3)
    if at.version >= 24:
        yield Case([q, k, v, None, None, None, np.array([3, 5], np.int64)])
    if at.version >= 25:
        yield Case([q, k, v], {"left_window_size": 1, "right_window_size": 1})


@recipe("FlexAttention", domain="ai.onnx.preview")
def flex_attention(at: At):
    yield Case([at.values(2, 4, 3, 8), at.values(2, 2, 5, 8), at.values(2, 2, 5, 6)], {"scale": 0.3})


@recipe("RotaryEmbedding")
def rotary_embedding(at: At):
    x = at.values(2, 4, 3, 8)
    cos, sin = at.values(6, 4, low=-1, high=1), at.values(6, 4, low=-1, high=1)
    positions = np.array([[0, 1, 2], [3, 4, 5]], np.int64)
    for interleaved in (0, 1):
        yield Case([x, cos, sin, positions], {"interleaved": interleaved})
    yield Case([at.values(2, 3, 32), at.values(2, 3, 4), at.values(2, 3, 4)], {"num_heads": 4})
