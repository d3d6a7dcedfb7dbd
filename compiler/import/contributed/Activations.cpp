//===- Activations.cpp - Gelu and what is fused with an activation --------===//

#include "compiler/import/contributed/Contributed.h"

#include <cmath>

using namespace onnxc;
using onnx::MakeAttribute;

/// x (1 + erf(x / sqrt 2)) / 2
static std::string gelu(Replacement &r, const std::string &x) {
  if (r.opset >= 20)
    return r.call("Gelu", {x});
  std::string error =
      r.call("Erf", {r.call("Div", {x, r.number(std::sqrt(2.0), x)})});
  std::string both = r.call("Mul", {x, r.call("Add", {error, r.number(1, x)})});
  return r.call("Mul", {both, r.number(0.5, x)});
}

/// x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2
static std::string fastGelu(Replacement &r, const std::string &x) {
  if (r.opset >= 20)
    return r.call("Gelu", {x},
                  {MakeAttribute("approximate", std::string("tanh"))});
  std::string cube = r.call("Mul", {r.call("Mul", {x, x}), x});
  std::string sum =
      r.call("Add", {x, r.call("Mul", {cube, r.number(0.044715, x)})});
  std::string scaled =
      r.call("Mul", {sum, r.number(std::sqrt(2 / 3.14159265358979), x)});
  std::string both = r.call(
      "Mul", {x, r.call("Add", {r.call("Tanh", {scaled}), r.number(1, x)})});
  return r.call("Mul", {both, r.number(0.5, x)});
}

static void replaceGelu(Replacement &r) { r.result(0, gelu(r, r.in(0))); }

static void replaceBiasGelu(Replacement &r) {
  r.result(0, gelu(r, r.call("Add", {r.in(0), r.in(1)})));
}

static void replaceFastGelu(Replacement &r) {
  std::string x = r.in(0);
  if (r.has(1))
    x = r.call("Add", {x, r.in(1)});
  r.result(0, fastGelu(r, x));
}

/// x sigmoid(alpha x)
static void replaceQuickGelu(Replacement &r) {
  std::string x = r.in(0);
  std::string scaled = r.call("Mul", {x, r.number(r.real("alpha", 1.702F), x)});
  r.result(0, r.call("Mul", {x, r.call("Sigmoid", {scaled})}));
}

/// The activation by name; its parameters have the operator's defaults where
/// fewer are given. "" with a refusal for others.
static std::string activated(Replacement &r, const std::string &x,
                             const std::string &name,
                             llvm::ArrayRef<float> parameters) {
  auto parameter = [&](size_t index, float otherwise) {
    return index < parameters.size() ? parameters[index] : otherwise;
  };
  if (name.empty())
    return x;
  if (name == "Relu" || name == "Tanh" || name == "Sigmoid" ||
      name == "Softplus" || name == "Softsign" || name == "HardSwish")
    return r.call(name, {x});
  if (name == "LeakyRelu" || name == "Elu" || name == "ThresholdedRelu")
    return r.call(name, {x},
                  {MakeAttribute(
                      "alpha", parameter(0, name == "LeakyRelu" ? 0.01F : 1))});
  if (name == "HardSigmoid")
    return r.call(name, {x},
                  {MakeAttribute("alpha", parameter(0, 0.2F)),
                   MakeAttribute("beta", parameter(1, 0.5F))});
  if (name == "Clip" && parameters.size() == 2)
    return r.call(name,
                  {x, r.number(parameters[0], x), r.number(parameters[1], x)});
  r.refuse("activation '" + name + "' is not supported yet");
  return "";
}

/// The attributes of the node named `names`.
static Replacement::Attributes
attributesOf(const Replacement &r, std::initializer_list<const char *> names) {
  Replacement::Attributes result;
  for (const char *name : names)
    if (const onnx::AttributeProto *given = r.attribute(name))
      result.push_back(*given);
  return result;
}

static void replaceFusedConv(Replacement &r) {
  std::string y = r.call("Conv", {r.in(0), r.in(1), r.in(2)},
                         attributesOf(r, {"auto_pad", "dilations", "group",
                                          "kernel_shape", "pads", "strides"}));
  if (r.has(3))
    y = r.call("Add", {y, r.in(3)});
  llvm::SmallVector<float> parameters;
  if (const auto *given = r.attribute("activation_params"))
    parameters.assign(given->floats().begin(), given->floats().end());
  r.result(0, activated(r, y, r.text("activation", ""), parameters));
}

static void replaceFusedGemm(Replacement &r) {
  std::vector<std::string> inputs{r.in(0), r.in(1)};
  if (r.has(2))
    inputs.push_back(r.in(2));
  std::string y = r.call(
      "Gemm", inputs, attributesOf(r, {"alpha", "beta", "transA", "transB"}));
  llvm::SmallVector<float> parameters;
  if (r.attribute("activation_alpha")) {
    parameters.push_back(r.real("activation_alpha", 0));
    if (r.attribute("activation_beta"))
      parameters.push_back(r.real("activation_beta", 0));
  }
  r.result(0, activated(r, y, r.text("activation", ""), parameters));
}

void onnxc::addContributedActivations(ContributedOperators &operators) {
  operators.add("Gelu", replaceGelu);
  operators.add("BiasGelu", replaceBiasGelu);
  operators.add("FastGelu", replaceFastGelu);
  operators.add("QuickGelu", replaceQuickGelu, {"alpha"});
  operators.add("FusedConv", replaceFusedConv,
                {"activation", "activation_params", "auto_pad", "dilations",
                 "group", "kernel_shape", "pads", "strides"});
  operators.add("FusedGemm", replaceFusedGemm,
                {"activation", "activation_alpha", "activation_beta", "alpha",
                 "beta", "transA", "transB"});
}
