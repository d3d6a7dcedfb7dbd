"""The real models of the tests and the benchmark. A family of models is a module of its own, which lists them in
MODELS; here is what the families share."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import hydrate
import numpy as np
import onnx

HERE = Path(__file__).resolve().parent
# Hydrated models and variants; git ignores it.
WORK = HERE.parent.parent / "build" / "models"

# What a run of a model depends on, as its family understands it: the dims of a picture; batch and sequence length.
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Model:
    name: str
    path: Callable[[], Path]  # where the model is, made if it has to be
    # Every input by name, of a kind (see `kinds`) and a shape; the same on every call.
    make_inputs: Callable[[str, Shape], dict[str, np.ndarray]]
    kinds: tuple[str, ...]  # of inputs; the benchmark measures the first
    bench: Shape  # the shape that the benchmark measures
    shapes: tuple[Shape, ...]  # the shapes that the tests compare; of tensors inside, the first two
    classes: bool = False  # whether the last axis of the first output is classes


def skeleton(file: str) -> Callable[[], Path]:
    """A skeleton beside this script, filled with weights."""

    def path() -> Path:
        return made(file.replace(".skeleton", ""), lambda output: hydrate.hydrate(HERE / file, output), HERE / file)

    return path


def made(name: str, make: Callable[[Path], None], *sources: Path) -> Path:
    """The file `name` of the work folder, which `make` writes where it is missing or older than its sources."""
    WORK.mkdir(parents=True, exist_ok=True)
    output = WORK / name
    if not output.exists() or any(output.stat().st_mtime < source.stat().st_mtime for source in sources):
        make(output)
    return output


def generator(*key) -> np.random.Generator:
    """Seeded by the key, so that inputs are the same on every call."""
    return np.random.default_rng(zlib.crc32(repr(key).encode()))


def with_intermediates(model: Model, count: int = 3) -> tuple[Path, list[str]]:
    """The model with `count` float tensors from inside it made outputs, evenly spaced over its contractions and what
    follows them; and their names."""
    proto = onnx.load(model.path())
    operators = ("Conv", "MatMul", "Gemm", "Add", "Relu", "Clip", "Mul", "HardSigmoid", "Concat", "LayerNormalization")
    candidates = [node.output[0] for node in proto.graph.node if node.op_type in operators]
    # Leave out what is computed from shapes or constants alone.
    initializers = {tensor.name for tensor in proto.graph.initializer}
    variable = {value.name for value in proto.graph.input} - initializers
    for node in proto.graph.node:
        if node.op_type not in ("Shape", "Size") and variable.intersection(node.input):
            variable.update(node.output)
    present = {output.name for output in proto.graph.output}
    candidates = [name for name in candidates if name in variable and name not in present]
    ranks = _float_ranks(proto, candidates, model)
    candidates = [name for name in candidates if name in ranks]
    names = [candidates[len(candidates) * (i + 1) // (count + 1)] for i in range(count)]
    for name in names:
        dims = [None] * ranks[name]
        proto.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, dims))
    WORK.mkdir(parents=True, exist_ok=True)
    path = WORK / f"{model.name.replace(' ', '_')}.intermediates.onnx"
    onnx.save(proto, path)
    return path, names


def _float_ranks(proto: onnx.ModelProto, names: list[str], model: Model) -> dict[str, int]:
    """The ranks, which an output must state, of those tensors inside a model that are f32: those that a run has."""
    import onnxruntime

    probe = onnx.ModelProto()
    probe.CopyFrom(proto)
    for name in names:
        probe.graph.output.append(onnx.ValueInfoProto(name=name))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(probe.SerializeToString(), options, providers=["CPUExecutionProvider"])
    smallest = min(model.shapes, key=np.prod)
    values = session.run(names, model.make_inputs(model.kinds[0], smallest))
    return {name: value.ndim for name, value in zip(names, values, strict=True) if value.dtype == np.float32}


def relative_error(ours: np.ndarray, reference: np.ndarray) -> float:
    """max |a-b| / max |b|; NaN where one has it and the other has not, or a difference to nothing is infinite."""
    if reference.size == 0:
        return 0.0
    if not np.array_equal(np.isnan(ours), np.isnan(reference)):
        return float("nan")
    difference = float(np.nanmax(np.abs(ours - reference)))
    scale = float(np.nanmax(np.abs(reference)))
    return difference / scale if scale else (0.0 if difference == 0 else float("inf"))


def models() -> tuple[Model, ...]:
    """Of all families."""
    import picture_models
    import transformer_models

    return (*picture_models.MODELS, *transformer_models.MODELS)
