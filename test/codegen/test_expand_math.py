"""The polynomials that expand-math writes, against extended precision, with and without an FMA instruction."""

import ctypes
import os
import pathlib
import subprocess

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
OPT = os.environ.get("ONNXC_OPT", str(ROOT / "build/bin/onnxc-opt"))
LLVM = "/usr/lib/llvm-22/bin/"
LOWER = ["--expand-math", "--convert-scf-to-cf", "--convert-vector-to-llvm", "--convert-math-to-llvm",
         "--finalize-memref-to-llvm", "--convert-arith-to-llvm", "--convert-cf-to-llvm", "--convert-func-to-llvm",
         "--reconcile-unrealized-casts"]  # fmt: skip
FEATURES = pathlib.Path("/proc/cpuinfo").read_text() if os.path.exists("/proc/cpuinfo") else ""
LEVELS = ["x86-64-v2"] + (["x86-64-v3"] if "avx2" in FEATURES and "fma" in FEATURES else [])

pytestmark = [
    pytest.mark.skipif(os.uname().machine != "x86_64", reason="compiles for x86-64 levels"),
    pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="long double is no wider than double"),
]


def erf(x):
    x = np.clip(x, -6, 6)
    total, term = x.copy(), x.copy()
    for k in range(1, 300):
        term = term * 2 * x * x / (2 * k + 1)
        total = total + term
    return total * np.exp(-x * x) * 2 / np.sqrt(np.arccos(np.longdouble(-1)))


def half_away(x):
    return np.copysign(np.floor(np.abs(x) + 0.5), x)


# name: (reference, samples' range, tolerance in units of the last place)
FUNCTIONS = {
    "exp": (np.exp, (-90, 90), 2), "exp2": (np.exp2, (-128, 130), 2), "expm1": (np.expm1, (-25, 90), 3),
    "log": (np.log, (0, 10), 2), "log2": (np.log2, (0, 10), 2.5), "log1p": (np.log1p, (-1, 5), 3),
    "tanh": (np.tanh, (-10, 10), 3), "erf": (erf, (-5, 5), 2), "sin": (np.sin, (-30, 30), 2),
    "cos": (np.cos, (-30, 30), 2), "round": (half_away, (-5, 5), 0), "tan": (np.tan, (-30, 30), 5),
    "asin": (np.arcsin, (-1, 1), 3), "acos": (np.arccos, (-1, 1), 3), "atan": (np.arctan, (-5, 5), 3),
    "acosh": (np.arccosh, (1, 5), 5), "cosh": (np.cosh, (-90, 90), 6),
    "asinh": (np.arcsinh, (-5, 5), 5), "atanh": (np.arctanh, (-1, 1), 5), "sinh": (np.sinh, (-90, 90), 6),
    "tanh afn": (np.tanh, (-10, 10), 5), "erf afn": (erf, (-5, 5), 6),
}  # fmt: skip
EDGES = [0.0, -0.0, 1, -1, 0.5, -0.5, 0.49999997, -0.49999997, 1.5, 2.5, -2.5, np.inf, -np.inf, np.nan, 1e-30, -1e-30,
         1e-40, 1e-45, 3.4e38, -3.4e38, 1e10, 8388609.0, 88.72283, 88.72284, 88.8, -87.33, -87.34, -88.8, -104, -200,
         127.99999, 128, -126, -126.5, -150, np.pi, np.pi / 2, 1.1754944e-38, 0.927734375, 9.02,
         -0.99999994]  # fmt: skip


def compile_function(name, level, folder, width):
    """A library with f(pointer to x, pointer to y, count): a loop of scalars, or of vectors. powf reads y, too."""
    function, _, flags = name.partition(" ")
    type_ = "f32" if width == 1 else f"vector<{width}xf32>"
    load, store = ("memref.load", "memref.store") if width == 1 else ("vector.load", "vector.store")
    suffix = "memref<?xf32>" + ("" if width == 1 else f", {type_}")
    source = f"""
      func.func @f(%x: memref<?xf32>, %y: memref<?xf32>, %n: index) attributes {{llvm.emit_c_interface}} {{
        %zero = arith.constant 0 : index
        %step = arith.constant {width} : index
        scf.for %i = %zero to %n step %step {{
          %a = {load} %x[%i] : {suffix}
          %e = {load} %y[%i] : {suffix}
          %b = math.{function} %a{", %e" * (name == "powf")}{f" fastmath<{flags}>" * bool(flags)} : {type_}
          {store} %b, %y[%i] : {suffix}
        }}
        return
      }}"""
    lowered = subprocess.run([OPT, *LOWER], input=source, capture_output=True, text=True, check=True).stdout
    translate = [LLVM + "mlir-translate", "--mlir-to-llvmir"]
    code = subprocess.run(translate, input=lowered, capture_output=True, text=True, check=True).stdout
    stem = folder / f"{name}-{level}-{width}"
    stem.with_suffix(".ll").write_text(code)
    # -z defs, -nostdlib: no function of a library is left.
    flags = ["-O3", f"-march={level}", "-Wno-override-module", "-fPIC", "-shared", "-nostdlib", "-Wl,-z,defs"]
    subprocess.run(["clang-22", *flags, str(stem.with_suffix(".ll")), "-o", str(stem.with_suffix(".so"))], check=True)
    return ctypes.CDLL(str(stem.with_suffix(".so")))


