//===- Elements.h - The bytes of constant tensors ---------------*- C++ -*-===//
//
// A constant is a `dense` attribute when small or a splat, else a
// `dense_resource` that points at bytes which somebody else keeps. Here both
// look alike: row-major, little-endian, each element in a whole number of
// bytes (a bool or a 4-bit integer in one).
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_DIALECTS_ONNX_ELEMENTS_H
#define ONNXC_DIALECTS_ONNX_ELEMENTS_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Value.h"

#include <optional>
#include <vector>

namespace onnxc {

/// The elements of a constant as bytes.
class ElementBytes {
public:
  /// The bytes: of one element when `isSplat`, else of all.
  llvm::ArrayRef<char> bytes() const {
    return owned.empty() ? referenced : llvm::ArrayRef<char>(owned);
  }
  bool isSplat() const { return splat; }
  int64_t elementSize() const { return size; }
  /// How many elements the tensor has.
  int64_t count() const { return elements; }
  /// The bytes of element `index`.
  llvm::ArrayRef<char> element(int64_t index) const {
    return bytes().slice(splat ? 0 : index * size, size);
  }
  /// The bytes of all elements, a splat repeated.
  std::vector<char> expanded() const;

private:
  friend std::optional<ElementBytes> elementBytes(mlir::ElementsAttr);
  llvm::ArrayRef<char> referenced;
  std::vector<char> owned;
  bool splat = false;
  int64_t size = 0;
  int64_t elements = 0;
};

/// Bytes that one element of `type` takes in a tensor; 0 for a type without
/// bytes (strings).
int64_t elementSize(mlir::Type type);

/// The bytes of `elements`, nullopt for strings and for attributes other than
/// `dense` and `dense_resource`. Refers to the attribute's storage, which lives
/// as long as the context (and the model that a resource points into).
std::optional<ElementBytes> elementBytes(mlir::ElementsAttr elements);

/// The values of an integer or bool tensor; nullopt for other types.
std::optional<llvm::SmallVector<int64_t>>
integerValues(mlir::ElementsAttr elements);

/// The values of a floating-point tensor of up to 64 bits.
std::optional<llvm::SmallVector<double>>
floatValues(mlir::ElementsAttr elements);

/// A constant of `type` from its bytes, in the form described above. More than
/// 1 KB that is no splat becomes a `dense_resource` that refers to `bytes`: the
/// caller keeps them. The sizes must fit; `type` has a static shape and an
/// element type that has bytes.
mlir::ElementsAttr makeElements(mlir::ShapedType type,
                                llvm::ArrayRef<char> bytes);

/// The same, but the attribute takes the bytes over.
mlir::ElementsAttr makeElements(mlir::ShapedType type,
                                std::vector<char> &&bytes);

/// The value when `value` is the result of an `onnx.Constant`, else null.
mlir::ElementsAttr constantElements(mlir::Value value);

} // namespace onnxc

#endif // ONNXC_DIALECTS_ONNX_ELEMENTS_H
