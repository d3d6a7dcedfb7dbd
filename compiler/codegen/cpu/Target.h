//===- Target.h - What the code generator knows of a CPU --------*- C++ -*-===//
//
// The only place that knows vector width, registers and caches.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_COMPILER_CODEGEN_CPU_TARGET_H
#define ONNXC_COMPILER_CODEGEN_CPU_TARGET_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <string>
#include <vector>

namespace onnxc {

struct Target {
  std::string triple;   ///< "x86_64-unknown-linux-gnu"
  std::string cpu;      ///< LLVM's name: "x86-64-v4"
  std::string features; ///< LLVM's feature list, "+avx512f,...", may be empty
  std::string name;     ///< as the user spelled it; shown to a person
  int64_t vectorBits;   ///< width of a vector register: 512, 256, 128
  int64_t vectorRegisters; ///< 32 or 16
  int64_t l1Bytes = 32 * 1024;
  int64_t l2Bytes = 1024 * 1024;
  /// Whether one instruction multiplies two vectors of 16-bit integers and adds
  /// neighbouring products (x86: pmaddwd).
  bool hasPairProducts = false;
  /// Whether one instruction multiplies floats and adds, rounding once.
  bool hasMultiplyAdd = false;

  /// Elements of type f32 in a vector register.
  int64_t f32Lanes() const { return vectorBits / 32; }
};

/// The target for a CPU name of LLVM's, or "native", and a target triple
/// (empty: this machine's). Only ELF libraries for 64-bit x86 and ARM Linux.
/// Features that a loader cannot check (cpuFeatureBits) are switched off.
llvm::Expected<Target> makeTarget(llvm::StringRef cpu, llvm::StringRef triple);

/// The targets of a list of CPU names with commas between: the most demanding
/// first, no two alike. All others have the features of the last one, so that a
/// machine can do with a library for all of them when it can do with that one.
llvm::Expected<std::vector<Target>> makeTargets(llvm::StringRef cpus,
                                                llvm::StringRef triple);

/// The ONNXC_CPU_* bits (model_abi.h) of what code for `target` may use.
uint64_t cpuFeatureBits(const Target &target);

/// Columns of a packed weight panel. The same on every target, so that one
/// packing serves all; narrower vectors take several loads a panel.
constexpr int64_t panelWidth = 16;

} // namespace onnxc

#endif // ONNXC_COMPILER_CODEGEN_CPU_TARGET_H
