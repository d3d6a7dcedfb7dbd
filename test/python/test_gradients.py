"""Gradient against central differences of what onnx's reference evaluator computes."""

import math

import numpy as np
import onnx
import onnx.parser
import onnxc
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

DOUBLE, INT64 = TensorProto.DOUBLE, TensorProto.INT64
TRAINING = "ai.onnx.preview.training"

# Of each function: its operator, inputs and attributes.
FUNCTIONS = [
    ("Add", ["a", "row"], {}), ("Sub", ["row", "a"], {}), ("Mul", ["a", "column"], {}), ("Div", ["row", "p"], {}),
    ("Pow", ["p", "column_p"], {}), ("Sum", ["a", "row", "column"], {}), ("Mean", ["a", "row", "a"], {}),
    ("Max", ["a", "row"], {}), ("Min", ["a", "column"], {}), ("Where", ["mask", "a", "row"], {}),
    *[(name, ["a"], {}) for name in ("Neg", "Abs", "Exp", "Relu", "Sigmoid", "Tanh", "Softplus", "Erf", "Sin", "Cos",
                                     "Sinh", "Cosh", "Atan", "LeakyRelu", "Elu", "Gelu", "Floor", "Sign", "Flatten")],
    *[(name, ["p"], {}) for name in ("Reciprocal", "Sqrt", "Log", "Tan", "Asin", "Acos")],
    ("Clip", ["a", "low", "high"], {}), ("Softmax", ["a"], {}), ("Softmax", ["a"], {"axis": 0}),
    ("LogSoftmax", ["a"], {}),
    *[(f"Reduce{name}", ["p", "first"], {"keepdims": keep}) for keep in (0, 1)
      for name in ("Sum", "Mean", "SumSquare", "L1", "L2", "LogSum", "LogSumExp", "Max", "Min")],
    ("ReduceMean", ["a"], {"keepdims": 0}), ("ReduceSum", ["a"], {"noop_with_empty_axes": 1}),
    ("GlobalAveragePool", ["image"], {}),
    ("Transpose", ["image"], {"perm": [2, 0, 3, 1]}), ("Transpose", ["a"], {}), ("Reshape", ["a", "flat"], {}),
    ("Squeeze", ["column", "last"], {}), ("Unsqueeze", ["a", "first"], {}), ("Concat", ["a", "row2", "a"], {"axis": 0}),
    ("Slice", ["a", "first", "last", "last"], {}), ("Slice", ["a", "last", "least", "last", "minus"], {}),
    ("Gather", ["a", "twice"], {"axis": 1}), ("Expand", ["row", "shape"], {}), ("Tile", ["a", "repeats"], {}),
    ("Pad", ["a", "pads"], {}), ("Trilu", ["a"], {}), ("DepthToSpace", ["image"], {"blocksize": 2}),
    ("GatherElements", ["a", "places"], {"axis": 1}),
    ("MatMul", ["a", "m"], {}), ("MatMul", ["row", "m"], {}), ("MatMul", ["a", "row"], {}),
    ("MatMul", ["stack", "m"], {}), ("MatMul", ["row", "row"], {}), ("MatMul", ["stack", "stack2"], {}),
    ("Gemm", ["a", "m", "bias"], {"alpha": 0.5, "beta": 2.0}), ("Gemm", ["a", "a"], {"transB": 1}),
    ("Gemm", ["m", "a"], {"transA": 1, "transB": 1}), ("Gemm", ["a", "a"], {"transA": 1}),
    ("MaxPool", ["image"], {"kernel_shape": [2, 3]}), ("LayerNormalization", ["stack", "row", "row3"], {}),
    ("LayerNormalization", ["a", "row"], {"axis": 0}),
    ("BatchNormalization", ["image", "scale", "bias4", "fixed", "fixed"], {}),
    ("MaxPool", ["image"], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 0, 1, 2]}),
    ("Conv", ["image", "filter"], {}), ("Conv", ["image", "filter", "bias"], {"pads": [1, 0, 2, 1], "strides": [2, 3]}),
    ("Conv", ["image", "filter"], {"dilations": [2, 1], "pads": [1, 1, 1, 1]}),
]  # fmt: skip

INTEGERS = {
    "first": [0], "last": [1], "flat": [-1, 2], "least": [-9], "minus": [-1], "twice": [0, 2, 0], "shape": [2, 2, 3],
    "repeats": [2, 1], "pads": [1, 0, 0, 2], "places": [[0, 0, 2], [1, -1, 1]],
}  # fmt: skip


# The evaluator's own compute in f32.
class Erf(OpRun):
    op_domain = ""

    def _run(self, x):
        return (np.vectorize(math.erf)(x),)


class Gelu(OpRun):
    op_domain = ""

    def _run(self, x, approximate=None):
        return (x * (1 + np.vectorize(math.erf)(x / math.sqrt(2))) / 2,)