class MemRef(ctypes.Structure):
    _fields_ = [("allocated", ctypes.c_void_p), ("aligned", ctypes.c_void_p), ("offset", ctypes.c_int64),
                ("size", ctypes.c_int64), ("stride", ctypes.c_int64)]  # fmt: skip

    def __init__(self, array):
        super().__init__(array.ctypes.data, array.ctypes.data, 0, array.size, 1)


def run(library, x):
    y = np.empty_like(x)
    library._mlir_ciface_f(ctypes.byref(MemRef(x)), ctypes.byref(MemRef(y)), ctypes.c_int64(x.size))
    return y


def samples(name):
    rng = np.random.default_rng(0)
    low, high = FUNCTIONS[name][1]
    x = np.concatenate([
        np.array(EDGES, np.float32), rng.uniform(low, high, 20000).astype(np.float32),
        rng.normal(size=5000).astype(np.float32), rng.integers(0, 2**32, 20000, dtype=np.uint32).view(np.float32),
    ])  # fmt: skip
    if name in ("sin", "cos", "tan"):  # what the reduction is made for
        x = x[~(np.abs(x) > 4e8) | ~np.isfinite(x)]
    return np.resize(x, -(-x.size // 16) * 16)


@pytest.mark.parametrize("width", [1, 8])
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_agrees(tmp_path, name, level, width):
    reference, _, tolerance = FUNCTIONS[name]
    x = samples(name)
    ours = run(compile_function(name, level, tmp_path, width), x)
    with np.errstate(all="ignore"):
        exact = reference(x.astype(np.longdouble))
        rounded = exact.astype(np.float32)
        tiny = np.float32(2.4e-38 if name in ("exp", "exp2") else 1.5e-45)  # results that may be 0
        unit = np.spacing(np.maximum(np.abs(np.where(np.isfinite(rounded), rounded, 1)), np.float32(1e-45)))
        close = np.isfinite(ours) & (np.abs(ours.astype(np.longdouble) - exact) <= tolerance * unit)
        good = close | (ours == rounded) | (np.isnan(ours) & np.isnan(rounded))
        good |= (np.abs(exact) < tiny) & (np.abs(ours) <= np.abs(rounded))
    bad = np.flatnonzero(~good)
    assert bad.size == 0, [(x[i], ours[i], rounded[i]) for i in bad[:5]] + [bad.size]


@pytest.mark.parametrize("width", [1, 8])
@pytest.mark.parametrize("level", LEVELS)
def test_powers_agree(tmp_path, level, width):
    rng = np.random.default_rng(0)
    special = np.array([0, 1, 2, 3, 0.5, 1e-40, 3.4e38, 8388607, 16777216, 2.5, np.inf], np.float32)
    special = np.concatenate([special, -special, [np.nan]])
    pairs = np.stack(np.meshgrid(special, special), -1).reshape(-1, 2)
    usual = np.stack([rng.uniform(0, 50, 20000), rng.uniform(-25, 25, 20000)], -1)
    near = np.stack([rng.uniform(0.99, 1.01, 10000), rng.uniform(-9000, 9000, 10000)], -1)
    whole = np.stack([rng.uniform(-9, 9, 10000), rng.integers(-30, 30, 10000)], -1)
    x, y = np.concatenate([pairs, usual, near, whole]).astype(np.float32).T
    x, y = (np.ascontiguousarray(np.resize(part, -(-part.size // 16) * 16)) for part in (x, y))
    library, ours = compile_function("powf", level, tmp_path, width), y.copy()
    library._mlir_ciface_f(ctypes.byref(MemRef(x)), ctypes.byref(MemRef(ours)), ctypes.c_int64(x.size))
    with np.errstate(all="ignore"):
        exact = np.power(x.astype(np.longdouble), y.astype(np.longdouble))
        rounded = exact.astype(np.float32)
        unit = np.spacing(np.maximum(np.abs(np.where(np.isfinite(rounded), rounded, 1)), np.float32(1e-45)))
        close = np.isfinite(ours) & (np.abs(ours.astype(np.longdouble) - exact) <= 0.6 * unit)
    good = (close | (ours == rounded)) & (np.signbit(ours) == np.signbit(rounded)) | (
        np.isnan(ours) & np.isnan(rounded)
    )
    bad = np.flatnonzero(~good)
    assert bad.size == 0, [(x[i], y[i], ours[i], rounded[i]) for i in bad[:5]] + [bad.size]


@pytest.mark.parametrize("name", ["tanh", "erf", "sin", "round", "asin", "atan", "tan", "sinh", "asinh", "atanh"])
def test_keeps_the_sign_of_zero(tmp_path, name):
    result = run(compile_function(name, "x86-64-v2", tmp_path, 1), np.array([0.0, -0.0], np.float32))
    assert result.tolist() == [0, 0] and np.signbit(result).tolist() == [False, True]


@pytest.mark.parametrize("name", ["sin", "cos"])
def test_large_arguments_stay_in_range(tmp_path, name):
    x = np.geomspace(1e8, 3.4e38, 1000).astype(np.float32)
    result = run(compile_function(name, "x86-64-v2", tmp_path, 1), x)
    assert (np.abs(result) <= 1).all()


@pytest.mark.parametrize("name", ["exp", "log", "tanh", "erf"])
def test_scalar_loops_become_vectors(tmp_path, name):
    compile_function(name, "x86-64-v2", tmp_path, 1)
    assembly = subprocess.run(["objdump", "-d", str(tmp_path / f"{name}-x86-64-v2-1.so")], capture_output=True,
                              text=True, check=True).stdout  # fmt: skip
    assert "mulps" in assembly
