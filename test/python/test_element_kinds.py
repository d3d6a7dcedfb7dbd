"""Operators on every element type that their schemas list."""

import itertools

import numpy as np
import onnxc
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator
from small_models import make_model

WIDTHS = {
    8: ["BOOL", "UINT8", "INT8", "FLOAT8E4M3FN", "FLOAT8E5M2", "FLOAT8E4M3FNUZ", "FLOAT8E5M2FNUZ", "FLOAT8E8M0"],
    16: ["UINT16", "INT16", "FLOAT16", "BFLOAT16"],
    32: ["UINT32", "INT32", "FLOAT"],
    64: ["UINT64", "INT64", "DOUBLE", "COMPLEX64"],
}


def test_bit_casts(compiled) -> None:
    """Between all types of one size: numpy's view is the reference, but that every byte is a bool."""
    nodes, inputs, outputs = [], [], []
    for names in WIDTHS.values():
        for name in names:
            inputs.append((name, TensorProto.DataType.Value(name), ["N"]))
        for source, target in itertools.product(names, names):
            kind = TensorProto.DataType.Value(target)
            nodes.append(helper.make_node("BitCast", [source], [f"{source}_{target}"], to=kind))
            outputs.append((f"{source}_{target}", kind, ["N"]))
    session = onnxc.InferenceSession(compiled(make_model(nodes, inputs, outputs, opset=26)))
    patterns = np.arange(256, dtype=np.uint8)
    feeds = {}
    for width, names in WIDTHS.items():
        for name in names:
            dtype = helper.tensor_dtype_to_np_dtype(TensorProto.DataType.Value(name))
            data = np.repeat(patterns, width // 8)
            feeds[name] = (data & 1).astype(bool) if name == "BOOL" else data.view(dtype)
    for (name, kind, _), result in zip(outputs, session.run(None, feeds), strict=True):
        dtype, source = helper.tensor_dtype_to_np_dtype(kind), feeds[name.split("_")[0]]
        assert result.dtype == dtype
        if dtype == np.bool_:
            np.testing.assert_array_equal(result, source.view(np.uint8) != 0)
        else:
            assert result.tobytes() == source.tobytes(), name


def test_a_bit_cast_keeps_the_size(compiled) -> None:
    node = helper.make_node("BitCast", ["x"], ["y"], to=TensorProto.INT32)
    model = make_model([node], [("x", TensorProto.DOUBLE, ["N"])], [("y", TensorProto.INT32, ["N"])], opset=26)
    with pytest.raises(onnxc.CompileError, match=r"BitCast.*(64|size|width)"):
        compiled(model)


# Each makes a tensor of the rank given from x [2, 3], y [1, 3], image [1, 4, 2, 2] and a scalar.
MOVES = [
    ("Concat", ["x", "y"], 2, {"axis": 0}), ("Compress", ["x", "choice"], 2, {"axis": 0}),
    ("Pad", ["x", "pads", "scalar"], 2, {}), ("Pad", ["x", "pads"], 2, {}),
    ("Pad", ["x", "mirror"], 2, {"mode": "reflect"}),
    ("ReverseSequence", ["x", "turns"], 2, {"batch_axis": 1, "time_axis": 0}),
    ("ScatterElements", ["x", "places", "x"], 2, {"axis": 1}), ("ScatterND", ["x", "last", "y"], 2, {}),
    ("Trilu", ["x"], 2, {"upper": 0}),
    ("OneHot", ["places", "depth", "two"], 3, {}), ("Where", ["mask", "x", "scalar"], 2, {}),
    ("Gather", ["x", "places"], 3, {"axis": 1}), ("GatherElements", ["x", "places"], 2, {"axis": 1}),
    ("Expand", ["y", "shape"], 2, {}), ("Tile", ["x", "repeats"], 2, {}), ("Slice", ["x", "one", "end", "one"], 2, {}),
    ("Transpose", ["x"], 2, {}), ("Reshape", ["x", "flat"], 1, {}), ("Unsqueeze", ["x", "one"], 3, {}),
    ("DepthToSpace", ["image"], 4, {"blocksize": 2}), ("SpaceToDepth", ["image"], 4, {"blocksize": 2}),
    ("GridSample", ["image", "grid"], 4, {"mode": "nearest"}), ("CenterCropPad", ["x", "shape"], 2, {}),
]  # fmt: skip

INDICES = {
    "pads": [1, 0, 0, 2], "mirror": [0, 1, 1, 0], "turns": [2, 1, 2], "places": [[0, 2, 1], [1, 0, 2]], "last": [[1]],
    "depth": 4, "shape": [4, 3], "repeats": [2, 1], "one": [1], "end": [9], "flat": [-1], "shapes": [2, 2],
}  # fmt: skip


@pytest.mark.parametrize("kind", ["COMPLEX64", "COMPLEX128"])
def test_complex_numbers_move(compiled, kind: str) -> None:
    number = TensorProto.DataType.Value(kind)
    dtype = helper.tensor_dtype_to_np_dtype(number)
    nodes, outputs = [], []
    for index, (operator, operands, rank, attributes) in enumerate(MOVES):
        nodes.append(helper.make_node(operator, operands, [f"y{index}"], **attributes))
        outputs.append((f"y{index}", number, [None] * rank))
    nodes.append(helper.make_node("NonZero", ["x"], ["nonzero"]))
    outputs.append(("nonzero", TensorProto.INT64, [2, None]))
    nodes.append(helper.make_node("Identity", ["constant"], ["same"]))
    outputs.append(("same", number, [100]))
    inputs = [
        ("x", number, ["N", 3]), ("y", number, ["M", 3]), ("image", number, [1, 4, "H", "W"]), ("scalar", number, []),
        ("two", number, [2]), ("choice", TensorProto.BOOL, ["N"]), ("mask", TensorProto.BOOL, [3]),
        ("grid", TensorProto.FLOAT, [1, 2, 2, 2]),
    ]  # fmt: skip
    generator = np.random.default_rng(3)

    def numbers(*shape: int) -> np.ndarray:
        return (generator.normal(size=shape) + 1j * generator.normal(size=shape)).astype(dtype)

    constants = {name: np.array(value) for name, value in INDICES.items()}
    model = make_model(nodes, inputs, outputs, {**constants, "constant": numbers(100)})
    x = numbers(2, 3)
    x[0, 1], x[1, 0] = 0, complex(-0.0, -0.0)
    feeds = {
        "x": x, "y": numbers(1, 3), "image": numbers(1, 4, 2, 2), "scalar": numbers(), "two": numbers(2),
        "choice": np.array([False, True]), "mask": np.array([True, False, True]),
        "grid": np.array([[[[-1, -1], [0.9, -0.9]], [[2, 0.4], [0.3, 0.8]]]], np.float32),
    }  # fmt: skip
    session = onnxc.InferenceSession(compiled(model))
    # Aligned as little as numpy allows.
    memory = np.zeros(x.nbytes + 8, np.uint8)[8:]
    memory[:] = np.frombuffer(x.tobytes(), np.uint8)
    feeds["x"] = memory.view(dtype).reshape(x.shape)
    results = session.run(None, feeds)
    expected = ReferenceEvaluator(model).run(None, feeds)
    for (name, *_), result, want in zip(outputs, results, expected, strict=True):
        assert result.dtype == want.dtype and result.shape == want.shape, name
        # The reference multiplies where OneHot chooses.
        np.testing.assert_allclose(result, want, rtol=1e-6, err_msg=name)


@pytest.mark.parametrize("kind", ["FLOAT8E4M3FN", "FLOAT8E4M3FNUZ", "FLOAT8E5M2", "FLOAT8E5M2FNUZ"])
def test_floats_of_8_bits_are_classified(compiled, kind: str) -> None:
    number = TensorProto.DataType.Value(kind)
    nodes = [
        helper.make_node("IsNaN", ["x"], ["nan"]),
        helper.make_node("IsInf", ["x"], ["infinite"]),
        helper.make_node("IsInf", ["x"], ["negative"], detect_positive=0),
    ]
    names = ["nan", "infinite", "negative"]
    model = make_model(nodes, [("x", number, ["N"])], [(name, TensorProto.BOOL, ["N"]) for name in names], opset=21)
    x = np.arange(256, dtype=np.uint8).view(helper.tensor_dtype_to_np_dtype(number))
    wide = x.astype(np.float32)
    results = onnxc.InferenceSession(compiled(model)).run(None, {"x": x})
    for result, want in zip(results, (np.isnan(wide), np.isinf(wide), np.isneginf(wide)), strict=True):
        np.testing.assert_array_equal(result, want)


@pytest.mark.parametrize("kind", ["UINT4", "INT2", "FLOAT4E2M1", "FLOAT8E5M2", "FLOAT8E8M0"])
def test_narrow_elements_are_padded(compiled, kind: str) -> None:
    number = TensorProto.DataType.Value(kind)
    dtype = helper.tensor_dtype_to_np_dtype(number)
    nodes = [
        helper.make_node("Pad", ["x", "pads"], ["zeros"]),
        helper.make_node("Pad", ["x", "pads", "one"], ["ones"]),
        helper.make_node("Pad", ["x", "pads"], ["edges"], mode="edge"),
    ]
    names = ["zeros", "ones", "edges"]
    inputs = [("x", number, ["N", 3]), ("one", number, [])]
    pads = np.array([1, 0, 0, 2])
    model = make_model(nodes, inputs, [(name, number, [None, 5]) for name in names], {"pads": pads}, opset=25)
    x, one = np.array([[1, 0, 1], [0, 1, 1]]).astype(np.float32).astype(dtype), np.array(1, np.float32).astype(dtype)
    results = onnxc.InferenceSession(compiled(model)).run(None, {"x": x, "one": one})
    patterns = x.view(np.uint8)
    widths = [(1, 0), (0, 2)]
    want = [
        np.pad(patterns, widths),
        np.pad(patterns, widths, constant_values=one.view(np.uint8)),
        np.pad(patterns, widths, mode="edge"),
    ]
    for result, bits in zip(results, want, strict=True):
        assert result.dtype == dtype
        np.testing.assert_array_equal(result.view(np.uint8), bits)


def test_unsigned_gemm(compiled) -> None:
    """Integers, whole factors."""
    node = helper.make_node("Gemm", ["a", "b", "c"], ["y"], alpha=3.0, beta=2.0)
    kind = TensorProto.UINT32
    model = make_model([node], [("a", kind, ["N", 3]), ("b", kind, [3, 4]), ("c", kind, [4])], [("y", kind, ["N", 4])])
    generator = np.random.default_rng(1)
    a, b, c = (generator.integers(0, 1 << 16, shape, np.uint32) for shape in ((5, 3), (3, 4), (4,)))
    (y,) = onnxc.InferenceSession(compiled(model)).run(None, {"a": a, "b": b, "c": c})
    np.testing.assert_array_equal(y, 3 * (a @ b) + 2 * c)


def test_scales_of_another_type(compiled) -> None:
    """The result of RMSNormalization has the type of its scale."""
    node = helper.make_node("RMSNormalization", ["x", "scale"], ["y"])
    inputs = [("x", TensorProto.FLOAT16, ["N", 4]), ("scale", TensorProto.FLOAT, [4])]
    model = make_model([node], inputs, [("y", TensorProto.FLOAT, ["N", 4])], opset=23)
    x = np.array([[1, -2, 3, 0.5], [4, 0, -1, 2]], np.float16)
    scale = np.array([1, 2, 3, 4], np.float32)
    (y,) = onnxc.InferenceSession(compiled(model)).run(None, {"x": x, "scale": scale})
    wide = x.astype(np.float64)
    want = wide / np.sqrt((wide**2).mean(axis=1, keepdims=True) + 1e-5) * scale
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, want, rtol=2e-3)


