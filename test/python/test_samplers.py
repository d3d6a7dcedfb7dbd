"""Operators that read pictures between their pixels: random sizes and places, inside and outside, against ONNX
Runtime, or the reference evaluator where that has no such operator."""

import itertools

import numpy as np
import onnxc
import onnxruntime
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator
from small_models import make_model

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
onnxruntime.set_default_logger_severity(4)


def random_generator() -> np.random.Generator:
    seed = np.random.SeedSequence().entropy
    print("seed", seed)
    return np.random.default_rng(seed)


def agree(ours: onnxc.InferenceSession, reference, feeds: dict[str, np.ndarray], tolerance: float = 2e-5) -> None:
    names = [value.name for value in ours.get_outputs()]
    for name, a, b in zip(names, ours.run(names, feeds), reference.run(names, feeds), strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape, name
        assert np.isfinite(b).all(), name
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * max(1.0, np.abs(b).max(initial=0)), err_msg=name)


def onnx_runtime(model) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def test_grid_sample(compiled) -> None:
    nodes, outputs = [], []
    for spatial, modes in ((2, ("linear", "nearest", "cubic")), (3, ("linear", "nearest"))):
        for mode, padding, align in itertools.product(modes, ("zeros", "border", "reflection"), (0, 1)):
            name = f"{mode}_{padding}_{align}_{spatial}"
            options = {"mode": mode, "padding_mode": padding, "align_corners": align}
            nodes.append(helper.make_node("GridSample", [f"x{spatial}", f"g{spatial}"], [name], **options))
            outputs.append((name, FLOAT, [None] * (spatial + 2)))
    inputs = [
        ("x2", FLOAT, ["N", "C", "H", "W"]), ("g2", FLOAT, ["N", "P", "Q", 2]),
        ("x3", FLOAT, ["N", "C", "D", "H", "W"]), ("g3", FLOAT, ["N", "R", "P", "Q", 3]),
    ]  # fmt: skip
    model = make_model(nodes, inputs, outputs)
    ours, reference = onnxc.InferenceSession(compiled(model)), onnx_runtime(model)
    generator = random_generator()
    for n, c, d, h, w, p, q in ((1, 3, 2, 5, 7, 4, 6), (2, 17, 3, 8, 3, 5, 5), (1, 2, 4, 3, 4, 0, 2)):
        feeds = {
            "x2": generator.normal(size=(n, c, h, w)), "g2": generator.uniform(-1.7, 1.7, (n, p, q, 2)),
            "x3": generator.normal(size=(n, c, d, h, w)), "g3": generator.uniform(-1.7, 1.7, (n, 2, p, q, 3)),
        }  # fmt: skip
        agree(ours, reference, {name: value.astype(np.float32) for name, value in feeds.items()})


def test_region_pools(compiled) -> None:
    nodes, outputs = [], []
    for mode, place, ratio in itertools.product(("avg", "max"), ("half_pixel", "output_half_pixel"), (0, 2)):
        options = {"mode": mode, "coordinate_transformation_mode": place, "sampling_ratio": ratio}
        size = {"output_height": 3, "output_width": 4, "spatial_scale": 0.5}
        name = f"{mode}_{place}_{ratio}"
        nodes.append(helper.make_node("RoiAlign", ["x", "rois", "images"], [name], **options, **size))
        outputs.append((name, FLOAT, [None] * 4))
    nodes.append(helper.make_node("MaxRoiPool", ["x", "five"], ["pool"], pooled_shape=[3, 2], spatial_scale=0.5))
    outputs.append(("pool", FLOAT, [None] * 4))
    inputs = [
        ("x", FLOAT, ["N", "C", "H", "W"]), ("rois", FLOAT, ["R", 4]), ("images", INT64, ["R"]),
        ("five", FLOAT, ["R", 5]),
    ]  # fmt: skip
    model = make_model(nodes, inputs, outputs)
    ours, reference = onnxc.InferenceSession(compiled(model)), onnx_runtime(model)
    generator = random_generator()
    for n, c, h, w, r in ((1, 3, 10, 14, 5), (3, 20, 9, 7, 12), (1, 2, 5, 5, 0)):
        corner = generator.uniform(-3, 2 * max(h, w), (r, 2))
        rois = np.concatenate([corner, corner + generator.uniform(0, 20, (r, 2))], 1).astype(np.float32)
        images = generator.integers(0, n, r)
        feeds = {
            "x": generator.normal(size=(n, c, h, w)).astype(np.float32), "rois": rois, "images": images,
            "five": np.concatenate([images[:, None], rois], 1).astype(np.float32),
        }  # fmt: skip
        agree(ours, reference, feeds)


def test_max_unpool(compiled) -> None:
    window = {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 0, 1, 0]}
    nodes = [
        helper.make_node("MaxPool", ["x"], ["m", "i"], **window),
        helper.make_node("MaxUnpool", ["m", "i"], ["y"], **window),
    ]
    inputs = [("x", FLOAT, ["N", "C", "H", "W"])]
    model = make_model(nodes, inputs, [(name, FLOAT, [None] * 4) for name in ("m", "y")])
    ours, reference = onnxc.InferenceSession(compiled(model)), onnx_runtime(model)
    generator = random_generator()
    for shape in ((1, 2, 7, 8), (3, 4, 9, 6)):  # where unpooling gives the size back
        feeds = {"x": generator.normal(size=shape).astype(np.float32)}
        agree(ours, reference, feeds)


