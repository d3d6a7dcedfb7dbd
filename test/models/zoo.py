"""The real models of the tests and the benchmark: where their files are, their shapes, and inputs for them."""

from __future__ import annotations

import importlib.util
import zlib
from dataclasses import dataclass
from pathlib import Path

import hydrate
import numpy as np
import onnx

HERE = Path(__file__).resolve().parent
# Hydrated models and variants; git ignores it.
WORK = HERE.parent.parent / "build" / "models"

INPUTS = ("noise", "picture", "zeros")


@dataclass(frozen=True)
class Model:
    name: str
    file: str  # in the package rapidocr_onnxruntime, or a skeleton beside this script
    bench: tuple[int, ...]  # the shape that the benchmark measures
    shapes: tuple[tuple[int, ...], ...]  # the shapes that the tests compare
    classes: bool  # whether the last axis of the output is classes

    def path(self) -> Path:
        if not self.file.endswith(".skeleton.onnx"):
            # find_spec: the package itself must not be imported, it would import onnxruntime.
            package = importlib.util.find_spec("rapidocr_onnxruntime")
            return Path(package.submodule_search_locations[0]) / "models" / self.file
        WORK.mkdir(parents=True, exist_ok=True)
        skeleton = HERE / self.file
        output = WORK / self.file.replace(".skeleton", "")
        if not output.exists() or output.stat().st_mtime < skeleton.stat().st_mtime:
            hydrate.hydrate(skeleton, output)
        return output

    def input_name(self) -> str:
        return onnx.load(self.path(), load_external_data=False).graph.input[0].name


# The detector halves its input five times and adds what it scales back up: a size that is not a multiple of 32 works
# only where rounding up agrees, as for 61 and 93.
MODELS = (
    Model(
        "PP-OCRv4 det",
        "ch_PP-OCRv4_det_infer.onnx",
        (1, 3, 480, 640),
        ((1, 3, 480, 640), (1, 3, 61, 93), (3, 3, 96, 160), (1, 3, 352, 224)),
        False,
    ),
    Model(
        "PP-OCRv4 rec",
        "ch_PP-OCRv4_rec_infer.onnx",
        (1, 3, 48, 320),
        ((1, 3, 48, 320), (3, 3, 48, 192), (1, 3, 48, 101), (1, 3, 48, 37), (3, 3, 33, 65)),
        True,
    ),
    Model(
        "PP-OCRv4 cls",
        "ch_ppocr_mobile_v2.0_cls_infer.onnx",
        (1, 3, 48, 192),
        ((1, 3, 48, 192), (3, 3, 48, 192), (1, 3, 33, 65), (3, 3, 61, 93)),
        True,
    ),
    Model("resnet50", "resnet50.skeleton.onnx", (1, 3, 224, 224), ((1, 3, 224, 224),), True),
    Model("mobilenet_v2", "mobilenet_v2.skeleton.onnx", (1, 3, 224, 224), ((1, 3, 224, 224),), True),
    Model("efficientnet_b0", "efficientnet_b0.skeleton.onnx", (1, 3, 224, 224), ((1, 3, 224, 224),), True),
)


def make_input(kind: str, shape: tuple[int, ...]) -> np.ndarray:
    """Values in [-1, 1], the same on every call."""
    if kind == "zeros":
        return np.zeros(shape, np.float32)
    if kind == "noise":
        seed = zlib.crc32(repr(shape).encode())
        return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)
    from PIL import Image

    batch, _, height, width = shape
    picture = Image.open(HERE / "sample.png").convert("RGB")
    pictures = []
    for index in range(batch):  # another part of the page for each
        part = picture.crop((20, 90 * index, 540, 90 * index + (240 if height > 100 else 65)))
        pictures.append(np.asarray(part.resize((width, height)), np.float32).transpose(2, 0, 1) / 127.5 - 1)
    return np.ascontiguousarray(np.stack(pictures))


def with_intermediates(model: Model, count: int = 3) -> tuple[Path, list[str]]:
    """The model with `count` tensors from inside it made outputs, evenly spaced over its convolutions and matrix
    products and what follows them; and their names."""
    proto = onnx.load(model.path())
    candidates = [
        node.output[0]
        for node in proto.graph.node
        if node.op_type in ("Conv", "MatMul", "Gemm", "Add", "Relu", "Clip", "Mul", "HardSigmoid", "Concat")
    ]
    # Leave out what is computed from shapes or constants alone.
    variable = {proto.graph.input[0].name}
    for node in proto.graph.node:
        if node.op_type not in ("Shape", "Size") and variable.intersection(node.input):
            variable.update(node.output)
    present = {output.name for output in proto.graph.output}
    candidates = [name for name in candidates if name in variable and name not in present]
    names = [candidates[len(candidates) * (i + 1) // (count + 1)] for i in range(count)]
    for name, rank in zip(names, _ranks(proto, names, model.bench), strict=True):
        proto.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [None] * rank))
    WORK.mkdir(parents=True, exist_ok=True)
    path = WORK / f"{model.name.replace(' ', '_')}.intermediates.onnx"
    onnx.save(proto, path)
    return path, names


def _ranks(proto: onnx.ModelProto, names: list[str], shape: tuple[int, ...]) -> list[int]:
    """The ranks of tensors inside a model, which an output must state: those that a run has."""
    import onnxruntime

    probe = onnx.ModelProto()
    probe.CopyFrom(proto)
    for name in names:
        probe.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(probe.SerializeToString(), providers=["CPUExecutionProvider"])
    values = session.run(names, {probe.graph.input[0].name: make_input("zeros", shape)})
    return [value.ndim for value in values]


def relative_error(ours: np.ndarray, reference: np.ndarray) -> float:
    """max |a-b| / max |b|; NaN where one has it and the other has not, or a difference to nothing is infinite."""
    if reference.size == 0:
        return 0.0
    if not np.array_equal(np.isnan(ours), np.isnan(reference)):
        return float("nan")
    difference = float(np.nanmax(np.abs(ours - reference)))
    scale = float(np.nanmax(np.abs(reference)))
    return difference / scale if scale else (0.0 if difference == 0 else float("inf"))
