#!/usr/bin/env python3
"""Measures single operators on typical shapes beside ONNX Runtime, on one thread.

usage: operators.py [-k SUBSTRING] [--rounds N] [--seconds S] [--cpu-time] [--json FILE] [--markdown FILE]

Each engine runs in a process of its own; they take turns, and the median over all rounds counts. --cpu-time takes the
least of the thread's own time instead, for a machine that others use, too. The table is sorted, the slowest beside ONNX
Runtime first; GB/s counts each input and output once.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from models import Engine, Refused, compile_model
from onnx import helper, numpy_helper

SLOW = 2.0  # times ONNX Runtime's time from which on a line says so
OPSET = 21


@dataclass
class Operator:
    """A node; inputs are arrays, those in `constants` (by position) initializers."""

    operator: str
    inputs: list[np.ndarray | None]
    attributes: dict[str, Any] = field(default_factory=dict)
    constants: tuple[int, ...] = ()
    outputs: int = 1
    note: str = ""
    multiplications: int = 0  # with an addition each
    domain: str = ""

    @property
    def name(self) -> str:
        shape = "x".join(map(str, self.inputs[0].shape)) if self.inputs and self.inputs[0] is not None else ""
        kind = self.inputs[0].dtype.name if self.inputs[0].dtype != np.float32 else ""
        return " ".join(filter(None, (self.operator, shape, kind, self.note)))

    def model(self) -> onnx.ModelProto:
        names = [f"x{i}" if value is not None else "" for i, value in enumerate(self.inputs)]
        results = [f"y{i}" for i in range(self.outputs)]
        graph = helper.make_graph(
            [helper.make_node(self.operator, names, results, domain=self.domain, **self.attributes)],
            self.operator,
            [
                helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
                for i, (name, value) in enumerate(zip(names, self.inputs, strict=True))
                if name and i not in self.constants
            ],
            [onnx.ValueInfoProto(name=name) for name in results],
            [numpy_helper.from_array(self.inputs[i], names[i]) for i in self.constants],
        )
        opsets = [helper.make_opsetid("", OPSET), *([helper.make_opsetid(self.domain, 1)] if self.domain else [])]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
        model = onnx.shape_inference.infer_shapes(model)
        for result in model.graph.output:  # a checked model says something of its shape
            if not result.type.tensor_type.HasField("shape"):
                rank = max(1, self.inputs[0].ndim)
                result.type.CopyFrom(helper.make_tensor_type_proto(onnx.TensorProto.FLOAT, [None] * rank))
        return model

    def feeds(self) -> dict[str, np.ndarray]:
        given = enumerate(self.inputs)
        return {f"x{i}": value for i, value in given if value is not None and i not in self.constants}


class Shapes:
    """Makes inputs."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(1)

    def floats(self, *shape: int, low: float = -2, high: float = 2) -> np.ndarray:
        return self.random.uniform(low, high, shape).astype(np.float32)

    def integers(self, *shape: int, low: int = 0, high: int = 100, kind: Any = np.int64) -> np.ndarray:
        return self.random.integers(low, high, shape).astype(kind)

    def booleans(self, *shape: int) -> np.ndarray:
        return self.random.random(shape) < 0.5


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def element_wise(s: Shapes) -> Iterator[Operator]:
    picture = (1, 64, 56, 56)
    domains = {"Acos": (-0.9, 0.9), "Asin": (-0.9, 0.9), "Atanh": (-0.9, 0.9)}
    domains |= {name: (1.1, 5.0) for name in ("Acosh", "Log", "Reciprocal", "Sqrt")}
    for name in (
        *("Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Celu", "Cos", "Cosh", "Elu", "Erf", "Exp"),
        *(
            "Floor",
            "Gelu",
            "HardSigmoid",
            "HardSwish",
            "LeakyRelu",
            "Log",
            "Mish",
            "Neg",
            "Reciprocal",
            "Relu",
            "Round",
        ),
        *("Selu", "Sigmoid", "Sign", "Sin", "Sinh", "Softplus", "Softsign", "Sqrt", "Tan", "Tanh", "ThresholdedRelu"),
        *("IsNaN", "IsInf", "Shrink"),
    ):
        low, high = domains.get(name, (-2, 2))
        yield Operator(name, [s.floats(*picture, low=low, high=high)])
    for name in ("Add", "Sub", "Mul", "Div", "Max", "Min", "Equal", "Greater", "Less", "PRelu"):
        yield Operator(name, [s.floats(*picture), s.floats(*picture, low=0.5)])
    yield Operator("Add", [s.floats(*picture), s.floats(64, 1, 1)], note="+ 64x1x1")
    yield Operator("Add", [s.floats(128, 768), s.floats(768)], note="+ 768")
    yield Operator("Add", [s.floats(128, 1), s.floats(1, 768)], note="+ 1x768")
    yield Operator("Add", [s.floats(97, 131, 7), s.floats(97, 1, 7)], note="+ 97x1x7")
    yield Operator("Add", [s.integers(200704), s.integers(200704)])
    yield Operator("Div", [s.integers(200704), s.integers(200704, low=1)])
    yield Operator("Mod", [s.integers(200704), s.integers(200704, low=1)])
    yield Operator("Pow", [s.floats(*picture, low=0.1), np.array(2.0, np.float32)], constants=(1,), note="^ 2")
    yield Operator("Pow", [s.floats(*picture, low=0.1), np.array(2.7, np.float32)], constants=(1,), note="^ 2.7")
    yield Operator("Pow", [s.floats(*picture, low=0.1), s.floats(*picture)])
    yield Operator("Clip", [s.floats(*picture), np.array(-1, np.float32), np.array(1, np.float32)], constants=(1, 2))
    yield Operator("Where", [s.booleans(*picture), s.floats(*picture), s.floats(*picture)])
    yield Operator("And", [s.booleans(200704), s.booleans(200704)])
    yield Operator("Not", [s.booleans(200704)])
    yield Operator("Sum", [s.floats(*picture), s.floats(*picture), s.floats(*picture)])
    yield Operator("Mean", [s.floats(*picture), s.floats(*picture), s.floats(*picture)])
    for kind in (np.int64, np.float16, np.uint8, bool, np.float64):
        number = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
        yield Operator("Cast", [s.floats(*picture, low=0, high=200)], {"to": number}, note=f"to {np.dtype(kind).name}")
    yield Operator("Cast", [s.integers(200704)], {"to": 1})
    yield Operator("Cast", [s.floats(200704).astype(np.float16)], {"to": 1})
    yield Operator(
        "BitShift",
        [s.integers(200704, kind=np.uint32), s.integers(200704, high=8, kind=np.uint32)],
        {"direction": "LEFT"},
    )
    yield Operator("CumSum", [s.floats(128, 768), np.array(1)], constants=(1,))
    yield Operator("CumSum", [s.floats(128, 768), np.array(0)], constants=(1,), note="axis 0")
    yield Operator("CumSum", [s.floats(128, 768), np.array(0)], note="run-time axis")