def test_deformable_convolution(compiled) -> None:
    generator = random_generator()
    # Filter, input channels, groups, offset groups, strides, pads, dilations, mask and bias
    cases = (
        ((5, 4, 3, 3), 4, 1, 1, [1, 1], [1, 1, 1, 1], [1, 1], True),
        ((6, 2, 2, 3), 4, 2, 2, [2, 1], [0, 1, 1, 0], [1, 2], True),
        ((4, 1, 3, 1), 4, 4, 1, [1, 2], [1, 0, 0, 0], [1, 1], False),
        ((4, 3, 2, 2), 6, 2, 3, [1, 1], [0, 0, 0, 0], [2, 1], True),
    )
    nodes, inputs, outputs, constants, feeds = [], [], [], {}, {}
    for i, (shape, channels, groups, offset_groups, strides, pads, dilations, more) in enumerate(cases):
        n, h, w = 2, 9, 11
        kernel = np.array(shape[2:])
        extent = (kernel - 1) * dilations + 1
        out = (np.array([h, w]) + np.array(pads[:2]) + np.array(pads[2:]) - extent) // strides + 1
        taps = offset_groups * int(kernel.prod())
        arrays = {f"x{i}": (n, channels, h, w), f"o{i}": (n, 2 * taps, *out), f"m{i}": (n, taps, *out)}
        for name, dims in arrays.items():
            feeds[name] = generator.normal(size=dims).astype(np.float32) * (2 if name[0] == "o" else 1)
            inputs.append((name, FLOAT, [None, dims[1], None, None]))
        constants[f"w{i}"] = generator.normal(size=shape).astype(np.float32)
        constants[f"b{i}"] = generator.normal(size=shape[0]).astype(np.float32)
        operands = [f"x{i}", f"w{i}", f"o{i}", *((f"b{i}", f"m{i}") if more else ())]
        options = {"group": groups, "offset_group": offset_groups, "strides": strides, "pads": pads}
        nodes.append(helper.make_node("DeformConv", operands, [f"y{i}"], dilations=dilations, **options))
        outputs.append((f"y{i}", FLOAT, [None] * 4))
    model = make_model(nodes, inputs, outputs, constants)
    agree(onnxc.InferenceSession(compiled(model)), ReferenceEvaluator(model), feeds)


def test_affine_grid(compiled) -> None:
    nodes = [
        helper.make_node("AffineGrid", [f"t{spatial}", f"s{spatial}"], [f"y{spatial}{align}"], align_corners=align)
        for spatial in (2, 3)
        for align in (0, 1)
    ]
    inputs = [("t2", FLOAT, ["N", 2, 3]), ("s2", INT64, [4]), ("t3", FLOAT, ["N", 3, 4]), ("s3", INT64, [5])]
    outputs = [(node.output[0], FLOAT, [None] * (int(node.output[0][1]) + 2)) for node in nodes]
    model = make_model(nodes, inputs, outputs)
    ours, reference = onnxc.InferenceSession(compiled(model)), ReferenceEvaluator(model)
    generator = random_generator()
    for n, d, h, w in ((2, 3, 4, 5), (1, 2, 7, 2)):
        feeds = {
            "t2": generator.normal(size=(n, 2, 3)).astype(np.float32), "s2": np.array([n, 3, h, w]),
            "t3": generator.normal(size=(n, 3, 4)).astype(np.float32), "s3": np.array([n, 1, d, h, w]),
        }  # fmt: skip
        agree(ours, reference, feeds)


def test_col2im(compiled) -> None:
    """One, two and three dims; blocks that overlap, or leave gaps, or begin in the padding."""
    cases = {
        "flat": ([9], [3], {"strides": [2]}),
        "plane": ([5, 6], [2, 3], {"pads": [1, 0, 1, 2], "dilations": [1, 2]}),
        "gaps": ([7, 7], [2, 1], {"strides": [3, 3]}),
        "solid": ([4, 5, 3], [2, 2, 2], {"strides": [1, 2, 1], "pads": [0, 1, 1, 0, 0, 1]}),
    }
    nodes, inputs, outputs, constants, feeds = [], [], [], {}, {}
    generator = random_generator()
    for name, (image, block, options) in cases.items():
        spatial = len(image)
        pads = options.get("pads", [0] * (2 * spatial))
        columns = 1
        for d in range(spatial):
            extent = (block[d] - 1) * options.get("dilations", [1] * spatial)[d] + 1
            columns *= (image[d] + pads[d] + pads[d + spatial] - extent) // options.get("strides", [1] * spatial)[d] + 1
        feeds[name] = generator.normal(size=(2, 3 * int(np.prod(block)), columns)).astype(np.float32)
        constants[f"{name}_image"], constants[f"{name}_block"] = np.array(image), np.array(block)
        nodes.append(helper.make_node("Col2Im", [name, f"{name}_image", f"{name}_block"], [f"{name}_y"], **options))
        inputs.append((name, FLOAT, ["N", 3 * int(np.prod(block)), f"{name}_columns"]))
        outputs.append((f"{name}_y", FLOAT, [None] * (spatial + 2)))
    model = make_model(nodes, inputs, outputs, constants)
    agree(onnxc.InferenceSession(compiled(model)), onnx_runtime(model), feeds)
