//===- OutputFile.cpp - A file that appears whole or not at all -----------===//

#include "compiler/emit/OutputFile.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Signals.h"
#include "llvm/Support/raw_ostream.h"

#include <unistd.h>

using namespace llvm;
using namespace onnxc;

static Error cannotWrite(StringRef path, std::error_code code) {
  return createStringError(code,
                           "cannot write '" + path + "': " + code.message());
}

Expected<OutputFile> OutputFile::create(StringRef path) {
  // A rename would put a plain file in the place of a device or pipe.
  sys::fs::file_status status;
  if (!sys::fs::status(path, status) &&
      status.type() != sys::fs::file_type::regular_file)
    return createStringError(inconvertibleErrorCode(),
                             "cannot write '" + path +
                                 "': it is not a regular file");
  int descriptor = -1;
  SmallString<128> temporary;
  if (std::error_code code = sys::fs::createUniqueFile(
          path + ".tmp-%%%%%%%%", descriptor, temporary, sys::fs::OF_None,
          sys::fs::all_read | sys::fs::all_write))
    return cannotWrite(path, code);
  ::close(descriptor);
  sys::RemoveFileOnSignal(temporary);
  return OutputFile(path, temporary);
}

OutputFile::OutputFile(OutputFile &&other)
    : path(std::move(other.path)), temporary(std::move(other.temporary)) {
  other.temporary.clear();
}

OutputFile::~OutputFile() {
  if (temporary.empty())
    return;
  sys::fs::remove(temporary);
  sys::DontRemoveFileOnSignal(temporary);
}

Error OutputFile::commit() {
  if (std::error_code code = sys::fs::rename(temporary, path))
    return cannotWrite(path, code);
  sys::DontRemoveFileOnSignal(temporary);
  temporary.clear();
  return Error::success();
}

Error OutputFile::write(StringRef contents) {
  std::error_code code;
  raw_fd_ostream stream(temporary, code);
  if (code)
    return cannotWrite(path, code);
  stream << contents;
  stream.close();
  if (stream.has_error()) {
    code = stream.error();
    stream.clear_error();
    return cannotWrite(path, code);
  }
  return Error::success();
}

Error onnxc::writeTextFile(StringRef path, StringRef text) {
  if (path == "-") {
    outs() << text;
    outs().flush();
    return Error::success();
  }
  Expected<OutputFile> file = OutputFile::create(path);
  if (!file)
    return file.takeError();
  if (Error error = file->write(text))
    return error;
  return file->commit();
}
