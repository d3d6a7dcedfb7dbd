"""Matrix products, normalisations, losses."""

import numpy as np

from ..cases import At, Case, Constant, recipe
from .movement import ints


@recipe("MatMul")
def matmul(at: At):
    near = 0.05 if at.type.itemsize == 2 else None
    yield Case([at.values(2, 3, 4), at.values(4, 5)], model=np.matmul, atol=near)
    yield Case([at.values(3, 4), Constant(at.values(4, 5))], model=np.matmul)
    yield Case([at.values(4), at.values(2, 4, 5)], model=np.matmul)
    yield Case([at.values(4), at.values(4)], model=np.matmul)


@recipe("Gemm")
def gemm(at: At):
    near = 0.05 if at.type.itemsize == 2 else None
    a, b = at.values(3, 4), at.values(4, 5)

    def model(a, b, c=0, alpha=1, beta=1, transA=0, transB=0):
        scale = (lambda v, f: v if f == 1 else (v * f).astype(v.dtype)) if at.type.kind in "iu" else lambda v, f: v * f
        return scale((a.T if transA else a) @ (b.T if transB else b), alpha) + scale(np.asarray(c), beta)

    broadcast = {"broadcast": 1} if at.version < 7 else {}
    yield Case([a, b, at.values(3, 5)], {}, model=model, atol=near)
    yield Case([a, b, at.values(5)], broadcast, model=model)
    given = {"transA": 1, "transB": 1} | ({"alpha": 0.5, "beta": 2.0} if at.type.kind not in "iu" else {})
    a, b = np.ascontiguousarray(a.T), Constant(np.ascontiguousarray(b.T))
    yield Case(
        [a, b, at.values(1) if at.version < 7 else at.values(3, 1)],
        given | broadcast,
        model=lambda *v: model(*v, **given),
    )
    if at.version >= 11:
        yield Case([at.values(3, 4), at.values(4, 5)], model=model)


@recipe("MatMulInteger")
def matmul_integer(at: At):
    a, b = at.values(3, 4, low=-100, high=200), at.values(4, 5, low=0, high=200, type=np.uint8)

    def model(a, b, az=0, bz=0):
        return (a.astype(np.int32) - np.asarray(az, np.int32)) @ (b.astype(np.int32) - np.asarray(bz, np.int32))

    yield Case([a, b], model=model)
    yield Case([a, Constant(b), np.array(3, at.type), Constant(np.array(2, np.uint8))], model=model)


@recipe("Einsum")
def einsum(at: At):
    x, y = at.values(2, 3, 4), at.values(2, 4, 5)
    yield Case([x, y], {"equation": "bij,bjk->bik"}, model=lambda x, y: np.einsum("bij,bjk->bik", x, y))
    yield Case([x], {"equation": "...ij->...ji"}, model=lambda x: np.einsum("...ij->...ji", x))
    yield Case([x, at.values(3)], {"equation": "bij,i"}, model=lambda x, y: np.einsum("bij,i", x, y))


@recipe("Det")
def det(at: At):
    yield Case([at.values(2, 3, 3)], model=np.linalg.det, atol=1e-2 if at.type.itemsize == 2 else 1e-4)


@recipe("BatchNormalization")
def batch_normalization(at: At):
    x = at.values(2, 3, 4, 5)
    s, b, mean = at.values(3), at.values(3), at.values(3)
    variance = at.values(3, low=0.5, high=2)

    def model(x, s, b, mean, variance, epsilon=1e-5):
        s, b, mean, variance = (v.reshape(v.shape + (1,) * (x.ndim - 1 - v.ndim)) for v in (s, b, mean, variance))
        return (x - mean) / np.sqrt(variance + epsilon) * s + b

    inference = {"is_test": 1} if at.version < 7 else {}
    statistics = [Constant(v) for v in (s, b, mean, variance)]
    yield Case([x, *statistics], inference, model=model)
    yield Case([x, s, b, mean, variance], {**inference, "epsilon": 0.1}, model=lambda *v: model(*v, epsilon=0.1))
    if at.version < 9:  # spatial = 0: each element of a sample has statistics of its own
        wide = [at.values(3, 4, 5, low=0.5, high=2) for _ in range(4)]
        yield Case([x, *wide], {**inference, "spatial": 0}, model=model)
    if at.version >= 7:
        yield Case([at.values(4, 3), *statistics], model=model)

    def learning(x, s, b, mean, variance, momentum=0.9):
        axes = (0, 2, 3)
        own_mean, own_variance = x.mean(axes), x.var(axes)
        y = model(x, s, b, own_mean, own_variance)
        new = (v * momentum + own * (1 - momentum) for v, own in ((mean, own_mean), (variance, own_variance)))
        return (y, *new)

    if at.version >= 14:
        yield Case([x, s, b, mean, variance], {"training_mode": 1}, 3, model=learning)
    elif at.version in (7, 9):  # with further outputs it learns
        more = lambda *v: (*learning(*v), v[0].mean((0, 2, 3)), v[0].var((0, 2, 3)))  # noqa: E731
        yield Case([x, s, b, mean, variance], {}, 5, model=more)
    else:
        more = lambda *v: (*learning(*v), v[0].mean((0, 2, 3)), v[0].var((0, 2, 3)))  # noqa: E731
        yield Case([x, s, b, mean, variance], {"is_test": 0}, 5, model=more)


