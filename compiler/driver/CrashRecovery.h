//===- CrashRecovery.h - Runs code that may crash ---------------*- C++ -*-===//
#ifndef ONNXC_COMPILER_DRIVER_CRASHRECOVERY_H
#define ONNXC_COMPILER_DRIVER_CRASHRECOVERY_H

#include "llvm/ADT/STLFunctionalExtras.h"

#include <string>

namespace onnxc {
/// Calls `work` on a thread with a stack for deeply nested graphs. Returns
/// false, with `error` set, when it crashed or threw; crashes are caught only
/// after recoverFromCrashes (Compile.h).
bool runRecovering(llvm::function_ref<void()> work, std::string &error);
} // namespace onnxc

#endif // ONNXC_COMPILER_DRIVER_CRASHRECOVERY_H
