//===- InputCheck.h - Whether inputs fit a model -*- C++ -*-===//
#ifndef ONNXC_RUNTIME_SRC_INPUTCHECK_H
#define ONNXC_RUNTIME_SRC_INPUTCHECK_H

#include "Status.h"

#include <vector>

namespace onnxc::runtime {

/// Compares values with what a model says of its inputs. Made once for a
/// session, so that a run compares numbers only.
class InputCheck {
public:
  explicit InputCheck(const onnxc_model &model);

  /// `values` has one entry for each input of the model. `symbolValues` is
  /// memory that the caller keeps from run to run.
  Status check(const onnxc_value *values,
               std::vector<int64_t> &symbolValues) const;

private:
  // A dim whose name appears more than once in the inputs; the others cannot
  // contradict anything.
  struct SymbolicDim {
    size_t input, dim, symbol;
  };

  Status checkOne(size_t input, const onnxc_value &value) const;
  Status unequalDims(const SymbolicDim &dim, const onnxc_value *values,
                     int64_t expected) const;

  const onnxc_model &model;
  std::vector<SymbolicDim> symbolicDims;
  size_t symbolCount = 0;
};

} // namespace onnxc::runtime

#endif // ONNXC_RUNTIME_SRC_INPUTCHECK_H
