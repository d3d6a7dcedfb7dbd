"""Signals, texts, random numbers, training."""

import numpy as np
import onnx
from onnx import helper

from ..cases import TEXT, At, Case, Constant, recipe, untested


@recipe("BlackmanWindow", "HammingWindow", "HannWindow", varies="output")
def window(at: At):
    number = helper.np_dtype_to_tensor_dtype(at.type)
    for periodic in (1, 0):
        coefficients = {
            "BlackmanWindow": (0.42, 0.5, 0.08),
            "HammingWindow": (25 / 46, 21 / 46, 0),
            "HannWindow": (0.5, 0.5, 0),
        }[at.operator]

        def model(size, periodic=periodic, c=coefficients):
            at_ = 2 * np.pi * np.arange(int(size)) / (int(size) - 1 + periodic)
            return (c[0] - c[1] * np.cos(at_) + c[2] * np.cos(2 * at_)).astype(np.float64)

        # Where the results are integers only how they are rounded is open: whole numbers alone are compared.
        atol = 1 if at.type.kind in "iu" else 1e-6
        given = {"output_datatype": number, "periodic": periodic}
        yield Case(
            [np.array(10)], given, model=model, atol=atol if at.type.itemsize > 2 or at.type.kind in "iu" else None
        )


@recipe("DFT")
def dft(at: At):
    x = at.values(2, 6, 1)
    split = lambda y: np.stack([y.real, y.imag], -1)  # noqa: E731
    axis = lambda a: ({"axis": a}, []) if at.version < 20 else ({}, [None, Constant(np.array(a))])  # noqa: E731
    given, inputs = axis(1)
    yield Case([x, *inputs], given, model=lambda x, *_: split(np.fft.fft(x[..., 0].astype(np.float64), axis=1)))
    yield Case([x, *inputs], {**given, "onesided": 1}, model=lambda x, *_: split(np.fft.rfft(x[..., 0], axis=1)))
    given, inputs = axis(0)
    z = at.values(5, 3, 2)
    inverse = lambda z, *_: split(np.fft.ifft(z[..., 0] + 1j * z[..., 1], axis=0))  # noqa: E731
    yield Case([z, *inputs], {**given, "inverse": 1}, model=inverse)


@recipe("STFT")
def stft(at: At):
    x = at.values(1, 32, 1)

    def model(x, step, window, length=None):
        frames = np.lib.stride_tricks.sliding_window_view(x[..., 0], 8, 1)[:, :: int(step)]
        y = np.fft.rfft(frames * window, axis=-1)
        return np.stack([y.real, y.imag], -1)

    yield Case([x, Constant(np.array(4)), Constant(at.values(8, low=0, high=1))], model=model)


@recipe("MelWeightMatrix", varies="output")
def mel_weight_matrix(at: At):
    numbers = [np.array(v, np.int64) for v in (8, 64, 8192)] + [np.array(v, np.float32) for v in (0, 4096)]
    number = helper.np_dtype_to_tensor_dtype(at.type)
    kind = helper.make_tensor_type_proto(number, [None, None])
    whole = {"atol": 1} if at.type.kind in "iu" else {}
    yield Case([Constant(v) for v in numbers], {"output_datatype": number}, types=[kind], **whole)


@recipe("StringConcat")
def string_concat(at: At):
    model = lambda x, y: np.array(np.char.add(x.astype(str), y.astype(str)), object)  # noqa: E731
    yield Case([at.values(2, 3), at.values(3)], model=model)


@recipe("StringSplit")
def string_split(at: At):
    x = np.array(["a,b c", "", " a  b ", "c"], object)
    yield Case([x], {}, 2)
    x = np.delete(x, 1)  # ONNX Runtime finds nothing in an empty text, onnx's evaluator one empty part
    yield Case([x], {"delimiter": ","}, 2)
    yield Case([x], {"maxsplit": 1, "delimiter": " "}, 2)


@recipe("StringNormalizer")
def string_normalizer(at: At):
    x = np.array(["Monday", "tuesday", "Wednesday"], object)
    yield Case([x], {"case_change_action": "UPPER", "stopwords": ["monday"], "is_case_sensitive": 0})
    yield Case([x], {"case_change_action": "LOWER", "stopwords": ["Monday"], "is_case_sensitive": 1})


@recipe("RegexFullMatch")
def regex_full_match(at: At):
    yield Case([np.array(["www.google.com", "a@b", "x"], object)], {"pattern": r"www\.[\w]+\.com"})


