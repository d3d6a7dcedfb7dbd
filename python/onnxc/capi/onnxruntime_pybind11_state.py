"""The names that client code takes from onnxruntime.capi.onnxruntime_pybind11_state: exceptions, options, values."""

from onnxc import *  # noqa: F403
from onnxc._errors import *  # noqa: F403
