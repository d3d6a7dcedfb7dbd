//===- Npy.cpp - Tensors in NumPy's file format -===//
#include "Npy.h"

#include <cerrno>
#include <cstring>
#include <fstream>

namespace onnxc::run {

namespace {
struct NpyType {
  onnxc_elem_type type;
  const char *code;
};
} // namespace

// The first type with a code is what the code means by itself.
static constexpr NpyType npyTypes[] = {
    {ONNXC_FLOAT, "<f4"},          {ONNXC_DOUBLE, "<f8"},
    {ONNXC_FLOAT16, "<f2"},        {ONNXC_BOOL, "|b1"},
    {ONNXC_INT8, "|i1"},           {ONNXC_INT16, "<i2"},
    {ONNXC_INT32, "<i4"},          {ONNXC_INT64, "<i8"},
    {ONNXC_UINT8, "|u1"},          {ONNXC_UINT16, "<u2"},
    {ONNXC_UINT32, "<u4"},         {ONNXC_UINT64, "<u8"},
    {ONNXC_COMPLEX64, "<c8"},      {ONNXC_COMPLEX128, "<c16"},
    {ONNXC_BFLOAT16, "<u2"},       {ONNXC_FLOAT8E4M3FN, "|u1"},
    {ONNXC_FLOAT8E4M3FNUZ, "|u1"}, {ONNXC_FLOAT8E5M2, "|u1"},
    {ONNXC_FLOAT8E5M2FNUZ, "|u1"}, {ONNXC_FLOAT8E8M0, "|u1"}};

static constexpr char magic[] = "\x93NUMPY";
static constexpr size_t magicBytes = sizeof magic - 1;

[[noreturn]] static void fail(const std::string &path,
                              const std::string &reason) {
  throw std::runtime_error("'" + path + "': " + reason);
}

/// The text after `'key':` in the header's dictionary.
static std::string field(const std::string &path, const std::string &header,
                         const std::string &key) {
  size_t at = header.find("'" + key + "'");
  if (at != std::string::npos)
    at = header.find(':', at);
  if (at == std::string::npos)
    fail(path, "its header has no " + key);
  at = header.find_first_not_of(' ', at + 1);
  return at == std::string::npos ? "" : header.substr(at);
}

static std::vector<int64_t> parseShape(const std::string &path,
                                       const std::string &text) {
  std::vector<int64_t> shape;
  size_t end = text.find(')');
  if (text.empty() || text[0] != '(' || end == std::string::npos)
    fail(path, "its header's shape is damaged");
  for (size_t at = 1; at < end;) {
    at = text.find_first_not_of(" ,", at);
    if (at >= end)
      break;
    size_t last = text.find_first_not_of("0123456789", at);
    if (last == at || last - at > 18)
      fail(path, "its header's shape is damaged");
    shape.push_back(std::stoll(text.substr(at, last - at)));
    at = last;
  }
  return shape;
}

static onnxc_elem_type parseType(const std::string &path,
                                 const std::string &text,
                                 onnxc_elem_type expected) {
  char quote = text.empty() ? '\0' : text[0];
  size_t end = text.find(quote, 1);
  if ((quote != '\'' && quote != '"') || end == std::string::npos)
    fail(path, "arrays of records cannot be read");
  std::string code = text.substr(1, end - 1);
  for (const NpyType &known : npyTypes)
    if (known.code == code && known.type == expected)
      return expected;
  for (const NpyType &known : npyTypes)
    if (known.code == code)
      return known.type;
  fail(path, "elements of type '" + code + "' cannot be read");
}

Value readNpy(const std::string &path, onnxc_elem_type expected) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    fail(path, std::string("cannot be opened: ") + strerror(errno));
  char start[magicBytes + 2];
  if (!file.read(start, sizeof start) || memcmp(start, magic, magicBytes) != 0)
    fail(path, "not a .npy file");
  unsigned char length[4] = {};
  if (!file.read(reinterpret_cast<char *>(length),
                 start[magicBytes] == 1 ? 2 : 4))
    fail(path, "it ends in its header");
  uint32_t headerBytes = length[0] | length[1] << 8 | length[2] << 16 |
                         static_cast<uint32_t>(length[3]) << 24;
  if (headerBytes > 1 << 20)
    fail(path, "its header is too long");
  std::string header(headerBytes, '\0');
  if (!file.read(header.data(), headerBytes))
    fail(path, "it ends in its header");
  if (field(path, header, "fortran_order").rfind("False", 0) != 0)
    fail(path, "its elements are in Fortran order; save it with "
               "numpy.ascontiguousarray");
  Value value = Value::CreateTensor(
      parseType(path, field(path, header, "descr"), expected),
      parseShape(path, field(path, header, "shape")));
  if (!file.read(static_cast<char *>(value.GetTensorRawData()),
                 static_cast<std::streamsize>(value.GetSizeInBytes())))
    fail(path, "it ends before its last element");
  return value;
}

void writeNpy(const std::string &path, const Value &value) {
  const char *code = nullptr;
  for (const NpyType &known : npyTypes)
    if (known.type == value.GetElementType())
      code = known.code;
  if (!code)
    fail(path, std::string("elements of type ") +
                   onnxc_elem_type_name(value.GetElementType()) +
                   " cannot be written");
  std::string header = std::string("{'descr': '") + code +
                       "', 'fortran_order': False, 'shape': (";
  for (int64_t dim : value.GetShape())
    header += std::to_string(dim) + ",";
  header += ")}";
  // Padded so that the elements start at a multiple of 64.
  size_t before = magicBytes + 4;
  header.resize((before + header.size() + 1 + 63) / 64 * 64 - before - 1, ' ');
  header += '\n';
  std::ofstream file(path, std::ios::binary);
  file.write(magic, magicBytes);
  file << '\x01' << '\0' << static_cast<char>(header.size() & 255)
       << static_cast<char>(header.size() >> 8) << header;
  file.write(static_cast<const char *>(value.GetTensorRawData()),
             static_cast<std::streamsize>(value.GetSizeInBytes()));
  if (!file.flush())
    fail(path, "cannot be written");
}

} // namespace onnxc::run
