//===- AttentionParts.h - What attention operators share --------*- C++ -*-===//
#ifndef ONNXC_COMPILER_IMPORT_CONTRIBUTED_ATTENTIONPARTS_H
#define ONNXC_COMPILER_IMPORT_CONTRIBUTED_ATTENTIONPARTS_H

#include "compiler/import/contributed/Contributed.h"

namespace onnxc {

/// 0 where `keeps`, of any numbers, is not 0, otherwise `masked`; of the type
/// of `like`.
std::string penalty(Replacement &r, const std::string &keeps, double masked,
                    const std::string &like);

/// The numbers below that of `size`, a vector of one element, as [size].
std::string countTo(Replacement &r, const std::string &size);

/// Tables of a rotary embedding, [places, half of what turns].
struct Rotation {
  std::string cosines, sines;
  bool interleaved;
  bool isPart; ///< whether elements behind those that turn may be left
};

/// Turns pairs of elements of each head of `x`, [B, S, N, h], by the angles of
/// its place: the first half with the second, or neighbours. `places` is int64
/// of [B or 1, S].
std::string rotated(Replacement &r, const std::string &x,
                    const std::string &places, const Rotation &rotation);

} // namespace onnxc

#endif // ONNXC_COMPILER_IMPORT_CONTRIBUTED_ATTENTIONPARTS_H
