"""RNN, GRU and LSTM in random configurations, against ONNX Runtime and, where that lacks a form, against numpy."""

import os

import numpy as np
import onnx
import onnxc
import onnxruntime
import pytest
from onnx import TensorProto, helper
from small_models import make_model

SEED = int(os.environ.get("ONNXC_SEED", "1"))
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
FUNCTIONS = {"RNN": 1, "GRU": 2, "LSTM": 3}
ACTIVATIONS = {
    "Relu": (0, 0), "Tanh": (0, 0), "Sigmoid": (0, 0), "Affine": (1, 1), "LeakyRelu": (1, 0), "ThresholdedRelu": (1, 0),
    "ScaledTanh": (1, 1), "HardSigmoid": (1, 1), "Elu": (1, 0), "Softsign": (0, 0), "Softplus": (0, 0),
}  # fmt: skip

onnxruntime.set_default_logger_severity(4)


@pytest.fixture(autouse=True)
def rng():
    print("ONNXC_SEED =", SEED)
    return np.random.default_rng(SEED)


# Bounded and continuous: others make states grow without bound, or let rounding decide which way later steps go.
BOUNDED = ["Tanh", "Sigmoid", "ScaledTanh", "HardSigmoid", "Softsign"]


def draw_activations(rng, count: int, attributes: dict) -> None:
    names = [str(name) for name in rng.choice(BOUNDED, count)]
    attributes["activations"] = names
    alphas = [float(rng.uniform(0.1, 0.9)) for name in names if ACTIVATIONS[name][0]]
    betas = [float(rng.uniform(0.1, 0.5)) for name in names if ACTIVATIONS[name][1]]
    if alphas:
        attributes["activation_alpha"] = alphas
    if betas:
        attributes["activation_beta"] = betas


class Layer:
    """One recurrent node whose weights are constants (or inputs) and whose length and batch are symbolic."""

    def __init__(self, rng, kind: str, number: int, dtype=np.float32, **fixed) -> None:
        self.kind, self.rng, self.dtype = kind, rng, dtype
        self.hidden = int(fixed.pop("hidden", rng.choice([1, 5, 16, 19, 32, 40])))
        self.inputs = int(rng.choice([1, 3, 24]))
        direction = fixed.pop("direction", str(rng.choice(["forward", "reverse", "bidirectional"])))
        self.directions = 2 if direction == "bidirectional" else 1
        self.has_lengths = fixed.pop("lengths", bool(rng.random() < 0.4))
        self.has_states = bool(rng.random() < 0.6)
        self.prefix = f"n{number}_"
        attributes = {"direction": direction, "hidden_size": self.hidden}
        if rng.random() < 0.5:
            draw_activations(rng, FUNCTIONS[kind] * self.directions, attributes)
        if rng.random() < 0.3:
            attributes["clip"] = float(rng.uniform(0.2, 2))
        if kind == "GRU":
            attributes["linear_before_reset"] = int(rng.integers(2))
        if kind == "LSTM":
            attributes["input_forget"] = int(rng.random() < 0.2)
        attributes.update(fixed.pop("attributes", {}))
        self.layout = attributes.get("layout", 0)
        rows = GATES[kind] * self.hidden
        weights = {
            "W": (self.directions, rows, self.inputs),
            "R": (self.directions, rows, self.hidden),
            "B": (self.directions, 2 * rows),
        }
        if kind == "LSTM":
            weights["P"] = (self.directions, 3 * self.hidden)
        self.weights = {name: self.noise(shape, 0.5 / shape[-1] ** 0.5) for name, shape in weights.items()}
        for name in ("B", "P"):
            if rng.random() < 0.4:
                self.weights.pop(name, None)
        self.weights_are_inputs = fixed.pop("weights_are_inputs", False)
        assert not fixed, fixed
        operands = ["X", "W", "R", "B", "L", "H"] + (["C", "P"] if kind == "LSTM" else [])
        present = (
            {"X", *self.weights} | ({"L"} if self.has_lengths else set()) | ({"H", "C"} if self.has_states else set())
        )
        names = [self.prefix + name if name in present else "" for name in operands]
        while not names[-1]:
            names.pop()
        self.outputs = ["Y", "YH"] + (["YC"] if kind == "LSTM" else [])
        if rng.random() < 0.3:
            self.outputs.remove(str(rng.choice(self.outputs)))
        results = [
            self.prefix + name if name in self.outputs else ""
            for name in ["Y", "YH", "YC"][: 3 if kind == "LSTM" else 2]
        ]
        self.node = helper.make_node(kind, names, results, **attributes)

    def noise(self, shape, scale=1.0):
        return (self.rng.standard_normal(shape) * scale).astype(self.dtype)

    def state_shape(self, batch):
        return (batch, self.directions, self.hidden) if self.layout else (self.directions, batch, self.hidden)

    def interface(self):
        """inputs, outputs and constants of the model."""
        element = helper.np_dtype_to_tensor_dtype(np.dtype(self.dtype))
        data = ["N", "T", self.inputs] if self.layout else ["T", "N", self.inputs]
        inputs = [(self.prefix + "X", element, data)]
        if self.has_lengths:
            inputs.append((self.prefix + "L", TensorProto.INT32, ["N"]))
        if self.has_states:
            for name in ["H", "C"][: 2 if self.kind == "LSTM" else 1]:
                inputs.append((self.prefix + name, element, list(self.state_shape("N"))))
        constants = {}
        for name, value in self.weights.items():
            if self.weights_are_inputs:
                inputs.append((self.prefix + name, element, list(value.shape)))
            else:
                constants[self.prefix + name] = value
        state = list(self.state_shape("N"))
        sequence = (
            [*data[:2], self.directions, self.hidden] if self.layout else ["T", self.directions, "N", self.hidden]
        )
        dims = {"Y": sequence, "YH": state, "YC": state}
        return inputs, [(self.prefix + name, element, dims[name]) for name in self.outputs], constants

    def feeds(self, steps: int, batch: int) -> dict[str, np.ndarray]:
        shape = (batch, steps) if self.layout else (steps, batch)
        feeds = {"X": self.noise((*shape, self.inputs))}
        if self.has_lengths:
            feeds["L"] = self.rng.integers(1 if steps else 0, steps + 1, batch).astype(np.int32)
        if self.has_states:
            for name in ["H", "C"][: 2 if self.kind == "LSTM" else 1]:
                feeds[name] = self.noise(self.state_shape(batch))
        if self.weights_are_inputs:
            feeds.update(self.weights)
        return {self.prefix + name: value for name, value in feeds.items()}


