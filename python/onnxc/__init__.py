"""Runs ONNX models that onnxc has compiled to native libraries.

The sessions here are spelled and behave as those of the package onnxruntime::

    session = onnxc.InferenceSession("model.so")  # or "model.onnx"
    outputs = session.run(None, {"x": array})
"""

from typing import TYPE_CHECKING

from onnxc._binding import IOBinding
from onnxc._core import version as _version
from onnxc._errors import CompileError
from onnxc._options import ExecutionMode, ExecutionOrder, GraphOptimizationLevel, RunOptions, SessionOptions
from onnxc._session import InferenceSession, ModelMetadata, NodeArg
from onnxc._values import OrtDevice, OrtValue

if TYPE_CHECKING:
    from onnxc._compile import cache_path, compile

__version__ = _version()

__all__ = [
    "CompileError",
    "ExecutionMode",
    "ExecutionOrder",
    "GraphOptimizationLevel",
    "IOBinding",
    "InferenceSession",
    "ModelMetadata",
    "NodeArg",
    "OrtDevice",
    "OrtValue",
    "RunOptions",
    "SessionOptions",
    "cache_path",
    "compile",
    "disable_telemetry_events",
    "enable_telemetry_events",
    "get_all_providers",
    "get_available_providers",
    "get_build_info",
    "get_device",
    "get_version_string",
    "set_default_logger_severity",
    "set_default_logger_verbosity",
    "set_global_thread_pool_sizes",
    "set_seed",
]


def __getattr__(name: str):
    # What compiling needs takes longer to import than a session to open a library.
    if name in ("cache_path", "compile"):
        from onnxc import _compile

        return getattr(_compile, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def get_available_providers() -> list[str]:
    return ["CPUExecutionProvider"]


def get_all_providers() -> list[str]:
    return get_available_providers()


def get_device() -> str:
    return "CPU"


def get_version_string() -> str:
    return __version__


def get_build_info() -> str:
    return f"onnxc {__version__}"


def set_global_thread_pool_sizes(intra_op_num_threads: int, inter_op_num_threads: int) -> None:
    """Accepted; each session has threads of its own."""


def disable_telemetry_events() -> None:
    """There is no telemetry."""


def enable_telemetry_events() -> None:
    """There is no telemetry."""


def set_default_logger_severity(severity: int) -> None:
    """Accepted; the runtime writes no log."""
    if not 0 <= severity <= 4:
        raise RuntimeError("Invalid logging severity. 0:Verbose, 1:Info, 2:Warning, 3:Error, 4:Fatal")


def set_default_logger_verbosity(verbosity: int) -> None:
    """Accepted; the runtime writes no log."""


def set_seed(seed: int) -> None:
    """Accepted; the random operators of a compiled model take their seeds from the model."""
