"""IOBinding: inputs and outputs that stay bound from run to run, as onnxruntime's class of that name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxc._values import OrtValue, array_at

if TYPE_CHECKING:
    from onnxc._session import InferenceSession


class IOBinding:
    """What a session's runs read and where they write. Results go straight into memory that is bound."""

    def __init__(self, session: InferenceSession) -> None:
        arguments = [*session.get_inputs(), *session.get_overridable_initializers()]
        self._input_names = {argument.name for argument in arguments}
        self._inputs: dict[str, OrtValue] = {}
        self._targets: dict[str, OrtValue | None] = {}  # None: memory of the run's own
        self._results: dict[str, OrtValue] = {}

    def bind_cpu_input(self, name: str, arr_on_cpu: np.ndarray) -> None:
        self.bind_ortvalue_input(name, OrtValue.ortvalue_from_numpy(arr_on_cpu))

    def bind_input(
        self, name: str, device_type: str, device_id: int, element_type: Any, shape: Sequence[int], buffer_ptr: int
    ) -> None:
        """The caller's memory, which must outlive the runs."""
        _check_device(device_type)
        self.bind_ortvalue_input(name, OrtValue(array_at(buffer_ptr, shape, element_type)))

    def bind_ortvalue_input(self, name: str, ortvalue: OrtValue) -> None:
        if name not in self._input_names:
            raise RuntimeError(f"Failed to find NodeArg with name: {name} in the def list")
        self._inputs[name] = ortvalue

    def bind_output(
        self,
        name: str,
        device_type: str = "cpu",
        device_id: int = 0,
        element_type: Any = None,
        shape: Sequence[int] | None = None,
        buffer_ptr: int | None = None,
    ) -> None:
        """The caller's memory, or without `buffer_ptr` memory that the run allocates."""
        _check_device(device_type)
        if buffer_ptr is None:
            self._targets[name] = None
            return
        if element_type is None or shape is None:
            raise ValueError("`element_type` and `shape` are to be provided if pre-allocated memory is provided")
        self._targets[name] = OrtValue(array_at(buffer_ptr, shape, element_type))

    def bind_ortvalue_output(self, name: str, ortvalue: OrtValue) -> None:
        self._targets[name] = ortvalue

    def get_outputs(self) -> list[OrtValue]:
        """The results of the last run, in the order of binding."""
        return [self._results[name] for name in self._targets if name in self._results]

    def copy_outputs_to_cpu(self) -> list[np.ndarray]:
        return [value.numpy() for value in self.get_outputs()]

    def clear_binding_inputs(self) -> None:
        self._inputs.clear()

    def clear_binding_outputs(self) -> None:
        self._targets.clear()
        self._results.clear()

    def synchronize_inputs(self) -> None:
        """Nothing is under way: the memory is the process's own."""

    def synchronize_outputs(self) -> None:
        """Nothing is under way: the memory is the process's own."""


def _check_device(device_type: str) -> None:
    if device_type.lower() != "cpu":
        raise RuntimeError(f"Failed to bind memory of the device '{device_type}': onnxc runs models on CPUs.")
