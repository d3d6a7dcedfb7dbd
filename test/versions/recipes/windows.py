"""Convolutions, pools, and what samples pictures."""

import numpy as np

from ..cases import TEXT, At, Case, Constant, recipe
from .movement import ints


@recipe("Conv")
def conv(at: At):
    x, w, b = at.values(2, 4, 7, 6), at.values(6, 2, 3, 3, low=-1, high=1), at.values(6)
    yield Case([x, Constant(w), Constant(b)], {"group": 2, "pads": [1, 1, 1, 1]}, atol=_near(at))
    yield Case([x, at.values(3, 4, 3, 2)], {"strides": [2, 1], "dilations": [1, 2]})
    yield Case([x, Constant(at.values(3, 4, 3, 3))], {"auto_pad": "SAME_UPPER", "strides": [2, 2]})
    yield Case([at.values(2, 3, 9), Constant(at.values(4, 3, 2))], {"auto_pad": "SAME_LOWER"})
    yield Case([at.values(1, 2, 4, 5, 4), Constant(at.values(2, 2, 2, 2, 3))], {"auto_pad": "VALID"})


def _near(at: At) -> float | None:
    """Sums of many products in 16 bits."""
    return 0.05 if at.type.itemsize == 2 else None


@recipe("ConvTranspose")
def conv_transpose(at: At):
    x, w, b = at.values(2, 4, 4, 5), at.values(4, 3, 3, 3, low=-1, high=1), at.values(6)
    yield Case([x, Constant(w), Constant(b)], {"group": 2, "pads": [1, 0, 1, 0]}, atol=_near(at))
    yield Case([x, w], {"strides": [2, 2], "output_padding": [1, 0], "pads": [1, 1, 0, 1]})
    yield Case([x, Constant(w)], {"strides": [2, 2], "output_shape": [9, 10]})
    yield Case([x, Constant(w)], {"strides": [2, 2], "auto_pad": "SAME_UPPER"})
    yield Case([at.values(1, 2, 5), Constant(at.values(2, 2, 3))], {"dilations": [2]})


@recipe("ConvInteger")
def conv_integer(at: At):
    x, w = at.values(1, 2, 5, 5, low=0, high=200), at.values(3, 2, 3, 3, low=0, high=100, type=np.uint8)
    zero = np.array(3, at.type)
    yield Case([x, Constant(w), zero, Constant(np.array(2, np.uint8))], {"pads": [1, 1, 1, 1]}, model=_convolved)
    yield Case([x, w], model=_convolved)


def _convolved(x, w, xz=0, wz=0):
    """3x3, with one row of padding around where there is a zero point."""
    x, w = x.astype(np.int32) - int(xz), w.astype(np.int32) - int(wz)
    pad = 1 if np.ndim(xz) == 0 and isinstance(xz, np.ndarray) else 0
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    patches = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (2, 3))
    return np.einsum("ncyxhw,ochw->noyx", patches, w).astype(np.int32)


@recipe("DeformConv")
def deform_conv(at: At):
    x, w = at.values(1, 2, 5, 5), at.values(3, 2, 2, 2)
    offset, mask = at.values(1, 8, 4, 4, low=-1, high=1), at.values(1, 4, 4, 4, low=0, high=1)
    yield Case([x, w, offset], {"kernel_shape": [2, 2]})
    yield Case([x, w, offset, at.values(3), mask], {"kernel_shape": [2, 2]})


@recipe("AveragePool")
def average_pool(at: At):
    x = at.values(2, 3, 7, 8)
    yield Case([x], {"kernel_shape": [3, 2], "strides": [2, 1]})
    if at.version >= 7:
        for count in (0, 1):
            yield Case([x], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": count})
    else:
        yield Case([x], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}, model=_averages_inside)
    if at.version >= 10:
        yield Case([x], {"kernel_shape": [2, 3], "strides": [2, 2], "ceil_mode": 1})
    if at.version >= 19:
        yield Case([x], {"kernel_shape": [2, 2], "dilations": [2, 3]})
    yield Case([x], {"kernel_shape": [3, 3], "auto_pad": "SAME_UPPER"}, model=_averages_inside)
    yield Case([at.values(1, 2, 9)], {"kernel_shape": [4]})


