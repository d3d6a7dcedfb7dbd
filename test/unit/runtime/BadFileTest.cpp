//===- BadFileTest.cpp - Files that are judged before they are opened -===//
#include "ModelFile.h"
#include "Support.h"

#include <elf.h>

using namespace onnxc::test;
using testing::HasSubstr;
using testing::StartsWith;

namespace {

Outcome open(const std::string &path) {
  onnxc_session *session = nullptr;
  Outcome outcome(onnxc_session_create(path.c_str(), nullptr, &session));
  EXPECT_EQ(session, nullptr);
  EXPECT_EQ(outcome.message.find('\n'), std::string::npos);
  // The judgement alone never says less.
  if (outcome.code != ONNXC_STATUS_OK)
    EXPECT_THAT(outcome.message, HasSubstr("'" + path + "'"));
  return outcome;
}

class BadFile : public testing::Test {
protected:
  /// The sum model after `change` was made to its bytes.
  template <typename Change> std::string changed(Change change) {
    std::string bytes = readFile(modelPath("sum"));
    change(bytes);
    return folder.write("model.so", bytes);
  }
  template <typename Change> std::string changedHeader(Change change) {
    return changed([&](std::string &bytes) {
      change(*reinterpret_cast<Elf64_Ehdr *>(bytes.data()));
    });
  }
  TemporaryFolder folder;
};

TEST_F(BadFile, Missing) {
  std::string path = folder.path() + "/nothing.so";
  Outcome outcome = open(path);
  EXPECT_EQ(outcome.code, ONNXC_STATUS_NO_SUCH_FILE);
  EXPECT_EQ(outcome.message,
            "cannot open '" + path + "': No such file or directory");
}

TEST_F(BadFile, Directory) {
  Outcome outcome = open(folder.path());
  EXPECT_EQ(outcome.code, ONNXC_STATUS_NO_SUCH_FILE);
  EXPECT_THAT(outcome.message, HasSubstr("not a regular file"));
}

TEST_F(BadFile, Empty) {
  Outcome outcome = open(folder.write("model.so", ""));
  EXPECT_EQ(outcome.code, ONNXC_STATUS_INVALID_MODEL);
  EXPECT_THAT(outcome.message, HasSubstr("the file is empty"));
}

TEST_F(BadFile, NotElf) {
  for (const char *text :
       {"hello, world, this is a text of some length", "x"}) {
    Outcome outcome = open(folder.write("model.so", text));
    EXPECT_EQ(outcome.code, ONNXC_STATUS_INVALID_MODEL);
    EXPECT_THAT(outcome.message, HasSubstr("not an ELF file"));
  }
  EXPECT_THAT(open(folder.write("model.onnx", "\x08\x07")).message,
              HasSubstr("onnx-compile"));
}

TEST_F(BadFile, NotACompiledModel) {
  Outcome outcome = open(modelPath("plain"));
  EXPECT_EQ(outcome.code, ONNXC_STATUS_INVALID_MODEL);
  EXPECT_EQ(outcome.message, "'" + modelPath("plain") +
                                 "' is not a compiled model: a library without "
                                 "onnxc's note");
}

TEST_F(BadFile, OtherAbi) {
  Outcome outcome = open(modelPath("sum_other_abi"));
  EXPECT_EQ(outcome.code, ONNXC_STATUS_INCOMPATIBLE);
  EXPECT_THAT(outcome.message, HasSubstr("version 7 of the model ABI"));
}

TEST_F(BadFile, UnknownCpuFeature) {
  Outcome outcome = open(modelPath("sum_other_cpu"));
  EXPECT_EQ(outcome.code, ONNXC_STATUS_INCOMPATIBLE);
  EXPECT_THAT(outcome.message, HasSubstr("feature-63"));
}

TEST_F(BadFile, LesserCpu) {
  using namespace onnxc::runtime;
  std::string path = changed([](std::string &bytes) {
    // The name's padded end and the version, then the features.
    std::string mark("onnxc\0\0\0\0\0\0\0\0\0\0\0", 16);
    mark[8] = ONNXC_ABI_VERSION;
    size_t at = bytes.find(mark);
    ASSERT_NE(at, std::string::npos);
    uint64_t features = ONNXC_CPU_AVX2 | ONNXC_CPU_AVX512F | ONNXC_CPU_FMA;
    memcpy(&bytes[at + mark.size()], &features, sizeof features);
  });
  File file;
  ASSERT_EQ(openModelFile(path.c_str(), file), nullptr);
  Status status = checkModelFile(file, "m.so", ONNXC_CPU_AVX2 | ONNXC_CPU_AVX);
  ASSERT_NE(status, nullptr);
  EXPECT_EQ(status->code, ONNXC_STATUS_INCOMPATIBLE);
  EXPECT_EQ(status->message,
            "'m.so' needs CPU features that this machine lacks: fma avx512f");
  EXPECT_EQ(checkModelFile(file, "m.so", ~uint64_t(0)), nullptr);
}

TEST_F(BadFile, OtherMachine) {
  Outcome outcome = open(changedHeader([](Elf64_Ehdr &header) {
    header.e_machine = header.e_machine == EM_AARCH64 ? EM_X86_64 : EM_AARCH64;
  }));
  EXPECT_EQ(outcome.code, ONNXC_STATUS_INCOMPATIBLE);
#ifdef __x86_64__
  EXPECT_THAT(outcome.message,
              HasSubstr("is for AArch64, this machine is x86-64"));
#endif
}

TEST_F(BadFile, OtherClass) {
  EXPECT_EQ(open(changedHeader([](Elf64_Ehdr &header) {
              header.e_ident[EI_CLASS] = ELFCLASS32;
            })).code,
            ONNXC_STATUS_INCOMPATIBLE);
  EXPECT_EQ(open(changedHeader([](Elf64_Ehdr &header) {
              header.e_ident[EI_DATA] = ELFDATA2MSB;
            })).code,
            ONNXC_STATUS_INCOMPATIBLE);
}

TEST_F(BadFile, NotASharedLibrary) {
  Outcome outcome =
      open(changedHeader([](Elf64_Ehdr &header) { header.e_type = ET_REL; }));
  EXPECT_EQ(outcome.code, ONNXC_STATUS_INVALID_MODEL);
  EXPECT_THAT(outcome.message, HasSubstr("not a shared library"));
}

// Every length that a broken copy may have.
TEST_F(BadFile, Truncated) {
  const std::string whole = readFile(modelPath("sum"));
  for (size_t length :
       {size_t(5), size_t(16), size_t(63), size_t(64), size_t(100),
        size_t(1000), whole.size() / 2, whole.size() - 1}) {
    Outcome outcome = open(folder.write("model.so", whole.substr(0, length)));
    EXPECT_EQ(outcome.code, ONNXC_STATUS_INVALID_MODEL) << length;
    EXPECT_THAT(outcome.message, HasSubstr("is truncated"));
    EXPECT_THAT(outcome.message, HasSubstr(std::to_string(length)));
  }
}

// Headers whose offsets and sizes say nonsense are refused, not followed.
TEST_F(BadFile, AbsurdHeaders) {
  EXPECT_NE(open(changedHeader([](Elf64_Ehdr &header) {
              header.e_phoff = ~uint64_t(0) - 7;
            })).code,
            ONNXC_STATUS_OK);
  EXPECT_NE(open(changedHeader([](Elf64_Ehdr &header) {
              header.e_shoff = ~uint64_t(0) - 7;
            })).code,
            ONNXC_STATUS_OK);
  EXPECT_NE(open(changedHeader([](Elf64_Ehdr &header) {
              header.e_phnum = 0xffff;
            })).code,
            ONNXC_STATUS_OK);
  EXPECT_NE(open(changedHeader([](Elf64_Ehdr &header) {
              header.e_phentsize = 1;
            })).code,
            ONNXC_STATUS_OK);
  auto changeSegment = [&](uint32_t type, auto change) {
    return changed([&](std::string &bytes) {
      auto &header = *reinterpret_cast<Elf64_Ehdr *>(bytes.data());
      auto *segments =
          reinterpret_cast<Elf64_Phdr *>(bytes.data() + header.e_phoff);
      for (int i = 0; i < header.e_phnum; ++i)
        if (segments[i].p_type == type)
          change(segments[i]);
    });
  };
  EXPECT_NE(open(changeSegment(PT_LOAD,
                               [](Elf64_Phdr &segment) {
                                 segment.p_filesz = ~uint64_t(0);
                               }))
                .code,
            ONNXC_STATUS_OK);
  EXPECT_NE(open(changeSegment(PT_NOTE,
                               [](Elf64_Phdr &segment) {
                                 segment.p_offset = ~uint64_t(0) - 3;
                               }))
                .code,
            ONNXC_STATUS_OK);
  EXPECT_NE(
      open(changeSegment(PT_NOTE,
                         [](Elf64_Phdr &segment) { segment.p_filesz = 20; }))
          .code,
      ONNXC_STATUS_OK);
}

TEST_F(BadFile, NoteWithoutModel) {
  Outcome outcome = open(modelPath("plain_with_note"));
  EXPECT_EQ(outcome.code, ONNXC_STATUS_INVALID_MODEL);
  EXPECT_THAT(outcome.message, HasSubstr("does not export onnxc_get_model"));
}

TEST_F(BadFile, WrongMagic) {
  Outcome outcome = open(modelPath("sum_other_magic"));
  EXPECT_EQ(outcome.code, ONNXC_STATUS_INVALID_MODEL);
  EXPECT_THAT(outcome.message, HasSubstr("does not hold a model"));
}

TEST_F(BadFile, Bytes) {
  onnxc_session *session = nullptr;
  expectError(onnxc_session_create_from_bytes("hello", 5, nullptr, &session),
              ONNXC_STATUS_INVALID_MODEL,
              "'model in memory' is not a compiled model: not an ELF file");
  expectError(onnxc_session_create_from_bytes(nullptr, 0, nullptr, &session),
              ONNXC_STATUS_INVALID_MODEL,
              "'model in memory' is not a compiled model: the file is empty");
  expectError(onnxc_session_create_from_bytes(nullptr, 3, nullptr, &session),
              ONNXC_STATUS_INVALID_ARGUMENT, "data is NULL");
  EXPECT_EQ(session, nullptr);
}

TEST_F(BadFile, CheckAlone) {
  expectOk(onnxc_check_file(modelPath("sum").c_str()));
  EXPECT_EQ(Outcome(onnxc_check_file(modelPath("plain").c_str())).code,
            ONNXC_STATUS_INVALID_MODEL);
  // What only loading can tell, the check does not.
  expectOk(onnxc_check_file(modelPath("sum_other_magic").c_str()));
  expectError(onnxc_check_file(nullptr), ONNXC_STATUS_INVALID_ARGUMENT,
              "path is NULL");
}

TEST_F(BadFile, StrippedIsWhole) {
  // strip makes a file smaller than the note says; all its parts are there.
  std::string path = changed([](std::string &bytes) {
    auto &header = *reinterpret_cast<Elf64_Ehdr *>(bytes.data());
    bytes.resize(header.e_shoff);
    header.e_shoff = 0;
    header.e_shnum = header.e_shstrndx = 0;
  });
  expectOk(onnxc_check_file(path.c_str()));
}

} // namespace