def reductions(s: Shapes) -> Iterator[Operator]:
    for name in ("Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare"):
        x = s.floats(128, 768, low=0.9, high=1.1)
        yield Operator(f"Reduce{name}", [x, ints(1)], constants=(1,), note="axis 1")
    for name in ("Sum", "Max"):
        yield Operator(f"Reduce{name}", [s.floats(128, 768), ints(0)], constants=(1,), note="axis 0")
        yield Operator(f"Reduce{name}", [s.floats(1, 64, 56, 56), ints(2, 3)], constants=(1,), note="axes 2, 3")
        yield Operator(f"Reduce{name}", [s.floats(31, 17, 53), ints(1)], constants=(1,), note="axis 1")
        yield Operator(f"Reduce{name}", [s.floats(200704)], note="all")
        yield Operator(f"Reduce{name}", [s.floats(128, 768), ints(1)], note="run-time axis")
    yield Operator("ReduceSum", [s.integers(128, 768), ints(1)], constants=(1,))
    for name in ("ArgMax", "ArgMin"):
        yield Operator(name, [s.floats(128, 1000)], {"axis": 1})
    yield Operator("ArgMax", [s.floats(1, 21, 128, 128)], {"axis": 1})
    for name in ("Softmax", "LogSoftmax", "Hardmax"):
        yield Operator(name, [s.floats(128, 1000)])
    yield Operator("Softmax", [s.floats(1, 21, 128, 128)], {"axis": 1})
    yield Operator("TopK", [s.floats(1, 8400), ints(300)], constants=(1,), outputs=2, note="k 300")
    yield Operator("TopK", [s.floats(128, 1000), ints(5)], constants=(1,), outputs=2, note="k 5")
    yield Operator("TopK", [s.floats(1, 100000), ints(50)], constants=(1,), outputs=2, note="k 50")
    yield Operator("TopK", [s.floats(1, 20000), ints(20000)], constants=(1,), outputs=2, note="sorts")
    yield Operator("Unique", [s.integers(20000, high=500)], outputs=4)
    yield Operator("Unique", [s.floats(5000)], outputs=4)
    yield Operator("NonZero", [s.booleans(256, 256)])
    yield Operator("NonZero", [s.floats(128, 768)])