@recipe("InstanceNormalization")
def instance_normalization(at: At):
    def model(x, s, b):
        axes = tuple(range(2, x.ndim))
        shape = (-1,) + (1,) * len(axes)
        y = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + 1e-2)
        return y * s.reshape(shape) + b.reshape(shape)

    yield Case([at.values(2, 3, 4, 5), at.values(3), at.values(3)], {"epsilon": 1e-2}, model=model)
    yield Case([at.values(2, 3, 6), Constant(at.values(3)), Constant(at.values(3))], {"epsilon": 1e-2}, model=model)


@recipe("GroupNormalization")
def group_normalization(at: At):
    x = at.values(2, 6, 4, 3)
    count = 2 if at.version < 21 else 6
    # By default it is computed in f32.
    near = 1e-5 if at.type.itemsize == 8 else None
    yield Case([x, at.values(count), at.values(count)], {"num_groups": 2}, atol=near)
    yield Case([x, Constant(at.values(count)), Constant(at.values(count))], {"num_groups": 2, "epsilon": 0.1})


@recipe("LayerNormalization")
def layer_normalization(at: At):
    x = at.values(2, 3, 4)
    yield Case([x, at.values(4), at.values(4)])
    yield Case([x, at.values(3, 4)], {"axis": 1, "epsilon": 0.1})
    yield Case([x, at.values(4), at.values(4)], {}, 3)


@recipe("RMSNormalization")
def rms_normalization(at: At):
    x = at.values(2, 3, 4)

    def model(x, s, axes=(-1,)):
        return x / np.sqrt(np.square(x).mean(axes, keepdims=True) + 1e-5) * s

    yield Case([x, at.values(4)], model=model)
    yield Case([x, at.values(3, 4)], {"axis": 1}, model=lambda x, s: model(x, s, (1, 2)))


@recipe("LpNormalization")
def lp_normalization(at: At):
    x = at.values(3, 4)
    model = lambda x, p, axis: x / np.linalg.norm(x, p, axis, keepdims=True)  # noqa: E731
    yield Case([x], model=lambda x: model(x, 2, -1))
    yield Case([x], {"p": 1, "axis": 0}, model=lambda x: model(x, 1, 0))


@recipe("LRN")
def lrn(at: At):
    x = at.values(2, 5, 3, 4)

    def model(x, size, alpha=1e-4, beta=0.75, bias=1.0):
        around = np.pad(np.square(x), ((0, 0), ((size - 1) // 2, size // 2), (0, 0), (0, 0)))
        sums = np.lib.stride_tricks.sliding_window_view(around, size, 1).sum(-1)
        return x / (bias + alpha / size * sums) ** beta

    yield Case([x], {"size": 3}, model=lambda x: model(x, 3))
    given = {"size": 4, "alpha": 0.5, "beta": 0.6, "bias": 2.0}
    yield Case([x], given, model=lambda x: model(x, **given))


@recipe("MeanVarianceNormalization")
def mean_variance_normalization(at: At):
    model = lambda x, axes: (x - x.mean(axes, keepdims=True)) / (x.std(axes, keepdims=True) + 1e-9)  # noqa: E731
    yield Case([at.values(2, 3, 4, 5)], model=lambda x: model(x, (0, 2, 3)))
    yield Case([at.values(2, 3, 4, 5)], {"axes": [1, 2]}, model=lambda x: model(x, (1, 2)))


@recipe("NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss")
def loss(at: At):
    x, target = at.values(3, 5), ints(1, 0, 4)
    several = 2 if at.operator == "SoftmaxCrossEntropyLoss" else 1
    for reduction in ("mean", "sum", "none"):
        yield Case([x, target, at.values(5, low=0.5, high=2)], {"reduction": reduction}, several)
    yield Case([x, ints(1, 2, 4)], {"ignore_index": 2})
    yield Case([at.values(2, 3, 4), at.random.integers(0, 3, (2, 4))])
