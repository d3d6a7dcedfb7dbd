"""Options of sessions and runs, spelled as in onnxruntime.

Some say how onnxruntime is to do its work and have no counterpart in a compiled model; they keep what is assigned.
"""

from __future__ import annotations

import enum
import operator
from typing import Any, ClassVar

from onnxc import _core


class _Enumeration(enum.IntEnum):
    """Prints its name, as onnxruntime's enumerations do."""

    __str__ = enum.Enum.__str__


class GraphOptimizationLevel(_Enumeration):
    ORT_DISABLE_ALL = 0
    ORT_ENABLE_BASIC = 1
    ORT_ENABLE_EXTENDED = 2
    ORT_ENABLE_LAYOUT = 3
    ORT_ENABLE_ALL = 99


class ExecutionMode(_Enumeration):
    ORT_SEQUENTIAL = 0
    ORT_PARALLEL = 1


class ExecutionOrder(_Enumeration):
    DEFAULT = 0
    PRIORITY_BASED = 1
    MEMORY_EFFICIENT = 2


class _Options:
    """Attributes that keep what is assigned, of the types that onnxruntime takes; no others can be set."""

    def __setattr__(self, name: str, value: Any) -> None:
        kind = type(self)._KINDS.get(name)
        if kind is None and not name.startswith("_"):
            raise AttributeError(f"{type(self).__name__} has no attribute '{name}'")
        if kind is int:
            value = operator.index(value)
        elif kind is bool:
            value = bool(value)
        elif kind is not None and not isinstance(value, kind):
            raise TypeError(f"{name}: expected {kind.__name__}, got {type(value).__name__}")
        object.__setattr__(self, name, value)


class SessionOptions(_Options):
    """What a session is made with. These take effect: `intra_op_num_threads` (0: all cores), the configuration entry
    `session.intra_op.allow_spinning` ("0" or "1"), `enable_profiling`
    and `profile_file_prefix`. The others say how onnxruntime is to do its work."""

    _KINDS: ClassVar = {
        "enable_cpu_mem_arena": bool,
        "enable_mem_pattern": bool,
        "enable_mem_reuse": bool,
        "enable_profiling": bool,
        "execution_mode": ExecutionMode,
        "execution_order": ExecutionOrder,
        "graph_optimization_level": GraphOptimizationLevel,
        "inter_op_num_threads": int,
        "intra_op_num_threads": int,
        "log_severity_level": int,
        "log_verbosity_level": int,
        "logid": str,
        "optimized_model_filepath": str,
        "profile_file_prefix": str,
        "use_deterministic_compute": bool,
        "use_per_session_threads": bool,
    }

    def __init__(self) -> None:
        self.enable_cpu_mem_arena = True
        self.enable_mem_pattern = True
        self.enable_mem_reuse = True
        self.enable_profiling = False
        self.execution_mode = ExecutionMode.ORT_SEQUENTIAL
        self.execution_order = ExecutionOrder.DEFAULT
        self.graph_optimization_level = GraphOptimizationLevel.ORT_ENABLE_ALL
        self.inter_op_num_threads = 0
        self.intra_op_num_threads = 0
        self.log_severity_level = -1
        self.log_verbosity_level = 0
        self.logid = ""
        self.optimized_model_filepath = ""
        self.profile_file_prefix = "onnxruntime_profile_"
        self.use_deterministic_compute = False
        self.use_per_session_threads = True
        self._config: dict[str, str] = {}

    def add_session_config_entry(self, key: str, value: str) -> None:
        self._config[key] = value

    def get_session_config_entry(self, key: str) -> str:
        if key not in self._config:
            raise RuntimeError(f"SessionOptions does not have configuration with key: {key}")
        return self._config[key]

    def add_provider(self, provider_name: str, provider_options: dict[str, str] | None = None) -> None:
        """Accepted; a compiled model runs where it was compiled for."""

    def register_custom_ops_library(self, path: str) -> None:
        raise NotImplementedError("custom operators have no counterpart in a compiled model")

    def add_initializer(self, name: str, value: Any) -> None:
        raise NotImplementedError("a compiled model has its own weights: initializers cannot be replaced")

    def has_providers(self) -> bool:
        return False


class RunOptions(_Options):
    """What one run is made with. `terminate` ends the runs that are under way with these options, before their next
    kernel, and refuses others, until it is False again; the configuration entry `onnxc.max_threads` limits the threads
    of the run. The others say how onnxruntime is to do its work."""

    _KINDS: ClassVar = {
        "log_severity_level": int,
        "log_verbosity_level": int,
        "logid": str,
        "only_execute_path_to_fetches": bool,
        "terminate": bool,
    }

    def __init__(self) -> None:
        self._core = _core.RunOptions()
        self.log_severity_level = -1
        self.log_verbosity_level = 0
        self.logid = ""
        self.only_execute_path_to_fetches = False
        self.terminate = False
        self._config: dict[str, str] = {}

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "terminate":
            self._core.set_terminate(self.terminate)

    def _for_run(self) -> _core.RunOptions:
        self._core.set_max_threads(int(self._config.get("onnxc.max_threads", "0")))
        return self._core

    def add_run_config_entry(self, key: str, value: str) -> None:
        self._config[key] = value

    def get_run_config_entry(self, key: str) -> str:
        if key not in self._config:
            raise RuntimeError(f"RunOptions does not have configuration with key: {key}")
        return self._config[key]
