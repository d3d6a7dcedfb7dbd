//===- Quantised.cpp - Operators between quantised tensors ----------------===//
//
// ONNX Runtime's quantiser writes them (QuantFormat.QOperator). Each becomes
// DequantizeLinear, the operator on floats, QuantizeLinear: the form that the
// products of integers are found in.
//
//===----------------------------------------------------------------------===//

#include "compiler/import/contributed/Contributed.h"

using namespace onnxc;
using onnx::MakeAttribute;
using onnx::TensorProto;

namespace {
/// What a quantised tensor means: input `first` of the node, its scale and its
/// zero point behind it.
std::string dequantized(Replacement &r, int first) {
  return r.call("DequantizeLinear",
                {r.in(first), r.in(first + 1), r.in(first + 2)});
}

/// The node's result: `value` by the scale and zero point that are inputs
/// `scale` and `scale + 1`.
void quantize(Replacement &r, const std::string &value, int scale) {
  std::string zero = r.in(scale + 1);
  // Without one QuantizeLinear would take its own type for the result's.
  if (zero.empty()) {
    if (r.opset < 15)
      return r.refuse("an absent zero point of the result needs opset 15");
    zero = r.castLike(r.scalar(0), r.in(0));
  }
  r.result(0, r.call("QuantizeLinear", {value, r.in(scale), zero}));
}
} // namespace

template <const char *op> static void replaceUnary(Replacement &r) {
  quantize(r, r.call(op, {dequantized(r, 0)}, r.given({"alpha"})), 3);
}

template <const char *op> static void replaceBinary(Replacement &r) {
  quantize(r, r.call(op, {dequantized(r, 0), dequantized(r, 3)}), 6);
}

template <const char *op> static void replacePool(Replacement &r) {
  std::string x = dequantized(r, 0);
  std::optional<size_t> rank = r.rank(r.in(0));
  if (!rank)
    return;
  bool isLast = r.integer("channels_last", 0) && *rank > 2;
  if (isLast)
    x = r.channelsFirst(x, *rank);
  x = r.call(op, {x},
             r.given({"auto_pad", "ceil_mode", "count_include_pad",
                      "kernel_shape", "pads", "strides"}));
  quantize(r, isLast ? r.channelsLast(x, *rank) : x, 3);
}

/// ai.onnx's, perhaps with channels last; the filter is as there.
static void replaceConv(Replacement &r) {
  std::vector<std::string> inputs;
  for (int i = 0; i < r.node.input_size(); ++i)
    inputs.push_back(r.in(i));
  std::optional<size_t> rank = r.rank(r.in(3));
  if (!rank)
    return;
  bool isLast = r.integer("channels_last", 0) != 0;
  if (isLast)
    inputs[0] = r.channelsFirst(inputs[0], *rank);
  std::string y = r.call("QLinearConv", inputs,
                         r.given({"auto_pad", "dilations", "group",
                                  "kernel_shape", "pads", "strides"}));
  r.result(0, isLast ? r.channelsLast(y, *rank) : y);
}

static void replaceConcat(Replacement &r) {
  std::vector<std::string> parts;
  for (int first = 2; first < r.node.input_size(); first += 3)
    parts.push_back(dequantized(r, first));
  if (parts.empty())
    return r.refuse("there is nothing to join");
  if (r.in(1).empty())
    return r.refuse("the result's zero point is missing");
  quantize(r, r.call("Concat", parts, r.given({"axis"})), 0);
}

static void replaceSoftmax(Replacement &r) {
  // Softmax of opset 12 and before joins the dims from the axis on.
  if ((r.integer("opset", r.opset) < 13) != (r.opset < 13))
    return r.refuse("a Softmax of another opset than the model's is not "
                    "supported yet");
  auto axis = MakeAttribute("axis", r.integer("axis", -1));
  quantize(r, r.call("Softmax", {dequantized(r, 0)}, {axis}), 3);
}

static void replaceWhere(Replacement &r) {
  if (r.in(8).empty())
    return r.refuse("the result's zero point is missing");
  quantize(r, r.call("Where", {r.in(0), dequantized(r, 1), dequantized(r, 4)}),
           7);
}

