"""InferenceSession: a compiled model, spelled and behaving as onnxruntime's class of that name."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from onnxc import _core, _errors
from onnxc._binding import IOBinding
from onnxc._options import RunOptions, SessionOptions
from onnxc._values import OrtValue

_ELF = b"\x7fELF"


class NodeArg:
    """An input or output: its name, shape (a name or None for a dim known only at run time) and type."""

    def __init__(self, name: str, shape: list, type: str) -> None:
        self.name = name
        self.shape = shape
        self.type = type

    def __repr__(self) -> str:
        return f"NodeArg(name={self.name!r}, type={self.type!r}, shape={self.shape!r})"


class ModelMetadata:
    """What the model says of itself."""

    def __init__(self, facts: dict) -> None:
        self.producer_name: str = facts["producer_name"]
        self.graph_name: str = facts["graph_name"]
        self.domain: str = facts["domain"]
        self.description: str = facts["description"]
        self.graph_description: str = facts["graph_description"]
        self.version: int = facts["version"]
        self.custom_metadata_map: dict[str, str] = facts["custom_metadata_map"]


class InferenceSession:
    """Runs a library that onnx-compile made, or an .onnx: taken from the compile cache, or compiled now."""

    def __init__(
        self,
        path_or_bytes: str | bytes | os.PathLike,
        sess_options: SessionOptions | None = None,
        providers: Sequence | None = None,
        provider_options: Sequence[dict[Any, Any]] | None = None,
        **kwargs: Any,
    ) -> None:
        self._options = sess_options if sess_options is not None else SessionOptions()
        self._model_path = None
        if isinstance(path_or_bytes, (bytes, bytearray, memoryview)):
            data = bytes(path_or_bytes)
            self._core = self._open(data) if data[:4] == _ELF else self._open_onnx(data)
        elif isinstance(path_or_bytes, (str, os.PathLike)):
            path = self._model_path = os.fspath(path_or_bytes)
            self._core = self._open(path) if _is_library(path) else self._open_onnx(path)
        else:
            raise TypeError(f"Unable to load from type '{type(path_or_bytes)}'")
        described = self._core.inputs()
        self._inputs = [NodeArg(name, shape, type) for name, shape, type, default in described if not default]
        self._overridable = [NodeArg(name, shape, type) for name, shape, type, default in described if default]
        self._outputs = [NodeArg(name, shape, type) for name, shape, type, _ in self._core.outputs()]
        self._metadata = ModelMetadata(self._core.metadata())
        self._run = self._core.run

    def _open(self, source: str | bytes) -> _core.Session:
        threads = self._options.intra_op_num_threads
        if threads < 0:
            raise _errors.InvalidArgument(f"intra_op_num_threads is {threads}; it must not be negative")
        spinning = self._options._config.get("session.intra_op.allow_spinning", "1") != "0"
        return _core.Session(source, threads, spinning, bool(self._options.enable_profiling))

    def _open_onnx(self, model: str | bytes) -> _core.Session:
        profile = bool(self._options.enable_profiling)
        from onnxc import _compile  # not before it is needed: it takes longer than opening a library

        path, hit = _compile.cached(model, profile)
        try:
            return self._open(path)
        except (_errors.Incompatible, _errors.InvalidGraph, _errors.NoSuchFile):
            # Another machine's, another version's or a damaged file in the cache.
            if not hit:
                raise
        _compile.compile(model, path, profile=profile)
        return self._open(path)

    def run(
        self,
        output_names: Sequence[str] | None,
        input_feed: dict[str, Any],
        run_options: RunOptions | None = None,
    ) -> list:
        """The outputs named (None or [] means all), as numpy arrays."""
        if run_options is None:
            return self._run(output_names, input_feed)
        return self._run(output_names, input_feed, run_options._for_run())

    def run_with_ort_values(
        self,
        output_names: Sequence[str] | None,
        input_dict_ort_values: dict[str, OrtValue],
        run_options: RunOptions | None = None,
    ) -> list[OrtValue]:
        """The same on OrtValues."""
        feeds = {name: value.numpy() for name, value in input_dict_ort_values.items()}
        return [OrtValue(array) for array in self.run(output_names, feeds, run_options)]

    def io_binding(self) -> IOBinding:
        return IOBinding(self)

    def run_with_iobinding(self, iobinding: IOBinding, run_options: RunOptions | None = None) -> None:
        """Runs on what is bound, and leaves the results there."""
        names = list(iobinding._targets)
        if not names:
            raise RuntimeError("Error in execution: At least one output should be requested.")
        feeds = {name: value.numpy() for name, value in iobinding._inputs.items()}
        targets = [value.numpy() if value is not None else None for value in iobinding._targets.values()]
        try:
            arrays = self._run(names, feeds, run_options and run_options._for_run(), targets)
        except (ValueError, *_errors.ALL) as error:
            raise RuntimeError(f"Error in execution: {error}") from None
        bound = zip(names, iobinding._targets.values(), arrays, strict=True)
        iobinding._results = {name: value or OrtValue(array) for name, value, array in bound}

    def get_inputs(self) -> list[NodeArg]:
        return self._inputs

    def get_outputs(self) -> list[NodeArg]:
        return self._outputs

    def get_overridable_initializers(self) -> list[NodeArg]:
        return self._overridable

    def get_modelmeta(self) -> ModelMetadata:
        return self._metadata

    def get_session_options(self) -> SessionOptions:
        return self._options

    def get_profiling_start_time_ns(self) -> int:
        """When recording began, in nanoseconds since 1970; 0 when profiling is off."""
        return self._core.profiling_start_time_ns()

    def end_profiling(self) -> str:
        """Writes what was recorded as a Chrome trace and returns the file's name; "" when profiling is off."""
        if not self._options.enable_profiling:
            return ""
        import datetime

        time = datetime.datetime.now().strftime("%Y-%m-%d_%H-%M-%S.%f")
        path = f"{self._options.profile_file_prefix}_{time}.json"
        self._core.end_profiling(path)
        return path

    def get_providers(self) -> list[str]:
        return ["CPUExecutionProvider"]

    def get_provider_options(self) -> dict[str, dict[str, str]]:
        return {"CPUExecutionProvider": {}}

    def set_providers(self, providers: Sequence | None = None, provider_options: Sequence | None = None) -> None:
        """Accepted; a compiled model runs where it was compiled for."""

    def enable_fallback(self) -> None:
        """Accepted; there is nothing to fall back to."""

    def disable_fallback(self) -> None:
        """Accepted; there is nothing to fall back to."""


def _is_library(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(4) == _ELF
    except OSError as error:
        raise _errors.NoSuchFile(f"Load model from {path} failed: {error.strerror}") from None
