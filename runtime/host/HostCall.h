//===- HostCall.h - How the runtime calls host operators -*- C++ -*-===//
//
// The libraries of host operators are loaded when a model first needs one of
// theirs, so that other models carry nothing of them.
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

/// Operators on strings, and ImageDecoder.
#define ONNXC_HOST_LIBRARY "libonnxc_host.so"
#define ONNXC_IMAGES_LIBRARY "libonnxc_images.so"
/// What each exports: a library serves one version of the ABI.
#define ONNXC_HOST_RUN_SYMBOL "onnxc_host_run_3"
}

static_assert(ONNXC_ABI_VERSION == 3, "the symbol names the ABI version");

#endif // ONNXC_RUNTIME_HOST_HOSTCALL_H