def movement(s: Shapes) -> Iterator[Operator]:
    picture = s.floats(1, 64, 56, 56)
    yield Operator("Transpose", [picture], {"perm": [0, 2, 3, 1]})
    yield Operator("Transpose", [s.floats(1, 128, 12, 64)], {"perm": [0, 2, 1, 3]})
    yield Operator("Transpose", [s.floats(768, 768)], {"perm": [1, 0]})
    yield Operator("Transpose", [s.floats(7, 31, 53, 11)], {"perm": [3, 1, 0, 2]})
    yield Operator("Concat", [picture, picture], {"axis": 1})
    yield Operator("Concat", [s.floats(128, 256), s.floats(128, 256)], {"axis": 1})
    yield Operator("Split", [s.floats(128, 768)], {"axis": 1, "num_outputs": 3}, outputs=3)
    yield Operator(
        "Slice", [s.floats(1, 64, 112, 112), ints(0, 0), ints(112, 112), ints(2, 3), ints(2, 2)], constants=(1, 2, 3, 4)
    )
    yield Operator("Slice", [s.floats(128, 768), ints(0), ints(384), ints(1)], constants=(1, 2, 3))
    yield Operator("Pad", [picture, ints(0, 0, 1, 1, 0, 0, 1, 1)], constants=(1,))
    for mode in ("reflect", "edge"):
        yield Operator("Pad", [picture, ints(0, 0, 3, 3, 0, 0, 3, 3)], {"mode": mode}, constants=(1,), note=mode)
    yield Operator("Tile", [s.floats(128, 256), ints(2, 3)], constants=(1,))
    yield Operator("Expand", [s.floats(128, 1), ints(128, 768)], constants=(1,))
    yield Operator("Gather", [s.floats(30000, 768), s.integers(128, high=30000)], constants=(0,))
    yield Operator("Gather", [s.floats(128, 768), s.integers(300, high=768)], {"axis": 1})
    yield Operator("GatherElements", [s.floats(128, 768), s.integers(128, 768, high=768)], {"axis": 1})
    yield Operator("GatherND", [s.floats(128, 64, 16), s.integers(2000, 2, high=64)])
    yield Operator(
        "ScatterElements", [s.floats(128, 768), s.integers(128, 100, high=768), s.floats(128, 100)], {"axis": 1}
    )
    yield Operator("ScatterND", [s.floats(1000, 64), s.integers(500, 1, high=1000), s.floats(500, 64)])
    yield Operator("DepthToSpace", [s.floats(1, 64, 56, 56)], {"blocksize": 2})
    yield Operator("SpaceToDepth", [s.floats(1, 16, 112, 112)], {"blocksize": 2})
    yield Operator("OneHot", [s.integers(1000), np.array(100), np.array([0, 1], np.float32)], constants=(1, 2))
    yield Operator("Range", [np.array(v) for v in (0, 100000, 1)])
    yield Operator("ConstantOfShape", [ints(128, 768)])
    yield Operator("EyeLike", [s.floats(512, 512)])
    yield Operator("Trilu", [s.floats(512, 512)])
    yield Operator("Compress", [s.floats(1000, 64), s.booleans(1000)], {"axis": 0})
    yield Operator("ReverseSequence", [s.floats(128, 8, 64), s.integers(8, low=1, high=128)])
    yield Operator("CenterCropPad", [s.floats(3, 300, 200), ints(3, 224, 224)], constants=(1,))
    yield Operator(
        "Col2Im", [s.floats(1, 64 * 9, 784), ints(28, 28), ints(3, 3)], {"pads": [1, 1, 1, 1]}, constants=(1, 2)
    )


