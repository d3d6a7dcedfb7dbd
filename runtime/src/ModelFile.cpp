//===- ModelFile.cpp - Judging a library by its headers -===//
#include "ModelFile.h"

#include "CpuFeatures.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace onnxc::runtime {

#if defined(__x86_64__)
static constexpr uint16_t hostMachine = EM_X86_64;
#elif defined(__aarch64__)
static constexpr uint16_t hostMachine = EM_AARCH64;
#else
#error "the runtime does not know this architecture"
#endif

File::~File() {
  if (fd >= 0)
    close(fd);
}

Status openModelFile(const char *path, File &file) {
  // O_NONBLOCK: a path that names a pipe must not wait for a writer.
  file = File(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0)
    return makeStatus(ONNXC_STATUS_NO_SUCH_FILE,
                      "cannot open " + quoted(path) + ": " + strerror(errno));
  struct stat info;
  if (fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode))
    return makeStatus(ONNXC_STATUS_NO_SUCH_FILE,
                      "cannot open " + quoted(path) + ": not a regular file");
  return nullptr;
}

Status makeMemoryFile(const void *data, size_t bytes, File &file) {
  auto failed = [](const char *what) {
    return makeStatus(ONNXC_STATUS_SYSTEM_ERROR,
                      std::string("cannot hold the model in memory: ") + what +
                          ": " + strerror(errno));
  };
  file = File(memfd_create("onnxc-model", MFD_CLOEXEC));
  if (file.get() < 0)
    return failed("memfd_create");
  const char *at = static_cast<const char *>(data);
  while (bytes) {
    ssize_t written = write(file.get(), at, bytes);
    if (written < 0) {
      if (errno == EINTR)
        continue;
      return failed("write");
    }
    at += written;
    bytes -= static_cast<size_t>(written);
  }
  return nullptr;
}

namespace {

/// Reads a file's headers; every offset in them may be wrong.
class Elf {
public:
  Elf(const File &file, std::string name) : file(file), name(std::move(name)) {}

  Status check(uint64_t cpuFeatures);

private:
  bool read(uint64_t offset, void *to, size_t bytes) const {
    if (offset > size || bytes > size - offset)
      return false;
    char *at = static_cast<char *>(to);
    while (bytes) {
      ssize_t got = pread(file.get(), at, bytes, static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR)
        continue;
      if (got <= 0)
        return false;
      at += got;
      offset += static_cast<uint64_t>(got);
      bytes -= static_cast<size_t>(got);
    }
    return true;
  }
  bool isInside(uint64_t offset, uint64_t bytes) const {
    return offset <= size && bytes <= size - offset;
  }

  Status invalid(const std::string &reason) const {
    return makeStatus(ONNXC_STATUS_INVALID_MODEL,
                      quoted(name.c_str()) + reason);
  }
  Status incompatible(const std::string &reason) const {
    return makeStatus(ONNXC_STATUS_INCOMPATIBLE, quoted(name.c_str()) + reason);
  }
  Status readHeaders();
  bool findNote();
  bool findNoteIn(const Elf64_Phdr &segment);
  bool isWhole() const;
  Status checkMachine() const;
  Status checkCpu(uint64_t cpuFeatures) const;

  const File &file;
  const std::string name;
  uint64_t size = 0;
  Elf64_Ehdr header = {};
  std::vector<Elf64_Phdr> segments;
  onnxc_note note = {};
};

} // namespace

static std::string machineName(uint16_t machine) {
  switch (machine) {
  case EM_X86_64:
    return "x86-64";
  case EM_AARCH64:
    return "AArch64";
  case EM_386:
    return "x86 (32 bits)";
  case EM_ARM:
    return "ARM (32 bits)";
  case EM_RISCV:
    return "RISC-V";
  default:
    return "ELF machine " + std::to_string(machine);
  }
}

Status Elf::readHeaders() {
  struct stat info;
  if (fstat(file.get(), &info) != 0)
    return makeStatus(ONNXC_STATUS_SYSTEM_ERROR, "cannot read " +
                                                     quoted(name.c_str()) +
                                                     ": " + strerror(errno));
  size = static_cast<uint64_t>(info.st_size);
  unsigned char ident[EI_NIDENT] = {};
  if (size == 0)
    return invalid(" is not a compiled model: the file is empty");
  if (!read(0, ident, SELFMAG) || memcmp(ident, ELFMAG, SELFMAG) != 0) {
    bool onnx =
        name.size() > 5 && name.compare(name.size() - 5, 5, ".onnx") == 0;
    return invalid(
        std::string(" is not a compiled model: not an ELF file") +
        (onnx ? " (onnx-compile makes a library from an .onnx)" : ""));
  }
  if (!read(0, ident, sizeof ident) || !read(0, &header, sizeof header))
    return invalid(" is truncated: it ends in its first header, after " +
                   std::to_string(size) + " bytes");
  if (ident[EI_CLASS] != ELFCLASS64 || ident[EI_DATA] != ELFDATA2LSB)
    return incompatible(" is for another kind of machine: not a 64-bit "
                        "little-endian library");
  if (header.e_type != ET_DYN)
    return invalid(" is not a compiled model: not a shared library");
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum == 0 ||
      header.e_phnum == PN_XNUM)
    return invalid(" is not a compiled model: it has no program headers");
  segments.resize(header.e_phnum);
  if (!read(header.e_phoff, segments.data(),
            segments.size() * sizeof(Elf64_Phdr)))
    return invalid(" is truncated: it ends in its program headers, after " +
                   std::to_string(size) + " bytes");
  return nullptr;
}

