"""Lets onnxc stand in for the package onnxruntime, for code that cannot be changed.

`install()` puts modules named onnxruntime, onnxruntime.capi and onnxruntime.capi._pybind_state (also under its other
name, onnxruntime_pybind11_state) into sys.modules, so that imports after it get onnxc.
"""

from __future__ import annotations

import sys
import types

import onnxc
from onnxc import _errors


def install() -> types.ModuleType:
    """Makes `import onnxruntime` give onnxc. Refuses when the real package has been imported already."""
    present = sys.modules.get("onnxruntime")
    if present is not None:
        if getattr(present, "__onnxc__", False):
            return present
        raise ImportError("onnxruntime has been imported already; install the stand-in before that")
    errors = {name: value for name, value in vars(_errors).items() if isinstance(value, type)}
    public = {name: getattr(onnxc, name) for name in onnxc.__all__}

    state = types.ModuleType("onnxruntime.capi.onnxruntime_pybind11_state", "Stand-in made by onnxc.")
    vars(state).update(errors, **public)
    inference = types.ModuleType("onnxruntime.capi.onnxruntime_inference_collection", "Stand-in made by onnxc.")
    vars(inference).update(public)
    capi = types.ModuleType("onnxruntime.capi", "Stand-in made by onnxc.")
    capi.__path__ = []
    capi._pybind_state = capi.onnxruntime_pybind11_state = state
    capi.onnxruntime_inference_collection = inference

    module = types.ModuleType("onnxruntime", "Stand-in made by onnxc.")
    vars(module).update(public)
    module.__all__ = list(public)
    module.__version__ = onnxc.__version__
    module.__path__ = []  # a package, but one without further submodules
    module.__onnxc__ = True
    module.capi = capi

    sys.modules.update(
        {
            "onnxruntime": module,
            "onnxruntime.capi": capi,
            "onnxruntime.capi._pybind_state": state,
            "onnxruntime.capi.onnxruntime_pybind11_state": state,
            "onnxruntime.capi.onnxruntime_inference_collection": inference,
        }
    )
    return module
