"""Runs a script or module with onnxc standing in for onnxruntime.

usage: python -m onnxc.run_as_onnxruntime SCRIPT.py [ARGUMENT...]
       python -m onnxc.run_as_onnxruntime -m MODULE [ARGUMENT...]
"""

import os
import runpy
import sys

from onnxc import as_onnxruntime


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help") or (arguments[0] == "-m" and len(arguments) < 2):
        print(__doc__.strip(), file=sys.stderr)
        return 2
    as_onnxruntime.install()
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        sys.path[0] = os.path.dirname(os.path.abspath(arguments[0]))
        runpy.run_path(arguments[0], run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