def _averages_inside(x):
    """Of 3x3 around each element, without what lies outside."""
    around = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=np.nan)
    return np.nanmean(np.lib.stride_tricks.sliding_window_view(around, (3, 3), (2, 3)), (-1, -2))


@recipe("MaxPool")
def max_pool(at: At):
    x = at.values(2, 3, 7, 8) if at.type.kind == "f" else at.values(2, 3, 7, 8, low=-90, high=90)
    yield Case([x], {"kernel_shape": [3, 2], "strides": [2, 1]}, model=None if at.type.kind == "f" else _maxima)
    yield Case([x], {"kernel_shape": [3, 3], "pads": [1, 0, 1, 2]})
    yield Case([x], {"kernel_shape": [2, 3], "auto_pad": "SAME_LOWER", "strides": [2, 2]})
    if at.version >= 8:
        for order in (0, 1):
            yield Case([x], {"kernel_shape": [2, 2], "storage_order": order}, 2)
    if at.version >= 10:
        yield Case([x], {"kernel_shape": [2, 2], "dilations": [2, 3], "ceil_mode": 1, "strides": [2, 2]})


def _maxima(x):
    return np.lib.stride_tricks.sliding_window_view(x, (3, 2), (2, 3))[:, :, ::2].max((-1, -2))


@recipe("LpPool")
def lp_pool(at: At):
    x = at.values(2, 3, 7, 8)

    def model(x, p, strides=(1, 1)):
        windows = np.lib.stride_tricks.sliding_window_view(x, (3, 2), (2, 3))[:, :, :: strides[0], :: strides[1]]
        return (np.abs(windows.astype(np.float64)) ** p).sum((-1, -2)) ** (1 / p)

    power = (lambda p: float(p)) if at.version == 1 else int
    yield Case([x], {"kernel_shape": [3, 2]}, model=lambda x: model(x, 2))
    given = {"kernel_shape": [3, 2], "p": power(3), "strides": [2, 2]}
    yield Case([x], given, model=lambda x: model(x, 3, (2, 2)))
    given = {"kernel_shape": [3, 2], "p": power(1), "pads": [1, 0, 1, 1]}
    yield Case([x], given, model=lambda x: model(np.pad(x, ((0, 0), (0, 0), (1, 1), (0, 1))), 1))
    if at.version >= 18:
        yield Case([x], {"kernel_shape": [2, 2], "dilations": [2, 3], "ceil_mode": 1, "strides": [2, 2]})


@recipe("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")
def global_pool(at: At):
    def norm(x, p):
        return (np.abs(x.astype(np.float64)) ** p).sum((2, 3), keepdims=True) ** (1 / p)

    x = at.values(2, 3, 4, 5)
    if at.operator == "GlobalLpPool":
        yield Case([x], model=lambda x: norm(x, 2))
        yield Case([x], {"p": 3.0 if at.version == 1 else 3}, model=lambda x: norm(x, 3))
    else:
        function = np.mean if at.operator == "GlobalAveragePool" else np.max
        yield Case([x], model=lambda x: function(x, (2, 3), keepdims=True))
        yield Case([at.values(2, 3, 4)], model=lambda x: function(x, 2, keepdims=True))


