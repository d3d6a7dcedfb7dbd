"""One network, convolutions before a transformer, as both of PyTorch's exporters write it: `torch.onnx.export` by way
of TorchScript, and of torch.export ("dynamo"). The network is stated once, in PyTorch's terms; a Speller knows which
nodes an exporter makes of each, with its names. Batch and time are dynamic."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

MELS, WIDTH, HEADS, LAYERS, CLASSES, LONGEST = 20, 32, 4, 2, 11, 64
CHANNELS, FEATURES = (8, 16), 16 * (MELS // 4)
SMALLEST = -(1 << 63) + 1  # where the exporters end a slice that runs to the front


class Speller:
    """Values are known by name. Weights are named as PyTorch's parameters, and are the same in each spelling."""

    opset: int

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, onnx.TensorProto] = {}
        self.random = np.random.default_rng(11)

    def parameter(self, *dims: int, mean: float = 0, scale: float | None = None) -> np.ndarray:
        scale = dims[-1] ** -0.5 if scale is None else scale
        return self.random.normal(mean, scale, dims).astype(np.float32)

    def initializer(self, name: str, array: np.ndarray) -> str:
        self.initializers[name] = numpy_helper.from_array(array, name)
        return name

    def node(self, operator: str, *inputs: str, outputs: int = 1, **attributes) -> str:
        raise NotImplementedError

    def integers(self, *values: int) -> str:
        raise NotImplementedError


def network(s: Speller) -> list[str]:
    """Logits of each step, and the mean of the steps."""
    x = s.relu(s.conv("stem.0", s.pad("stem.pad", "x"), 1, CHANNELS[0], padding=0))
    x = s.gelu(s.conv("stem.2", x, CHANNELS[0], CHANNELS[1], padding=1))
    x = s.linear("project", s.steps(x), FEATURES, WIDTH)
    x = s.add(x, s.positions("position", x))
    for layer in range(LAYERS):
        prefix = f"layers.{layer}"
        normal = s.layer_norm(f"{prefix}.norm1", x)
        query, key, value = (
            s.heads(s.linear(f"{prefix}.attention.{part}", normal, WIDTH, WIDTH)) for part in ("q", "k", "v")
        )
        joined = s.join(s.attention(query, key, value))
        x = s.add(x, s.linear(f"{prefix}.attention.out", joined, WIDTH, WIDTH))
        inner = s.gelu(s.linear(f"{prefix}.linear1", s.layer_norm(f"{prefix}.norm2", x), WIDTH, 2 * WIDTH))
        x = s.add(x, s.linear(f"{prefix}.linear2", inner, 2 * WIDTH, WIDTH))
    x = s.layer_norm("norm", x)
    return [s.linear("head", x, WIDTH, CLASSES), s.squeezed_mean(x)]


