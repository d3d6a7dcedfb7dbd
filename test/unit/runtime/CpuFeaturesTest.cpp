//===- CpuFeaturesTest.cpp - Our cpuid against the kernel's reading -===//
#include "CpuFeatures.h"
#include "Support.h"

#include <set>
#include <sstream>

using namespace onnxc::test;

namespace {

#ifdef __x86_64__
TEST(CpuFeatures, AgreeWithTheKernel) {
  std::ifstream file("/proc/cpuinfo");
  std::set<std::string> flags;
  for (std::string line; std::getline(file, line);)
    if (line.rfind("flags", 0) == 0) {
      std::istringstream words(line.substr(line.find(':') + 1));
      for (std::string word; words >> word;)
        flags.insert(word);
      break;
    }
  if (flags.empty())
    GTEST_SKIP() << "/proc/cpuinfo lists no flags";
  // The kernel's older names.
  if (flags.count("pni"))
    flags.insert("sse3");
  if (flags.count("abm"))
    flags.insert("lzcnt");
  uint64_t features = onnxc_cpu_features();
  for (unsigned bit = 0; onnxc_cpu_feature_name(bit); ++bit) {
    const char *name = onnxc_cpu_feature_name(bit);
    EXPECT_EQ(features >> bit & 1, flags.count(name)) << name;
  }
}
#endif

TEST(CpuFeatures, Names) {
  auto nameOf = [](uint64_t feature) {
    return std::string(onnxc_cpu_feature_name(__builtin_ctzll(feature)));
  };
  EXPECT_EQ(nameOf(ONNXC_CPU_SSE3), "sse3");
  EXPECT_EQ(nameOf(ONNXC_CPU_AVX2), "avx2");
  EXPECT_EQ(nameOf(ONNXC_CPU_AVX512F), "avx512f");
  EXPECT_EQ(nameOf(ONNXC_CPU_AVX512FP16), "avx512_fp16");
  EXPECT_EQ(nameOf(ONNXC_CPU_AVXVNNI), "avx_vnni");
  EXPECT_EQ(onnxc_cpu_feature_name(24), nullptr);
  EXPECT_EQ(onnxc_cpu_feature_name(63), nullptr);
}

} // namespace
