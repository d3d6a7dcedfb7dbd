//===- WeightSection.cpp - Weights in an ELF file -------------------------===//

#include "compiler/emit/WeightSection.h"
#include "compiler/emit/ModelTable.h"
#include "compiler/emit/WeightWriter.h"
#include "runtime/include/onnxc/model_abi.h"

#include "llvm/BinaryFormat/ELF.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/GlobalVariable.h"
#include "llvm/Object/ELF.h"
#include "llvm/Object/ELFTypes.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

#include <fcntl.h>
#include <unistd.h>

using namespace llvm;
using namespace onnxc;
using object::ELF64LE;

static constexpr StringLiteral weightsSymbol = "onnxc_generated_weights";
/// The linker places it behind everything else, so that code reaches all but
/// the weights' end with 32 bits.
static constexpr StringLiteral librarySection = ".lbss.weights";
static constexpr StringLiteral linkedSection = ".lbss"; // what LLD makes of it
static constexpr StringLiteral objectSection = ".rodata.onnxc_weights";
static constexpr StringLiteral largeObjectSection = ".lrodata.onnxc_weights";
static constexpr int64_t largeBytes = int64_t(3) << 29; // 1.5 GB

static Error makeError(const Twine &message) {
  return createStringError(inconvertibleErrorCode(), message);
}

void onnxc::reserveWeights(Module &module, int64_t bytes, bool isLibrary) {
  GlobalVariable *symbol = module.getNamedGlobal(weightsSymbol);
  if (bytes == 0) { // still an address
    auto *type = ArrayType::get(Type::getInt8Ty(module.getContext()), 1);
    auto *empty = new GlobalVariable(module, type, /*isConstant=*/true,
                                     GlobalValue::ExternalLinkage,
                                     ConstantAggregateZero::get(type), "");
    if (symbol) {
      symbol->replaceAllUsesWith(empty);
      symbol->eraseFromParent();
    }
    empty->setName(weightsSymbol);
    return;
  }
  bool x86 = module.getTargetTriple().isX86();
  bool large = !isLibrary && x86 && bytes > largeBytes;
  if (large && symbol)
    symbol->setCodeModel(CodeModel::Large);
  StringRef section = isLibrary ? librarySection
                      : large   ? largeObjectSection
                                : objectSection;
  StringRef flags = isLibrary ? (x86 ? "awl" : "aw") : large ? "al" : "a";
  std::string text;
  raw_string_ostream stream(text);
  stream << "\t.section " << section << ",\"" << flags << "\",@nobits\n"
         << "\t.p2align " << (isLibrary ? 12 : 6) << "\n"
         << "\t.type " << weightsSymbol << ",@object\n"
         << (isLibrary ? "\t.globl " + weightsSymbol.str() + "\n" : "")
         << "\t.hidden " << weightsSymbol << "\n"
         << weightsSymbol << ":\n"
         << "\t.zero " << bytes << "\n"
         << "\t.size " << weightsSymbol << ", " << bytes << "\n"
         << "\t.text\n";
  module.appendModuleInlineAsm(text);
}

namespace {
/// An ELF file that is being changed in place. Only its headers are in memory.
class ElfFile {
public:
  static Expected<ElfFile> open(StringRef path) {
    ElfFile file;
    file.path = path.str();
    file.descriptor = ::open(file.path.c_str(), O_RDWR | O_CLOEXEC);
    if (file.descriptor < 0)
      return file.systemError();
    ErrorOr<std::unique_ptr<MemoryBuffer>> contents =
        MemoryBuffer::getFile(path, /*IsText=*/false,
                              /*RequiresNullTerminator=*/false);
    if (!contents)
      return createStringError(contents.getError(), "cannot read " + path);
    file.contents = std::move(*contents);
    return std::move(file);
  }
  ElfFile(ElfFile &&other)
      : path(std::move(other.path)), contents(std::move(other.contents)),
        descriptor(std::exchange(other.descriptor, -1)) {}
  ElfFile(const ElfFile &) = delete;
  ElfFile &operator=(const ElfFile &) = delete;
  ~ElfFile() {
    if (descriptor >= 0)
      ::close(descriptor);
  }

  Expected<object::ELFFile<ELF64LE>> elf() const {
    return object::ELFFile<ELF64LE>::create(contents->getBuffer());
  }
  uint64_t size() const { return contents->getBufferSize(); }
  uint64_t offsetOf(const void *part) const {
    return static_cast<const char *>(part) - contents->getBufferStart();
  }

