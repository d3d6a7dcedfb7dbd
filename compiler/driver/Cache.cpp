//===- Cache.cpp - Where the compile cache keeps a library ----------------===//

#include "compiler/driver/Cache.h"
#include "compiler/driver/ExternalFiles.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SHA256.h"

#include <cstdlib>

using namespace llvm;

static std::string hexDigest(StringRef bytes) {
  return toHex(SHA256::hash(arrayRefFromStringRef(bytes)), /*LowerCase=*/true);
}

static std::unique_ptr<MemoryBuffer> readFile(StringRef path,
                                              std::string &error) {
  ErrorOr<std::unique_ptr<MemoryBuffer>> file = MemoryBuffer::getFile(
      path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (file)
    return std::move(*file);
  error = ("cannot read '" + path + "': " + file.getError().message()).str();
  return nullptr;
}

static std::string cacheFolder() {
  if (const char *folder = std::getenv("ONNXC_CACHE"); folder && *folder)
    return folder;
  SmallString<128> folder;
  if (const char *home = std::getenv("HOME"))
    folder = home;
  else
    sys::path::home_directory(folder);
  sys::path::append(folder, ".cache", "onnxc");
  return folder.str().str();
}

std::string onnxc::cachePath(const std::string &model,
                             const CompileOptions &options,
                             std::string &error) {
  std::string text = std::string("onnxc-cache-1\n") + compilerVersion() + "\n" +
                     options.cpu + "\n" + options.triple + "\n";
  std::vector<std::string> lines;
  for (const auto &[name, dims] : options.shapes) {
    std::string line = "shape." + name + "=";
    for (size_t i = 0; i < dims.size(); ++i)
      line += (i ? "x" : "") + std::to_string(dims[i]);
    lines.push_back(line);
  }
  if (options.profile)
    lines.push_back("profile=1");
  sort(lines);
  for (const std::string &line : lines)
    text += line + "\n";

  std::unique_ptr<MemoryBuffer> file = readFile(model, error);
  if (!file)
    return "";
  text += hexDigest(file->getBuffer());
  for (const std::string &location : externalFiles(file->getBuffer())) {
    SmallString<128> path;
    if (!sys::path::is_absolute(location))
      path = sys::path::parent_path(model);
    sys::path::append(path, location);
    std::unique_ptr<MemoryBuffer> data = readFile(path, error);
    if (!data)
      return "";
    text += hexDigest(data->getBuffer());
  }
  SmallString<128> path(cacheFolder());
  sys::path::append(path, hexDigest(text) + ".so");
  return path.str().str();
}
