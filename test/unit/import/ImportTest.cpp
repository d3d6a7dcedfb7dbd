//===- ImportTest.cpp - What an imported model looks like -----------------===//

#include "ImportFixture.h"

using testing::HasSubstr;
using testing::Not;

TEST_F(ImportTest, NamesTypesAndAttributes) {
  std::string module = importText(R"(
    <ir_version: 8, opset_import: ["" : 17], producer_name: "maker", model_version: 3>
    the_graph (float[N, 3, "?", 8] x) => (float[N, 3, H, 8] y) { y = Relu(x) })");
  EXPECT_THAT(module, HasSubstr("onnx.graph_name = \"the_graph\""));
  EXPECT_THAT(module, HasSubstr("onnx.model_version = 3 : i64"));
  EXPECT_THAT(module, HasSubstr("onnx.opset = 17 : i64"));
  EXPECT_THAT(module, HasSubstr("onnx.producer_name = \"maker\""));
  EXPECT_THAT(module,
              HasSubstr("%arg0: tensor<?x3x?x8xf32> {onnx.dims = [\"N\", \"\", "
                        "\"\", \"\"], onnx.name = \"x\"}"));
  EXPECT_THAT(module,
              HasSubstr("(tensor<?x3x?x8xf32> {onnx.dims = [\"N\", \"\", "
                        "\"H\", \"\"], onnx.name = \"y\"})"));
  EXPECT_THAT(module, HasSubstr("onnx.Relu(%arg0) : (tensor<?x3x?x8xf32>) -> "
                                "tensor<?x3x?x8xf32>"));
}

TEST_F(ImportTest, AbsentOperandsAndResults) {
  std::string module = importText(R"(
    <ir_version: 8, opset_import: ["" : 17]>
    g (float[1, 3, 8, 8] x, float[4, 3, 3, 3] w) => (float[1, 4, 3, 3] y) {
      c = Conv(x, w)
      y = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(c)
    })");
  EXPECT_THAT(module, HasSubstr("onnx.Conv(%arg0, %arg1, %0)"));
  EXPECT_THAT(module, HasSubstr("onnx.None() : () -> none"));
  EXPECT_THAT(module, HasSubstr("-> (tensor<1x4x3x3xf32>, none)"));
}

TEST_F(ImportTest, ShapesPinDimsEverywhere) {
  onnxc::ImportOptions options;
  options.shapes["x"] = {2, -1};
  std::string module = importText(R"(
    <ir_version: 8, opset_import: ["" : 17]>
    g (float[N, M] x, float[N] z) => (float[N, M] y) { y = Relu(x) })",
                                  options);
  EXPECT_THAT(module,
              HasSubstr("%arg0: tensor<2x?xf32> {onnx.dims = [\"\", \"M\"]"));
  EXPECT_THAT(module, HasSubstr("%arg1: tensor<2xf32>"));
}

TEST_F(ImportTest, ShapesThatDoNotFit) {
  std::string model = R"(
    <ir_version: 8, opset_import: ["" : 17]>
    g (float[N, N, 4] x) => (float[N, N, 4] y) { y = Relu(x) })";
  auto error = [&](const std::string &name, std::vector<int64_t> dims) {
    onnxc::ImportOptions options;
    options.shapes[name] = std::move(dims);
    return importText(model, options);
  };
  EXPECT_THAT(error("q", {1}), HasSubstr("'q', which the model does not have"));
  EXPECT_THAT(error("x", {1}), HasSubstr("the input has 3 dims, the shape 1"));
  EXPECT_THAT(error("x", {1, 1, 5}),
              HasSubstr("dim 2 is 4 in the model, 5 in the shape"));
  EXPECT_THAT(error("x", {1, 2, 4}),
              HasSubstr("the dim 'N' cannot be both 1 and 2"));
  EXPECT_THAT(error("x", {-3, 2, 4}), HasSubstr("dim 0 is negative"));
}

TEST_F(ImportTest, InitializersThatAreInputsToo) {
  auto model = [](int irVersion) {
    onnx::ModelProto model = parse(R"(
      <ir_version: 8, opset_import: ["" : 11]>
      g (float[2] x, float[2] w) => (float[2] y)
      <float[2] w = {1, 2}> { y = Add(x, w) })");
    model.set_ir_version(irVersion);
    return model.SerializeAsString();
  };
  std::string constant = import(model(3));
  EXPECT_THAT(constant, HasSubstr("@main(%arg0: tensor<2xf32> {onnx.dims = "
                                  "[\"\"], onnx.name = \"x\"})"));
  EXPECT_THAT(constant, HasSubstr("onnx.Constant()"));
  std::string overridable = import(model(4));
  EXPECT_THAT(overridable,
              HasSubstr("%arg1: tensor<2xf32> {onnx.default = "
                        "dense<[1.000000e+00, 2.000000e+00]> : tensor<2xf32>"));
  EXPECT_THAT(overridable, Not(HasSubstr("onnx.Constant")));
}