def test_integers_between_pixels(compiled) -> None:
    """GridSample interpolates in f32, then casts."""
    node = helper.make_node("GridSample", ["x", "grid"], ["y"])
    inputs = [("x", TensorProto.INT16, ["N", "C", "H", "W"]), ("grid", TensorProto.FLOAT, ["N", "P", "Q", 2])]
    model = make_model([node], inputs, [("y", TensorProto.INT16, ["N", "C", "P", "Q"])])
    generator = np.random.default_rng(4)
    x = generator.integers(-900, 900, (1, 2, 4, 5)).astype(np.int16)
    grid = generator.uniform(-1.2, 1.2, (1, 6, 7, 2)).astype(np.float32)
    (y,) = onnxc.InferenceSession(compiled(model)).run(None, {"x": x, "grid": grid})
    for value in model.graph.input[0], model.graph.output[0]:
        value.type.tensor_type.elem_type = TensorProto.FLOAT
    (wide,) = ReferenceEvaluator(model).run(None, {"x": x.astype(np.float32), "grid": grid})
    assert np.abs(y - np.trunc(wide)).max() <= 1 and (y == np.trunc(wide)).mean() > 0.95


@pytest.mark.parametrize("kind", ["FLOAT8E4M3FN", "FLOAT8E5M2FNUZ"])
def test_products_of_floats_of_8_bits(compiled, kind: str) -> None:
    """QLinearMatMul, the scales one for all and one for each row and column."""
    number = TensorProto.DataType.Value(kind)
    dtype = helper.tensor_dtype_to_np_dtype(number)
    names = ["a", "sa", "za", "b", "sb", "zb", "sy", "zy"]
    for rows, columns in (([], []), (["M"], ["P"])):
        dims = [["M", 3], rows, rows, [3, "P"], columns, columns, [], []]
        inputs = [
            (name, TensorProto.FLOAT if name.startswith("s") else number, size)
            for name, size in zip(names, dims, strict=True)
        ]
        model = make_model(
            [helper.make_node("QLinearMatMul", names, ["y"])], inputs, [("y", number, ["M", "P"])], opset=21
        )
        generator = np.random.default_rng(6)
        sizes = {"M": 4, "P": 5}
        feeds = {}
        for name, kind_of, size in inputs:
            shape = [sizes.get(dim, dim) for dim in size]
            value = generator.uniform(0.5, 2, shape) if kind_of == TensorProto.FLOAT else generator.normal(size=shape)
            feeds[name] = (
                np.asarray(value, np.float32) if kind_of == TensorProto.FLOAT else np.asarray(value).astype(dtype)
            )
        (y,) = onnxc.InferenceSession(compiled(model)).run(None, feeds)
        wide = {name: value.astype(np.float64) for name, value in feeds.items()}
        a = (wide["a"] - wide["za"].reshape(-1, 1)) * wide["sa"].reshape(-1, 1)
        b = (wide["b"] - wide["zb"]) * wide["sb"]
        want = a @ b / wide["sy"] + wide["zy"]
        step = 0.13 if "E4M3" in kind else 0.26  # of one digit
        np.testing.assert_allclose(y.astype(np.float64), want, rtol=step / 2 * 1.01, atol=0.02)
