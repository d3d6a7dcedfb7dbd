//===- ModelFile.cpp - Reads a model and its external data ----------------===//

#include "compiler/import/ModelFile.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl.h>
#include <limits>

using namespace llvm;

/// External tensors up to this many bytes are read into the model.
static constexpr uint64_t maxInlineBytes = 1024;

static Error makeError(const Twine &message) {
  return createStringError(inconvertibleErrorCode(), message);
}

/// Parses into `model` and checks that there is a graph in it: protobuf takes
/// many files that are no model, the empty one for instance.
static Error parseModel(google::protobuf::io::ZeroCopyInputStream &stream,
                        onnx::ModelProto &model) {
  google::protobuf::io::CodedInputStream input(&stream);
  input.SetTotalBytesLimit(std::numeric_limits<int>::max());
  if (!model.ParseFromCodedStream(&input) || !input.ConsumedEntireMessage())
    return makeError("is not an ONNX model, or is damaged: its protobuf "
                     "message does not parse");
  if (!model.has_graph())
    return makeError("is not an ONNX model: it has no graph");
  return Error::success();
}

Expected<std::unique_ptr<onnxc::ModelFile>>
onnxc::ModelFile::read(const std::string &path) {
  sys::fs::file_status status;
  if (std::error_code error = sys::fs::status(path, status))
    return makeError("cannot be read: " + error.message());
  if (status.type() == sys::fs::file_type::directory_file)
    return makeError("is a folder, not a model");
  if (status.type() == sys::fs::file_type::regular_file &&
      status.getSize() > uint64_t(std::numeric_limits<int>::max()))
    return makeError("is larger than 2 GB, which no ONNX model can be: its "
                     "weights belong into external data");
  // A file of some size is mapped; a pipe is read.
  auto file = MemoryBuffer::getFile(path, /*IsText=*/false,
                                    /*RequiresNullTerminator=*/false);
  if (!file)
    return makeError("cannot be read: " + file.getError().message());
  ArrayRef<char> bytes((*file)->getBufferStart(), (*file)->getBufferSize());
  std::optional<DetachedModel> slim = detachWeights(bytes);
  Expected<std::unique_ptr<ModelFile>> read = parse(
      slim ? ArrayRef<char>(slim->bytes.data(), slim->bytes.size()) : bytes);
  if (!read)
    return read.takeError();
  std::unique_ptr<ModelFile> result = std::move(*read);
  if (slim && !slim->weights.empty()) {
    result->mapping = std::move(*file);
    result->detached = std::move(slim->weights);
  }
  result->modelFolder = sys::path::parent_path(path).str();
  if (result->modelFolder.empty())
    result->modelFolder = ".";
  return std::move(result);
}

Expected<std::unique_ptr<onnxc::ModelFile>>
onnxc::ModelFile::parse(ArrayRef<char> bytes) {
  if (bytes.size() > size_t(std::numeric_limits<int>::max()))
    return makeError("is larger than 2 GB, which no ONNX model can be");
  auto result = std::make_unique<ModelFile>();
  google::protobuf::io::ArrayInputStream stream(bytes.data(),
                                                static_cast<int>(bytes.size()));
  if (Error error = parseModel(stream, result->proto))
    return std::move(error);
  return std::move(result);
}

Expected<MemoryBuffer *> onnxc::ModelFile::map(const std::string &location) {
  auto found = files.find(location);
  if (found != files.end())
    return found->second.get();
  auto fail = [&](const Twine &reason) {
    return makeError("external data '" + location + "' " + reason);
  };
  if (modelFolder.empty())
    return fail("cannot be had: the model comes from memory and has no folder");
  if (location.empty() || sys::path::is_absolute(location) ||
      location.find('\0') != std::string::npos)
    return fail("must be a path relative to the model's folder");
  SmallString<256> path(modelFolder);
  for (auto part = sys::path::begin(location), end = sys::path::end(location);
       part != end; ++part) {
    if (*part == "..")
      return fail("must stay inside the model's folder");
    sys::path::append(path, *part);
    sys::fs::file_status status;
    if (std::error_code error = sys::fs::status(path, status, /*follow=*/false))
      return fail("cannot be read: " + error.message());
    if (status.type() == sys::fs::file_type::symlink_file)
      return fail("must not be reached through a symbolic link");
  }
  sys::fs::file_status status;
  if (std::error_code error = sys::fs::status(path, status, /*follow=*/false))
    return fail("cannot be read: " + error.message());
  if (status.type() != sys::fs::file_type::regular_file)
    return fail("must be a regular file");
  auto buffer = MemoryBuffer::getFile(path, /*IsText=*/false,
                                      /*RequiresNullTerminator=*/false);
  if (!buffer)
    return fail("cannot be read: " + buffer.getError().message());
  return (files[location] = std::move(*buffer)).get();
}

Error onnxc::ModelFile::resolve(onnx::TensorProto &tensor) {
  if (tensor.data_location() != onnx::TensorProto::EXTERNAL)
    return Error::success();
  std::string location;
  uint64_t offset = 0, length = 0;
  bool hasLength = false;
  auto fail = [&](const Twine &reason) {
    return makeError("tensor '" + tensor.name() + "': " + reason);
  };
  for (const onnx::StringStringEntryProto &entry : tensor.external_data()) {
    StringRef value = entry.value();
    if (entry.key() == "location") {
      location = entry.value();
    } else if (entry.key() == "offset") {
      if (value.getAsInteger(10, offset))
        return fail("external data's offset '" + value + "' is no number");
    } else if (entry.key() == "length") {
      if (value.getAsInteger(10, length))
        return fail("external data's length '" + value + "' is no number");
      hasLength = true;
    }
  }
  Expected<MemoryBuffer *> file = map(location);
  if (!file)
    return fail(toString(file.takeError()));
  uint64_t size = (*file)->getBufferSize();
  if (offset > size || (hasLength && length > size - offset))
    return fail("external data '" + location + "' has " + Twine(size) +
                " bytes, too few for offset " + Twine(offset) +
                (hasLength ? " and length " + Twine(length) : Twine("")));
  if (!hasLength)
    length = size - offset;
  const char *data = (*file)->getBufferStart() + offset;
  if (length <= maxInlineBytes) {
    tensor.set_raw_data(std::string(data, length));
    tensor.clear_external_data();
    tensor.clear_data_location();
  } else {
    external[&tensor] = ArrayRef<char>(data, length);
  }
  return Error::success();
}

Error onnxc::ModelFile::resolve(onnx::GraphProto &graph) {
  for (onnx::TensorProto &tensor : *graph.mutable_initializer())
    if (Error error = resolve(tensor))
      return error;
  for (onnx::NodeProto &node : *graph.mutable_node())
    for (onnx::AttributeProto &attribute : *node.mutable_attribute()) {
      if (attribute.has_t())
        if (Error error = resolve(*attribute.mutable_t()))
          return error;
      if (attribute.has_g())
        if (Error error = resolve(*attribute.mutable_g()))
          return error;
    }
  return Error::success();
}

SmallVector<onnx::TensorProto *> onnxc::ModelFile::detachedTensors() {
  return map_to_vector(detached, [&](const DetachedModel::Weight &weight) {
    return proto.mutable_graph()->mutable_initializer(weight.initializer);
  });
}

Error onnxc::ModelFile::resolveExternalData() {
  for (auto [tensor, weight] : zip(detachedTensors(), detached))
    external[tensor] = weight.data;
  return resolve(*proto.mutable_graph());
}