def inputs() -> dict[str, np.ndarray]:
    """No two elements alike, none where a function is not smooth."""
    generator = np.random.default_rng(5)
    shapes = {
        "a": (2, 3), "row": (3,), "row2": (1, 3), "column": (2, 1), "m": (3, 2), "bias": (2,), "stack": (2, 1, 3),
        "stack2": (3, 2), "image": (1, 4, 5, 6), "filter": (2, 4, 2, 3), "p": (2, 3), "column_p": (2, 1),
    }  # fmt: skip
    shapes |= {"row3": (3,), "scale": (4,), "bias4": (4,)}
    shapes["stack"], shapes["stack2"] = (2, 2, 3), (1, 3, 2)
    values = {name: generator.uniform(-2, 2, shape) for name, shape in shapes.items()}
    values["p"] = generator.uniform(0.2, 0.9, (2, 3))
    values["column_p"] = generator.uniform(0.5, 3, (2, 1))
    return values


def with_gradients(names: list[str]) -> tuple:
    """The functions with the gradient of each by its inputs of type double, and the names of both."""
    nodes, wanted = [], []
    for index, (operator, operands, attributes) in enumerate(FUNCTIONS):
        y = f"y{index}"
        nodes.append(helper.make_node(operator, operands, [y], **attributes))
        xs = list(dict.fromkeys(name for name in operands if name in names))
        results = [f"d{index}_{name}" for name in xs]
        nodes.append(helper.make_node("Gradient", xs, results, domain=TRAINING, xs=xs, y=y))
        wanted += [(result, index, name) for result, name in zip(results, xs, strict=True)]
    return nodes, wanted


def model_of(nodes: list, values: dict, outputs: dict[str, int | None], shapes: dict) -> onnx.ModelProto:
    """outputs: their ranks, None where nobody asks."""
    constants = [numpy_helper.from_array(np.array(data), name) for name, data in INTEGERS.items()]
    constants.append(numpy_helper.from_array(np.array([[True, False, True], [False, False, True]]), "mask"))
    constants += [
        numpy_helper.from_array(np.array(data), name)
        for name, data in (("low", -1.1), ("high", 0.9), ("fixed", [0.3, 0.6, 1.0, 2.0]))
    ]
    graph = helper.make_graph(
        nodes,
        "gradients",
        [helper.make_tensor_value_info(name, DOUBLE, shapes.get(name, data.shape)) for name, data in values.items()],
        [
            helper.make_tensor_value_info(name, DOUBLE, None if rank is None else [None] * rank)
            for name, rank in outputs.items()
        ],
        constants,
    )
    imports = [helper.make_opsetid("", 20), helper.make_opsetid(TRAINING, 1)]
    return helper.make_model(graph, opset_imports=imports, ir_version=9)


@pytest.mark.parametrize("shapes", [{}, {"image": ["N", 4, 5, 6], "a": ["M", 3]}])
def test_every_rule(compiled, shapes: dict) -> None:
    values = inputs()
    nodes, wanted = with_gradients(list(values))
    if shapes:  # with dims that only a run tells, where that leaves open what is repeated
        wanted = [
            (name, index, x)
            for name, index, x in wanted
            if FUNCTIONS[index][0] in ("Conv", "Softmax", "Exp", "ReduceMean")
        ]
        kept = {index for _, index, _ in wanted}
        nodes = [
            node
            for index, pair in enumerate(zip(nodes[::2], nodes[1::2], strict=True))
            if index in kept
            for node in pair
        ]
        used = {name for node in nodes for name in node.input}
        values = {name: value for name, value in values.items() if name in used}
    session = onnxc.InferenceSession(
        compiled(model_of(nodes, values, {name: values[x].ndim for name, _, x in wanted}, shapes))
    )
    results = dict(zip((name for name, _, _ in wanted), session.run(None, values), strict=True))

    forward = [node for node in nodes if node.op_type != "Gradient"]
    names = [node.output[0] for node in forward]
    reference = ReferenceEvaluator(model_of(forward, values, dict.fromkeys(names), shapes), new_ops=[Erf, Gelu])
    step = 1e-6

    def sums(feeds: dict) -> dict[str, float]:
        return {name: value.sum() for name, value in zip(names, reference.run(None, feeds), strict=True)}

    slopes = {}
    for x, value in values.items():
        for place in np.ndindex(value.shape):
            feeds = {name: array.copy() for name, array in values.items()}
            feeds[x][place] += step
            above = sums(feeds)
            feeds[x][place] -= 2 * step
            below = sums(feeds)
            slopes[x, place] = {name: (above[name] - below[name]) / (2 * step) for name in names}
    for name, index, x in wanted:
        want = np.zeros(values[x].shape)
        for place in np.ndindex(want.shape):
            want[place] = slopes[x, place][f"y{index}"]
        assert results[name].shape == want.shape, FUNCTIONS[index]
        np.testing.assert_allclose(results[name], want, rtol=1e-5, atol=1e-6, err_msg=f"{FUNCTIONS[index]} by {x}")


