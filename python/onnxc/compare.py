"""Compares results of a compiled model with ONNX Runtime's.

    python -m onnxc.compare MODEL.onnx FOLDER

FOLDER is written by `onnx-run --compare`: `inputs.txt` and `outputs.txt` have a line `file<TAB>name` for each array.
Prints a line for each output; exit status 2 when one is further off than 1e-4 of the largest value (integers and
booleans: at all), or has another shape, type, or other NaNs.
"""

import os
import sys

import numpy as np

TOLERANCE = 1e-4


def read_arrays(folder, index):
    arrays = {}
    with open(os.path.join(folder, index), encoding="utf-8") as lines:
        for line in lines:
            file, name = line.rstrip("\n").split("\t", 1)
            arrays[name] = np.load(os.path.join(folder, file))
    return arrays


def difference(ours, theirs):
    """(max abs difference, that relative to the largest finite value of theirs, what is wrong or None)."""
    if ours.shape != theirs.shape:
        return np.nan, np.nan, f"shape {list(ours.shape)} instead of {list(theirs.shape)}"
    if ours.dtype != theirs.dtype:
        return np.nan, np.nan, f"type {ours.dtype} instead of {theirs.dtype}"
    if ours.size == 0:
        return 0.0, 0.0, None
    exact = not np.issubdtype(ours.dtype, np.inexact)
    wide = np.complex128 if np.iscomplexobj(ours) else np.float64
    a, b = ours.astype(wide), theirs.astype(wide)
    finite = np.isfinite(a) & np.isfinite(b)
    with np.errstate(invalid="ignore"):
        same = (a == b) | (np.isnan(a) & np.isnan(b))
    if not (same | finite).all():
        return np.nan, np.nan, "NaN or infinity in other places"
    absolute = float(np.abs(a - b, where=finite, out=np.zeros(a.shape)).max()) if finite.any() else 0.0
    largest = float(np.abs(b[finite]).max()) if finite.any() else 0.0
    relative = absolute / largest if largest else (0.0 if absolute == 0 else np.inf)
    wrong = absolute != 0 if exact else relative > TOLERANCE
    return absolute, relative, "too far off" if wrong else None


def main(arguments):
    if len(arguments) != 2:
        print(__doc__.strip(), file=sys.stderr)
        return 1
    model, folder = arguments
    try:
        import onnxruntime
    except ImportError:
        print("onnxc.compare: the Python package onnxruntime is missing", file=sys.stderr)
        return 1
    try:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        ours = read_arrays(folder, "outputs.txt")
        feeds = read_arrays(folder, "inputs.txt")
        theirs = dict(zip(ours, session.run(list(ours), feeds), strict=True))
    except Exception as error:  # onnxruntime's exceptions have no common base
        print(f"onnxc.compare: {model}: {str(error).splitlines()[0]}", file=sys.stderr)
        return 1
    bad = False
    for name, mine in ours.items():
        absolute, relative, problem = difference(mine, theirs[name])
        print(
            f"compare    {name}: max abs difference {absolute:.3g}, relative {relative:.3g}"
            + (f" - {problem}" if problem else "")
        )
        bad = bad or problem is not None
    return 2 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