TEST_F(ImportTest, ConstantsOfAllKinds) {
  std::string module = importText(R"(
    <ir_version: 8, opset_import: ["" : 17]>
    g () => (int64 a, int64[2] b, float c, float[2] d, string e, string[2] f, bool[2] h) {
      a = Constant<value_int = 3>()
      b = Constant<value_ints = [4, 5]>()
      c = Constant<value_float = 1.5>()
      d = Constant<value_floats = [2.5, 3.5]>()
      e = Constant<value_string = "s">()
      f = Constant<value_strings = ["t", "u"]>()
      h = Constant<value = bool[2] {1, 0}>()
    })");
  EXPECT_THAT(module, HasSubstr("dense<3> : tensor<i64>"));
  EXPECT_THAT(module, HasSubstr("dense<[4, 5]> : tensor<2xi64>"));
  EXPECT_THAT(module, HasSubstr("dense<1.500000e+00> : tensor<f32>"));
  EXPECT_THAT(module, HasSubstr("dense<[2.500000e+00, 3.500000e+00]>"));
  EXPECT_THAT(module, HasSubstr("dense<\"s\"> : tensor<!onnx.string>"));
  EXPECT_THAT(module,
              HasSubstr("dense<[\"t\", \"u\"]> : tensor<2x!onnx.string>"));
  EXPECT_THAT(module, HasSubstr("dense<[true, false]> : tensor<2xi1>"));
}

TEST_F(ImportTest, SubgraphsBecomeRegions) {
  std::string module = importText(R"(
    <ir_version: 8, opset_import: ["" : 17]>
    g (bool c, float[2] x) => (float[2] y) {
      y = If(c) <
        then_branch = t () => (float[2] a) { a = Relu(x) },
        else_branch = e () => (float[2] b) { b = Neg(x) }>
    })");
  EXPECT_THAT(module,
              HasSubstr("onnx.If(%arg0) ({\n      %1 = onnx.Neg(%arg1)"));
  EXPECT_THAT(module, HasSubstr("onnx.Return(%1) : (tensor<2xf32>) -> ()\n    "
                                "}, {\n      %1 = onnx.Relu(%arg1)"));
}

TEST_F(ImportTest, FunctionsAreInlined) {
  std::string module = importText(R"(
    <ir_version: 8, opset_import: ["" : 17, "local" : 1]>
    g (float[2] x) => (float[2] y) { y = local.twice(x) }
    <domain: "local", opset_import: ["" : 17]>
    twice (a) => (b) { b = Add(a, a) })");
  EXPECT_THAT(module, HasSubstr("onnx.Add(%arg0, %arg0) : (tensor<2xf32>, "
                                "tensor<2xf32>) -> tensor<2xf32>"));
}

TEST_F(ImportTest, OperatorsAreReplacedByTheirDefinition) {
  std::string model = R"(
    <ir_version: 8, opset_import: ["" : 20]>
    g (float[2] x) => (float[2] z) {
      y = HardSwish(x)
      z = Gelu(y)
    })";
  std::string whole = importText(model);
  EXPECT_THAT(whole, HasSubstr("onnx.HardSwish"));
  EXPECT_THAT(whole, HasSubstr("onnx.Gelu"));
  onnxc::ImportOptions options;
  options.keeps = [](llvm::StringRef operation) {
    return operation != "onnx.Gelu" && operation != "onnx.HardSwish";
  };
  std::string expanded = importText(model, options);
  EXPECT_THAT(expanded, Not(HasSubstr("onnx.HardSwish")));
  EXPECT_THAT(expanded, HasSubstr("onnx.HardSigmoid"));
  EXPECT_THAT(expanded, Not(HasSubstr("onnx.Gelu")));
  EXPECT_THAT(expanded, HasSubstr("onnx.Erf"));
  EXPECT_THAT(expanded, Not(HasSubstr("tensor<*x")));
}

TEST_F(ImportTest, InferenceDropsIdentityAndDropout) {
  std::string module = importText(R"(
    <ir_version: 8, opset_import: ["" : 17]>
    g (float[2] x) => (float[2] y, bool[2] m) {
      a = Identity(x)
      y, m = Dropout(a)
    })");
  EXPECT_THAT(module, HasSubstr("return %arg0, %1"));
  EXPECT_THAT(module, HasSubstr("onnx.ConstantOfShape(%0) {value = dense<true> "
                                ": tensor<1xi1>}"));
  EXPECT_THAT(module, Not(HasSubstr("onnx.Dropout")));
}

TEST_F(ImportTest, OldDropoutHasMaskOfFloats) {
  std::string module = importText(R"(
    <ir_version: 3, opset_import: ["" : 9]>
    g (float[2] x) => (float[2] y, float[2] m) {
      y, m = Dropout(x)
    })");
  EXPECT_THAT(module, HasSubstr("onnx.ConstantOfShape(%0) {value = "
                                "dense<1.000000e+00> : tensor<1xf32>}"));
}

TEST_F(ImportTest, WeightsAreReferenced) {
  onnx::ModelProto model = parse(R"(
    <ir_version: 8, opset_import: ["" : 17]>
    g (float[1000] x) => (float[1000] y) { y = Add(x, w) })");
  onnx::TensorProto *weight = model.mutable_graph()->add_initializer();
  weight->set_name("w");
  weight->set_data_type(onnx::TensorProto::FLOAT);
  weight->add_dims(1000);
  std::vector<float> values(1000);
  for (int i = 0; i < 1000; ++i)
    values[i] = static_cast<float>(i);
  weight->set_raw_data(values.data(), values.size() * sizeof(float));
  EXPECT_THAT(import(model.SerializeAsString()),
              HasSubstr("dense_resource<weight> : tensor<1000xf32>"));
}
