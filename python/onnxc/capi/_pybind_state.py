"""onnxruntime's other name for onnxruntime_pybind11_state."""

from onnxc.capi.onnxruntime_pybind11_state import *  # noqa: F403