@recipe("TfIdfVectorizer")
def tf_idf(at: At):
    words = at.type == TEXT
    x = np.array([["a", "b", "a", "c"]], object) if words else np.array([[1, 2, 1, 3]], at.type)
    pool = {"pool_strings": ["a", "c", "a", "b"]} if words else {"pool_int64s": [1, 3, 1, 2]}
    given = {"ngram_counts": [0, 2], "ngram_indexes": [0, 1, 2], "min_gram_length": 1, "max_gram_length": 2}
    yield Case([x], {**given, **pool, "max_skip_count": 0, "mode": "TF"})
    weighted = {**given, **pool, "max_skip_count": 1, "mode": "TFIDF", "weights": [0.5, 2.0, 3.0]}
    yield Case([x], weighted)


def _kind(kind, *dims: int) -> onnx.TypeProto:
    return helper.make_tensor_type_proto(helper.np_dtype_to_tensor_dtype(np.dtype(kind)), dims)


def _spread(low: float, high: float, mean: float, deviation: float):
    """Checks draws: their bounds, mean and deviation within five standard errors."""

    def check(_inputs, results) -> None:
        values = results[0].astype(np.float64)
        assert values.shape == (50, 40), values.shape
        assert low <= values.min() and values.max() <= high, (values.min(), values.max())
        assert abs(values.mean() - mean) < 5 * deviation / np.sqrt(values.size) + 0.01, values.mean()
        assert abs(values.std() - deviation) < 0.1 * deviation + 0.01, values.std()

    return check


@recipe("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", varies="output")
def random(at: At):
    number = helper.np_dtype_to_tensor_dtype(at.type)
    given = {"dtype": number}
    inputs = [np.zeros((50, 40), np.float32)]
    if not at.operator.endswith("Like"):
        given["shape"], inputs = [50, 40], []
    if "Normal" in at.operator:
        given |= {"mean": 1.0, "scale": 2.0}
        check = _spread(-20, 20, 1, 2)
    else:
        given |= {"low": -1.0, "high": 3.0}
        check = _spread(-1, 3, 1, 4 / np.sqrt(12))
    yield Case(inputs, given, check=check, types=[_kind(at.type, 50, 40)])


@recipe("Bernoulli", varies="output")
def bernoulli(at: At):
    number = helper.np_dtype_to_tensor_dtype(at.type)
    check = _spread(0, 1, 0.3, np.sqrt(0.21))
    yield Case([np.full((50, 40), 0.3, np.float32)], {"dtype": number}, check=check, types=[_kind(at.type, 50, 40)])


@recipe("Multinomial")
def multinomial(at: At):
    weights = np.log(np.array([[0.7, 0.3]] * 50)).astype(at.type)
    check = _spread(0, 1, 0.3, np.sqrt(0.21))
    yield Case([weights], {"sample_size": 40}, check=check, types=[_kind(np.int32, 50, 40)])


@recipe("Dropout")
def dropout(at: At):
    x = at.values(3, 4)
    test = {"is_test": 1} if at.version < 7 else {}
    ratio = {"ratio": 0.4} if at.version < 12 else {}
    yield Case([x], {**test, **ratio}, model=lambda x: x)
    mask = np.ones((3, 4), at.type if at.version < 10 else bool)
    yield Case([x], {**test, **ratio}, 2, model=lambda x: (x, mask))

    def check(_inputs, results) -> None:
        y, kept = results
        np.testing.assert_array_equal(y != 0, kept.astype(bool))
        np.testing.assert_allclose(y[y != 0].astype(np.float64), 1 / 0.75, rtol=1e-2)
        assert 0.6 < kept.astype(np.float64).mean() < 0.9, kept.mean()

    ones = np.ones((40, 50), at.type)
    if at.version < 7:
        types = [_kind(at.type, 40, 50)] * 2
        yield Case([ones], {"is_test": 0, "ratio": 0.25}, 2, check=check, types=types)
    elif at.version >= 12:
        types = [_kind(at.type, 40, 50), _kind(bool, 40, 50)]
        yield Case([ones, Constant(np.array(0.25, np.float32)), np.array(True)], {}, 2, check=check, types=types)


TRAINING = "ai.onnx.preview.training"


@recipe("Adagrad", "Adam", "Momentum", domain=TRAINING)
def optimizer(at: At):
    states = 2 if at.operator == "Adam" else 1
    tensors = [at.normal(3) for _ in range(2)] + [np.abs(at.normal(3)) for _ in range(states)]
    given = {"norm_coefficient": 0.01}
    if at.operator == "Momentum":
        given |= {"alpha": 0.9, "beta": 0.1, "mode": "nesterov"}
    elif at.operator == "Adam":
        given |= {"alpha": 0.9, "beta": 0.95, "epsilon": 1e-4}
    else:
        given |= {"decay_factor": 0.1, "epsilon": 1e-5}
    yield Case([np.array(0.1, np.float32), np.array(3), *tensors], given, 1 + states)


untested("Gradient", "it names values of the graph around it: no single node", TRAINING)
