//===- ExternalFiles.h - The data files that a model names ------*- C++ -*-===//
#ifndef ONNXC_COMPILER_DRIVER_EXTERNALFILES_H
#define ONNXC_COMPILER_DRIVER_EXTERNALFILES_H

#include "llvm/ADT/StringRef.h"

#include <set>
#include <string>

namespace onnxc {
/// The locations of external data in a serialised ModelProto; none when it is
/// not one. Only the wire format is read: the cache key must not cost as much
/// as parsing the model.
std::set<std::string> externalFiles(llvm::StringRef model);
} // namespace onnxc

#endif // ONNXC_COMPILER_DRIVER_EXTERNALFILES_H
