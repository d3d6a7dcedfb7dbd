"""OrtValue: a tensor that sessions take and give, spelled and behaving as onnxruntime's class of that name.

Its memory is that of a numpy array: nothing is copied on the way in or out.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np

from onnxc import _core


class OrtValue:
    """A tensor in this process's memory."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array

    @classmethod
    def ortvalue_from_numpy(cls, numpy_obj: np.ndarray, device_type: str = "cpu", device_id: int = 0) -> OrtValue:
        """The array's own memory, or a copy where it is not contiguous."""
        _check_device(device_type)
        if not isinstance(numpy_obj, np.ndarray) or not _core.elem_type_of(numpy_obj.dtype):
            raise RuntimeError("Creation of OrtValues is currently only supported from non-string numpy arrays")
        return cls(np.ascontiguousarray(numpy_obj).reshape(numpy_obj.shape))

    @classmethod
    def ortvalue_from_shape_and_type(
        cls,
        shape: Sequence[int],
        element_type: Any,
        device_type: str = "cpu",
        device_id: int = 0,
        vendor_id: int = -1,
    ) -> OrtValue:
        """Memory of its own, not initialised. element_type: a numpy type, or a number of TensorProto.DataType."""
        _check_device(device_type)
        return cls(np.empty(tuple(shape), element_dtype(element_type)))

    def numpy(self) -> np.ndarray:
        """The elements, not copied."""
        return self._array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self._array, dtype=dtype, copy=copy)

    def __dlpack__(self, **arguments: Any) -> Any:
        return self._array.__dlpack__(**arguments)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._array.__dlpack_device__()

    @classmethod
    def from_dlpack(cls, data: Any, /) -> OrtValue:
        return cls.ortvalue_from_numpy(np.from_dlpack(data))

    def update_inplace(self, data: np.ndarray | OrtValue) -> None:
        """Overwrites the elements with as many bytes of another array."""
        source = np.ascontiguousarray(data.numpy() if isinstance(data, OrtValue) else data)
        if source.size != self._array.size:
            raise RuntimeError("The input size of numpy arrays does not match the size of the OrtValue.")
        if source.dtype != self._array.dtype:
            raise RuntimeError(f"The array's elements are {source.dtype}, the OrtValue's {self._array.dtype}.")
        self._array[...] = source.reshape(self._array.shape)

    def shape(self) -> list[int]:
        return list(self._array.shape)

    def data_type(self) -> str:
        """As in a NodeArg: "tensor(float)"."""
        return f"tensor({_core.elem_type_name(self.element_type())})"

    def element_type(self) -> int:
        """The number of TensorProto.DataType."""
        return _core.elem_type_of(self._array.dtype)

    def data_ptr(self) -> int:
        return self._array.ctypes.data

    def tensor_size_in_bytes(self) -> int:
        return self._array.nbytes

    def device_name(self) -> str:
        return "cpu"

    def has_value(self) -> bool:
        return True

    def is_tensor(self) -> bool:
        return True

    def is_sparse_tensor(self) -> bool:
        return False

    def is_tensor_sequence(self) -> bool:
        return False


class OrtDevice:
    """Where a value is: the memory of this process is the only place."""

    def __init__(self, device_type: str, device_id: int) -> None:
        self._type = device_type
        self._id = device_id

    @staticmethod
    def make(ort_device_name: str, device_id: int, vendor_id: int = -1) -> OrtDevice:
        _check_device(ort_device_name)
        return OrtDevice(ort_device_name, device_id)

    def device_type(self) -> str:
        return self._type

    def device_id(self) -> int:
        return self._id


def element_dtype(element_type: Any) -> np.dtype:
    """The numpy type of an element type that is given as one, or as a number of TensorProto.DataType."""
    if isinstance(element_type, int) and not isinstance(element_type, bool):
        dtype = _core.dtype_of(element_type)
        if dtype is None:
            raise RuntimeError(f"numpy has no type for the element type {element_type}")
        return dtype
    dtype = np.dtype(element_type)
    if not _core.elem_type_of(dtype):
        raise RuntimeError(f"a tensor cannot have elements of the numpy type {dtype}")
    return dtype


def array_at(pointer: int, shape: Sequence[int], element_type: Any) -> np.ndarray:
    """The caller's memory as an array; the caller keeps it alive."""
    dtype = element_dtype(element_type)
    count = int(np.prod(shape, dtype=np.int64))
    if count < 0 or any(dim < 0 for dim in shape):
        raise RuntimeError(f"a tensor cannot have the shape {list(shape)}")
    if count == 0:
        return np.empty(tuple(shape), dtype)
    if not pointer:
        raise RuntimeError("the pointer to the tensor's memory is null")
    memory = (ctypes.c_byte * (count * dtype.itemsize)).from_address(pointer)
    return np.frombuffer(memory, dtype, count).reshape(tuple(shape))


def _check_device(device_type: str) -> None:
    if device_type.lower() != "cpu":
        raise RuntimeError(f"Can't allocate memory on the device '{device_type}': onnxc runs models on CPUs.")
