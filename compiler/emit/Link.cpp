//===- Link.cpp - Links a shared library in process -----------------------===//

#include "compiler/emit/Link.h"

#include "lld/Common/Driver.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/raw_ostream.h"

#include <mutex>

#include <sys/mman.h>
#include <unistd.h>

LLD_HAS_DRIVER(elf)

using namespace llvm;

namespace {
/// A file without a name.
class MemoryFile {
public:
  explicit MemoryFile(StringRef contents) : descriptor(memfd_create("o", 0)) {
    if (descriptor < 0)
      return;
    raw_fd_ostream stream(descriptor, /*shouldClose=*/false);
    stream << contents;
    stream.flush();
    isGood = !stream.has_error();
    stream.clear_error();
  }
  MemoryFile(const MemoryFile &) = delete;
  MemoryFile &operator=(const MemoryFile &) = delete;
  ~MemoryFile() {
    if (descriptor >= 0)
      ::close(descriptor);
  }
  bool good() const { return isGood; }
  std::string path() const {
    return "/proc/self/fd/" + std::to_string(descriptor);
  }

private:
  int descriptor;
  bool isGood = false;
};
} // namespace

Expected<std::unique_ptr<MemoryBuffer>>
onnxc::linkLibrary(ArrayRef<StringRef> objects, const Triple &triple) {
  std::vector<std::unique_ptr<MemoryFile>> files;
  std::vector<std::string> paths;
  for (StringRef object : objects) {
    files.push_back(std::make_unique<MemoryFile>(object));
    if (!files.back()->good())
      return createStringError(inconvertibleErrorCode(),
                               "no memory for the object file");
    paths.push_back(files.back()->path());
  }
  // LLD puts its output in place by a rename, so it needs a name.
  SmallString<128> outputPath;
  if (std::error_code code =
          sys::fs::createTemporaryFile("onnxc", "so", outputPath))
    return createStringError(code, "linking failed: no temporary file: " +
                                       code.message());
  FileRemover remover(outputPath);
  SmallVector<const char *> arguments = {
      "ld.lld", "-m", triple.isX86() ? "elf_x86_64" : "aarch64linux", "-shared",
      // The weights' bytes are appended at a page of their own.
      "-z", "separate-loadable-segments", "-z", "defs", "-z", "now",
      "--gc-sections", "--hash-style=gnu", "--build-id=none", "--threads=1",
      "-o", outputPath.c_str()};
  for (const std::string &path : paths)
    arguments.push_back(path.c_str());

  std::string errors;
  raw_string_ostream errorStream(errors);
  static std::mutex onlyOne; // LLD is not thread-safe
  std::lock_guard<std::mutex> lock(onlyOne);
  lld::Result result = lld::lldMain(arguments, nulls(), errorStream,
                                    {{lld::Gnu, &lld::elf::link}});
  if (result.retCode == 0) {
    auto library = MemoryBuffer::getFile(outputPath, /*IsText=*/false,
                                         /*RequiresNullTerminator=*/false);
    if (library)
      return std::move(*library);
    return createStringError(library.getError(),
                             "linking failed: " + library.getError().message());
  }
  StringRef line = StringRef(errors).trim().split('\n').first;
  line.consume_front("ld.lld: ");
  line.consume_front("error: ");
  return createStringError(inconvertibleErrorCode(), "linking failed: " + line);
}
