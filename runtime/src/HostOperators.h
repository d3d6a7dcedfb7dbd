//===- HostOperators.h - The libraries of host operators -*- C++ -*-===//
#ifndef ONNXC_RUNTIME_SRC_HOSTOPERATORS_H
#define ONNXC_RUNTIME_SRC_HOSTOPERATORS_H

#include "../host/HostCall.h"

namespace onnxc::runtime {

/// Runs the call in the library that has it, which the first call loads.
/// Returns an onnxc_model_status; the error says where the library was
/// searched.
int32_t runHostOperator(const onnxc_host_call &call);

} // namespace onnxc::runtime

#endif // ONNXC_RUNTIME_SRC_HOSTOPERATORS_H
