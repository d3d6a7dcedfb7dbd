//===- Cache.h - Where the compile cache keeps a library --------*- C++ -*-===//
#ifndef ONNXC_COMPILER_DRIVER_CACHE_H
#define ONNXC_COMPILER_DRIVER_CACHE_H

#include "compiler/driver/Compile.h"

namespace onnxc {
/// The path that the compile cache ($ONNXC_CACHE, or ~/.cache/onnxc) has for
/// `model` compiled with `options`; python/README.md defines the name. Empty,
/// with `error` set, when a file cannot be read.
std::string cachePath(const std::string &model, const CompileOptions &options,
                      std::string &error);
} // namespace onnxc

#endif // ONNXC_COMPILER_DRIVER_CACHE_H
