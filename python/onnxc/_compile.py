"""Compiling from Python, and the compile cache.

The compiler is the program onnx-compile, run as a process of its own: it is never loaded into the process that runs
a model, and its memory is gone when it ends. python/README.md defines the names of the files in the cache.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from onnxc import _core, _errors
from onnxc._external import external_files

_log = logging.getLogger("onnxc")


def compile(
    model: str | bytes | os.PathLike,
    output: str | os.PathLike | None = None,
    *,
    cpu: str = "native",
    triple: str = "",
    shapes: Mapping[str, Sequence[int]] | None = None,
    profile: bool = False,
    timeout: float | None = None,
) -> str:
    """Compiles a model to a library and returns its path; without `output` it goes to the compile cache.

    cpu: LLVM's name of a processor ("x86-64-v3", …) or "native"; several with commas make a library that picks the best
    one where it is loaded. triple: LLVM's target triple; empty: this machine's. shapes: input name → dims to pin (-1
    stays dynamic). profile: the library reports the time of each operator.
    Raises CompileError with the compiler's one line.
    """
    if output is None:
        output = cache_path(model, cpu=cpu, triple=triple, shapes=shapes, profile=profile)
    output = os.fspath(output)
    os.makedirs(os.path.dirname(os.path.abspath(output)), exist_ok=True)
    options = [f"--mcpu={cpu}"]
    if triple:
        options.append(f"--triple={triple}")
    for name, dims in (shapes or {}).items():
        options.append(f"--shape={name}={_dims(dims)}")
    if profile:
        options.append("--profile")
    if isinstance(model, (bytes, bytearray, memoryview)):
        with tempfile.TemporaryDirectory(prefix="onnxc-") as folder:
            path = os.path.join(folder, "model.onnx")
            Path(path).write_bytes(model)
            _run_compiler(path, output, options, timeout)
    else:
        _run_compiler(os.fspath(model), output, options, timeout)
    return output


def cache_path(
    model: str | bytes | os.PathLike,
    *,
    cpu: str = "native",
    triple: str = "",
    shapes: Mapping[str, Sequence[int]] | None = None,
    profile: bool = False,
) -> str:
    """Where the compile cache has, or would have, the model compiled with these options."""
    options = [f"shape.{name}={_dims(dims)}" for name, dims in (shapes or {}).items()]
    if profile:
        options.append("profile=1")
    options.sort()
    key = hashlib.sha256()
    key.update("\n".join(["onnxc-cache-1", _core.version(), cpu, triple, *options, ""]).encode())
    for digest in _content_digests(model):
        key.update(digest.encode())
    folder = os.environ.get("ONNXC_CACHE") or os.path.join(os.path.expanduser("~"), ".cache", "onnxc")
    return os.path.join(folder, key.hexdigest() + ".so")


def cached(model: str | bytes, profile: bool = False) -> tuple[str, bool]:
    """The path of the compiled model in the cache, compiled now unless this compiler has, and whether it had."""
    path = cache_path(model, profile=profile)
    if os.path.exists(path) and not _is_stale(path):
        return path, True
    _log.info("compiling %s", "a model from memory" if isinstance(model, bytes) else model)
    try:
        compile(model, path, profile=profile)
    except _errors.CompileError as error:
        raise _as_runtime_error(str(error)) from None
    return path, False


def _is_stale(library: str) -> bool:
    """Whether the compiler is newer, as one of the same version that was built again is. Without one nothing is."""
    try:
        return os.stat(find_compiler()).st_mtime_ns > os.stat(library).st_mtime_ns
    except (OSError, _errors.Fail):
        return False


def find_compiler() -> str:
    """The onnx-compile that belongs to this package: $ONNXC_COMPILER, beside the package, or on the PATH."""
    named = os.environ.get("ONNXC_COMPILER")
    if named:
        return named
    here = Path(__file__).parent  # not resolved: in a build tree this file is a link
    candidates = [here / "bin", here.parent.parent / "bin"]
    candidates += [folder / "bin" for folder in list(here.parents)[2:6]]
    for folder in candidates:
        if (folder / "onnx-compile").is_file():
            return str(folder / "onnx-compile")
    found = shutil.which("onnx-compile")
    if found is None:
        raise _errors.Fail("the compiler onnx-compile was not found: set ONNXC_COMPILER, or put it on the PATH")
    return found


def _run_compiler(model: str, output: str, options: list[str], timeout: float | None) -> None:
    command = [find_compiler(), model, "-o", output, *options]
    try:
        process = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=timeout)
    except OSError as error:
        raise _errors.Fail(f"{command[0]}: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise _errors.CompileError(f"compiling {model} took more than {timeout} s") from None
    if process.returncode != 0:
        lines = [line for line in process.stderr.splitlines() if line.strip()]
        reason = lines[-1] if lines else f"onnx-compile ended with status {process.returncode}"
        raise _errors.CompileError(reason.removeprefix("onnx-compile: ").removeprefix("error: "))


def _as_runtime_error(message: str) -> Exception:
    """The class that onnxruntime raises when a session is made of such a model."""
    if "protobuf" in message.lower():
        return _errors.InvalidProtobuf(message)
    if "not supported" in message or "unsupported" in message:
        return _errors.NotImplemented(message)
    return _errors.InvalidGraph(message)


def _content_digests(model: str | bytes | os.PathLike) -> list[str]:
    if isinstance(model, (bytes, bytearray, memoryview)):
        return [hashlib.sha256(model).hexdigest()]
    path = os.fspath(model)
    try:
        with open(path, "rb") as file:
            digests = [hashlib.file_digest(file, "sha256").hexdigest()]
        for location in external_files(path):
            with open(os.path.join(os.path.dirname(path), location), "rb") as file:
                digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    except OSError as error:
        raise _errors.NoSuchFile(f"Load model from {path} failed: {error.filename}: {error.strerror}") from None
    return digests


def _dims(dims: Sequence[int]) -> str:
    return "x".join(str(int(dim)) for dim in dims)