@recipe("MaxUnpool")
def max_unpool(at: At):
    x = at.values(1, 1, 2, 2)
    places = np.array([[[[0, 3], [9, 14]]]], np.int64)

    def model(x, places, *size):
        y = np.zeros((1, 1, *(size[0][2:] if size else (4, 4))), x.dtype)
        y[0, 0, places // 4, places % 4] = x  # positions in the pooled tensor, which is 4x4 whatever the result is
        return y

    yield Case([x, places], {"kernel_shape": [2, 2], "strides": [2, 2]}, model=model)
    yield Case([x, places, Constant(ints(1, 1, 5, 5))], {"kernel_shape": [2, 2], "strides": [2, 2]}, model=model)


@recipe("MaxRoiPool")
def max_roi_pool(at: At):
    rois = np.array([[0, 0, 0, 3, 3], [1, 2, 1, 6, 5]], at.type)
    inputs, attributes = [at.values(2, 3, 8, 8), rois], {"pooled_shape": [2, 2], "spatial_scale": 1.0}
    yield Case(inputs, attributes, instead=(at.operator, 1, inputs, attributes))


@recipe("RoiAlign")
def roi_align(at: At):
    x, rois = at.values(2, 3, 8, 8), np.array([[0.4, 0.7, 5, 5], [2, 1, 6.5, 7]], at.type)
    given = {"output_height": 2, "output_width": 3, "sampling_ratio": 2, "spatial_scale": 0.9}
    yield Case([x, rois, ints(0, 1)], given)
    yield Case([x, rois, ints(1, 0)], {**given, "mode": "max"})
    if at.version >= 16:
        yield Case([x, rois, ints(1, 0)], {**given, "coordinate_transformation_mode": "output_half_pixel"})


def _nearest_texts(x: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """The empty text is outside."""
    height, width = x.shape[2:]
    columns, rows = (np.rint(((grid[..., i] + 1) * n - 1) / 2).astype(int) for i, n in enumerate((width, height)))
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    batch = np.arange(len(x))[:, None, None]
    found = x[batch, :, rows.clip(0, height - 1), columns.clip(0, width - 1)]  # channels last
    return np.where(inside[..., None], found, "").transpose(0, 3, 1, 2)


@recipe("GridSample")
def grid_sample(at: At):
    x, grid = at.values(2, 3, 5, 6), at.values(2, 4, 3, 2, low=-1.2, high=1.2, type=np.float32)
    if at.schema.inputs[1].type_str == "T1":
        grid = grid.astype(at.type)
    names = ["bilinear", "nearest", "bicubic"] if at.version < 20 else ["linear", "nearest", "cubic"]
    if at.type.kind not in "fV":
        names.sort(key=lambda mode: mode != "nearest")  # which needs no arithmetic
    for mode in names:
        if at.type == TEXT:
            no_sense = "" if mode == "nearest" else "strings cannot be interpolated"
            yield Case([x, grid], {"mode": mode}, model=_nearest_texts, meaningless=no_sense)
        else:
            yield Case([x, grid], {"mode": mode})
    if at.type == TEXT:
        return
    for padding in ("border", "reflection"):
        yield Case([x, grid], {"padding_mode": padding, "align_corners": 1})


@recipe("AffineGrid")
def affine_grid(at: At):
    for corners in (0, 1):
        yield Case([at.values(2, 2, 3), Constant(ints(2, 3, 4, 5))], {"align_corners": corners})
    yield Case([at.values(1, 3, 4), Constant(ints(1, 2, 2, 3, 4))])


def _upsampled(x, scale_y, scale_x):
    """By nearest neighbour, the one before."""
    rows = np.floor(np.arange(int(x.shape[2] * scale_y)) / scale_y).astype(int)
    columns = np.floor(np.arange(int(x.shape[3] * scale_x)) / scale_x).astype(int)
    return x[:, :, rows][:, :, :, columns]


def _stretched(x, scale_y, scale_x):
    """By straight lines between elements, from the first on; behind the last there is nothing new."""
    for axis, scale in ((2, scale_y), (3, scale_x)):
        size = x.shape[axis]
        at = np.minimum(np.arange(int(size * scale)) / scale, size - 1)
        low = np.floor(at).astype(int)
        high = np.minimum(low + 1, size - 1)
        part = (at - low).reshape(-1, *[1] * (3 - axis))
        x = np.take(x, low, axis) * (1 - part) + np.take(x, high, axis) * part
    return x


@recipe("Upsample")
def upsample(at: At):
    x = at.values(1, 2, 3, 4)
    for mode, model in (("nearest", _upsampled), ("bilinear" if at.version < 9 else "linear", _stretched)):
        if mode != "nearest" and at.type.kind not in "fV" and at.type != TEXT:
            continue
        for y_scale, x_scale in ((2.0, 3.0), (1.5, 2.5)):
            no_sense = "strings cannot be interpolated" if mode != "nearest" and at.type == TEXT else ""
            of = lambda x, *_, m=model, s=(y_scale, x_scale): m(x, *s)  # noqa: E731
            if at.version == 1:
                yield Case(
                    [x], {"mode": mode, "height_scale": y_scale, "width_scale": x_scale}, model=of, meaningless=no_sense
                )
            elif at.version == 7:
                yield Case(
                    [x],
                    {"mode": "linear" if mode == "bilinear" else mode, "scales": [1, 1, y_scale, x_scale]},
                    model=of,
                    meaningless=no_sense,
                )
            else:
                yield Case(
                    [x, Constant(np.array([1, 1, y_scale, x_scale], np.float32))],
                    {"mode": mode},
                    model=of,
                    meaningless=no_sense,
                )


@recipe("Resize")
def resize(at: At):
    x = at.values(1, 2, 3, 4)
    floats = at.type.kind in "fV"
    scales = lambda *values: np.array([1, 1, *values], np.float32)  # noqa: E731
    if at.version == 10:
        yield Case([x, Constant(scales(2, 3))], model=lambda x, _: _upsampled(x, 2, 3))
        yield Case([x, Constant(scales(0.6, 0.5))])
        if floats or at.type == TEXT:
            no_sense = "" if floats else "strings cannot be interpolated"
            yield Case([x, Constant(scales(2, 0.5))], {"mode": "linear"}, meaningless=no_sense)
        yield Case([x, scales(2, 3)])
        yield Case([x, Constant(scales(2, 0.5))])
        return
    nothing = np.zeros(0, np.float32)
    roi = Constant(nothing) if at.version == 11 else None
    no_scales = Constant(nothing) if at.version == 11 else None
    yield Case([x, roi, Constant(scales(2, 1.5))])
    yield Case([x, roi, no_scales, Constant(ints(1, 2, 5, 3))], {"nearest_mode": "ceil"})
    if not floats:
        return
    modes = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"]
    for mode in modes + (["half_pixel_symmetric"] if at.version >= 19 else []):
        scale = 0.5 if mode == "align_corners" else 0.7  # ONNX Runtime rounds the new size there, ONNX does not
        yield Case([x, roi, Constant(scales(2, scale))], {"mode": "linear", "coordinate_transformation_mode": mode})
    yield Case([x, roi, Constant(scales(1.5, 2))], {"mode": "cubic", "cubic_coeff_a": -0.5, "exclude_outside": 1})
    if at.version == 11:
        mode = {"coordinate_transformation_mode": "tf_half_pixel_for_nn"}
        yield Case([x, roi, Constant(scales(2, 0.7))], mode)
    window = Constant(np.array([0, 0, 0.1, 0.2, 1, 1, 0.8, 1.3], np.float32))
    cropped = {"mode": "linear", "coordinate_transformation_mode": "tf_crop_and_resize", "extrapolation_value": 7.0}
    yield Case([x, window, no_scales, Constant(ints(1, 2, 4, 5))], cropped)
    if at.version >= 18:
        yield Case(
            [x, None, Constant(np.array([0.5, 0.6], np.float32))], {"mode": "linear", "antialias": 1, "axes": [2, 3]}
        )
        given = {"mode": "linear", "keep_aspect_ratio_policy": "not_larger", "axes": [2, 3]}
        yield Case([x, None, None, Constant(ints(7, 7))], given)


@recipe("NonMaxSuppression")
def non_max_suppression(at: At):
    corners = at.values(1, 8, 2, low=0, high=1, type=np.float32)
    boxes = np.concatenate([corners, corners + 0.5], 2)
    scores = at.values(1, 2, 8, low=0, high=1, type=np.float32)
    limits = [Constant(np.array(v, k)) for v, k in ((3, np.int64), (0.4, np.float32), (0.2, np.float32))]
    yield Case([boxes, scores, *limits])
    yield Case([boxes, scores, *limits], {"center_point_box": 1})


@recipe("ImageDecoder", main="uint8")
def image_decoder(at: At):
    import io

    from PIL import Image

    picture = at.random.integers(0, 256, (4, 5, 3)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    bytes_ = np.frombuffer(file.getvalue(), np.uint8)
    yield Case([bytes_], model=lambda _: picture)