/// alpha A B + C, where C has the scale alpha a_scale b_scale and the zero
/// point 0; without a scale of the result that is f32.
static void replaceGemm(Replacement &r) {
  bool transB = r.integer("transB", 0) != 0;
  std::optional<size_t> scaleRank = r.rank(r.in(4));
  if (!scaleRank)
    return;
  std::string b = r.in(3);
  if (*scaleRank == 0) {
    b = dequantized(r, 3);
  } else {
    if (r.opset < 13)
      return r.refuse("a scale for each column needs opset 13");
    b = r.call("DequantizeLinear", {b, r.in(4), r.in(5)},
               {MakeAttribute("axis", int64_t(transB ? 0 : 1))});
  }
  std::vector<std::string> operands{dequantized(r, 0), b};
  if (r.has(6)) {
    std::string scale = r.call("Mul", {r.in(1), r.in(4)});
    if (float alpha = r.real("alpha", 1); alpha != 1)
      scale = r.call("Mul", {scale, r.number(alpha, scale)});
    operands.push_back(
        r.call("Mul", {r.cast(r.in(6), TensorProto::FLOAT), scale}));
  }
  std::string y =
      r.call("Gemm", operands, r.given({"alpha", "transA", "transB"}));
  if (r.has(7))
    quantize(r, y, 7);
  else
    r.result(0, y);
}

/// LSTM with weights in 8 bits, W [D, I, 4 H] and R [D, H, 4 H], each with a
/// scale and a zero point for a direction or for each of its columns. What it
/// says of activations is how ONNX Runtime makes its products fast; here these
/// stay floats.
static void replaceDynamicQuantizeLSTM(Replacement &r) {
  auto weights = [&](int input, int scale) -> std::string {
    std::optional<size_t> rank = r.rank(r.in(scale));
    if (!rank)
      return "";
    auto beside = [&](const std::string &x) {
      return *rank == 1 ? r.reshape(x, {-1, 1, 1}) : r.unsqueeze(x, 1);
    };
    std::string values = r.cast(r.in(input), TensorProto::FLOAT);
    if (r.has(scale + 1))
      values = r.call(
          "Sub", {values, beside(r.cast(r.in(scale + 1), TensorProto::FLOAT))});
    return r.transpose(r.call("Mul", {values, beside(r.in(scale))}), {0, 2, 1});
  };
  std::string w = weights(1, 8), recurrent = weights(2, 10);
  if (r.waitsForTypes())
    return;
  std::vector<std::string> inputs{r.in(0), w, recurrent};
  for (int i = 3; i < 8; ++i)
    inputs.push_back(r.in(i));
  std::string y =
      r.call("LSTM", inputs,
             r.given({"activation_alpha", "activation_beta", "activations",
                      "clip", "direction", "hidden_size", "input_forget"}));
  onnx::NodeProto &lstm = r.nodes.back();
  std::string hidden = y + ".h", cell = y + ".c";
  lstm.add_output(hidden);
  lstm.add_output(cell);
  r.result(0, y);
  r.result(1, hidden);
  r.result(2, cell);
}

/// Those of ai.onnx, in a domain of their own for types that they lacked once.
static void replaceQuantizeLinear(Replacement &r) {
  r.result(0, r.call("QuantizeLinear", {r.in(0), r.in(1), r.in(2)},
                     r.given({"axis"})));
}
static void replaceDequantizeLinear(Replacement &r) {
  r.result(0, r.call("DequantizeLinear", {r.in(0), r.in(1), r.in(2)},
                     r.given({"axis"})));
}

namespace {
constexpr char add[] = "Add", multiply[] = "Mul", sigmoid[] = "Sigmoid",
               leakyRelu[] = "LeakyRelu", averagePool[] = "AveragePool",
               globalAveragePool[] = "GlobalAveragePool";
} // namespace

void onnxc::addContributedQuantised(ContributedOperators &operators) {
  operators.add("DynamicQuantizeLSTM", replaceDynamicQuantizeLSTM,
                {"activation_alpha", "activation_beta", "activations", "clip",
                 "direction", "hidden_size", "input_forget"});
  operators.add("QuantizeLinear", replaceQuantizeLinear, {"axis"});
  operators.add("DequantizeLinear", replaceDequantizeLinear, {"axis"});
  operators.add("QLinearAdd", replaceBinary<add>);
  operators.add("QLinearMul", replaceBinary<multiply>);
  operators.add("QLinearSigmoid", replaceUnary<sigmoid>);
  operators.add("QLinearLeakyRelu", replaceUnary<leakyRelu>, {"alpha"});
  operators.add("QLinearAveragePool", replacePool<averagePool>,
                {"auto_pad", "ceil_mode", "channels_last", "count_include_pad",
                 "kernel_shape", "pads", "strides"});
  operators.add("QLinearConv", replaceConv,
                {"auto_pad", "channels_last", "dilations", "group",
                 "kernel_shape", "pads", "strides"});
  operators.add("QLinearGlobalAveragePool", replacePool<globalAveragePool>,
                {"channels_last"});
  operators.add("QLinearConcat", replaceConcat, {"axis"});
  operators.add("QLinearSoftmax", replaceSoftmax, {"axis", "opset"});
  operators.add("QLinearWhere", replaceWhere);
  operators.add("QGemm", replaceGemm, {"alpha", "transA", "transB"});
}
