/*===- CpuFeatures.h - What this CPU offers -------------------*- C -*-===*\
|*
|* Reads cpuid and xgetbv by itself: the compiler's builtins for this need a
|* support library, and report what the CPU has rather than what the operating
|* system lets a program use. Plain C without any header but model_abi.h, so
|* that freestanding code can share it.
|*
\*===----------------------------------------------------------------------===*/
#ifndef ONNXC_RUNTIME_SRC_CPUFEATURES_H
#define ONNXC_RUNTIME_SRC_CPUFEATURES_H

#include "onnxc/model_abi.h"

#if defined(__x86_64__)

typedef struct onnxc_cpuid_registers {
  uint32_t eax, ebx, ecx, edx;
} onnxc_cpuid_registers;

static inline onnxc_cpuid_registers onnxc_cpuid(uint32_t leaf,
                                                uint32_t subleaf) {
  onnxc_cpuid_registers r;
  __asm__ volatile("cpuid"
                   : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                   : "a"(leaf), "c"(subleaf));
  return r;
}

/* The register sets that the operating system saves: bits of XCR0. */
static inline uint32_t onnxc_xgetbv0(void) {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

/* ONNXC_CPU_* bits of this CPU, as far as the operating system supports them.
 */
static inline uint64_t onnxc_cpu_features(void) {
  onnxc_cpuid_registers leaf1 = onnxc_cpuid(1, 0);
  onnxc_cpuid_registers leaf7 = {0, 0, 0, 0}, leaf7_1 = {0, 0, 0, 0};
  onnxc_cpuid_registers extended = {0, 0, 0, 0};
  uint64_t bits = 0;
  uint32_t saved = 0;
  int avx, avx512;

  if (onnxc_cpuid(0, 0).eax >= 7) {
    leaf7 = onnxc_cpuid(7, 0);
    if (leaf7.eax >= 1)
      leaf7_1 = onnxc_cpuid(7, 1);
  }
  if (onnxc_cpuid(0x80000000u, 0).eax >= 0x80000001u)
    extended = onnxc_cpuid(0x80000001u, 0);
  if (leaf1.ecx >> 27 & 1) /* OSXSAVE: xgetbv may be used */
    saved = onnxc_xgetbv0();
  avx = (saved & 0x6) == 0x6;      /* XMM and YMM */
  avx512 = (saved & 0xe6) == 0xe6; /* and the masks and ZMM */

#define ONNXC_CPU_BIT(condition, reg, bit, feature)                            \
  if ((condition) && ((reg) >> (bit) & 1))                                     \
  bits |= (feature)
  ONNXC_CPU_BIT(1, leaf1.ecx, 0, ONNXC_CPU_SSE3);
  ONNXC_CPU_BIT(1, leaf1.ecx, 9, ONNXC_CPU_SSSE3);
  ONNXC_CPU_BIT(1, leaf1.ecx, 19, ONNXC_CPU_SSE4_1);
  ONNXC_CPU_BIT(1, leaf1.ecx, 20, ONNXC_CPU_SSE4_2);
  ONNXC_CPU_BIT(1, leaf1.ecx, 23, ONNXC_CPU_POPCNT);
  ONNXC_CPU_BIT(1, leaf1.ecx, 13, ONNXC_CPU_CX16);
  ONNXC_CPU_BIT(1, extended.ecx, 0, ONNXC_CPU_SAHF);
  ONNXC_CPU_BIT(1, leaf1.ecx, 22, ONNXC_CPU_MOVBE);
  ONNXC_CPU_BIT(1, leaf7.ebx, 3, ONNXC_CPU_BMI);
  ONNXC_CPU_BIT(1, leaf7.ebx, 8, ONNXC_CPU_BMI2);
  ONNXC_CPU_BIT(1, extended.ecx, 5, ONNXC_CPU_LZCNT);
  ONNXC_CPU_BIT(avx, leaf1.ecx, 28, ONNXC_CPU_AVX);
  ONNXC_CPU_BIT(avx, leaf7.ebx, 5, ONNXC_CPU_AVX2);
  ONNXC_CPU_BIT(avx, leaf1.ecx, 12, ONNXC_CPU_FMA);
  ONNXC_CPU_BIT(avx, leaf1.ecx, 29, ONNXC_CPU_F16C);
  ONNXC_CPU_BIT(avx, leaf7_1.eax, 4, ONNXC_CPU_AVXVNNI);
  ONNXC_CPU_BIT(avx512, leaf7.ebx, 16, ONNXC_CPU_AVX512F);
  ONNXC_CPU_BIT(avx512, leaf7.ebx, 30, ONNXC_CPU_AVX512BW);
  ONNXC_CPU_BIT(avx512, leaf7.ebx, 28, ONNXC_CPU_AVX512CD);
  ONNXC_CPU_BIT(avx512, leaf7.ebx, 17, ONNXC_CPU_AVX512DQ);
  ONNXC_CPU_BIT(avx512, leaf7.ebx, 31, ONNXC_CPU_AVX512VL);
  ONNXC_CPU_BIT(avx512, leaf7.ecx, 11, ONNXC_CPU_AVX512VNNI);
  ONNXC_CPU_BIT(avx512, leaf7_1.eax, 5, ONNXC_CPU_AVX512BF16);
  ONNXC_CPU_BIT(avx512, leaf7.edx, 23, ONNXC_CPU_AVX512FP16);
#undef ONNXC_CPU_BIT
  return bits;
}

#else

static inline uint64_t onnxc_cpu_features(void) { return 0; }

#endif

/* The name of feature bit `index` (0 to 63), as in /proc/cpuinfo where it has
 * one there; NULL for a bit without meaning. */
static inline const char *onnxc_cpu_feature_name(unsigned index) {
  static const char *const names[] = {
      "sse3",        "ssse3",       "sse4_1",      "sse4_2",   "popcnt",
      "cx16",        "lahf_lm",     "avx",         "avx2",     "fma",
      "f16c",        "bmi1",        "bmi2",        "lzcnt",    "movbe",
      "avx512f",     "avx512bw",    "avx512cd",    "avx512dq", "avx512vl",
      "avx512_vnni", "avx512_bf16", "avx512_fp16", "avx_vnni"};
  return index < sizeof names / sizeof names[0] ? names[index] : NULL;
}

#endif /* ONNXC_RUNTIME_SRC_CPUFEATURES_H */
