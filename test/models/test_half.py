"""Models in half precision agree with ONNX Runtime.

ONNX Runtime's CPU kernels know f16 in part and bf16 hardly, so the reference computes in f32 with the same weights and
inputs, rounded to 16 bits. We and it then differ by what rounding between the nodes costs, which is measured in the
type's own precision: see TOLERANCE.
"""

import functools
from pathlib import Path

import half
import ml_dtypes
import numpy as np
import onnx
import onnxc
import onnxruntime
import pytest
import small_models
import zoo
from onnx import TensorProto, helper

# Of max |a-b| / max |b|, in units of the type's epsilon. One rounding costs half a unit; those of the nodes on the way
# add up to about one (ONNX Runtime's own f16 results are 0.8 of a unit off for mobilenet_v2).
TOLERANCE = 4
ELEMENTS = {"f16": TensorProto.FLOAT16, "bf16": TensorProto.BFLOAT16}
MODELS = {model.name: model for model in zoo.models()}
# The first version of ai.onnx where the operators of the models take bf16.
OPSET = 22

onnxruntime.set_default_logger_severity(4)


def variant(name: str, kind: str, change) -> Path:
    """The model after `change`."""
    source = MODELS[name].path()

    def make(path: Path) -> None:
        model = onnx.version_converter.convert_version(onnx.load(source), OPSET)
        change(model, ELEMENTS[kind.removeprefix("rounded.")])
        onnx.save(model, path)

    return zoo.made(f"{source.stem}.{kind}.onnx", make, source, Path(half.__file__))


@functools.cache
def reference(name: str, kind: str) -> onnxruntime.InferenceSession:
    path = variant(name, f"rounded.{kind}", half.rounded)
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("resnet50", "f16"),
        ("mobilenet_v2", "f16"),
        ("mobilenet_v2", "bf16"),
        ("all-MiniLM-L6-v2", "f16"),
        ("all-MiniLM-L6-v2", "bf16"),
    ],
)
def test_outputs(name: str, kind: str, libraries) -> None:
    model, element = MODELS[name], half.ELEMENTS[ELEMENTS[kind]]
    path = variant(name, kind, half.convert)
    library = libraries.get(path)
    assert Path(library).stat().st_size < 1.05 * path.stat().st_size, "weights are not kept in 16 bits"
    session = onnxc.InferenceSession(library)
    shape = min(model.shapes, key=np.prod)
    for inputs in model.kinds[:2]:
        feeds = model.make_inputs(inputs, shape)
        halves = {key: value.astype(element) if value.dtype == np.float32 else value for key, value in feeds.items()}
        exact = {key: value.astype(np.float32) if value.dtype == element else value for key, value in halves.items()}
        expected = reference(name, kind).run(None, exact)
        for output, ours, theirs in zip(session.get_outputs(), session.run(None, halves), expected, strict=True):
            assert ours.dtype == element and ours.shape == theirs.shape, output.name
            error = zoo.relative_error(ours.astype(np.float32), theirs) / ml_dtypes.finfo(element).eps
            assert error <= TOLERANCE, f"{output.name} of {inputs}: {error:.2f} units"


def test_a_cast_rounds(tmp_path: Path) -> None:
    """Between operators a value may keep its digits; what Cast asks for is rounded."""
    nodes = []
    for kind, element in ELEMENTS.items():
        nodes += [
            helper.make_node("Add", ["x", "x"], [f"{kind}_twice"]),
            helper.make_node("Cast", [f"{kind}_twice"], [f"{kind}_narrow"], to=element),
            helper.make_node("Cast", [f"{kind}_narrow"], [f"{kind}_back"], to=TensorProto.FLOAT),
            helper.make_node("Neg", [f"{kind}_back"], [kind]),
        ]
    ends = [(name, TensorProto.FLOAT, ["N"]) for name in ("x", *ELEMENTS)]
    model = small_models.make_model(nodes, ends[:1], ends[1:])
    library = onnxc.compile(model.SerializeToString(), tmp_path / "cast.so")
    x = np.random.default_rng(0).standard_normal(1000).astype(np.float32)
    for kind, ours in zip(ELEMENTS, onnxc.InferenceSession(library).run(None, {"x": x}), strict=True):
        np.testing.assert_array_equal(ours, -(x + x).astype(half.ELEMENTS[ELEMENTS[kind]]).astype(np.float32))