  template <typename T> Error write(uint64_t offset, const T &value) {
    if (::pwrite(descriptor, &value, sizeof(T), offset) !=
        static_cast<ssize_t>(sizeof(T)))
      return systemError();
    return Error::success();
  }

  /// Writes the weights from `offset` on.
  Error append(uint64_t offset, const kernel::WeightLayout &layout) {
    if (::lseek(descriptor, static_cast<off_t>(offset), SEEK_SET) < 0)
      return systemError();
    raw_fd_ostream stream(descriptor, /*shouldClose=*/false);
    Error error = writeWeights(layout, stream);
    stream.flush();
    if (stream.has_error()) {
      std::error_code code = stream.error();
      stream.clear_error();
      consumeError(std::move(error));
      return createStringError(code, "cannot write '" + path +
                                         "': " + code.message());
    }
    return error;
  }

private:
  ElfFile() = default;
  Error systemError() const {
    std::error_code code(errno, std::generic_category());
    return createStringError(code,
                             "cannot write '" + path + "': " + code.message());
  }

  std::string path;
  std::unique_ptr<MemoryBuffer> contents;
  int descriptor = -1;
};
} // namespace

/// The last segment becomes the weights', which have no bytes in it so far.
/// Returns the file offset for them.
static Expected<uint64_t> placeSegment(ElfFile &file,
                                       const object::ELFFile<ELF64LE> &elf,
                                       const ELF64LE::Shdr &section) {
  auto headers = elf.program_headers();
  if (!headers)
    return headers.takeError();
  const ELF64LE::Phdr *last = nullptr;
  for (const ELF64LE::Phdr &header : *headers)
    if (header.p_type == ELF::PT_LOAD)
      last = &header;
  if (!last || last->p_vaddr != section.sh_addr || last->p_filesz != 0 ||
      last->p_memsz != section.sh_size)
    return makeError("internal error: the linker gave the weights no segment "
                     "of their own");
  ELF64LE::Phdr header = *last;
  uint64_t align = std::max<uint64_t>(header.p_align, 1);
  uint64_t offset = alignTo(file.size(), align) + header.p_vaddr % align;
  header.p_offset = offset;
  header.p_filesz = header.p_memsz;
  header.p_flags = ELF::PF_R;
  if (Error error = file.write(file.offsetOf(last), header))
    return std::move(error);
  return offset;
}

Error onnxc::appendWeights(StringRef path, const kernel::WeightLayout &layout,
                           bool isLibrary) {
  Expected<ElfFile> file = ElfFile::open(path);
  if (!file)
    return file.takeError();
  auto elf = file->elf();
  if (!elf)
    return elf.takeError();
  auto sections = elf->sections();
  if (!sections)
    return sections.takeError();
  uint64_t fileBytes = file->size();
  const ELF64LE::Shdr *note = nullptr;
  bool found = layout.bytes == 0;
  for (const ELF64LE::Shdr &section : *sections) {
    Expected<StringRef> name = elf->getSectionName(section);
    if (!name)
      return name.takeError();
    if (*name == noteSectionName)
      note = &section;
    if (*name != linkedSection && *name != objectSection &&
        *name != largeObjectSection)
      continue;
    found = true;
    uint64_t offset = alignTo(fileBytes, section.sh_addralign);
    if (isLibrary) {
      Expected<uint64_t> place = placeSegment(*file, *elf, section);
      if (!place)
        return place.takeError();
      offset = *place;
    }
    ELF64LE::Shdr header = section;
    header.sh_type = ELF::SHT_PROGBITS;
    header.sh_offset = offset;
    header.sh_flags = header.sh_flags & ~uint64_t(ELF::SHF_WRITE);
    if (Error error = file->write(file->offsetOf(&section), header))
      return error;
    if (Error error = file->append(offset, layout))
      return error;
    fileBytes = offset + layout.bytes;
  }
  if (!found || !note)
    return makeError("internal error: the object has no weights or note");
  if (!isLibrary)
    return Error::success();
  uint64_t size = note->sh_offset + 12 + alignTo(sizeof(ONNXC_NOTE_NAME), 4) +
                  offsetof(onnxc_note, file_bytes);
  return file->write(size, support::ulittle64_t(fileBytes));
}