def windows(s: Shapes) -> Iterator[Operator]:
    def conv(n, c, h, w, out, kernel, note="", **attributes):
        group = attributes.get("group", 1)
        weights = s.floats(out, c // group, kernel, kernel, low=-0.1, high=0.1)
        stride = attributes.get("strides", [1, 1])[0]
        count = out * c // group * kernel * kernel * (h // stride) * (w // stride) * n
        attributes.setdefault("pads", [kernel // 2] * 4)
        x = s.floats(n, c, h, w)
        return Operator("Conv", [x, weights], attributes, (1,), 1, f"{out} {kernel}x{kernel} {note}".strip(), count)

    yield conv(1, 64, 56, 56, 64, 3)
    yield conv(1, 256, 14, 14, 256, 3)
    yield conv(1, 256, 28, 28, 128, 1)
    yield conv(1, 3, 224, 224, 64, 7, "stride 2", strides=[2, 2])
    yield conv(1, 144, 56, 56, 144, 3, "depthwise", group=144)
    yield conv(1, 64, 28, 28, 64, 5, "groups 4", group=4)
    yield conv(1, 17, 31, 29, 13, 3, "odd")
    yield conv(1, 64, 28, 28, 64, 3, "dilated", dilations=[2, 2], pads=[2, 2, 2, 2])
    for channels, taps in ((64, 9), (256, 5), (256, 3)):
        yield Operator(
            "Conv",
            [s.floats(1, channels, 1000), s.floats(channels, channels, taps, low=-0.1, high=0.1)],
            {"pads": [taps // 2] * 2},
            (1,),
            1,
            f"{taps} taps",
            channels * channels * taps * 1000,
        )
    yield Operator(
        "Conv",
        [s.floats(1, 16, 16, 32, 32), s.floats(16, 16, 3, 3, 3)],
        {"pads": [1] * 6},
        (1,),
        1,
        "3-D",
        16 * 16 * 27 * 16 * 1024,
    )
    for stride, kernel in ((2, 2), (2, 4)):
        w = s.floats(64, 32, kernel, kernel, low=-0.1, high=0.1)
        count = 64 * 32 * kernel * kernel * 28 * 28
        yield Operator(
            "ConvTranspose",
            [s.floats(1, 64, 28, 28), w],
            {"strides": [stride] * 2},
            (1,),
            1,
            f"{kernel}x{kernel}",
            count,
        )
    yield Operator(
        "DeformConv", [s.floats(1, 32, 28, 28), s.floats(32, 32, 3, 3), s.floats(1, 18, 26, 26)], {}, (1,), 1
    )
    for name in ("MaxPool", "AveragePool", "LpPool"):
        yield Operator(
            name, [s.floats(1, 64, 112, 112)], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}
        )
    yield Operator("MaxPool", [s.floats(1, 64, 56, 56)], {"kernel_shape": [2, 2], "strides": [2, 2]}, outputs=2)
    for name in ("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"):
        yield Operator(name, [s.floats(1, 512, 14, 14)])
    for mode in ("nearest", "linear", "cubic"):
        scales = np.array([1, 1, 2, 2], np.float32)
        yield Operator("Resize", [s.floats(1, 64, 28, 28), None, scales], {"mode": mode}, (2,), note=mode)
    scales = np.array([1, 1, 0.43, 0.61], np.float32)
    yield Operator("Resize", [s.floats(1, 3, 300, 400), None, scales], {"mode": "linear"}, (2,), note="linear, down")
    yield Operator(
        "Resize", [s.floats(1, 3, 300, 400), None, scales], {"mode": "linear", "antialias": 1}, (2,), note="antialias"
    )
    for mode in ("linear", "nearest", "cubic"):
        yield Operator(
            "GridSample", [s.floats(1, 32, 56, 56), s.floats(1, 56, 56, 2, low=-1, high=1)], {"mode": mode}, note=mode
        )
    yield Operator("AffineGrid", [s.floats(2, 2, 3), ints(2, 3, 112, 112)], constants=(1,))
    rois = np.sort(s.floats(50, 2, 2, low=0, high=50), 1).reshape(50, 4)
    given = {"output_height": 7, "output_width": 7, "sampling_ratio": 2, "spatial_scale": 1.0}
    yield Operator("RoiAlign", [s.floats(1, 64, 56, 56), rois, np.zeros(50, np.int64)], given)
    corners = s.floats(1, 1000, 2, low=0, high=100)
    boxes = np.concatenate([corners, corners + s.floats(1, 1000, 2, low=5, high=30)], 2)
    limits = [ints(50), np.array([0.5], np.float32), np.array([0.1], np.float32)]
    yield Operator("NonMaxSuppression", [boxes, s.floats(1, 4, 1000, low=0, high=1), *limits], constants=(2, 3, 4))


def products(s: Shapes) -> Iterator[Operator]:
    for m, k, n in ((128, 768, 768), (1, 768, 3072), (17, 131, 67)):
        constant = Operator("MatMul", [s.floats(m, k), s.floats(k, n)], {}, (1,), 1, f"x {k}x{n}", m * k * n)
        yield constant
        yield Operator("MatMul", constant.inputs, {}, (), 1, f"x {k}x{n}, both run-time", m * k * n)
    yield Operator("MatMul", [s.floats(12, 128, 64), s.floats(12, 64, 128)], {}, (), 1, "x 64x128", 12 * 128 * 128 * 64)
    yield Operator(
        "Gemm",
        [s.floats(128, 768), s.floats(768, 768), s.floats(768)],
        {"transB": 1},
        (1, 2),
        1,
        "transB",
        128 * 768 * 768,
    )
    a, b = s.integers(128, 768, high=255, kind=np.uint8), s.integers(768, 768, low=-100, kind=np.int8)
    yield Operator("MatMulInteger", [a, b], {}, (1,), 1, "x 768x768", 128 * 768 * 768)
    packed, scales = s.integers(4096, 128, 16, high=256, kind=np.uint8), s.floats(4096, 128, low=0.01, high=0.02)
    for rows in (1, 128):
        yield Operator(
            "MatMulNBits",
            [s.floats(rows, 4096), packed, scales],
            {"N": 4096, "K": 4096, "bits": 4, "block_size": 32},
            (1, 2),
            1,
            "x 4096x4096 of 4 bits",
            rows * 4096 * 4096,
            "com.microsoft",
        )
    yield Operator(
        "Einsum",
        [s.floats(12, 128, 64), s.floats(12, 128, 64)],
        {"equation": "bid,bjd->bij"},
        (),
        1,
        "bid,bjd->bij",
        12 * 128 * 128 * 64,
    )
    yield Operator("Einsum", [s.floats(64, 64, 16), s.floats(64, 16)], {"equation": "ijk,jk->i"}, (), 1, "ijk,jk->i")
    yield Operator("Det", [s.floats(100, 16, 16)])
    x = s.floats(1, 64, 56, 56)
    vectors = [s.floats(64, low=0.5) for _ in range(4)]
    yield Operator("BatchNormalization", [x, *vectors], {}, (1, 2, 3, 4))
    yield Operator("InstanceNormalization", [x, *vectors[:2]], {}, (1, 2))
    yield Operator("GroupNormalization", [x, *vectors[:2]], {"num_groups": 8}, (1, 2))
    yield Operator("LayerNormalization", [s.floats(128, 768), s.floats(768), s.floats(768)], {}, (1, 2))
    yield Operator("LpNormalization", [s.floats(128, 768)])
    yield Operator("LRN", [x], {"size": 5})
    yield Operator("MeanVarianceNormalization", [x])
    scale, zero = np.array(0.02, np.float32), np.array(128, np.uint8)
    yield Operator("QuantizeLinear", [x, scale, zero], {}, (1, 2))
    yield Operator("DequantizeLinear", [s.integers(200704, high=255, kind=np.uint8), scale, zero], {}, (1, 2))
    yield Operator("DynamicQuantizeLinear", [x], outputs=3)
    quantised = [s.integers(1, 64, 28, 28, high=255, kind=np.uint8), scale, zero]
    filters = [s.integers(64, 64, 3, 3, low=-100, kind=np.int8), scale, np.array(0, np.int8), scale, zero]
    given = {"pads": [1, 1, 1, 1]}
    yield Operator("QLinearConv", [*quantised, *filters], given, tuple(range(1, 8)), 1, "64 3x3", 64 * 64 * 9 * 784)
    yield Operator("SoftmaxCrossEntropyLoss", [s.floats(128, 1000), s.integers(128, high=1000)])
    yield Operator("NegativeLogLikelihoodLoss", [s.floats(128, 1000), s.integers(128, high=1000)])
    for kind in (np.float64, np.int32):
        pair = [s.integers(*shape, kind=kind) for shape in ((128, 256), (256, 128))]
        yield Operator("MatMul", pair, {}, (), 1, "x 256x128", 128 * 256 * 128)


def recurrent(s: Shapes) -> Iterator[Operator]:
    for name, gates in (("RNN", 1), ("GRU", 3), ("LSTM", 4)):
        for steps, batch in ((50, 1), (20, 16)):
            weights = [s.floats(1, gates * 128, 128, low=-0.1, high=0.1) for _ in range(2)]
            count = steps * batch * gates * 128 * 128 * 2
            yield Operator(name, [s.floats(steps, batch, 128), *weights], {"hidden_size": 128}, (1, 2), 1, "128", count)


def signals(s: Shapes) -> Iterator[Operator]:
    for length in (400, 512, 1024, 997):
        yield Operator("DFT", [s.floats(16, length, 1), ints(length).reshape(()), np.array(1)], {"onesided": 1}, (1, 2))
    window = [np.array(160), s.floats(400, low=0)]
    yield Operator("STFT", [s.floats(1, 16000, 1), *window], {"onesided": 1}, (1, 2))
    yield Operator("HannWindow", [np.array(4000)])
    mel = [np.array(v, np.int64) for v in (80, 512, 16000)] + [np.array(v, np.float32) for v in (20, 7600)]
    yield Operator("MelWeightMatrix", mel)


FAMILIES = (element_wise, reductions, movement, windows, products, recurrent, signals)


def operators() -> list[Operator]:
    """Each has its own random numbers, so that leaving out others changes nothing."""
    return [operator for family in FAMILIES for operator in family(Shapes())]


def measure(operator: Operator, arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    path, library, inputs = folder / "model.onnx", folder / "model.so", folder / "inputs.npz"
    onnx.save(operator.model(), path)
    compile_model(path, library)
    np.savez(inputs, **operator.feeds())
    clock = "thread_time" if arguments.cpu_time else "perf_counter"
    engines: dict[str, Engine] = {}
    for name, file in (("onnxc", library), ("onnxruntime", path)):
        try:
            engines[name] = Engine(name, file, inputs, 1, set(arguments.cpus), clock)
        except Refused as refusal:
            print(f"  {name} refuses it: {refusal}", file=sys.stderr)
    once = {name: min(engine.runs(3)) for name, engine in engines.items()}
    for _ in range(arguments.rounds):
        for name, engine in engines.items():
            engine.times += engine.runs(max(3, min(2000, int(arguments.seconds * 1000 / max(once[name], 1e-3)))))
    figure = min if arguments.cpu_time else statistics.median
    row: dict[str, Any] = {"operator": operator.name, "us": {}, "multiplications": operator.multiplications}
    row["bytes"] = sum(value.nbytes for value in operator.feeds().values()) + _result_bytes(library, operator)
    for name, engine in engines.items():
        row["us"][name] = figure(engine.times) * 1000
        engine.close()
    return row


def _result_bytes(library: Path, operator: Operator) -> int:
    import onnxc

    return sum(result.nbytes for result in onnxc.InferenceSession(str(library)).run(None, operator.feeds()))


def ratio(row: dict[str, Any]) -> float:
    """ONNX Runtime's time over ours; infinite where it refuses the operator."""
    return row["us"]["onnxruntime"] / row["us"]["onnxc"] if "onnxruntime" in row["us"] else math.inf


def report(rows: list[dict[str, Any]]) -> str:
    rows = sorted(rows, key=ratio)
    lines = ["# Single operators beside ONNX Runtime", "", "One thread, f32 where nothing else is said.", ""]
    lines += ["| operator | µs | ORT µs | ORT / ours | GB/s | GFLOP/s |", "|---|---|---|---|---|---|"]
    for row in rows:
        ours, other = row["us"]["onnxc"], row["us"].get("onnxruntime")
        flops = f"{2 * row['multiplications'] / ours / 1e3:.0f}" if row["multiplications"] else ""
        theirs, quotient = (f"{other:.1f}", f"{ratio(row):.2f}") if other else ("-", "-")
        lines.append(
            f"| {row['operator']} | {ours:.1f} | {theirs} | {quotient} | {row['bytes'] / ours / 1e3:.1f} | {flops} |"
        )
    known = [ratio(row) for row in rows if math.isfinite(ratio(row))]
    if known:
        mean = math.exp(statistics.fmean(map(math.log, known)))
        lines += ["", f"Geometric mean of ORT / ours over {len(known)}: {mean:.2f}."]
    slow = [row["operator"] for row in rows if ratio(row) * SLOW < 1]
    lines += ["", f"More than {SLOW:.0f} times slower: {', '.join(slow) or 'none'}."]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-k", default="", metavar="SUBSTRING")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.1, help="of one engine in one round")
    parser.add_argument("--cpu-time", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    arguments = parser.parse_args()
    arguments.cpus = sorted(os.sched_getaffinity(0))[-1:]
    if arguments.cpu_time:
        arguments.cpus = sorted(os.sched_getaffinity(0))

    rows, failed = [], False
    with tempfile.TemporaryDirectory(prefix="onnxc-bench-") as folder:
        for operator in operators():
            if arguments.k not in operator.name:
                continue
            try:
                rows.append(measure(operator, arguments, Path(folder)))
                print(f"{operator.name}: {ratio(rows[-1]):.2f}", file=sys.stderr, flush=True)
            except (Refused, KeyError) as refusal:
                print(f"error: {operator.name}: {refusal}", file=sys.stderr)
                failed = True
    if not rows:
        print("error: nothing was measured", file=sys.stderr)
        return 1
    text = report(rows)
    print(text, end="")
    if arguments.markdown:
        arguments.markdown.write_text(text)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
