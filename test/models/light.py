"""The nine classifiers that the onnx package carries without their weights (backend/test/data/light), of opset 9 and
older operator versions, with random weights in place of the constants that fill them."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import onnx
import onnx.backend.test
from onnx import helper, numpy_helper

FOLDER = Path(onnx.backend.test.__file__).parent / "data" / "light"
NAMES = (
    "bvlc_alexnet",
    "densenet121",
    "inception_v1",
    "inception_v2",
    "resnet50",
    "shufflenet",
    "squeezenet",
    "vgg19",
    "zfnet512",
)


def pictures(batch: int, height: int = 224, width: int = 224) -> np.ndarray:
    """Noise; of the size that all of them take."""
    return np.random.default_rng(batch).uniform(-1, 1, (batch, 3, height, width)).astype(np.float32)


def uniform(name: str, shape: tuple[int, ...], mean: float, deviation: float) -> np.ndarray:
    """The same on every machine. Uniform, which is ten times as fast as normal: vgg19 has 144 million weights."""
    values = np.random.default_rng(zlib.crc32(name.encode())).random(shape, np.float32)
    values -= np.float32(0.5)
    values *= np.float32(deviation * np.sqrt(12))
    values += np.float32(mean)
    return values


def _moments(node: onnx.NodeProto, position: int, shape: tuple[int, ...], residual: bool) -> tuple[float, float]:
    """Mean and standard deviation of an operand that keep the deviation of what flows through near one."""
    if node.op_type == "Conv" and position == 1:
        return 0.0, float(np.sqrt(2 / np.prod(shape[1:])))
    if node.op_type == "Gemm" and position == 1:
        return 0.0, float(np.sqrt(2 / max(shape)))
    if node.op_type == "BatchNormalization" and position == 1:
        return (0.3 if residual else 1.0), 0.1  # a branch that is added to another must not double it each time
    if node.op_type == "BatchNormalization" and position == 4:
        return 1.0, 0.2
    if node.op_type == "Unsqueeze":  # the factors or summands of a Mul or Add that follows
        return (1.0, 0.1) if "scale" in node.input[0] or "gamma" in node.input[0] else (0.0, 0.1)
    return 0.0, 0.1


def build(name: str, mode: str = "dynamic") -> onnx.ModelProto:
    """The model with weights, and three tensors from inside it as further outputs.

    mode: "static", "dynamic" (batch, height and width), or "folded": for the one picture that is in the model.
    """
    model = onnx.load(FOLDER / f"light_{name}.onnx")
    graph = model.graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    consumers: dict[str, list[tuple[onnx.NodeProto, int]]] = {}
    for node in graph.node:
        for position, operand in enumerate(node.input):
            consumers.setdefault(operand, []).append((node, position))
    nodes, weights = [], []
    for node in graph.node:
        if node.op_type != "ConstantOfShape":
            nodes.append(node)
            continue
        shape = tuple(int(size) for size in constants[node.input[0]])
        user, position = consumers[node.output[0]][0]
        residual = any(after.op_type == "Sum" for output in user.output for after, _ in consumers.get(output, ()))
        values = uniform(node.output[0], shape, *_moments(user, position, shape, residual))
        weights.append(numpy_helper.from_array(values, node.output[0]))
    del graph.node[:]
    graph.node.extend(nodes)
    # Statistics that a model does carry belong to activations of weights that it does not.
    for tensor in list(graph.initializer):
        user, position = consumers.get(tensor.name, [(onnx.NodeProto(), 0)])[0]
        if user.op_type == "BatchNormalization":
            residual = any(after.op_type == "Sum" for after, _ in consumers[user.output[0]])
            values = uniform(tensor.name, tuple(tensor.dims), *_moments(user, position, tuple(tensor.dims), residual))
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    graph.initializer.extend(weights)
    _add_inner_outputs(graph)
    if mode == "dynamic":
        _make_dynamic(graph, constants)
    del graph.value_info[:]
    model.ir_version = 4  # from where on an initializer need not be an input
    initialized = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in initialized]
    del graph.input[:]
    if mode == "folded":
        graph.initializer.append(numpy_helper.from_array(pictures(1), inputs[0].name))
    else:
        graph.input.extend(inputs)
    return model


def _make_dynamic(graph: onnx.GraphProto, constants: dict[str, np.ndarray]) -> None:
    initialized = {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Reshape" and node.input[0] not in initialized:
            shape = constants[node.input[1]].copy()
            if shape[0] == 1:
                shape[0] = 0  # as the input has
                tensor = next(t for t in graph.initializer if t.name == node.input[1])
                tensor.CopyFrom(numpy_helper.from_array(shape, tensor.name))
    for value in graph.input:
        if value.name not in initialized:
            for axis, size in ((0, "batch"), (2, "height"), (3, "width")):
                value.type.tensor_type.shape.dim[axis].dim_param = size
    for value in graph.output:
        value.type.tensor_type.shape.dim[0].dim_param = "batch"


def _add_inner_outputs(graph: onnx.GraphProto) -> None:
    names = [node.output[0] for node in graph.node if node.op_type in ("Conv", "Relu", "Concat", "Sum")]
    for i in (1, 2, 3):
        chosen = names[len(names) * i // 4]
        graph.output.append(helper.make_tensor_value_info(chosen, onnx.TensorProto.FLOAT, [None] * 4))
