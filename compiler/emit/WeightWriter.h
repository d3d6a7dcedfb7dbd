//===- WeightWriter.h - Writes the bytes of the weight section --*- C++ -*-===//
#ifndef ONNXC_COMPILER_EMIT_WEIGHTWRITER_H
#define ONNXC_COMPILER_EMIT_WEIGHTWRITER_H

#include "dialects/kernel/WeightLayout.h"

#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"

namespace onnxc {
/// Writes the weight section, layout.bytes long, re-arranging each weight as
/// kernel.weight describes. Memory use does not grow with the weights.
llvm::Error writeWeights(const kernel::WeightLayout &layout,
                         llvm::raw_ostream &stream);
} // namespace onnxc

#endif // ONNXC_COMPILER_EMIT_WEIGHTWRITER_H