def model_of(layers, opset: int) -> onnx.ModelProto:
    inputs, outputs, constants = [], [], {}
    for layer in layers:
        some_inputs, some_outputs, some_constants = layer.interface()
        inputs += some_inputs
        outputs += some_outputs
        constants.update(some_constants)
    return make_model([layer.node for layer in layers], inputs, outputs, constants, opset=opset)


def check(names, results, expected, tolerance, layers):
    for name, result, wanted in zip(names, results, expected, strict=True):
        assert result.shape == wanted.shape, name
        assert result.dtype == wanted.dtype, name
        node = layers[int(name[1 : name.index("_")])].node
        scale = max(1.0, float(np.abs(wanted).max(initial=0)))
        np.testing.assert_allclose(result, wanted, atol=tolerance * scale, rtol=tolerance, err_msg=f"{name} {node}")


SHAPES = [(1, 1), (7, 3), (4, 9), (13, 1)]


def compare_with_onnxruntime(layers, compiled, opset, shapes, tolerance=2e-5):
    model = model_of(layers, opset)
    reference = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    session = onnxc.InferenceSession(compiled(model))
    for steps, batch in shapes:
        feeds = {}
        for layer in layers:
            feeds.update(layer.feeds(steps, batch))
        names = [output.name for output in session.get_outputs()]
        check(names, session.run(None, feeds), reference.run(None, feeds), tolerance, layers)


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("opset", [7, 22])
def test_random_layers_as_onnxruntime(rng, compiled, kind, opset):
    layers = [Layer(rng, kind, number, weights_are_inputs=number == 5) for number in range(6)]
    compare_with_onnxruntime(layers, compiled, opset, [(1, 1), (7, 3), (4, 9), (13, 1)])


def test_every_activation_in_one_step(rng, compiled):
    layers = []
    for number, (name, (alpha, beta)) in enumerate(ACTIVATIONS.items()):
        attributes = {"activations": [name], "activation_alpha": [0.7] * alpha, "activation_beta": [0.2] * beta}
        layer = PlainLayer(rng, "RNN", number, hidden=16, direction="forward", lengths=False)
        layer.node.attribute.extend(helper.make_attribute(*item) for item in attributes.items() if item[1])
        layers.append(layer)
    compare_with_onnxruntime(layers, compiled, 14, [(1, 2)])


