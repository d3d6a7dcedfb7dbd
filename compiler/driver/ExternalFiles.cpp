//===- ExternalFiles.cpp - The data files that a model names --------------===//

#include "compiler/driver/ExternalFiles.h"

#include "llvm/Support/ConvertUTF.h"

#include <optional>

using namespace llvm;

namespace {

enum class Message {
  None,
  Graph,
  Node,
  Attribute,
  Function,
  Tensor,
  Sparse,
  Model
};

constexpr unsigned maxDepth = 300;

/// The message inside field `number`; numbers are those of onnx.proto.
Message inside(Message message, uint64_t number) {
  switch (message) {
  case Message::Model:
    return number == 7    ? Message::Graph
           : number == 25 ? Message::Function
                          : Message::None;
  case Message::Graph:
    return number == 1    ? Message::Node
           : number == 5  ? Message::Tensor
           : number == 15 ? Message::Sparse
                          : Message::None;
  case Message::Function:
    return number == 7 ? Message::Node : Message::None;
  case Message::Node:
    return number == 5 ? Message::Attribute : Message::None;
  case Message::Attribute:
    return number == 5 || number == 10    ? Message::Tensor
           : number == 6 || number == 11  ? Message::Graph
           : number == 22 || number == 23 ? Message::Sparse
                                          : Message::None;
  case Message::Sparse:
    return number == 1 || number == 2 ? Message::Tensor : Message::None;
  case Message::Tensor:
  case Message::None:
    return Message::None;
  }
  return Message::None;
}

std::optional<uint64_t> readVarint(StringRef &rest) {
  uint64_t value = 0;
  for (unsigned shift = 0; shift <= 63; shift += 7) {
    if (rest.empty())
      return std::nullopt;
    auto byte = static_cast<unsigned char>(rest.front());
    rest = rest.drop_front();
    value |= uint64_t(byte & 127) << shift;
    if (byte < 128)
      return value;
  }
  return std::nullopt;
}

/// Calls `handle` with the number and bytes of each length-delimited field.
/// Returns false where the bytes are no message.
template <typename Handler> bool forEachField(StringRef rest, Handler handle) {
  while (!rest.empty()) {
    std::optional<uint64_t> tag = readVarint(rest);
    if (!tag)
      return false;
    switch (*tag & 7) {
    case 0:
      if (!readVarint(rest))
        return false;
      break;
    case 1:
    case 5: {
      size_t size = (*tag & 7) == 1 ? 8 : 4;
      if (rest.size() < size)
        return false;
      rest = rest.drop_front(size);
      break;
    }
    case 2: {
      std::optional<uint64_t> size = readVarint(rest);
      if (!size || *size > rest.size() ||
          !handle(*tag >> 3, rest.take_front(*size)))
        return false;
      rest = rest.drop_front(*size);
      break;
    }
    default:
      return false;
    }
  }
  return true;
}

bool collect(StringRef bytes, Message message, std::set<std::string> &files,
             unsigned depth) {
  if (depth > maxDepth)
    return false;
  return forEachField(bytes, [&](uint64_t number, StringRef field) {
    if (message == Message::Tensor) {
      constexpr uint64_t externalData = 13;
      if (number != externalData)
        return true;
      StringRef key, value;
      if (!forEachField(field, [&](uint64_t part, StringRef text) {
            if (part == 1)
              key = text;
            else if (part == 2)
              value = text;
            return true;
          }))
        return false;
      if (key == "location")
        files.insert(value.str());
      return true;
    }
    Message inner = inside(message, number);
    return inner == Message::None || collect(field, inner, files, depth + 1);
  });
}

} // namespace

std::set<std::string> onnxc::externalFiles(StringRef model) {
  std::set<std::string> files;
  if (!model.contains("location") || !collect(model, Message::Model, files, 0))
    return {};
  for (const std::string &file : files) {
    auto *text = reinterpret_cast<const UTF8 *>(file.data());
    if (!isLegalUTF8String(&text, text + file.size()))
      return {};
  }
  return files;
}
