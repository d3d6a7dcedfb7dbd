"""Compiles single kernel ops to machine code and runs them on numpy arrays, without the rest of the compiler."""

import ctypes
import itertools
import os
import pathlib
import subprocess
import tempfile
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
OPT = os.environ.get("ONNXC_OPT", str(ROOT / "build" / "bin" / "onnxc-opt"))
LLVM = "/usr/lib/llvm-22/bin/"
PASSES = [
    "--expand-strided-metadata", "--lower-affine", "--canonicalize", "--cse",
    "--convert-scf-to-cf", "--convert-math-to-llvm", "--arith-expand", "--convert-vector-to-llvm",
    "--convert-index-to-llvm", "--convert-arith-to-llvm", "--convert-cf-to-llvm", "--convert-func-to-llvm",
    "--reconcile-unrealized-casts", "--canonicalize", "--cse",
]  # fmt: skip
# x86-64 level -> (vector bits, vector registers)
LEVELS = {"native": (512, 32), "x86-64-v4": (512, 32), "x86-64-v3": (256, 16), "x86-64-v2": (128, 16)}
DTYPES = {"f32": np.float32, "f16": np.float16, "f64": np.float64, "i8": np.int8, "ui8": np.uint8}
_counter = itertools.count()


def run_tool(command, text):
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stderr[:2000]}")
    return done.stdout


class Kernel:
    """One op between memref arguments. `types` are the memref types as text, the last one is written."""

    def __init__(self, body, types, level="native", folder=None, keep=False, pairs=True):
        arguments = ", ".join(f"%{i}: {t}" for i, t in enumerate(types))
        source = f"func.func @f({arguments}) {{\n{body}\nreturn\n}}\n"
        bits, registers = LEVELS[level]
        options = f"vector-bits={bits} vector-registers={registers} pair-products={str(pairs).lower()}"
        emitted = run_tool([OPT, f"--test-emit-kernel={options}"], source)
        lowered = run_tool([OPT, *PASSES], emitted)
        llvm = run_tool([LLVM + "mlir-translate", "--mlir-to-llvmir"], lowered)
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="onnxc-kernel-"))
        stem = self.folder / f"kernel{next(_counter)}"
        stem.with_suffix(".mlir").write_text(emitted)
        stem.with_suffix(".ll").write_text(llvm)
        library = stem.with_suffix(".so")
        march = "-march=native" if level == "native" else f"-march={level}"
        flags = ["clang-22", "-O3", march, "-Wno-override-module", "-fPIC", "-fno-vectorize", "-fno-slp-vectorize"]
        run_tool([*flags, "-shared", str(stem.with_suffix(".ll")), "-lm", "-o", str(library)], "")
        self.stem = stem
        self.library = ctypes.CDLL(str(library))
        self.function, self.count = self.library.f, self.library.f_units
        self.function.restype, self.count.restype = None, ctypes.c_int64
        self.dynamic = [[i for i, size in enumerate(dims(t)) if size is None] for t in types]

    def bind(self, *arrays):
        """A call without arguments, computing all units; its second form computes [begin, end)."""
        sizes = [array.shape[i] for array, dynamic in zip(arrays, self.dynamic, strict=True) for i in dynamic]
        sizes = [ctypes.c_int64(size) for size in sizes]
        units = self.count(*sizes)
        pointers = [ctypes.c_void_p(array.ctypes.data) for array in arrays]

        def call(begin=0, end=units):
            self.function(ctypes.c_int64(begin), ctypes.c_int64(end), *pointers, *sizes)

        call.units = units
        return call


def dims(memref):
    inner = memref[memref.index("<") + 1 : memref.rindex(">")].split(",")[0].split("x")[:-1]
    return [None if size == "?" else int(size) for size in inner]


def memref(shape, element="f32", dynamic=()):
    """The type of `shape`, with the dims in `dynamic` left open."""
    return "memref<" + "".join(("?" if i in dynamic else str(s)) + "x" for i, s in enumerate(shape)) + element + ">"


def view_type(array, element="f32"):
    """The static type of an array that need not be contiguous."""
    strides = ", ".join(str(stride // array.itemsize) for stride in array.strides)
    return memref(array.shape, element)[:-1] + f", strided<[{strides}]>>"


def pack(weights, axis, width=16):
    """kernel.weight's panels: the last dim in panels of `width`, the panel index at `axis`."""
    n = weights.shape[-1]
    panels = -(-n // width)
    padded = np.zeros((*weights.shape[:-1], panels * width), weights.dtype)
    padded[..., :n] = weights
    split = padded.reshape(*weights.shape[:-1], panels, width)
    return np.ascontiguousarray(np.moveaxis(split, -2, axis))


def pair(weights):
    """kernel.weight's `paired`: the elements of rows 2i and 2i + 1 of each panel alternate."""
    *outer, depth, width = weights.shape
    rows = weights.reshape(*outer, depth // 2, 2, width)
    return np.ascontiguousarray(rows.swapaxes(-1, -2)).reshape(weights.shape)


def best_time(call, seconds=0.05):
    call()
    best, spent = 1e9, 0.0
    while spent < seconds:
        start = time.perf_counter()
        call()
        took = time.perf_counter() - start
        best, spent = min(best, took), spent + took
    return best
