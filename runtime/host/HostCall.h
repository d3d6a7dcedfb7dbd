//===- HostCall.h - How the runtime calls libonnxc_host -*- C++ -*-===//
//
// The library is loaded when a model first needs an operator on strings, so
// that other models carry nothing of it.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_RUNTIME_HOST_HOSTCALL_H
#define ONNXC_RUNTIME_HOST_HOSTCALL_H

#include "onnxc/model_abi.h"

extern "C" {

/// As onnxc_services::host_operator. `allocate` gives memory that lives until
/// the run ends, or null.
typedef struct onnxc_host_call {
  const char *name;
  const onnxc_value *arguments; ///< a sequence
  onnxc_value *results;         ///< a sequence, written
  void *(*allocate)(void *context, size_t bytes);
  void *context;
  onnxc_error *error;
} onnxc_host_call;

typedef int32_t (*onnxc_host_run_fn)(const onnxc_host_call *call);

/// Names of the same meaning: one library serves one version of the ABI.
#define ONNXC_HOST_LIBRARY "libonnxc_host.so"
#define ONNXC_HOST_RUN_SYMBOL "onnxc_host_run_3"
}

static_assert(ONNXC_ABI_VERSION == 3, "the symbol names the ABI version");

#endif // ONNXC_RUNTIME_HOST_HOSTCALL_H
