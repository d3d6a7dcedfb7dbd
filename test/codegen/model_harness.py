"""Compiles a function on tensors through bufferization, memory planning and code generation; runs it on numpy arrays.

The shell around the generated code is a small C stub, so that neither the stages before nor those after are needed.
"""

import ctypes
import os
import pathlib
import subprocess
import tempfile

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
OPT = os.environ.get("ONNXC_OPT", str(ROOT / "build" / "bin" / "onnxc-opt"))
LLVM = "/usr/lib/llvm-22/bin/"
PASSES = ["--bufferize-model", "--plan-memory", "--canonicalize", "--cse", "--cpu-codegen"]
MAX_RANK = 16

SHELL = r"""
#include "onnxc/model_abi.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
typedef struct {
  const onnxc_value *inputs; onnxc_value *outputs; const char *weights;
  int64_t workspace_bytes, allocations, parallel_calls, pieces; void *blocks[4096]; int count; char message[256];
} frame;
static void *block(frame *f, int64_t bytes) {
  /* 0xAB: what is read before it is written shows. A fence of 64 bytes on each side. */
  char *p = aligned_alloc(64, (size_t)((bytes + 128 + 63) / 64 * 64));
  memset(p, 0xAB, (size_t)(bytes + 128));
  f->blocks[f->count++] = p;
  return p + 64;
}
void *onnxc_shell_output(frame *f, int64_t index, int64_t rank, const int64_t *dims) {
  onnxc_value *v = f->outputs + index;
  int64_t bytes = v->bytes;
  v->rank = rank;
  for (int64_t i = 0; i < rank; ++i) bytes *= v->dims[i] = dims[i];
  return v->data = block(f, bytes);
}
void *onnxc_shell_workspace(frame *f, int64_t bytes) { f->workspace_bytes = bytes; return block(f, bytes); }
void *onnxc_shell_allocate(frame *f, int64_t bytes) { f->allocations++; return block(f, bytes); }
int32_t onnxc_shell_status(frame *f) { (void)f; return 2; }
int32_t onnxc_shell_terminated(frame *f) { (void)f; return 0; }
int32_t onnxc_shell_fail(frame *f, const char *message, int64_t first, int64_t second) {
  (void)first, (void)second;
  snprintf(f->message, sizeof f->message, "%s", message);
  return 3;
}
void onnxc_shell_parallel(frame *f, int64_t count, int64_t grain, void (*body)(void *, int64_t, int64_t),
                          void *argument) {
  f->parallel_calls++;
  /* Odd pieces, backwards: no order is promised. */
  int64_t piece = f->pieces ? (count + f->pieces - 1) / f->pieces : count;
  if (piece < 1) piece = 1;
  (void)grain;
  for (int64_t begin = (count - 1) / piece * piece; count > 0 && begin >= 0; begin -= piece)
    body(argument, begin, begin + piece < count ? begin + piece : count);
}
int32_t onnxc_generated_run(frame *);
int32_t test_run(frame *f) { return onnxc_generated_run(f); }
void test_free(frame *f) { while (f->count) free(f->blocks[--f->count]); }
"""


class Value(ctypes.Structure):
    _fields_ = [
        ("kind", ctypes.c_uint32), ("elem_type", ctypes.c_int32), ("rank", ctypes.c_int64),
        ("dims", ctypes.c_int64 * MAX_RANK), ("data", ctypes.c_void_p), ("bytes", ctypes.c_size_t),
    ]  # fmt: skip


class Frame(ctypes.Structure):
    _fields_ = [
        ("inputs", ctypes.POINTER(Value)), ("outputs", ctypes.POINTER(Value)), ("weights", ctypes.c_void_p),
        ("workspace_bytes", ctypes.c_int64), ("allocations", ctypes.c_int64), ("parallel_calls", ctypes.c_int64),
        ("pieces", ctypes.c_int64), ("blocks", ctypes.c_void_p * 4096), ("count", ctypes.c_int),
        ("message", ctypes.c_char * 256),
    ]  # fmt: skip


def run_tool(command, text=""):
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stderr[:3000]}")
    return done.stdout


class Model:
    """`source` is a module with @main on tensors; `outputs` are the numpy types of its results."""

    def __init__(self, source, outputs, weights=b"", passes=(), level="native"):
        self.outputs = outputs
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="onnxc-model-"))
        lowered = run_tool([OPT, *passes, *PASSES], source)
        (self.folder / "model.ll").write_text(run_tool([LLVM + "mlir-translate", "--mlir-to-llvmir"], lowered))
        (self.folder / "shell.c").write_text(SHELL)
        library = self.folder / "model.so"
        run_tool([
            "clang-22", "-O3", "-march=" + level, "-Wno-override-module", "-fPIC", "-shared",
            "-I", str(ROOT / "runtime" / "include"), str(self.folder / "model.ll"), str(self.folder / "shell.c"),
            "-lm", "-o", str(library),
        ])  # fmt: skip
        self.library = ctypes.CDLL(str(library))
        self.weights = np.frombuffer(weights or b"\0", np.uint8).copy()

    def run(self, *arrays, pieces=0):
        """The outputs; raises with the message of a failed check. Keeps what the shell saw in `self.seen`."""
        arrays = [np.ascontiguousarray(array) for array in arrays]
        before = [array.copy() for array in arrays]
        inputs, outputs = (Value * max(len(arrays), 1))(), (Value * len(self.outputs))()
        for value, array in zip(inputs, arrays, strict=False):
            value.rank, value.data, value.bytes = array.ndim, array.ctypes.data, array.nbytes
            value.dims[: array.ndim] = array.shape
        for value, dtype in zip(outputs, self.outputs, strict=True):
            value.bytes = np.dtype(dtype).itemsize
        frame = Frame(inputs=inputs, outputs=outputs, weights=self.weights.ctypes.data, pieces=pieces)
        status = self.library.test_run(ctypes.byref(frame))
        try:
            if status:
                raise RuntimeError(frame.message.decode() or f"status {status}")
            results = []
            for value, dtype in zip(outputs, self.outputs, strict=True):
                shape = tuple(value.dims[: value.rank])
                count = int(np.prod(shape, dtype=np.int64))
                data = ctypes.string_at(value.data, count * np.dtype(dtype).itemsize)
                results.append(np.frombuffer(data, dtype).reshape(shape))
            for block in frame.blocks[: frame.count]:
                assert ctypes.string_at(block, 64) == b"\xab" * 64, "written before its start"
        finally:
            self.library.test_free(ctypes.byref(frame))
        for array, old in zip(arrays, before, strict=True):
            assert array.tobytes() == old.tobytes(), "an input was written"
        self.seen = frame
        return results
