//===- ModelFile.h - Reads a model and its external data --------*- C++ -*-===//
#ifndef ONNXC_COMPILER_IMPORT_MODELFILE_H
#define ONNXC_COMPILER_IMPORT_MODELFILE_H

#include "compiler/import/DetachWeights.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"

#include "onnx/onnx_pb.h"

#include <memory>
#include <string>

namespace onnxc {

/// A model as read, and the files that its tensors' data lies in.
class ModelFile {
public:
  static llvm::Expected<std::unique_ptr<ModelFile>>
  read(const std::string &path);
  static llvm::Expected<std::unique_ptr<ModelFile>>
  parse(llvm::ArrayRef<char> bytes);

  onnx::ModelProto &model() { return proto; }

  /// The folder that external data must be in; "" for a model from memory.
  const std::string &folder() const { return modelFolder; }

  /// Finds the data of all tensors that are stored externally or were detached
  /// while reading, and checks that it is there. Small tensors are read into
  /// the model, so that shape inference sees them; the others are mapped.
  llvm::Error resolveExternalData();

  /// The data of a tensor that lies in a file, its own or the model's, and was
  /// resolved. Empty where the tensor has the data itself.
  llvm::ArrayRef<char> externalData(const onnx::TensorProto &tensor) const {
    return external.lookup(&tensor);
  }

  /// The tensors whose data stayed in the model's file; resolving finds them.
  llvm::SmallVector<onnx::TensorProto *> detachedTensors();

private:
  llvm::Error resolve(onnx::TensorProto &tensor);
  llvm::Error resolve(onnx::GraphProto &graph);
  llvm::Expected<llvm::MemoryBuffer *> map(const std::string &location);

  /// The model's file, which the detached weights point into.
  std::unique_ptr<llvm::MemoryBuffer> mapping;
  std::vector<DetachedModel::Weight> detached;
  onnx::ModelProto proto;
  std::string modelFolder;
  /// By location.
  llvm::StringMap<std::unique_ptr<llvm::MemoryBuffer>> files;
  llvm::DenseMap<const onnx::TensorProto *, llvm::ArrayRef<char>> external;
};

} // namespace onnxc

#endif // ONNXC_COMPILER_IMPORT_MODELFILE_H
