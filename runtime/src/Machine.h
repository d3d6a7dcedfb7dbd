//===- Machine.h - How many CPUs this process may use -*- C++ -*-===//
#ifndef ONNXC_RUNTIME_SRC_MACHINE_H
#define ONNXC_RUNTIME_SRC_MACHINE_H

#include <string>

namespace onnxc::runtime {

/// Cores in this process's affinity mask, hardware threads of one core counted
/// once. At least 1.
int affinityCoreCount();

/// The CPU limit of this process's control groups (version 1 and 2, parents
/// included), rounded up; 0 when there is none. `root` is put before the paths
/// under /proc and /sys that are read.
int cgroupCpuLimit(const std::string &root = "");

/// Threads of a session that asks for none.
int defaultThreadCount();

} // namespace onnxc::runtime

#endif // ONNXC_RUNTIME_SRC_MACHINE_H