def parse_with_training(graph: str) -> onnx.ModelProto:
    return onnx.parser.parse_model(f'<ir_version: 9, opset_import: ["" : 20, "{TRAINING}" : 1]> {graph}')


def test_gradients_of_gradients_and_elsewhere(compiled) -> None:
    model = parse_with_training(f"""
    g (double[N] x, double[N] at, double w) =>
        (double y, double[N] dx, double[N] ddx, double[N] there, double dw, double none) {{
      square = Mul(x, x)
      cube = Mul(square, x)
      scaled = Mul(cube, w)
      y = ReduceSum <keepdims = 0> (scaled)
      dx, dw = {TRAINING}.Gradient <xs = ["x", "w"], y = "y"> (x, w)
      ddx = {TRAINING}.Gradient <xs = ["x"], zs = ["w"], y = "dx"> (x, w)
      there = {TRAINING}.Gradient <xs = ["x"], zs = ["w"], y = "y"> (at, w)
      none = {TRAINING}.Gradient <xs = ["w"], y = "square"> (w)
    }}
    """)
    x, at, w = np.array([1.0, -2, 3]), np.array([0.5, 0, 4]), np.array(2.5)
    session = onnxc.InferenceSession(compiled(model))
    y, dx, ddx, there, dw, none = session.run(None, {"x": x, "at": at, "w": w})
    np.testing.assert_allclose(y, w * (x**3).sum())
    np.testing.assert_allclose(dx, 3 * w * x**2)
    np.testing.assert_allclose(ddx, 6 * w * x)
    np.testing.assert_allclose(there, 3 * w * at**2)
    np.testing.assert_allclose(dw, (x**3).sum())
    assert none == 0


def test_mistakes(compiled) -> None:
    def compile_gradient(body: str) -> None:
        compiled(parse_with_training(f"g (double[N, 4] x, double[M, 4] z) => (double[N, 4] d) {{ {body} }}"))

    gradient = f"{TRAINING}.Gradient"
    with pytest.raises(onnxc.CompileError, match=r"'y' \(Hardmax.*cannot be differentiated"):
        compile_gradient(f'y = Hardmax(x) d = {gradient} <xs = ["x"], y = "y"> (x)')
    with pytest.raises(onnxc.CompileError, match=r"\(Gradient, opset 1\): y names 'q', which is no tensor"):
        compile_gradient(f'd = {gradient} <xs = ["x"], y = "q"> (x)')
    with pytest.raises(onnxc.CompileError, match=r"\(Gradient, opset 1\): xs and zs do not fit"):
        compile_gradient(f'y = Exp(x) d = {gradient} <xs = ["x", "z"], y = "y"> (x)')
    with pytest.raises(onnxc.CompileError, match=r"\(Gradient, opset \d+\): y is of type .*i64"):
        compile_gradient(f'y = ArgMax(x) d = {gradient} <xs = ["x"], y = "y"> (x)')
    with pytest.raises(onnxc.CompileError, match=r"\(Add, opset 20\): cannot be differentiated: whether dim 0"):
        compile_gradient(f'y = Add(x, z) d = {gradient} <xs = ["x"], zs = ["z"], y = "y"> (x, z)')


def test_a_step_of_training(compiled) -> None:
    """A classifier's loss by its weights, for a batch of any size."""
    model = parse_with_training(f"""
    g (double[N, 5] x, double[5, 4] w, double[4] b, int64[N] t) => (double loss, double[5, 4] dw, double[4] db) {{
      h = Gemm(x, w, b)
      a = Relu(h)
      loss = SoftmaxCrossEntropyLoss(a, t)
      dw, db = {TRAINING}.Gradient <xs = ["w", "b"], zs = ["x", "t"], y = "loss"> (w, b, x, t)
    }}
    """)
    session = onnxc.InferenceSession(compiled(model))
    generator = np.random.default_rng(0)
    w, b = generator.normal(size=(5, 4)), generator.normal(size=4)
    for batch in (6, 1):
        x, t = generator.normal(size=(batch, 5)), generator.integers(0, 4, batch)

        def loss(w: np.ndarray, b: np.ndarray, x: np.ndarray = x, t: np.ndarray = t) -> float:
            a = np.maximum(x @ w + b, 0)
            return -(a - np.log(np.exp(a).sum(axis=1, keepdims=True)))[np.arange(len(t)), t].mean()

        result, dw, db = session.run(None, {"x": x, "w": w, "b": b, "t": t})
        np.testing.assert_allclose(result, loss(w, b))
        step = 1e-6
        for place in np.ndindex(w.shape):
            move = np.zeros(w.shape)
            move[place] = step
            slope = (loss(w + move, b) - loss(w - move, b)) / (2 * step)
            np.testing.assert_allclose(dw[place], slope, rtol=1e-5, atol=1e-8)
        for place in range(4):
            move = step * (np.arange(4) == place)
            slope = (loss(w, b + move) - loss(w, b - move)) / (2 * step)
            np.testing.assert_allclose(db[place], slope, rtol=1e-5, atol=1e-8)
