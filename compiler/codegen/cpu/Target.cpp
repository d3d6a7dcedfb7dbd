//===- Target.cpp - What the code generator knows of a CPU ----------------===//

#include "compiler/codegen/cpu/Target.h"
#include "runtime/include/onnxc/model_abi.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/bit.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"

#include <memory>
#include <mutex>
#include <optional>

#include <unistd.h>

using namespace llvm;

namespace {
struct FeatureBit {
  StringLiteral feature;
  uint64_t bit;
};
} // namespace

static constexpr FeatureBit featureBits[] = {
    {"sse3", ONNXC_CPU_SSE3},
    {"ssse3", ONNXC_CPU_SSSE3},
    {"sse4.1", ONNXC_CPU_SSE4_1},
    {"sse4.2", ONNXC_CPU_SSE4_2},
    {"popcnt", ONNXC_CPU_POPCNT},
    {"cx16", ONNXC_CPU_CX16},
    {"sahf", ONNXC_CPU_SAHF},
    {"avx", ONNXC_CPU_AVX},
    {"avx2", ONNXC_CPU_AVX2},
    {"fma", ONNXC_CPU_FMA},
    {"f16c", ONNXC_CPU_F16C},
    {"bmi", ONNXC_CPU_BMI},
    {"bmi2", ONNXC_CPU_BMI2},
    {"lzcnt", ONNXC_CPU_LZCNT},
    {"movbe", ONNXC_CPU_MOVBE},
    {"avx512f", ONNXC_CPU_AVX512F},
    {"avx512bw", ONNXC_CPU_AVX512BW},
    {"avx512cd", ONNXC_CPU_AVX512CD},
    {"avx512dq", ONNXC_CPU_AVX512DQ},
    {"avx512vl", ONNXC_CPU_AVX512VL},
    {"avx512vnni", ONNXC_CPU_AVX512VNNI},
    {"avx512bf16", ONNXC_CPU_AVX512BF16},
    {"avx512fp16", ONNXC_CPU_AVX512FP16},
    {"avxvnni", ONNXC_CPU_AVXVNNI},
};

// Features that the optimiser would use unasked, or intrinsics need, and that
// have no bit above: a library that used them could crash where its note says
// that it runs.
static constexpr StringLiteral uncheckedFeatures[] = {
    "adx",
    "aes",
    "amx-tile",
    "avx10.1",
    "avx10.2",
    "avx512bitalg",
    "avx512ifma",
    "avx512vbmi",
    "avx512vbmi2",
    "avx512vp2intersect",
    "avx512vpopcntdq",
    "avxifma",
    "avxneconvert",
    "avxvnniint16",
    "avxvnniint8",
    "ccmp",
    "cf",
    "cmpccxadd",
    "egpr",
    "fma4",
    "gfni",
    "lwp",
    "movdir64b",
    "movdiri",
    "movrs",
    "ndd",
    "nf",
    "pclmul",
    "ppx",
    "prefetchi",
    "prfchw",
    "push2pop2",
    "raoint",
    "rdpid",
    "rtm",
    "sha",
    "sha512",
    "sm3",
    "sm4",
    "sse4a",
    "tbm",
    "vaes",
    "vpclmulqdq",
    "xop",
    "zu",
};

static Error makeError(const Twine &message) {
  return createStringError(inconvertibleErrorCode(), message);
}

static void initializeTargets() {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeX86AsmParser();
    LLVMInitializeAArch64TargetInfo();
    LLVMInitializeAArch64Target();
    LLVMInitializeAArch64TargetMC();
    LLVMInitializeAArch64AsmPrinter();
    LLVMInitializeAArch64AsmParser();
  });
}

static std::unique_ptr<MCSubtargetInfo>
makeSubtarget(const Triple &triple, StringRef cpu, StringRef features) {
  std::string error;
  const llvm::Target *target = TargetRegistry::lookupTarget(triple, error);
  if (!target)
    return nullptr;
  return std::unique_ptr<MCSubtargetInfo>(
      target->createMCSubtargetInfo(triple, cpu, features));
}

static bool hasFeature(const MCSubtargetInfo &subtarget, StringRef name) {
  return subtarget.checkFeatures(("+" + name).str());
}

static Error unknownCpu(StringRef cpu, const Triple &triple,
                        const MCSubtargetInfo &subtarget) {
  std::string message = ("unknown CPU '" + cpu + "' for " +
                         triple.getArchName() + "; known are native")
                            .str();
  StringRef nearest;
  unsigned least = std::min<size_t>(4, cpu.size() / 2);
  for (const SubtargetSubTypeKV &processor :
       subtarget.getAllProcessorDescriptions()) {
    StringRef name(processor.Key);
    unsigned distance = cpu.edit_distance(name, true, least);
    if (distance < least) {
      least = distance;
      nearest = name;
    }
  }
  message += triple.isX86() ? ", x86-64-v2, x86-64-v3, x86-64-v4"
                            : ", generic, cortex-a72, neoverse-n1";
  message += " and LLVM's other names";
  if (!nearest.empty())
    message += (" (did you mean " + nearest + "?)").str();
  return makeError(message);
}

/// Features that this machine has and lacks; its CPU's name may promise some
/// that a hypervisor hides.
static std::string hostFeatures() {
  StringMap<bool> features = sys::getHostCPUFeatures();
  std::vector<std::string> list;
  for (const auto &feature : features)
    list.push_back((feature.second ? "+" : "-") + feature.first().str());
  llvm::sort(list); // a StringMap has no order
  return llvm::join(list, ",");
}

