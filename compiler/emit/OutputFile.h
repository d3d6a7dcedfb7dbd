//===- OutputFile.h - A file that appears whole or not at all ---*- C++ -*-===//
#ifndef ONNXC_COMPILER_EMIT_OUTPUTFILE_H
#define ONNXC_COMPILER_EMIT_OUTPUTFILE_H

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/Error.h"

#include <string>

namespace onnxc {
/// A file that is written under a temporary name beside its final one. Unless
/// `commit` renames it, it is removed.
class OutputFile {
public:
  static llvm::Expected<OutputFile> create(llvm::StringRef path);
  OutputFile(OutputFile &&other);
  OutputFile(const OutputFile &) = delete;
  OutputFile &operator=(const OutputFile &) = delete;
  ~OutputFile();

  const std::string &temporaryPath() const { return temporary; }
  llvm::Error commit();
  /// Writes all of `contents` to the temporary file.
  llvm::Error write(llvm::StringRef contents);

private:
  OutputFile(llvm::StringRef path, llvm::StringRef temporary)
      : path(path), temporary(temporary) {}
  std::string path, temporary;
};

/// Writes `text` to the file `path`, which appears whole or not at all, or to
/// the standard output when that is "-".
llvm::Error writeTextFile(llvm::StringRef path, llvm::StringRef text);

} // namespace onnxc

#endif // ONNXC_COMPILER_EMIT_OUTPUTFILE_H
