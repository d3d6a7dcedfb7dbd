//===- ComplexNumbers.cpp - Operators on complex numbers by parts ---------===//

#include "compiler/lower/ComplexNumbers.h"
#include "compiler/lower/Scalars.h"

using namespace mlir;
using namespace onnxc;

Value onnxc::complexPart(Lowering &l, Value patterns, ComplexType type,
                         ComplexPart part) {
  Type element = type.getElementType();
  unsigned bits = element.getIntOrFloatBitWidth();
  return l.mapSame(element, patterns, [&](OpBuilder &nested, ValueRange in) {
    Value pattern = in[0];
    if (part == ComplexPart::Imaginary)
      pattern = arith::ShRUIOp::create(
          nested, l.loc, pattern,
          Scalars{nested, l.loc}.integer(pattern.getType(), bits));
    pattern = arith::TruncIOp::create(nested, l.loc,
                                      nested.getIntegerType(bits), pattern);
    return Value(arith::BitcastOp::create(nested, l.loc, element, pattern));
  });
}

Value onnxc::complexPatterns(Lowering &l, Value real, Value imaginary) {
  unsigned bits = cast<RankedTensorType>(real.getType())
                      .getElementType()
                      .getIntOrFloatBitWidth();
  Type wide = l.b.getIntegerType(2 * bits);
  return l.mapSame(
      wide, {real, imaginary}, [&](OpBuilder &nested, ValueRange in) {
        auto extended = [&](Value x) -> Value {
          return arith::ExtUIOp::create(
              nested, l.loc, wide,
              arith::BitcastOp::create(nested, l.loc,
                                       nested.getIntegerType(bits), x));
        };
        Value upper =
            arith::ShLIOp::create(nested, l.loc, extended(in[1]),
                                  Scalars{nested, l.loc}.integer(wide, bits));
        return Value(
            arith::OrIOp::create(nested, l.loc, extended(in[0]), upper));
      });
}

Value onnxc::byParts(
    Lowering &l, Value tensor, Type element,
    llvm::function_ref<Value(Value, Type, ComplexPart)> compute) {
  auto type = dyn_cast<ComplexType>(element);
  if (!type)
    return compute(tensor, element, ComplexPart::Real);
  Value parts[2];
  for (ComplexPart part : {ComplexPart::Real, ComplexPart::Imaginary})
    parts[static_cast<int>(part)] = compute(complexPart(l, tensor, type, part),
                                            type.getElementType(), part);
  return complexPatterns(l, parts[0], parts[1]);
}
