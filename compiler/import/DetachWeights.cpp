//===- DetachWeights.cpp - A model without its weights' bytes -------------===//

#include "compiler/import/DetachWeights.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/wire_format_lite.h>
#include <limits>

using namespace llvm;
using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;
using google::protobuf::io::CodedOutputStream;
using onnxc::DetachedModel;

/// Weights from this many bytes on stay out of protobuf's memory. Shape
/// inference reads smaller ones.
static constexpr uint32_t minDetachedBytes = 4096;

// Field numbers of onnx.proto; all these fields are length-delimited.
static constexpr uint32_t tagOf(int field) {
  return WireFormatLite::MakeTag(field,
                                 WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
}
static constexpr uint32_t modelGraph = tagOf(7), graphInitializer = tagOf(5),
                          tensorRawData = tagOf(9), tensorExternal = tagOf(13);

namespace {
class Detacher {
public:
  explicit Detacher(ArrayRef<char> bytes)
      : bytes(bytes), input(reinterpret_cast<const uint8_t *>(bytes.data()),
                            static_cast<int>(bytes.size())) {}

  std::optional<DetachedModel> run() {
    if (!copyMessage(result.bytes, modelGraph, [&](std::string &graph) {
          int initializers = 0;
          return ++graphs == 1 &&
                 copyMessage(graph, graphInitializer, [&](std::string &tensor) {
                   return copyTensor(tensor, initializers++);
                 });
        }))
      return std::nullopt;
    return std::move(result);
  }

private:
  /// Copies the rest of the message that is being read to `to`; a field with
  /// `tag` is copied by `copyField`.
  bool copyMessage(std::string &to, uint32_t tag,
                   function_ref<bool(std::string &)> copyField) {
    google::protobuf::io::StringOutputStream stream(&to);
    CodedOutputStream output(&stream);
    while (uint32_t next = input.ReadTag()) {
      if (next != tag) {
        if (!WireFormatLite::SkipField(&input, next, &output))
          return false;
        continue;
      }
      uint32_t size;
      std::string field;
      if (!input.ReadVarint32(&size) || size > room())
        return false;
      auto limit = input.PushLimit(static_cast<int>(size));
      if (!copyField(field))
        return false;
      input.PopLimit(limit);
      output.WriteTag(next);
      output.WriteVarint32(static_cast<uint32_t>(field.size()));
      output.WriteString(field);
    }
    return input.ConsumedEntireMessage();
  }

  bool copyTensor(std::string &to, int initializer) {
    google::protobuf::io::StringOutputStream stream(&to);
    CodedOutputStream output(&stream);
    bool detached = false, other = false;
    while (uint32_t next = input.ReadTag()) {
      uint32_t size;
      if (next != tensorRawData) {
        other |= next == tensorExternal;
        if (!WireFormatLite::SkipField(&input, next, &output))
          return false;
        continue;
      }
      if (!input.ReadVarint32(&size) || size > room())
        return false;
      // Of two such fields the last would count.
      other |= detached;
      if (size < minDetachedBytes) {
        std::string small;
        if (!input.ReadString(&small, static_cast<int>(size)))
          return false;
        output.WriteTag(next);
        output.WriteVarint32(size);
        output.WriteString(small);
        continue;
      }
      detached = true;
      result.weights.push_back(
          {initializer, bytes.slice(input.CurrentPosition(), size)});
      if (!input.Skip(static_cast<int>(size)))
        return false;
    }
    return input.ConsumedEntireMessage() && !(detached && other);
  }

  /// Bytes up to the end of the message that is being read.
  uint32_t room() {
    int limit = input.BytesUntilLimit();
    return limit >= 0 ? limit : bytes.size() - input.CurrentPosition();
  }

  ArrayRef<char> bytes;
  CodedInputStream input;
  int graphs = 0;
  DetachedModel result;
};
} // namespace

std::optional<onnxc::DetachedModel> onnxc::detachWeights(ArrayRef<char> bytes) {
  if (bytes.size() > size_t(std::numeric_limits<int>::max()))
    return std::nullopt;
  return Detacher(bytes).run();
}
