//===- OutputFile.cpp - A file that appears whole or not at all -----------===//

#include "compiler/emit/OutputFile.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Signals.h"
#include "llvm/Support/raw_ostream.h"

#include <fcntl.h>
#include <sys/stat.h>
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
#ifdef O_TMPFILE
  StringRef folder = sys::path::parent_path(path);
  int unnamed = ::open(folder.empty() ? "." : folder.str().c_str(),
                       O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
  if (unnamed >= 0)
    return OutputFile(path, unnamed);
#endif
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

OutputFile::OutputFile(StringRef path, int descriptor)
    : path(path), temporary("/proc/self/fd/" + std::to_string(descriptor)),
      descriptor(descriptor) {}

OutputFile::OutputFile(OutputFile &&other)
    : path(std::move(other.path)), temporary(std::move(other.temporary)),
      descriptor(std::exchange(other.descriptor, -1)) {
  other.temporary.clear();
}

OutputFile::~OutputFile() {
  if (descriptor >= 0)
    ::close(descriptor);
  else if (!temporary.empty()) {
    sys::fs::remove(temporary);
    sys::DontRemoveFileOnSignal(temporary);
  }
}

std::error_code OutputFile::giveName() {
  SmallString<128> name;
  for (int attempt = 0; attempt < 100; ++attempt) {
    sys::fs::createUniquePath(path + ".tmp-%%%%%%%%", name,
                              /*MakeAbsolute=*/false);
    if (::linkat(AT_FDCWD, temporary.c_str(), AT_FDCWD, name.c_str(),
                 AT_SYMLINK_FOLLOW) == 0) {
      ::close(std::exchange(descriptor, -1));
      temporary = std::string(name);
      sys::RemoveFileOnSignal(temporary);
      return {};
    }
    if (errno != EEXIST)
      break;
  }
  return std::error_code(errno, std::generic_category());
}

Error OutputFile::commit() {
  if (descriptor >= 0)
    if (std::error_code code = giveName())
      return cannotWrite(path, code);
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
