"""lit's configuration. Run the tests with `tools/test lit`, or `lit test/<folder>` with .venv on the PATH."""

import os

import lit.formats

root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# -Dbuild=DIR names another build tree.
build = os.path.abspath(lit_config.params.get("build", os.path.join(root, "build")))

config.name = "onnxc"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["Inputs"]
config.test_source_root = os.path.join(root, "test")
config.test_exec_root = os.path.join(build, "test")

# onnxc-opt, onnx-compile, onnx-run; the .venv's python, and FileCheck and not from LLVM.
tools = [os.path.join(build, "bin"), os.path.join(root, ".venv", "bin"), "/usr/lib/llvm-22/bin"]
config.environment["PATH"] = os.path.pathsep.join([*tools, os.environ["PATH"]])
config.environment["ONNXC_CACHE"] = os.path.join(build, "test", "cache")
config.substitutions.append(("%root", root))