def test_batches_beyond_a_group_of_rows(rng, compiled):
    layers = [Layer(rng, kind, number, hidden=24) for number, kind in enumerate(GATES)]
    compare_with_onnxruntime(layers, compiled, 14, [(5, 16), (3, 37)])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def numpy_layer(layer: Layer, feeds: dict) -> dict[str, np.ndarray]:
    """The operators' equations with the default activations, in double precision."""
    values = {name.removeprefix(layer.prefix): value.astype(np.float64) for name, value in feeds.items()}
    values.update((name, value.astype(np.float64)) for name, value in layer.weights.items())
    x, hidden = values["X"], layer.hidden
    if layer.layout:
        x = x.swapaxes(0, 1)
    steps, batch = x.shape[:2]
    states = []
    for name in ["H", "C"]:
        state = values.get(name, np.zeros(layer.state_shape(batch)))
        states.append(np.array(state.swapaxes(0, 1) if layer.layout else state))
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in layer.node.attribute}
    y = np.zeros((steps, layer.directions, batch, hidden))
    lengths = values.get("L", np.full(batch, steps)).astype(int)
    rows = GATES[layer.kind] * hidden
    for d in range(layer.directions):
        w, r = values["W"][d], values["R"][d]
        wb, rb = np.split(values["B"][d] if "B" in values else np.zeros(2 * rows), 2)
        peepholes = np.split(values["P"][d] if "P" in values else np.zeros(3 * hidden), 3)
        backwards = d == 1 or attributes["direction"] == b"reverse"
        for b in range(batch):
            h, c = states[0][d, b], states[1][d, b]
            for step in range(lengths[b]):
                t = lengths[b] - 1 - step if backwards else step
                xs = np.split(w @ x[t, b] + wb, GATES[layer.kind])
                hs = np.split(r @ h + rb, GATES[layer.kind])
                if layer.kind == "RNN":
                    h = np.tanh(xs[0] + hs[0])
                elif layer.kind == "GRU":
                    z, reset = sigmoid(xs[0] + hs[0]), sigmoid(xs[1] + hs[1])
                    if attributes["linear_before_reset"]:
                        candidate = np.tanh(xs[2] + reset * hs[2])
                    else:
                        candidate = np.tanh(xs[2] + r[2 * hidden :] @ (reset * h) + rb[2 * hidden :])
                    h = (1 - z) * candidate + z * h
                else:
                    i = sigmoid(xs[0] + hs[0] + peepholes[0] * c)
                    f = 1 - i if attributes["input_forget"] else sigmoid(xs[2] + hs[2] + peepholes[2] * c)
                    c = f * c + i * np.tanh(xs[3] + hs[3])
                    h = sigmoid(xs[1] + hs[1] + peepholes[1] * c) * np.tanh(c)
                y[t, d, b] = h
            states[0][d, b], states[1][d, b] = h, c
    results = {"Y": y, "YH": states[0], "YC": states[1]}
    if layer.layout:
        results = {"Y": y.transpose(2, 0, 1, 3), "YH": states[0].swapaxes(0, 1), "YC": states[1].swapaxes(0, 1)}
    return {layer.prefix + name: value.astype(layer.dtype) for name, value in results.items()}


class PlainLayer(Layer):
    """With the default activations and without a clip."""

    def __init__(self, *arguments, **fixed) -> None:
        super().__init__(*arguments, **fixed)
        plain = [a for a in self.node.attribute if not a.name.startswith("activation") and a.name != "clip"]
        del self.node.attribute[:]
        self.node.attribute.extend(plain)


@pytest.mark.parametrize(
    ("dtype", "layout", "tolerance"), [(np.float64, 0, 1e-12), (np.float16, 0, 2e-3), (np.float32, 1, 1e-5)]
)
def test_forms_that_onnxruntime_lacks(rng, compiled, dtype, layout, tolerance):
    """Double and half precision, a batch that comes first, no steps at all."""
    layers = [
        PlainLayer(rng, kind, number, dtype, attributes={"layout": layout}, weights_are_inputs=number == 3)
        for number, kind in enumerate([*GATES, *GATES])
    ]
    session = onnxc.InferenceSession(compiled(model_of(layers, 22)))
    names = [output.name for output in session.get_outputs()]
    for steps, batch in [(6, 3), (2, 1), (0, 2), (3, 0)]:
        feeds, expected = {}, {}
        for layer in layers:
            some = layer.feeds(steps, batch)
            feeds.update(some)
            expected.update(numpy_layer(layer, some))
        check(names, session.run(None, feeds), [expected[name] for name in names], tolerance, layers)


def test_a_length_outside_the_sequence_is_an_error(rng, compiled):
    layer = Layer(rng, "LSTM", 0, lengths=True)
    session = onnxc.InferenceSession(compiled(model_of([layer], 22)))
    for length in [5, -1]:
        feeds = layer.feeds(4, 2)
        feeds["n0_L"] = np.array([4, length], np.int32)
        with pytest.raises(Exception, match="sequence_lens"):
            session.run(None, feeds)


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"activations": ["Sigmoid", "Tanh"]}, "expects 3 activations"),
        ({"activations": ["Sigmoid", "Tanh", "Gelu"]}, "'gelu' is not known"),
        ({"direction": "sideways"}, "sideways"),
        ({"hidden_size": 7}, "hidden_size"),
    ],
)
def test_refused_attributes(rng, tmp_path, attributes, reason):
    layer = PlainLayer(rng, "LSTM", 0, hidden=8, direction="forward", attributes=attributes)
    layer.node.attribute.extend(
        helper.make_attribute(name, value) for name, value in attributes.items() if name == "activations"
    )
    with pytest.raises(Exception, match=reason):
        onnxc.compile(model_of([layer], 22).SerializeToString(), tmp_path / "m.so")
