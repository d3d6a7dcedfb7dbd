"""Models of one input, a picture [N, C, H, W]; shapes are its dims."""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path

import convnext
import detector
import numpy as np
import segmenter
import shifted_windows
import zoo


def ocr_file(name: str) -> Path:
    # find_spec: the package itself must not be imported, it would import onnxruntime.
    package = importlib.util.find_spec("rapidocr_onnxruntime")
    return Path(package.submodule_search_locations[0]) / "models" / name


def make_picture(name: str, kind: str, shape: zoo.Shape) -> dict[str, np.ndarray]:
    """Values for the input `name`, in [-1, 1] but for strong noise."""
    if kind == "zeros":
        return {name: np.zeros(shape, np.float32)}
    if kind == "noise":
        return {name: zoo.generator(*shape).uniform(-1, 1, shape).astype(np.float32)}
    if kind == "strong noise":
        return {name: zoo.generator(*shape).normal(0, 10, shape).astype(np.float32)}
    from PIL import Image

    batch, _, height, width = shape
    picture = Image.open(zoo.HERE / "sample.png").convert("RGB")
    pictures = []
    for index in range(batch):  # another part of the page for each
        part = picture.crop((20, 90 * index, 540, 90 * index + (240 if height > 100 else 65)))
        pictures.append(np.asarray(part.resize((width, height)), np.float32).transpose(2, 0, 1) / 127.5 - 1)
    return {name: np.ascontiguousarray(np.stack(pictures))}


KINDS = ("noise", "picture", "zeros")


def model(
    name: str, path, input_name: str, *shapes: zoo.Shape, classes: bool = True, kinds: tuple[str, ...] = KINDS
) -> zoo.Model:
    """The benchmark measures the first shape."""
    inputs = functools.partial(make_picture, input_name)
    return zoo.Model(name, path, inputs, kinds, shapes[0], shapes, classes)


def written(module, input_name: str, *shapes: zoo.Shape, **options) -> zoo.Model:
    """A model that a script beside this one writes."""
    sources = Path(module.__file__), zoo.HERE / "graph.py"
    path = functools.partial(zoo.made, f"{module.__name__}.onnx", module.write, *sources)
    return model(module.__name__, path, input_name, *shapes, **options)


def ocr(name: str, file: str, *shapes: zoo.Shape, **options) -> zoo.Model:
    return model(name, functools.partial(ocr_file, file), "x", *shapes, **options)


def torchvision(name: str) -> zoo.Model:
    return model(name, zoo.skeleton(f"{name}.skeleton.onnx"), "x", (1, 3, 224, 224))


# The detector halves its input five times and adds what it scales back up: a size that is not a multiple of 32 works
# only where rounding up agrees, as for 61 and 93.
MODELS = (
    ocr(
        "PP-OCRv4 det",
        "ch_PP-OCRv4_det_infer.onnx",
        (1, 3, 480, 640),
        (1, 3, 61, 93),
        (3, 3, 96, 160),
        (1, 3, 352, 224),
        classes=False,
        # In faint noise it finds text nowhere: all results are under 0.002, down to 1e-6, and steps of 6e-8 apart.
        kinds=("strong noise", "picture", "zeros"),
    ),
    ocr(
        "PP-OCRv4 rec",
        "ch_PP-OCRv4_rec_infer.onnx",
        (1, 3, 48, 320),
        (3, 3, 48, 192),
        (1, 3, 48, 101),
        (1, 3, 48, 37),
        (3, 3, 33, 65),
    ),
    ocr(
        "PP-OCRv4 cls",
        "ch_ppocr_mobile_v2.0_cls_infer.onnx",
        (1, 3, 48, 192),
        (3, 3, 48, 192),
        (1, 3, 33, 65),
        (3, 3, 61, 93),
    ),
    torchvision("resnet50"),
    torchvision("mobilenet_v2"),
    torchvision("efficientnet_b0"),
    torchvision("vit_b_16"),
    model(
        "shifted windows",
        functools.partial(zoo.made, "shifted_windows.onnx", shifted_windows.write, Path(shifted_windows.__file__)),
        "x",
        (1, 3, 64, 64),
        (3, 3, 64, 64),
    ),
    # Of zeros all places of a level have nearly the same score: what is chosen would hang on the last bit.
    written(detector, "images", (1, 3, 320, 320), (3, 3, 64, 96), classes=False, kinds=KINDS[:1]),
    written(segmenter, "x", (1, 3, 128, 160), (3, 3, 61, 93), classes=False),
    written(convnext, "x", (1, 3, 160, 160), (3, 3, 64, 96)),
)
