"""Lets onnxc stand in for the package onnxruntime, for code that cannot be changed.

`install()` puts modules named onnxruntime, onnxruntime.capi and onnxruntime.capi._pybind_state (also under its other
name, onnxruntime_pybind11_state) into sys.modules, so that imports after it get onnxc.
"""

from __future__ import annotations

import sys
import types

import onnxc
from onnxc import capi
from onnxc.capi import _pybind_state, onnxruntime_inference_collection, onnxruntime_pybind11_state


def install() -> types.ModuleType:
    """Makes `import onnxruntime` give onnxc. Refuses when the real package has been imported already."""
    present = sys.modules.get("onnxruntime")
    if present is not None:
        if getattr(present, "__onnxc__", False):
            return present
        raise ImportError("onnxruntime has been imported already; install the stand-in before that")
    public = {name: getattr(onnxc, name) for name in onnxc.__all__}
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
            "onnxruntime.capi._pybind_state": _pybind_state,
            "onnxruntime.capi.onnxruntime_pybind11_state": onnxruntime_pybind11_state,
            "onnxruntime.capi.onnxruntime_inference_collection": onnxruntime_inference_collection,
        }
    )
    return module
