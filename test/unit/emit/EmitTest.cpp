//===- EmitTest.cpp - Libraries and objects -------------------------------===//

#include "runtime/include/onnxc/model_abi.h"
#include "test/unit/emit/Models.h"

#include "llvm/BinaryFormat/ELF.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/MemoryBuffer.h"
#include "gtest/gtest.h"

#include <dlfcn.h>
#include <fstream>

using namespace onnxc;
using namespace onnxc::test;

namespace {

const float scale[4] = {1, 2, 3, 4};

std::string readFile(const std::string &path) {
  auto buffer = llvm::MemoryBuffer::getFile(path);
  return buffer ? (*buffer)->getBuffer().str() : "";
}

/// Runs an x86-64 model on one row and compares with `expected`.
void expectRow(const onnxc_model *model, const float (&expected)[4]) {
  float x[4] = {1, 1, 1, 1}, y[4] = {};
  int64_t unused = 0;
  alignas(64) char workspace[64];
  onnxc_value inputs[2] = {}, output = {};
  inputs[0] = {ONNXC_KIND_TENSOR, ONNXC_FLOAT, 2, {1, 4}, x, sizeof(x)};
  inputs[1] = {ONNXC_KIND_TENSOR, ONNXC_INT64, 1, {1}, &unused, 8};
  output.data = y;
  output.bytes = sizeof(y);
  onnxc_error error;
  ASSERT_EQ(model->run(nullptr, inputs, &output, workspace, sizeof(workspace),
                       &error),
            0)
      << error.message;
  for (int i = 0; i < 4; ++i)
    EXPECT_EQ(y[i], expected[i]);
}

TEST(Emit, LibraryHasOneSymbolAndNeedsNone) {
  Directory directory;
  std::string path = directory.file("m.so");
  ASSERT_EQ(emitScale(path, scale), "");
  auto file = llvm::object::ObjectFile::createObjectFile(path);
  ASSERT_TRUE(bool(file)) << toString(file.takeError());
  auto *elf = llvm::cast<llvm::object::ELF64LEObjectFile>(file->getBinary());
  std::vector<std::string> exported;
  for (auto symbol : elf->getDynamicSymbolIterators()) {
    EXPECT_FALSE(llvm::cantFail(symbol.getFlags()) &
                 llvm::object::SymbolRef::SF_Undefined);
    exported.push_back(llvm::cantFail(symbol.getName()).str());
  }
  EXPECT_EQ(exported, std::vector<std::string>{"onnxc_get_model"});
  int needed = 0;
  for (const auto &entry : llvm::cantFail(elf->getELFFile().dynamicEntries()))
    needed += entry.getTag() == llvm::ELF::DT_NEEDED;
  EXPECT_EQ(needed, 0);
}

TEST(Emit, WeightsAreReadOnlyAndLast) {
  Directory directory;
  std::string path = directory.file("m.so");
  std::vector<float> weights(5000);
  for (size_t i = 0; i < weights.size(); ++i)
    weights[i] = static_cast<float>(i);
  ASSERT_EQ(emitScale(path, weights), "");
  auto file = llvm::object::ObjectFile::createObjectFile(path);
  ASSERT_TRUE(bool(file)) << toString(file.takeError());
  auto *elf = llvm::cast<llvm::object::ELF64LEObjectFile>(file->getBinary());
  std::string bytes = readFile(path);
  const llvm::object::ELF64LE::Phdr *last = nullptr;
  for (const auto &header :
       llvm::cantFail(elf->getELFFile().program_headers())) {
    EXPECT_FALSE((header.p_flags & llvm::ELF::PF_W) &&
                 (header.p_flags & llvm::ELF::PF_X));
    if (header.p_type == llvm::ELF::PT_LOAD)
      last = &header;
  }
  ASSERT_TRUE(last);
  EXPECT_EQ(last->p_flags, unsigned(llvm::ELF::PF_R));
  EXPECT_EQ(last->p_filesz, 20000u);
  EXPECT_EQ(last->p_memsz, 20000u);
  EXPECT_EQ(last->p_offset % 4096, 0u);
  EXPECT_EQ(last->p_offset + last->p_filesz, bytes.size());
  EXPECT_EQ(bytes.substr(last->p_offset),
            std::string(reinterpret_cast<char *>(weights.data()), 20000));
}

TEST(Emit, NoteHoldsFeaturesAndSize) {
  Directory directory;
  std::string path = directory.file("m.so");
  ASSERT_EQ(emitScale(path, scale, EmitKind::Library, "x86-64-v3"), "");
  std::string bytes = readFile(path);
  size_t at =
      bytes.find(std::string("\6\0\0\0\x18\0\0\0\1\0\0\0onnxc\0\0\0", 20));
  ASSERT_NE(at, std::string::npos);
  onnxc_note note;
  memcpy(&note, bytes.data() + at + 20, sizeof(note));
  EXPECT_EQ(note.abi_version, ONNXC_ABI_VERSION);
  EXPECT_EQ(note.file_bytes, bytes.size());
  EXPECT_TRUE(note.cpu_features & ONNXC_CPU_AVX2);
  EXPECT_TRUE(note.cpu_features & ONNXC_CPU_FMA);
  EXPECT_FALSE(note.cpu_features & ONNXC_CPU_AVX512F);
}

TEST(Emit, SameInputSameBytes) {
  Directory directory;
  ASSERT_EQ(emitScale(directory.file("a.so"), scale), "");
  ASSERT_EQ(emitScale(directory.file("b.so"), scale), "");
  EXPECT_EQ(readFile(directory.file("a.so")), readFile(directory.file("b.so")));
}

TEST(Emit, ModelWithoutWeights) {
  Directory directory;
  std::string path = directory.file("m.so");
  ASSERT_EQ(emitScale(path, {}), "");
  void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  ASSERT_TRUE(library) << dlerror();
  dlclose(library);
}

TEST(Emit, NothingIsLeftOfAFailure) {
  Directory directory;
  EXPECT_NE(emitScale(directory.file("missing/m.so"), scale), "");
  EXPECT_NE(emitScale("/dev/null", scale), "");
  EXPECT_TRUE(llvm::sys::fs::exists("/dev/null"));
}

TEST(Emit, TwoObjectsInOneProgram) {
  Directory directory;
  const float other[4] = {10, 20, 30, 40};
  ASSERT_EQ(emitScale(directory.file("a.o"), scale, EmitKind::Object,
                      "x86-64-v2", "x86_64-unknown-linux-gnu", "model_a"),
            "");
  ASSERT_EQ(emitScale(directory.file("b.o"), other, EmitKind::Object,
                      "x86-64-v2", "x86_64-unknown-linux-gnu", "model_b"),
            "");
  // The program is a library here, so that the test can call it.
  std::string command = std::string(ONNXC_TEST_CLANG) + " -shared -nostdlib " +
                        directory.file("a.o") + " " + directory.file("b.o") +
                        " -o " + directory.file("both.so");
  ASSERT_EQ(std::system(command.c_str()), 0);
  void *library = dlopen(directory.file("both.so").c_str(), RTLD_NOW);
  ASSERT_TRUE(library) << dlerror();
  auto a = reinterpret_cast<onnxc_get_model_fn>(dlsym(library, "model_a"));
  auto b = reinterpret_cast<onnxc_get_model_fn>(dlsym(library, "model_b"));
  ASSERT_TRUE(a && b);
  expectRow(a(), {1, 2, 3, 4});
  expectRow(b(), {10, 20, 30, 40});
  dlclose(library);
}

TEST(Emit, AArch64ObjectRunsUnderQemu) {
  if (std::system("command -v qemu-aarch64 > /dev/null") ||
      std::system("command -v ld.lld > /dev/null"))
    GTEST_SKIP() << "needs qemu-aarch64 and ld.lld";
  Directory directory;
  ASSERT_EQ(emitScale(directory.file("m.o"), scale, EmitKind::Object, "native",
                      "aarch64-linux-gnu"),
            "");
  ASSERT_EQ(emitScale(directory.file("m.so"), scale, EmitKind::Library,
                      "native", "aarch64-linux-gnu"),
            "");
  std::ofstream(directory.file("main.c")) << R"c(
#include "runtime/include/onnxc/model_abi.h"
const onnxc_model *onnxc_get_model(void);
static long check(void) {
  static float x[8] = {1, 1, 1, 1, 2, 2, 2, 2}, y[8];
  static int64_t unused[2];
  static char workspace[64] __attribute__((aligned(64)));
  static onnxc_value inputs[2], output;
  inputs[0].kind = inputs[1].kind = ONNXC_KIND_TENSOR;
  inputs[0].elem_type = ONNXC_FLOAT;
  inputs[0].rank = 2;
  inputs[0].dims[0] = 2;
  inputs[0].dims[1] = 4;
  inputs[0].data = x;
  inputs[0].bytes = sizeof(x);
  inputs[1].elem_type = ONNXC_INT64;
  inputs[1].rank = 1;
  inputs[1].dims[0] = 2;
  inputs[1].data = unused;
  inputs[1].bytes = sizeof(unused);
  output.data = y;
  output.bytes = sizeof(y);
  if (onnxc_get_model()->run(0, inputs, &output, workspace, 64, 0))
    return 1;
  for (int i = 0; i < 8; ++i)
    if (y[i] != (i % 4 + 1) * (i / 4 + 1))
      return 2 + i;
  return 42;
}
void _start(void) {
  register long status __asm__("x0") = check();
  register long call __asm__("x8") = 93;
  __asm__ volatile("svc 0" : : "r"(status), "r"(call));
}
)c";
  std::string command =
      std::string(ONNXC_TEST_CLANG) +
      " --target=aarch64-linux-gnu -O1 -ffreestanding -nostdlib -static "
      "-fuse-ld=lld -I " ONNXC_TEST_SOURCE " " +
      directory.file("main.c") + " " + directory.file("m.o") + " -o " +
      directory.file("main");
  ASSERT_EQ(std::system(command.c_str()), 0);
  int status = std::system(("qemu-aarch64 " + directory.file("main")).c_str());
  EXPECT_EQ(WEXITSTATUS(status), 42);
}

} // namespace
