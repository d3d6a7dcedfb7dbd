"""What the kernel ops compute, in numpy and f64."""

import numpy as np


def out_size(size, taps, stride, dilation):
    extent = (taps - 1) * dilation + 1
    return 0 if size < extent else (size - extent) // stride + 1


def conv(x, w, strides, dilations):
    """x: NHWC; w: [G, KH, KW, IC, OC]; no padding."""
    groups, kh, kw, ic, oc = w.shape
    n, h, width, _ = x.shape
    oh, ow = out_size(h, kh, strides[0], dilations[0]), out_size(width, kw, strides[1], dilations[1])
    out = np.zeros((n, oh, ow, groups * oc))
    x = x.astype(np.float64)
    for g in range(groups):
        for i in range(kh):
            for j in range(kw):
                top, left = i * dilations[0], j * dilations[1]
                rows = slice(top, top + (oh - 1) * strides[0] + 1, strides[0]) if oh else slice(0, 0)
                columns = slice(left, left + (ow - 1) * strides[1] + 1, strides[1]) if ow else slice(0, 0)
                out[..., g * oc : (g + 1) * oc] += x[:, rows, columns, g * ic : (g + 1) * ic] @ w[g, i, j]
    return out


def windows(x, window, strides, dilations, pads, oh, ow, outside):
    """Every tap of every window: [KH * KW, N, OH, OW, C], `outside` where the tap is outside."""
    n, h, width, c = x.shape
    taps = []
    for i in range(window[0]):
        for j in range(window[1]):
            rows = np.arange(oh) * strides[0] + i * dilations[0] - pads[0]
            columns = np.arange(ow) * strides[1] + j * dilations[1] - pads[1]
            inside = ((rows >= 0) & (rows < h))[:, None] & ((columns >= 0) & (columns < width))[None]
            tap = np.full((n, oh, ow, c), outside, x.dtype)
            if h and width:
                picked = x[:, np.clip(rows, 0, h - 1)][:, :, np.clip(columns, 0, width - 1)]
                tap = np.where(inside[None, :, :, None], picked, tap)
            taps.append(tap)
    return np.stack(taps)