class TorchScript(Speller):
    """Opset 14: a Constant node for each number, dims gathered one by one from Shape, norms and GELU written out,
    weights of products transposed beforehand and renamed, an If around a squeeze."""

    opset = 14

    def __init__(self) -> None:
        super().__init__()
        self.scope = ""

    def node(self, operator: str, *inputs: str, outputs: int = 1, **attributes) -> str:
        name = f"{self.scope}/{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [f"{name}_output_0"], name, **attributes))
        return f"{name}_output_0"

    def constant(self, array: np.ndarray) -> str:
        return self.node("Constant", value=numpy_helper.from_array(array))

    def number(self, value: float) -> str:
        return self.constant(np.array(value, np.float32))

    def integers(self, *values: int) -> str:
        return self.constant(np.array(values, np.int64))

    def product_weight(self, array: np.ndarray) -> str:
        return self.initializer(f"onnx::MatMul_{400 + len(self.initializers)}", array)

    def dim(self, x: str, axis: int) -> str:
        size = self.node("Gather", self.node("Shape", x), self.constant(np.array(axis, np.int64)), axis=0)
        return self.node("Unsqueeze", size, self.integers(0))

    def view(self, x: str, *dims: str) -> str:
        return self.node("Reshape", x, self.node("Concat", *dims, axis=0))

    def pad(self, scope: str, x: str) -> str:
        """functional.pad(x, (1, 1, 1, 1)): the order of the dims is turned around at run time."""
        self.scope = "/" + scope.replace(".", "/")
        given = self.integers(1, 1, 1, 1)
        missing = self.node(
            "ConstantOfShape", self.integers(4), value=helper.make_tensor("value", TensorProto.INT64, [1], [0])
        )
        pairs = self.node("Reshape", self.node("Concat", given, missing, axis=0), self.integers(-1, 2))
        ends = [self.integers(value) for value in (-1, SMALLEST, 0, -1)]
        turned = self.node("Transpose", self.node("Slice", pairs, *ends), perm=[1, 0])
        flat = self.node("Reshape", turned, self.integers(-1))
        return self.node("Pad", x, self.node("Cast", flat, to=TensorProto.INT64), self.number(0), mode="constant")

    def conv(self, name: str, x: str, inputs: int, outputs: int, padding: int) -> str:
        self.scope = "/" + name.replace(".", "/")
        weight = self.initializer(f"{name}.weight", self.parameter(outputs, inputs, 3, 3))
        bias = self.initializer(f"{name}.bias", self.parameter(outputs, scale=0.1))
        sizes = {"dilations": [1, 1], "group": 1, "kernel_shape": [3, 3], "strides": [2, 2]}
        return self.node("Conv", x, weight, bias, pads=[padding] * 4, **sizes)

    def relu(self, x: str) -> str:
        return self.node("Relu", x)

    def add(self, x: str, y: str) -> str:
        return self.node("Add", x, y)

    def gelu(self, x: str) -> str:
        erf = self.node("Erf", self.node("Div", x, self.number(np.sqrt(2))))
        return self.node("Mul", self.node("Mul", x, self.node("Add", erf, self.number(1))), self.number(0.5))

    def linear(self, name: str, x: str, inputs: int, outputs: int) -> str:
        self.scope = "/" + name.replace(".", "/")
        weight = self.parameter(outputs, inputs)
        bias = self.initializer(f"{name}.bias", self.parameter(outputs, scale=0.1))
        return self.node("Add", bias, self.node("MatMul", x, self.product_weight(weight.T.copy())))

    def steps(self, x: str) -> str:
        """x.transpose(1, 2).reshape(batch, time, -1)"""
        self.scope = ""
        batch, time = self.dim(x, 0), self.dim(x, 2)
        return self.view(self.node("Transpose", x, perm=[0, 2, 1, 3]), batch, time, self.integers(FEATURES))

    def positions(self, name: str, x: str) -> str:
        table = self.initializer(name, self.parameter(1, LONGEST, WIDTH, scale=0.3))
        # A table that two modules share has an Identity in front of one.
        shared = self.node("Identity", table)
        return self.node("Slice", shared, self.integers(0), self.dim(x, 1), self.integers(1), self.integers(1))

    def layer_norm(self, name: str, x: str) -> str:
        self.scope = "/" + name.replace(".", "/")
        weight = self.initializer(f"{name}.weight", self.parameter(WIDTH, mean=1, scale=0.1))
        bias = self.initializer(f"{name}.bias", self.parameter(WIDTH, scale=0.1))
        centred = self.node("Sub", x, self.node("ReduceMean", x, axes=[-1]))
        square = self.node("Pow", centred, self.number(2))
        variance = self.node("Add", self.node("ReduceMean", square, axes=[-1]), self.number(1e-5))
        normal = self.node("Div", centred, self.node("Sqrt", variance))
        return self.node("Add", self.node("Mul", normal, weight), bias)

    def heads(self, x: str) -> str:
        sizes = self.dim(x, 0), self.dim(x, 1), self.integers(HEADS), self.integers(WIDTH // HEADS)
        return self.node("Transpose", self.view(x, *sizes), perm=[0, 2, 1, 3])

    def attention(self, query: str, key: str, value: str) -> str:
        scores = self.node("MatMul", query, self.node("Transpose", key, perm=[0, 1, 3, 2]))
        scale = self.node("Sqrt", self.node("Cast", self.integers(WIDTH // HEADS), to=TensorProto.FLOAT))
        return self.node("MatMul", self.node("Softmax", self.node("Div", scores, scale), axis=-1), value)

    def join(self, x: str) -> str:
        x = self.node("Transpose", x, perm=[0, 2, 1, 3])
        return self.view(x, self.dim(x, 0), self.dim(x, 1), self.integers(WIDTH))

    def squeezed_mean(self, x: str) -> str:
        """x.mean(1, keepdim=True).squeeze(1), of which TorchScript does not know that the dim is 1."""
        self.scope = ""
        mean = self.node("ReduceMean", x, axes=[1], keepdims=1)
        size = self.node("Gather", self.node("Shape", mean), self.constant(np.array(1, np.int64)), axis=0)
        branches = {}
        for name, operator, inputs in (
            ("then_branch", "Squeeze", [mean, "axis"]),
            ("else_branch", "Identity", [mean]),
        ):
            nodes = [helper.make_node(operator, inputs, [f"/{name}_output_0"])]
            if operator == "Squeeze":
                axis = numpy_helper.from_array(np.array([1], np.int64))
                nodes.insert(0, helper.make_node("Constant", [], ["axis"], value=axis))
            output = onnx.ValueInfoProto(name=f"/{name}_output_0")
            output.type.tensor_type.elem_type = TensorProto.FLOAT
            branches[name] = helper.make_graph(nodes, name, [], [output])
        one = self.node("Equal", self.constant(np.array(1, np.int64)), size)
        return self.node("If", one, **branches)

    def model(self) -> onnx.ModelProto:
        logits, mean = network(self)
        self.nodes += [
            helper.make_node("Identity", [logits], ["logits"]),
            helper.make_node("Identity", [mean], ["mean"]),
        ]
        inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 1, "time", MELS])]
        outputs = [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", "Addlogits_dim_1", CLASSES]),
            helper.make_tensor_value_info("mean", TensorProto.FLOAT, ["batch", WIDTH]),
        ]
        graph = helper.make_graph(self.nodes, "main_graph", inputs, outputs, list(self.initializers.values()))
        opsets = [helper.make_opsetid("", self.opset)]
        return helper.make_model(
            graph, opset_imports=opsets, ir_version=7, producer_name="pytorch", producer_version="2.4.0"
        )


COMMON, LIBRARY = "pkg.onnxscript.torch_lib.common", "pkg.onnxscript.torch_lib"

FUNCTIONS = f"""
<domain: "{COMMON}", opset_import: ["" : 18]>
Rank (input) => (return_val) {{
  tmp = Shape (input)
  return_val = Size (tmp)
}}
---
<domain: "{COMMON}", opset_import: ["" : 18, "{COMMON}" : 1]>
IsScalar (input) => (return_val) {{
  tmp = {COMMON}.Rank (input)
  tmp_0 = Constant <value_int: int = 0> ()
  return_val = Equal (tmp, tmp_0)
}}
---
<domain: "{LIBRARY}", opset_import: ["" : 18, "{COMMON}" : 1]>
aten_mean_dim <keepdim> (self, dim) => (result_3) {{
  cond = {COMMON}.IsScalar (self)
  result_3 = If (cond) <
    then_branch = then () => (result) {{ result = Identity (self) }},
    else_branch = other () => (result_2) {{
      tmp = Constant <value_ints: ints = [-1]> ()
      dim_1 = Reshape (dim, tmp)
      result_2 = ReduceMean <keepdims: int = @keepdim> (self, dim_1)
    }}
  >
}}
---
<domain: "{LIBRARY}", opset_import: ["" : 18]>
_aten_gelu_approximate_none (self) => (result) {{
  half = Constant <value_float: float = 0.5> ()
  half_like = CastLike (half, self)
  one = Constant <value_float: float = 1.0> ()
  one_like = CastLike (one, self)
  root = Constant <value_float: float = 1.4142135> ()
  root_like = CastLike (root, self)
  inner = Div (self, root_like)
  erf = Erf (inner)
  gate = Add (one_like, erf)
  gated = Mul (self, gate)
  result = Mul (half_like, gated)
}}
---
<domain: "{LIBRARY}", opset_import: ["" : 18]>
_aten_scaled_dot_product_attention_no_mask_onnx <dropout_p> (query, key, value, scale) => (return_val) {{
  key_shape = Shape (key)
  last = Constant <value_ints: ints = [-1]> ()
  before_last = Constant <value_ints: ints = [-2]> ()
  end = Constant <value_ints: ints = [9223372036854775807]> ()
  key_last_dim = Slice (key_shape, last, end)
  key_second_last_dim = Slice (key_shape, before_last, last)
  front = Constant <value_ints: ints = [0]> ()
  key_first_dims = Slice (key_shape, front, before_last)
  key_squeezed_shape = Concat <axis: int = 0> (last, key_second_last_dim, key_last_dim)
  key_squeezed = Reshape (key, key_squeezed_shape)
  key_squeezed_transposed = Transpose <perm: ints = [0, 2, 1]> (key_squeezed)
  key_transposed_shape = Concat <axis: int = 0> (key_first_dims, key_last_dim, key_second_last_dim)
  key_transposed = Reshape (key_squeezed_transposed, key_transposed_shape)
  root = Sqrt (scale)
  query_scaled = Mul (query, root)
  key_scaled = Mul (key_transposed, root)
  scores = MatMul (query_scaled, key_scaled)
  weights = Softmax <axis: int = -1> (scores)
  ratio = Constant <value_float: float = @dropout_p> ()
  weights_2, _ = Dropout (weights, ratio)
  return_val = MatMul (weights_2, value)
}}
"""


class Dynamo(Speller):
    """Opset 18: functions of onnxscript's library, weights by module path as PyTorch keeps them, value_info with dims
    s0 and s1, dims as one-element tensors of Shape."""

    opset = 18

    def node(self, operator: str, *inputs: str, outputs: int = 1, domain: str = "", **attributes) -> str:
        number = len(self.nodes)
        node = helper.make_node(
            operator, inputs, [f"val_{number}"], f"node_{operator}_{number}", domain=domain, **attributes
        )
        for key, value in (("namespace", f": Model/{operator}"), ("pkg.torch.onnx.fx_node", f"%val_{number}")):
            node.metadata_props.add(key=key, value=value)
        self.nodes.append(node)
        return f"val_{number}"

    def integers(self, *values: int) -> str:
        return self.initializer(f"val_i{len(self.initializers)}", np.array(values, np.int64))

    def number(self, value: float) -> str:
        return self.initializer(f"scalar_tensor_{len(self.initializers)}", np.array(value, np.float32))

    def dim(self, x: str, axis: int) -> str:
        return self.node("Shape", x, start=axis, end=axis + 1)

    def view(self, x: str, *dims: str) -> str:
        return self.node("Reshape", x, self.node("Concat", *dims, axis=0), allowzero=1)

    def pad(self, scope: str, x: str) -> str:
        return self.node("Pad", x, self.integers(0, 0, 1, 1, 0, 0, 1, 1), self.number(0), mode="constant")

    def conv(self, name: str, x: str, inputs: int, outputs: int, padding: int) -> str:
        weight = self.initializer(f"{name}.weight", self.parameter(outputs, inputs, 3, 3))
        bias = self.initializer(f"{name}.bias", self.parameter(outputs, scale=0.1))
        sizes = {"dilations": [1, 1], "group": 1, "auto_pad": "NOTSET", "strides": [2, 2]}
        return self.node("Conv", x, weight, bias, pads=[padding] * 4, **sizes)

    def relu(self, x: str) -> str:
        return self.node("Relu", x)

    def add(self, x: str, y: str) -> str:
        return self.node("Add", x, y)

    def gelu(self, x: str) -> str:
        return self.node("_aten_gelu_approximate_none", x, domain=LIBRARY)

    def linear(self, name: str, x: str, inputs: int, outputs: int) -> str:
        weight = self.initializer(f"{name}.weight", self.parameter(outputs, inputs))
        bias = self.initializer(f"{name}.bias", self.parameter(outputs, scale=0.1))
        return self.node("Add", self.node("MatMul", x, self.node("Transpose", weight, perm=[1, 0])), bias)

    def steps(self, x: str) -> str:
        batch, time = self.dim(x, 0), self.dim(x, 2)
        return self.view(self.node("Transpose", x, perm=[0, 2, 1, 3]), batch, time, self.integers(FEATURES))

    def positions(self, name: str, x: str) -> str:
        table = self.initializer(name, self.parameter(1, LONGEST, WIDTH, scale=0.3))
        return self.node("Slice", table, self.integers(0), self.dim(x, 1), self.integers(1), self.integers(1))

    def layer_norm(self, name: str, x: str) -> str:
        weight = self.initializer(f"{name}.weight", self.parameter(WIDTH, mean=1, scale=0.1))
        bias = self.initializer(f"{name}.bias", self.parameter(WIDTH, scale=0.1))
        return self.node("LayerNormalization", x, weight, bias, axis=-1, epsilon=1e-5, stash_type=1)

    def heads(self, x: str) -> str:
        sizes = self.dim(x, 0), self.dim(x, 1), self.integers(HEADS), self.integers(WIDTH // HEADS)
        return self.node("Transpose", self.view(x, *sizes), perm=[0, 2, 1, 3])

    def attention(self, query: str, key: str, value: str) -> str:
        function = "_aten_scaled_dot_product_attention_no_mask_onnx"
        scale = self.number((WIDTH // HEADS) ** -0.5)
        return self.node(function, query, key, value, scale, domain=LIBRARY, dropout_p=0.0)

    def join(self, x: str) -> str:
        x = self.node("Transpose", x, perm=[0, 2, 1, 3])
        return self.view(x, self.dim(x, 0), self.dim(x, 1), self.integers(WIDTH))

    def squeezed_mean(self, x: str) -> str:
        mean = self.node("aten_mean_dim", x, self.integers(1), domain=LIBRARY, keepdim=1)
        return self.node("Squeeze", mean, self.integers(1))

    def model(self) -> onnx.ModelProto:
        logits, mean = network(self)
        steps = "((s1 - 1)//2) + 1"
        info = helper.make_tensor_value_info
        graph = helper.make_graph(
            self.nodes,
            "main_graph",
            [info("x", TensorProto.FLOAT, ["s0", 1, "s1", MELS])],
            [info(logits, TensorProto.FLOAT, ["s0", None, CLASSES]), info(mean, TensorProto.FLOAT, ["s0", WIDTH])],
            list(self.initializers.values()),
            value_info=[info("val_1", TensorProto.FLOAT, ["s0", CHANNELS[0], steps, MELS // 2])],
        )
        functions = [onnx.parser.parse_function(text) for text in FUNCTIONS.split("---")]
        domains = [("", self.opset), (LIBRARY, 1), (COMMON, 1)]
        return helper.make_model(
            graph,
            functions=functions,
            opset_imports=[helper.make_opsetid(*domain) for domain in domains],
            ir_version=10,
            producer_name="pytorch",
            producer_version="2.6.0",
        )


def write(spelling: type[Speller], path: Path) -> None:
    model = spelling().model()
    onnx.checker.check_model(model)
    onnx.save(model, path)