Expected<onnxc::Target> onnxc::makeTarget(StringRef cpu, StringRef tripleName) {
  initializeTargets();
  Triple host(sys::getProcessTriple());
  Triple triple(tripleName.empty() ? host.str()
                                   : Triple::normalize(tripleName));
  bool x86 = triple.getArch() == Triple::x86_64 && !triple.isX32();
  if ((!x86 && triple.getArch() != Triple::aarch64) || !triple.isOSLinux() ||
      !triple.isOSBinFormatELF())
    return makeError("triple '" +
                     (tripleName.empty() ? host.str() : tripleName) +
                     "' is not supported: libraries are made for x86_64 and "
                     "aarch64 Linux");

  bool native = cpu == "native" || cpu.empty();
  bool ownArch = triple.getArch() == host.getArch();
  Target target;
  target.triple = triple.str();
  target.cpu = cpu.str();
  target.name = cpu.str();
  if (native) {
    target.cpu = ownArch ? sys::getHostCPUName().str() : "generic";
    target.features = ownArch && x86 ? hostFeatures() : "";
    if (!ownArch && x86)
      target.cpu = "x86-64-v2";
    target.name = target.cpu;
  }

  std::unique_ptr<MCSubtargetInfo> subtarget = makeSubtarget(triple, "", "");
  if (!subtarget)
    return makeError("this LLVM has no code generator for " + triple.str());
  if (!subtarget->isCPUStringValid(target.cpu)) {
    if (!native)
      return unknownCpu(cpu, triple, *subtarget);
    target.cpu = x86 ? "x86-64" : "generic"; // newer than this LLVM
  }
  subtarget = makeSubtarget(triple, target.cpu, target.features);
  if (x86) {
    if (!hasFeature(*subtarget, "64bit"))
      return makeError("CPU '" + cpu + "' has no 64-bit mode");
    for (StringRef feature : uncheckedFeatures) {
      if (!hasFeature(*subtarget, feature))
        continue;
      if (!target.features.empty())
        target.features += ",";
      target.features += ("-" + feature).str();
    }
    subtarget = makeSubtarget(triple, target.cpu, target.features);
  }

  bool avx512 = x86 && hasFeature(*subtarget, "avx512f") &&
                hasFeature(*subtarget, "avx512bw") &&
                hasFeature(*subtarget, "avx512dq") &&
                hasFeature(*subtarget, "avx512vl");
  bool avx = x86 && hasFeature(*subtarget, "avx");
  target.vectorBits = avx512 ? 512 : avx ? 256 : 128;
  target.vectorRegisters = avx512 || !x86 ? 32 : 16;
  target.hasMultiplyAdd = !x86 || hasFeature(*subtarget, "fma");
  target.hasPairProducts = x86 && (!avx || hasFeature(*subtarget, "avx2"));
  if (native && ownArch) {
    if (long bytes = sysconf(_SC_LEVEL1_DCACHE_SIZE); bytes > 0)
      target.l1Bytes = bytes;
    if (long bytes = sysconf(_SC_LEVEL2_CACHE_SIZE); bytes > 0)
      target.l2Bytes = bytes;
  }
  return target;
}

uint64_t onnxc::cpuFeatureBits(const Target &target) {
  Triple triple(target.triple);
  if (!triple.isX86())
    return 0;
  std::unique_ptr<MCSubtargetInfo> subtarget =
      makeSubtarget(triple, target.cpu, target.features);
  uint64_t bits = 0;
  if (subtarget)
    for (const FeatureBit &entry : featureBits)
      if (hasFeature(*subtarget, entry.feature))
        bits |= entry.bit;
  return bits;
}

Expected<std::vector<onnxc::Target>> onnxc::makeTargets(StringRef cpus,
                                                        StringRef triple) {
  struct Candidate {
    Target target;
    uint64_t features;
  };
  std::vector<Candidate> candidates;
  for (StringRef cpu : split(cpus, ',')) {
    if (cpu.empty() && !candidates.empty())
      return makeError("CPUs '" + cpus + "': a name is missing");
    Expected<Target> target = makeTarget(cpu, triple);
    if (!target)
      return target.takeError();
    uint64_t features = cpuFeatureBits(*target);
    if (llvm::none_of(candidates, [&](const Candidate &other) {
          return other.features == features;
        }))
      candidates.push_back({std::move(*target), features});
    else if (!Triple(target->triple).isX86())
      return makeError("CPUs '" + cpus +
                       "': a library can only tell x86-64 CPUs apart");
  }
  llvm::sort(candidates, [](const Candidate &a, const Candidate &b) {
    auto rank = [](const Candidate &c) {
      return std::tuple(c.target.vectorBits, llvm::popcount(c.features),
                        StringRef(c.target.name));
    };
    return rank(a) > rank(b);
  });
  std::vector<Target> targets;
  const Candidate &least = candidates.back();
  for (Candidate &candidate : candidates) {
    if (least.features & ~candidate.features)
      return makeError("CPUs '" + cpus + "': " + candidate.target.name +
                       " lacks features of " + least.target.name +
                       ", which would be for all machines without a better "
                       "one; add one that both can do with (x86-64-v3)");
    targets.push_back(candidate.target);
  }
  return targets;
}
