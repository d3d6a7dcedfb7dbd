//===- Status.h - Success, or what went wrong -*- C++ -*-===//
#ifndef ONNXC_RUNTIME_SRC_STATUS_H
#define ONNXC_RUNTIME_SRC_STATUS_H

#include "onnxc/c_api.h"

#include <memory>
#include <string>

struct onnxc_status {
  onnxc_status_code code;
  std::string message;
};

namespace onnxc::runtime {

struct StatusDeleter {
  void operator()(onnxc_status *status) const { onnxc_status_release(status); }
};

/// Null is success, as in the C interface.
using Status = std::unique_ptr<onnxc_status, StatusDeleter>;

Status makeStatus(onnxc_status_code code, std::string message);

inline Status invalidArgument(std::string message) {
  return makeStatus(ONNXC_STATUS_INVALID_ARGUMENT, std::move(message));
}

/// Needs no memory.
Status outOfMemory();

/// "'name'": how messages quote what a user or a model named.
std::string quoted(const char *name);

} // namespace onnxc::runtime

#endif // ONNXC_RUNTIME_SRC_STATUS_H
