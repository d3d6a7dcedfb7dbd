"""DFT, STFT and MelWeightMatrix against numpy: every way that a transform is computed."""

import numpy as np
import onnx.parser
import onnxc
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator
from small_models import make_model

FLOAT, DOUBLE, INT64 = TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT64


def random_generator() -> np.random.Generator:
    seed = np.random.SeedSequence().entropy
    print("seed", seed)
    return np.random.default_rng(seed)


def as_parts(z: np.ndarray) -> np.ndarray:
    return np.stack([z.real, z.imag], -1)


def expected_dft(x: np.ndarray, axis: int, length: int, inverse: bool, one_sided: bool) -> np.ndarray:
    z = x[..., 0] + (1j * x[..., 1] if x.shape[-1] == 2 else 0)
    if inverse and one_sided:
        return np.fft.irfft(z, length, axis)[..., None]
    z = (np.fft.ifft if inverse else np.fft.fft)(z, length, axis)
    return as_parts(np.take(z, range(length // 2 + 1), axis) if one_sided else z)


def check(ours: np.ndarray, want: np.ndarray, tolerance: float) -> None:
    assert ours.shape == want.shape
    np.testing.assert_allclose(ours, want, rtol=0, atol=tolerance * np.abs(want).max(initial=1))


# One product up to 512; stages for smooth lengths; Bluestein's algorithm for prime factors above 31.
LENGTHS = [1, 2, 7, 60, 512, 600, 1024, 1023, 2 * 521]


def test_dft(compiled) -> None:
    """All lengths, real and complex, both directions, whole and half spectra, in one model."""
    generator = random_generator()
    nodes, inputs, outputs, feeds, wanted = [], [], [], {}, {}
    constants = {"axis": np.array(1), "middle": np.array(-3)}
    for length in LENGTHS:
        for parts in (1, 2):
            name = f"x{length}_{parts}"
            feeds[name] = generator.normal(size=(3, length, 2, parts)).astype(np.float32)
            inputs.append((name, FLOAT, ["N", length, 2, parts]))
            for inverse, one_sided in ((0, 0), (1, 0), (0, 1)):
                if one_sided and parts == 2:
                    continue
                output = f"{name}_{inverse}_{one_sided}"
                axis = "middle" if inverse else "axis"
                options = {"inverse": inverse, "onesided": one_sided}
                nodes.append(helper.make_node("DFT", [name, "", axis], [output], **options))
                outputs.append((output, FLOAT, [None] * 4))
                wanted[output] = expected_dft(feeds[name], 1, length, bool(inverse), bool(one_sided))
    model = make_model(nodes, inputs, outputs, constants)
    names = list(wanted)
    for name, ours in zip(names, onnxc.InferenceSession(compiled(model)).run(names, feeds), strict=True):
        check(ours, wanted[name], 3e-6)


def test_dft_lengths_and_half_spectra(compiled) -> None:
    """Cut and padded signals, from half a spectrum of real numbers, along the last and the first axis, f64."""
    generator = random_generator()
    nodes, outputs, wanted = [], [], {}
    feeds = {"x": generator.normal(size=(5, 6, 9, 2)), "r": generator.normal(size=(5, 6, 9, 1))}
    constants = {"first": np.array(0), "last": np.array(-2)}
    for source, axis, length, inverse, one_sided in (
        ("x", 2, 14, 0, 0), ("x", 2, 4, 1, 0), ("x", 0, 3, 0, 0), ("r", 2, 700, 0, 1), ("r", 0, 5, 0, 1),
        ("x", 2, None, 1, 1), ("x", 2, 11, 1, 1), ("x", 0, 24, 1, 1), ("x", 2, 1033, 1, 1),
    ):  # fmt: skip
        output = f"y{len(nodes)}"
        constants[f"length{length}"] = np.array(length or 0)
        operands = [source, f"length{length}" if length else "", "first" if axis == 0 else "last"]
        nodes.append(helper.make_node("DFT", operands, [output], inverse=inverse, onesided=one_sided))
        outputs.append((output, DOUBLE, [None] * 4))
        length = length or 2 * (feeds[source].shape[axis] - 1)
        wanted[output] = expected_dft(feeds[source], axis, length, bool(inverse), bool(one_sided))
    inputs = [("x", DOUBLE, [5, 6, 9, 2]), ("r", DOUBLE, [5, 6, 9, 1])]
    model = make_model(nodes, inputs, outputs, constants)
    names = list(wanted)
    for name, ours in zip(names, onnxc.InferenceSession(compiled(model)).run(names, feeds), strict=True):
        check(ours, wanted[name], 1e-13)


def test_dft_at_run_time(compiled) -> None:
    """A length, and an axis, that only a run tells."""
    model = onnx.parser.parse_model(
        """<ir_version: 10, opset_import: ["" : 20]>
        g (float[A, B, 2] x, int64 length, int64 axis)
            => (float[A, C, 2] whole, float[A, D, 2] cut, float[P, Q, 2] along, float[R, S, 2] half) {
          last = Constant <value = int64 {-2}> ()
          whole = DFT (x, , last)
          cut = DFT <inverse = 1> (x, length, last)
          along = DFT (x, length, axis)
          real = Slice (x, zero, one, two)
          half = DFT <onesided = 1> (real, , axis)
          zero = Constant <value_ints = [0]> ()
          one = Constant <value_ints = [1]> ()
          two = Constant <value_ints = [2]> ()
        }"""
    )
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(sorted(nodes, key=lambda node: node.op_type != "Constant"))
    session = onnxc.InferenceSession(compiled(model))
    generator = random_generator()
    for shape, length, axis in (
        ((4, 9), 9, 0),
        ((1, 16), 5, 1),
        ((3, 1), 7, -2),
        ((2, 5), 3, -3),
        ((0, 4), 3, 1),
        ((2, 211), 97, 0),
        ((130, 3), 513, 1),
    ):
        x = generator.normal(size=(*shape, 2)).astype(np.float32)
        whole, cut, along, half = session.run(None, {"x": x, "length": np.array(length), "axis": np.array(axis)})
        check(whole, expected_dft(x, 1, shape[1], False, False), 1e-6)
        check(cut, expected_dft(x, 1, length, True, False), 1e-6)
        place = axis % 3
        check(along, expected_dft(x, place, length, False, False), 1e-6)
        check(half, expected_dft(x[..., :1], place, shape[place], False, True), 1e-6)
    with pytest.raises(Exception, match="does not fit in memory"):
        session.run(None, {"x": np.zeros((0, 3, 2), np.float32), "length": np.array(1 << 62), "axis": np.array(1)})
    x = np.zeros((2, 3, 2), np.float32)
    for length, axis, message in ((0, 0, "less than 1"), (3, 2, "axis"), (3, 5, "axis"), (3, -4, "axis")):
        with pytest.raises(Exception, match=message):
            session.run(None, {"x": x, "length": np.array(length), "axis": np.array(axis)})


def test_stft(compiled) -> None:
    generator = random_generator()
    window = np.hanning(60).astype(np.float32)
    constants = {"step": np.array(16), "length": np.array(60), "window": window, "given": np.array(600)}
    nodes = [
        helper.make_node("STFT", ["x", "step", "window"], ["windowed"]),
        helper.make_node("STFT", ["x", "step", "", "length"], ["plain"], onesided=0),
        helper.make_node("STFT", ["z", "step", "window"], ["complex"], onesided=0),
        helper.make_node("STFT", ["x", "hop", "", "given"], ["long"]),
        helper.make_node("STFT", ["x", "hop", "free"], ["free_window"]),
    ]
    inputs = [("x", FLOAT, ["N", "T", 1]), ("z", FLOAT, ["N", "T", 2]), ("hop", INT64, []), ("free", FLOAT, ["W"])]
    outputs = [(node.output[0], FLOAT, [None] * 4) for node in nodes]
    session = onnxc.InferenceSession(compiled(make_model(nodes, inputs, outputs, constants)))

    def frames(x: np.ndarray, step: int, window: np.ndarray) -> np.ndarray:
        starts = range(0, x.shape[1] - len(window) + 1, step)
        return np.stack([x[:, start : start + len(window)] * window for start in starts], 1)

    for batch, time, hop, width in ((2, 700, 50, 33), (1, 600, 1, 8)):
        x = generator.normal(size=(batch, time)).astype(np.float32)
        z = generator.normal(size=(batch, time, 2)).astype(np.float32)
        free = generator.normal(size=width).astype(np.float32)
        feeds = {"x": x[..., None], "z": z, "hop": np.array(hop), "free": free}
        windowed, plain, complex_, long, free_window = session.run(None, feeds)
        check(windowed, as_parts(np.fft.rfft(frames(x, 16, window))), 2e-6)
        check(plain, as_parts(np.fft.fft(frames(x, 16, np.ones(60)))), 2e-6)
        check(complex_, as_parts(np.fft.fft(frames(z[..., 0] + 1j * z[..., 1], 16, window))), 2e-6)
        check(long, as_parts(np.fft.rfft(frames(x, hop, np.ones(600)))), 2e-6)
        check(free_window, as_parts(np.fft.rfft(frames(x, hop, free))), 2e-6)
    for changed, message in (
        ({"hop": np.array(0)}, "frame_step"),
        ({"free": np.zeros(601, np.float32)}, "frame_length"),
        ({"free": np.zeros(0, np.float32)}, "frame_length"),
    ):
        with pytest.raises(Exception, match=message):
            session.run(None, feeds | changed)


@pytest.mark.parametrize(
    ("operator", "dims", "constants", "reason"),
    [
        ("DFT", [1, 4, 1], {"length": 2**40}, "more than 1048576 points"),
        ("DFT", [1, 4, 1], {"length": -3}, "-3"),
        ("DFT", [1, 4, 3], {}, "must be 1 or 2"),
        ("DFT", [3, 0, 2], {}, "0 is less than 1"),
        ("STFT", [1, 40, 1], {"step": 2, "window": [[1.0, 2.0]]}, "window must have rank 1"),
        ("STFT", [1, 40, 1], {"step": 0, "window": [1.0, 2.0]}, "frame_step"),
        ("STFT", [1, 40, 2], {"step": 2, "window": [1.0, 2.0]}, "one-sided"),
    ],
)
def test_refused(operator, dims, constants, reason, tmp_path) -> None:
    arrays = {name: np.array(value, np.float32 if name == "window" else np.int64) for name, value in constants.items()}
    node = helper.make_node(operator, ["x", *arrays], ["y"])
    model = make_model([node], [("x", FLOAT, dims)], [("y", FLOAT, [None] * (3 if operator == "DFT" else 4))], arrays)
    with pytest.raises(onnxc.CompileError, match=rf"node 'y' \({operator}.*{reason}"):
        onnxc.compile(model.SerializeToString(), tmp_path / "m.so")


def test_mel_weight_matrix(compiled) -> None:
    """Bands as wide as a bin and wider, in several types, from constants and from what a run tells."""
    sizes = [(8, 16, 8000, 0.0, 4000.0), (80, 400, 16000, 20.0, 7600.0), (3, 7, 100, 1.0, 49.0)]
    nodes = [
        helper.make_node("MelWeightMatrix", list("nlrab"), [f"y{kind}"], output_datatype=kind) for kind in (1, 11, 6)
    ]
    inputs = [(name, INT64, []) for name in "nlr"] + [(name, FLOAT, []) for name in "ab"]
    outputs = [(f"y{kind}", kind, [None, None]) for kind in (1, 11, 6)]
    model = make_model(nodes, inputs, outputs)
    session, reference = onnxc.InferenceSession(compiled(model)), ReferenceEvaluator(model)
    for bands, length, rate, low, high in sizes:
        feeds = {"n": np.array(bands), "l": np.array(length), "r": np.array(rate)}
        feeds |= {"a": np.array(low, np.float32), "b": np.array(high, np.float32)}
        for ours, want in zip(session.run(None, feeds), reference.run(None, feeds), strict=True):
            assert ours.dtype == want.dtype
            check(ours.astype(np.float64), want.astype(np.float64), 1e-6)
