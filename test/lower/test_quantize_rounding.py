"""QuantizeLinear by constant scales rounds as the division does that the standard writes: at ties and beside them."""

import numpy as np
import onnxc
from onnx import TensorProto, helper, numpy_helper

ZERO = 7


def ties(scale: np.float32) -> np.ndarray:
    """Multiples of half the scale and the three floats on either side; numbers that no quotient of exists."""
    middle = np.arange(-600, 600).astype(np.float32) / 2 * scale
    values, below, above = [middle], middle, middle
    for _ in range(3):
        below, above = np.nextafter(below, np.float32(-np.inf)), np.nextafter(above, np.float32(np.inf))
        values += [below, above]
    extreme = [0, -0.0, np.inf, -np.inf, np.nan, 3e38, -3e38, 1e-45, -1e-45, 1e-38]
    return np.concatenate([*values, np.array(extreme, np.float32)])


def test_ties(compiled) -> None:
    scales = [1, 3, 0.1, 0.0317, 1 / 255, 7.25, 1e-20, 1e-30, 3e15, -0.3]
    arrays = [ties(np.float32(scale)) for scale in scales]
    nodes, constants = [], [numpy_helper.from_array(np.array(ZERO, np.uint8), "zero")]
    for i, scale in enumerate(scales):
        constants.append(numpy_helper.from_array(np.array(scale, np.float32), f"s{i}"))
        nodes.append(helper.make_node("QuantizeLinear", [f"x{i}", f"s{i}", "zero"], [f"y{i}"]))
    graph = helper.make_graph(
        nodes,
        "ties",
        [helper.make_tensor_value_info(f"x{i}", TensorProto.FLOAT, ["N"]) for i in range(len(scales))],
        [helper.make_tensor_value_info(f"y{i}", TensorProto.UINT8, ["N"]) for i in range(len(scales))],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    results = onnxc.InferenceSession(compiled(model)).run(None, {f"x{i}": x for i, x in enumerate(arrays)})
    for scale, x, result in zip(scales, arrays, results, strict=True):
        with np.errstate(all="ignore"):
            wanted = np.clip(np.rint(x / np.float32(scale)) + ZERO, 0, 255)
        wanted = np.where(np.isnan(wanted), 0, wanted).astype(np.uint8)
        different = np.flatnonzero(result != wanted)
        assert different.size == 0, (scale, x[different], result[different], wanted[different])
