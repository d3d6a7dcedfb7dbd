//===- Operators.h - Operators on strings -*- C++ -*-===//
#ifndef ONNXC_RUNTIME_HOST_OPERATORS_H
#define ONNXC_RUNTIME_HOST_OPERATORS_H

#include "Call.h"

namespace onnxc::host {

// Tensors of strings, unless stated otherwise; the result's shape is that of
// the first argument.

/// a, b of one shape: whether they are equal, bool.
void equal(Call &call);
/// a, b of one shape: a followed by b.
void concat(Call &call);
/// x, delimiter [0 or 1], maxsplit (int64, -1: no limit): the parts, padded
/// with empty strings to the greatest number of them, and their numbers, int64.
void split(Call &call);
/// x of [C] or [1, C], case_change_action [1], is_case_sensitive (int64),
/// stopwords [N]: without the stopwords, changed in case.
void normalize(Call &call);
/// x, pattern [1]: whether the pattern matches all of a string, bool.
void regexFullMatch(Call &call);
/// x, tokenexp [0 or 1], separators [N], pad_value [1], mincharnum and mark
/// (int64): the tokens, in one more dim. UTF-8.
void tokenize(Call &call);
/// x, keys [N]: the position of the first equal key, or -1, int64.
void indexOf(Call &call);
/// x: of each string how many different ones of x are less by their bytes,
/// int64.
void ranks(Call &call);
/// x of numbers: as ONNX Runtime prints them.
void toStrings(Call &call);
/// x, the element type (int64): numbers.
void fromStrings(Call &call);

} // namespace onnxc::host

#endif // ONNXC_RUNTIME_HOST_OPERATORS_H
