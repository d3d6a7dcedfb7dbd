"""The elementary functions of the shell, against libm in extended precision."""

import ctypes
import pathlib
import subprocess

import numpy as np
import pytest

SHELL = pathlib.Path(__file__).resolve().parents[2] / "compiler/emit/shell"
INF, NAN = np.inf, np.nan

pytestmark = pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="long double is no wider than double")


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    path = tmp_path_factory.mktemp("math") / "math.so"
    # -z defs: nothing else is called.
    subprocess.run(
        [
            "clang-22",
            "-std=c11",
            "-O2",
            "-ffreestanding",
            "-fno-builtin",
            "-ffp-contract=off",
            "-fPIC",
            "-shared",
            "-nostdlib",
            "-Wl,-z,defs",
            *map(str, sorted(SHELL.glob("math*.c"))),
            "-o",
            str(path),
        ],
        check=True,
    )
    return ctypes.CDLL(str(path))


def call(library, name, dtype, *arguments):
    """The function on each element."""
    c_type = ctypes.c_float if dtype is np.float32 else ctypes.c_double
    function = getattr(library, f"onnxc_math_{name}_{'f32' if dtype is np.float32 else 'f64'}")
    function.restype, function.argtypes = c_type, [c_type] * len(arguments)
    return np.array([function(*values) for values in zip(*(a.tolist() for a in arguments), strict=True)], dtype)


def erf(x):
    """By its series in extended precision; erf is 1 beyond 6."""
    x = np.clip(x.astype(np.longdouble), -6.5, 6.5)
    total, term = x.copy(), x.copy()
    for k in range(1, 250):
        term = -term * x * x / k
        total = total + term / (2 * k + 1)
    # The alternating series is good to |x| < 2; beyond, the other one.
    other, term = x.copy(), x.copy()
    for k in range(1, 400):
        term = term * 2 * x * x / (2 * k + 1)
        other = other + term
    return np.where(np.abs(x) < 1, total, other * np.exp(-x * x)) * 2 / np.sqrt(np.arccos(np.longdouble(-1)))


REFERENCES = {
    "exp": np.exp, "exp2": np.exp2, "expm1": np.expm1, "log": np.log, "log2": np.log2, "log10": np.log10,
    "log1p": np.log1p, "sin": np.sin, "cos": np.cos, "tan": np.tan, "asin": np.arcsin, "acos": np.arccos,
    "atan": np.arctan, "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh, "asinh": np.arcsinh, "acosh": np.arccosh,
    "atanh": np.arctanh, "erf": erf, "cbrt": np.cbrt, "pow": np.power, "atan2": np.arctan2, "fmod": np.fmod,
    "round": lambda x: np.copysign(np.floor(np.abs(x) + 0.5), x),
}  # fmt: skip
# Where most of a function's range lies; every float is a candidate besides.
RANGES = {
    "exp": (-750, 712), "exp2": (-1080, 1026), "expm1": (-50, 712), "log1p": (-1, 3), "sin": (-1000, 1000),
    "cos": (-1000, 1000), "tan": (-1000, 1000), "asin": (-1, 1), "acos": (-1, 1), "sinh": (-712, 712),
    "cosh": (-712, 712), "tanh": (-25, 25), "atanh": (-1, 1), "erf": (-6, 6), "acosh": (1, 50),
}  # fmt: skip
F32 = ["log10", "atan2", "cbrt", "fmod"]
EDGES = [
    0.0,
    -0.0,
    1,
    -1,
    0.5,
    -0.5,
    2,
    -2,
    3,
    -3,
    INF,
    -INF,
    NAN,
    1e-320,
    -1e-320,
    1e-45,
    1e-310,
    2.2e-308,
    1e308,
    1e300,
    -1e300,
    1e22,
    709.7,
    709.8,
    -708.4,
    -745.1,
    -745.2,
    88.7,
    1024,
    1023.5,
    -1074,
    -1075,
    np.pi,
    np.pi / 2,
]


def samples(name, dtype, seed):
    rng = np.random.default_rng(seed)
    low, high = RANGES.get(name, (-10, 10))
    bits, width = (np.uint32, 32) if dtype is np.float32 else (np.uint64, 64)
    anything = rng.integers(0, 2**width, 4000, dtype=bits).view(dtype)
    with np.errstate(over="ignore"):
        return np.concatenate(
            [
                np.array(EDGES).astype(dtype),
                rng.uniform(low, high, 4000).astype(dtype),
                rng.normal(size=2000).astype(dtype),
                anything,
            ]
        )


def expect_close(ours, exact, dtype, ulps):
    with np.errstate(all="ignore"):
        rounded = exact.astype(dtype)
        special = ~np.isfinite(rounded) | (rounded == 0)
        unit = np.maximum(np.spacing(np.abs(np.where(special, 1, rounded))), np.finfo(dtype).smallest_subnormal)
        error = np.abs(ours.astype(np.longdouble) - exact) / unit
        # The last step to infinity or 0 may fall on either side.
        edge = (np.abs(ours) >= np.finfo(dtype).max * (1 - 1e-6)) | (
            np.abs(ours) <= 2 * np.finfo(dtype).smallest_subnormal
        )
        same = (
            (ours == rounded)
            | (np.isnan(ours) & np.isnan(rounded))
            | (special & edge & (np.isinf(rounded) == (np.abs(ours) > 1)))
        )
        good = np.where(special, same, np.isfinite(ours) & (error <= ulps))
    worst = np.argmax(np.where(good, 0, 1))
    assert good.all(), (int((~good).sum()), worst, ours[worst], rounded[worst], float(error[worst]))


@pytest.mark.parametrize(
    "dtype, name", [(np.float64, name) for name in REFERENCES] + [(np.float32, name) for name in F32]
)
def test_agrees_with_libm(library, dtype, name):
    arguments = [samples(name, dtype, 0)]
    if name in ("pow", "atan2", "fmod"):
        first, second = samples(name, dtype, 1), samples(name, dtype, 2)
        edges = np.array(EDGES).astype(dtype)
        grid = np.array(np.meshgrid(edges, edges)).reshape(2, -1)
        arguments = [
            np.concatenate([grid[0], first, first]),
            np.concatenate([grid[1], np.random.default_rng(3).permutation(second), np.full_like(second, 3)]),
        ]
    with np.errstate(all="ignore"):
        wide = [a.astype(np.longdouble) for a in arguments]
        exact = REFERENCES[name](*wide)
    expect_close(call(library, name, dtype, *arguments), exact, dtype, {"erf": 4.0, "tanh": 3.0}.get(name, 2.0))


@pytest.mark.parametrize(
    "name", ["sin", "tan", "asin", "atan", "sinh", "tanh", "asinh", "atanh", "erf", "cbrt", "expm1", "log1p", "round"]
)
def test_keeps_the_sign_of_zero(library, name):
    result = call(library, name, np.float64, np.array([-0.0, 0.0]))
    assert result.tolist() == [0, 0] and np.signbit(result).tolist() == [True, False]


@pytest.mark.parametrize(
    "y, x", [(0.0, -1.0), (-0.0, -1.0), (0.0, -0.0), (-0.0, -0.0), (0.0, 0.0), (-0.0, 0.0), (-0.0, 1.0)]
)
def test_atan2_of_zeros(library, y, x):
    ours = call(library, "atan2", np.float64, np.array([y]), np.array([x]))
    expected = np.arctan2(np.array([y]), np.array([x]))
    assert ours.tobytes() == expected.tobytes()
