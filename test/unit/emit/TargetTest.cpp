//===- TargetTest.cpp - CPU names and features ----------------------------===//

#include "compiler/codegen/cpu/Target.h"
#include "runtime/include/onnxc/model_abi.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

using namespace onnxc;
using testing::HasSubstr;

namespace {

const char *const x86 = "x86_64-unknown-linux-gnu";

Target target(const char *cpu, const char *triple = x86) {
  return llvm::cantFail(makeTarget(cpu, triple));
}

std::string refusal(const char *cpu, const char *triple) {
  llvm::Expected<Target> result = makeTarget(cpu, triple);
  return result ? "" : toString(result.takeError());
}

TEST(Target, Levels) {
  EXPECT_EQ(target("x86-64-v2").vectorBits, 128);
  EXPECT_EQ(target("x86-64-v2").vectorRegisters, 16);
  EXPECT_EQ(target("x86-64-v3").vectorBits, 256);
  EXPECT_EQ(target("x86-64-v4").vectorBits, 512);
  EXPECT_EQ(target("x86-64-v4").vectorRegisters, 32);
  EXPECT_EQ(target("generic", "aarch64-linux-gnu").vectorBits, 128);
  EXPECT_EQ(target("generic", "aarch64-linux-gnu").vectorRegisters, 32);
}

TEST(Target, FeatureBits) {
  EXPECT_EQ(cpuFeatureBits(target("x86-64")), 0u);
  uint64_t v2 = cpuFeatureBits(target("x86-64-v2"));
  EXPECT_TRUE(v2 & ONNXC_CPU_SSE4_2);
  EXPECT_FALSE(v2 & ONNXC_CPU_AVX);
  uint64_t v4 = cpuFeatureBits(target("x86-64-v4"));
  EXPECT_TRUE(v4 & ONNXC_CPU_AVX512VL);
  EXPECT_FALSE(v4 & ONNXC_CPU_AVX512VNNI);
  EXPECT_TRUE(cpuFeatureBits(target("sapphirerapids")) & ONNXC_CPU_AVX512FP16);
}

TEST(Target, FeaturesWithoutABitAreOff) {
  EXPECT_THAT(target("znver5").features, HasSubstr("-avx512vbmi,"));
  EXPECT_THAT(target("znver5").features, HasSubstr("-gfni,"));
}

TEST(Target, ListsAreTheMostDemandingFirst) {
  auto names = [](const char *cpus) {
    llvm::Expected<std::vector<Target>> targets = makeTargets(cpus, x86);
    if (!targets)
      return toString(targets.takeError());
    std::string text;
    for (const Target &each : *targets)
      text += each.name + " ";
    return text;
  };
  EXPECT_EQ(names("x86-64-v3"), "x86-64-v3 ");
  EXPECT_EQ(names("x86-64-v2,x86-64-v4,x86-64-v3,x86-64-v2"),
            "x86-64-v4 x86-64-v3 x86-64-v2 ");
  EXPECT_EQ(names("x86-64-v3,"), "CPUs 'x86-64-v3,': a name is missing");
  EXPECT_THAT(names("x86-64-v3,haswel"), HasSubstr("unknown CPU 'haswel'"));
  // Neither could stand in for the other.
  EXPECT_THAT(names("alderlake,skx"), HasSubstr("lacks features of"));
  llvm::Expected<std::vector<Target>> arm =
      makeTargets("generic,neoverse-n1", "aarch64-linux-gnu");
  EXPECT_THAT(toString(arm.takeError()), HasSubstr("only tell x86-64 CPUs"));
}

TEST(Target, Refusals) {
  EXPECT_EQ(refusal("haswel", x86),
            "unknown CPU 'haswel' for x86_64; known are native, x86-64-v2, "
            "x86-64-v3, x86-64-v4 and LLVM's other names (did you mean "
            "haswell?)");
  EXPECT_THAT(refusal("x86-64-v3", "aarch64-linux-gnu"),
              HasSubstr("unknown CPU"));
  EXPECT_THAT(refusal("i686", x86), HasSubstr("no 64-bit mode"));
  EXPECT_THAT(refusal("native", "riscv64-linux-gnu"),
              HasSubstr("not supported"));
  EXPECT_THAT(refusal("native", "x86_64-windows"), HasSubstr("not supported"));
  EXPECT_THAT(refusal("native", "!"), HasSubstr("not supported"));
}

} // namespace