bool Elf::findNoteIn(const Elf64_Phdr &segment) {
  uint64_t align = segment.p_align == 8 ? 8 : 4;
  auto padded = [&](uint64_t bytes) {
    return (bytes + align - 1) & ~(align - 1);
  };
  uint64_t at = segment.p_offset, end = at + segment.p_filesz;
  if (end < at)
    return false;
  while (end - at >= sizeof(Elf64_Nhdr)) {
    Elf64_Nhdr entry;
    if (!read(at, &entry, sizeof entry))
      return false;
    uint64_t nameAt = at + sizeof entry;
    uint64_t descriptorAt = nameAt + padded(entry.n_namesz);
    uint64_t next = descriptorAt + padded(entry.n_descsz);
    char owner[sizeof ONNXC_NOTE_NAME];
    if (entry.n_type == ONNXC_NOTE_TYPE && entry.n_namesz == sizeof owner &&
        read(nameAt, owner, sizeof owner) &&
        memcmp(owner, ONNXC_NOTE_NAME, sizeof owner) == 0) {
      // Another version's note may be longer or shorter: its version comes
      // first in any.
      size_t bytes = std::min<size_t>(entry.n_descsz, sizeof note);
      return bytes >= sizeof note.abi_version &&
             read(descriptorAt, &note, bytes);
    }
    if (next > end)
      return false;
    at = next;
  }
  return false;
}

bool Elf::findNote() {
  for (const Elf64_Phdr &segment : segments)
    if (segment.p_type == PT_NOTE && findNoteIn(segment))
      return true;
  return false;
}

/// Sizes are compared part by part and not with the note's alone: a library
/// that went through strip is smaller, and whole.
bool Elf::isWhole() const {
  for (const Elf64_Phdr &segment : segments)
    if (segment.p_type == PT_LOAD &&
        !isInside(segment.p_offset, segment.p_filesz))
      return false;
  return header.e_shoff == 0 ||
         isInside(header.e_shoff,
                  uint64_t(header.e_shnum) * header.e_shentsize);
}

Status Elf::checkMachine() const {
  if (header.e_machine == hostMachine)
    return nullptr;
  return incompatible(" is for " + machineName(header.e_machine) +
                      ", this machine is " + machineName(hostMachine));
}

Status Elf::checkCpu(uint64_t cpuFeatures) const {
  uint64_t missing = note.cpu_features & ~cpuFeatures;
  if (missing == 0)
    return nullptr;
  std::string names;
  for (unsigned bit = 0; bit < 64; ++bit) {
    if (!(missing >> bit & 1))
      continue;
    const char *feature = onnxc_cpu_feature_name(bit);
    names += ' ';
    names += feature ? feature : "feature-" + std::to_string(bit);
  }
  return incompatible(" needs CPU features that this machine lacks:" + names);
}

Status Elf::check(uint64_t cpuFeatures) {
  if (Status status = readHeaders())
    return status;
  bool found = findNote();
  if (!isWhole()) {
    std::string of =
        found && note.abi_version == ONNXC_ABI_VERSION && note.file_bytes > size
            ? " of " + std::to_string(note.file_bytes)
            : "";
    return invalid(" is truncated: it has " + std::to_string(size) + of +
                   " bytes");
  }
  if (!found)
    return invalid(" is not a compiled model: a library without onnxc's note");
  if (note.abi_version != ONNXC_ABI_VERSION)
    return incompatible(" was compiled for version " +
                        std::to_string(note.abi_version) +
                        " of the model ABI, this runtime has version " +
                        std::to_string(ONNXC_ABI_VERSION));
  if (Status status = checkMachine())
    return status;
  return checkCpu(cpuFeatures);
}

Status checkModelFile(const File &file, const std::string &name,
                      uint64_t cpuFeatures) {
  return Elf(file, name).check(cpuFeatures);
}

} // namespace onnxc::runtime

onnxc_status *onnxc_check_file(const char *path) {
  using namespace onnxc::runtime;
  try {
    if (!path)
      return invalidArgument("path is NULL").release();
    File file;
    if (Status status = openModelFile(path, file))
      return status.release();
    return checkModelFile(file, path, onnxc_cpu_features()).release();
  } catch (const std::exception &) {
    return outOfMemory().release();
  }
}
