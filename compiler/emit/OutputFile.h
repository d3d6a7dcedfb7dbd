//===- OutputFile.h - A file that appears whole or not at all ---*- C++ -*-===//
#ifndef ONNXC_COMPILER_EMIT_OUTPUTFILE_H
#define ONNXC_COMPILER_EMIT_OUTPUTFILE_H

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/Error.h"

#include <string>

namespace onnxc {
/// A file that has no name, so that nothing is left of it whatever ends the
/// process, until `commit` gives it its own. Where the file system cannot do
/// that it has a temporary name beside the final one.
class OutputFile {
public:
  static llvm::Expected<OutputFile> create(llvm::StringRef path);
  OutputFile(OutputFile &&other);
  OutputFile(const OutputFile &) = delete;
  OutputFile &operator=(const OutputFile &) = delete;
  ~OutputFile();

  /// Opens the file as long as it is not committed.
  const std::string &temporaryPath() const { return temporary; }
  llvm::Error commit();
  /// Writes all of `contents` to the file.
  llvm::Error write(llvm::StringRef contents);

private:
  OutputFile(llvm::StringRef path, int descriptor);
  OutputFile(llvm::StringRef path, llvm::StringRef temporary)
      : path(path), temporary(temporary) {}
  /// Gives a file without a name one beside `path`.
  std::error_code giveName();

  std::string path, temporary;
  int descriptor = -1; ///< of a file without a name
};

/// Writes `text` to the file `path`, which appears whole or not at all, or to
/// the standard output when that is "-".
llvm::Error writeTextFile(llvm::StringRef path, llvm::StringRef text);

} // namespace onnxc

#endif // ONNXC_COMPILER_EMIT_OUTPUTFILE_H
