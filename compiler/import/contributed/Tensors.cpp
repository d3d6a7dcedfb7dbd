//===- Tensors.cpp - Trilu, Inverse, NhwcMaxPool --------------------------===//

#include "compiler/import/contributed/Contributed.h"

#include <limits>

using namespace onnxc;
using onnx::MakeAttribute;
using onnx::TensorProto;

static void replaceTrilu(Replacement &r) {
  if (r.opset < 14)
    return r.refuse("needs opset 14 of ai.onnx or a later one");
  std::vector<std::string> inputs{r.in(0)};
  if (r.has(1))
    inputs.push_back(r.in(1));
  r.result(0, r.call("Trilu", inputs,
                     {MakeAttribute("upper", r.integer("upper", 1))}));
}

//===----------------------------------------------------------------------===//
// Inverse
//===----------------------------------------------------------------------===//

/// One step of Gauss and Jordan on `a`, [M, n, 2 n]: the row with the greatest
/// pivot of column `step` comes to place `step`, and its multiples clear the
/// column in all others.
static std::string eliminated(Replacement &r, const std::string &a,
                              const std::string &step) {
  auto column = [&](const std::string &of) {
    return r.call("Gather", {of, step}, {MakeAttribute("axis", int64_t(2))});
  };
  std::string size = r.dim(a, 1);
  std::string rows =
      r.call("Range",
             {r.scalar(0),
              r.call("Reshape", {size, r.integers(llvm::ArrayRef<int64_t>())}),
              r.scalar(1)});
  std::string isOwn = r.call("Equal", {rows, step});
  std::string isDone = r.call("Less", {rows, step});
  std::string sizes =
      r.call("Where", {isDone, r.number(-1, a), r.call("Abs", {column(a)})});
  std::string best = r.call("ArgMax", {sizes},
                            {MakeAttribute("axis", int64_t(1)),
                             MakeAttribute("keepdims", int64_t(1))});
  std::string order = r.call(
      "Where", {isOwn, best,
                r.call("Where", {r.call("Equal", {rows, best}), step, rows})});
  std::string places =
      r.call("Expand", {r.unsqueeze(order, 2), r.call("Shape", {a})});
  std::string swapped = r.call("GatherElements", {a, places},
                               {MakeAttribute("axis", int64_t(1))});
  std::string row =
      r.call("Gather", {swapped, step}, {MakeAttribute("axis", int64_t(1))});
  std::string pivot = r.unsqueeze(
      r.call("Gather", {row, step}, {MakeAttribute("axis", int64_t(1))}), 1);
  std::string unit = r.unsqueeze(r.call("Div", {row, pivot}), 1);
  std::string factors = r.unsqueeze(column(swapped), 2);
  std::string cleared =
      r.call("Sub", {swapped, r.call("Mul", {factors, unit})});
  return r.call("Where", {r.unsqueeze(isOwn, 1), unit, cleared});
}

/// Of each matrix [n, n] in the last two dims. Of a singular one the result is
/// not finite.
static void replaceInverse(Replacement &r) {
  std::optional<int32_t> type = r.elementType(r.in(0));
  if (!type)
    return;
  if (r.opset < 13)
    return r.refuse("needs opset 13 of ai.onnx or a later one");
  auto compute =
      *type == TensorProto::DOUBLE ? TensorProto::DOUBLE : TensorProto::FLOAT;
  std::string x = r.cast(r.in(0), compute);
  std::string shape = r.call("Shape", {x});
  std::string size = r.dim(x, -1);
  onnx::AttributeProto front = MakeAttribute("axis", int64_t(0)),
                       back = MakeAttribute("axis", int64_t(2));
  std::string flat = r.call(
      "Reshape", {x, r.call("Concat", {r.integers(-1), size, size}, {front})});
  // Beside each matrix the unit matrix, which becomes the inverse.
  std::string unit = r.call(
      "EyeLike",
      {r.call("ConstantOfShape", {r.call("Concat", {size, size}, {front})})},
      {MakeAttribute("dtype", static_cast<int64_t>(compute))});
  std::string wide =
      r.call("Concat",
             {flat, r.call("Expand", {unit, r.call("Shape", {flat})})}, {back});
  std::string steps =
      r.call("Reshape", {size, r.integers(llvm::ArrayRef<int64_t>())});
  std::string result =
      r.loop(steps, wide, compute,
             [&](const std::string &step, const std::string &state) {
               return eliminated(r, state, step);
             });
  std::string inverse =
      r.slice(result, size, r.integers(std::numeric_limits<int64_t>::max()), 2);
  r.result(0, r.cast(r.call("Reshape", {inverse, shape}),
                     static_cast<TensorProto::DataType>(*type)));
}

//===----------------------------------------------------------------------===//
// NhwcMaxPool
//===----------------------------------------------------------------------===//

static void replaceNhwcMaxPool(Replacement &r) {
  if (r.opset < 12)
    return r.refuse("needs opset 12 of ai.onnx or a later one");
  std::string y = r.call("MaxPool", {r.channelsFirst(r.in(0), 4)},
                         r.given({"auto_pad", "ceil_mode", "dilations",
                                  "kernel_shape", "pads", "strides"}));
  r.result(0, r.channelsLast(y, 4));
}

void onnxc::addContributedTensors(ContributedOperators &operators) {
  operators.add("Trilu", replaceTrilu, {"upper"});
  operators.add("Inverse", replaceInverse);
  operators.add("NhwcMaxPool", replaceNhwcMaxPool,
                {"auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads",
                 "strides"});
}
