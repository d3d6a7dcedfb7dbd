//===- Status.cpp - Success, or what went wrong -===//
#include "Status.h"

namespace onnxc::runtime {

// Given out when there is no memory for a status of its own; never destroyed,
// as a caller may hold it while the program ends.
static onnxc_status *outOfMemoryStatus() {
  alignas(onnxc_status) static unsigned char storage[sizeof(onnxc_status)];
  // Short enough to live inside the string object.
  static auto *status =
      new (storage) onnxc_status{ONNXC_STATUS_OUT_OF_MEMORY, "out of memory"};
  return status;
}

Status makeStatus(onnxc_status_code code, std::string message) {
  return Status(new onnxc_status{code, std::move(message)});
}

Status outOfMemory() { return Status(outOfMemoryStatus()); }

std::string quoted(const char *name) {
  return "'" + std::string(name ? name : "") + "'";
}

} // namespace onnxc::runtime

using namespace onnxc::runtime;

onnxc_status_code onnxc_status_get_code(const onnxc_status *status) {
  return status ? status->code : ONNXC_STATUS_OK;
}

const char *onnxc_status_message(const onnxc_status *status) {
  return status ? status->message.c_str() : "";
}

void onnxc_status_release(onnxc_status *status) {
  if (status != outOfMemoryStatus())
    delete status;
}
