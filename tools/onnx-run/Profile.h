//===- Profile.h - Where the time of a profiled model goes -*- C++ -*-===//
#ifndef ONNXC_TOOLS_ONNX_RUN_PROFILE_H
#define ONNXC_TOOLS_ONNX_RUN_PROFILE_H

#include "onnxc/onnxc.hpp"

namespace onnxc::run {

/// Prints what a run spends in each kernel, the longest first, then in each
/// type of operator; averages of all runs that were recorded.
void printProfile(const onnxc::Session &session);

} // namespace onnxc::run

#endif // ONNXC_TOOLS_ONNX_RUN_PROFILE_H
