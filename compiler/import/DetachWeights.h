//===- DetachWeights.h - A model without its weights' bytes -----*- C++ -*-===//
#ifndef ONNXC_COMPILER_IMPORT_DETACHWEIGHTS_H
#define ONNXC_COMPILER_IMPORT_DETACHWEIGHTS_H

#include "llvm/ADT/ArrayRef.h"

#include <optional>
#include <string>
#include <vector>

namespace onnxc {

/// The bytes of a ModelProto in which the large initializers of the graph have
/// no `raw_data`.
struct DetachedModel {
  struct Weight {
    int initializer;           ///< its place in the graph's list
    llvm::ArrayRef<char> data; ///< points into the original bytes
  };
  std::string bytes;
  std::vector<Weight> weights;
};

/// Takes the weights out, so that protobuf does not copy them. nullopt where
/// the bytes are no such message, or one that must be read as it is: protobuf
/// then says what is wrong.
std::optional<DetachedModel> detachWeights(llvm::ArrayRef<char> bytes);

} // namespace onnxc

#endif // ONNXC_COMPILER_IMPORT_DETACHWEIGHTS_H
