//===- UpgradeTest.cpp - Older forms of operators -------------------------===//

#include "ImportFixture.h"

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

/// A model of one node over x: float[2, 3, 4] and some more inputs.
static std::string model(int opset, const std::string &node,
                         const std::string &moreInputs = "",
                         const std::string &outputs = "float[A, B, C] y") {
  return "<ir_version: 8, opset_import: [\"\" : " + std::to_string(opset) +
         "]> g (float[2, 3, 4] x" + moreInputs + ") => (" + outputs + ") { " +
         node + " }";
}

TEST_F(ImportTest, AxesBecomeOperands) {
  for (const char *op : {"ReduceSum", "ReduceMean", "ReduceMax", "ReduceL2"}) {
    std::string module =
        importText(model(11, std::string("y = ") + op + "<axes = [1, 2]>(x)"));
    EXPECT_THAT(module, HasSubstr("dense<[1, 2]> : tensor<2xi64>"));
    EXPECT_THAT(module, HasSubstr(std::string("onnx.") + op + "(%arg0, %0)"));
    EXPECT_THAT(module, HasSubstr("-> tensor<2x1x1xf32>"));
  }
  EXPECT_THAT(importText(model(11, "y = Unsqueeze<axes = [0]>(x)", "",
                               "float[1, 2, 3, 4] y")),
              HasSubstr("onnx.Unsqueeze(%arg0, %0) : (tensor<2x3x4xf32>, "
                        "tensor<1xi64>) -> tensor<1x2x3x4xf32>"));
}

TEST_F(ImportTest, SliceBecomesOperands) {
  std::string module =
      importText(model(9, "y = Slice<starts = [1], ends = [3]>(x)"));
  EXPECT_THAT(module, HasSubstr("onnx.Slice(%arg0, %0, %1, %2, %2) : "
                                "(tensor<2x3x4xf32>, tensor<1xi64>, "
                                "tensor<1xi64>, none, none)"));
}

TEST_F(ImportTest, SplitNamesItsNumberOfOutputs) {
  std::string outputs = "float[1, 3, 4] y, float[1, 3, 4] z";
  EXPECT_THAT(importText(model(11, "y, z = Split(x)", "", outputs)),
              HasSubstr("num_outputs = 2 : i64"));
  std::string sized =
      importText(model(11, "y, z = Split<split = [1, 1]>(x)", "", outputs));
  EXPECT_THAT(sized, HasSubstr("onnx.Split(%arg0, %0)"));
  EXPECT_THAT(sized, Not(HasSubstr("num_outputs")));
}

TEST_F(ImportTest, ClipPadAndTopKBecomeOperands) {
  std::string clip = importText(model(6, "y = Clip<min = 0.0, max = 6.0>(x)"));
  EXPECT_THAT(clip, HasSubstr("dense<6.000000e+00> : tensor<f32>"));
  EXPECT_THAT(clip, HasSubstr("onnx.Clip(%arg0, %0, %1)"));
  std::string pad = importText(
      model(10, "y = Pad<pads = [0, 0, 1, 0, 0, 1], value = 2.0>(x)"));
  EXPECT_THAT(pad, HasSubstr("dense<2.000000e+00> : tensor<f32>"));
  EXPECT_THAT(pad, HasSubstr("onnx.Pad(%arg0, %0, %1, %2)"));
  std::string topK = importText(model(9, "y, i = TopK<axis = 1, k = 2>(x)"));
  EXPECT_THAT(topK, HasSubstr("dense<2> : tensor<1xi64>"));
  EXPECT_THAT(topK, HasSubstr("largest = 1 : i64, sorted = 1 : i64"));
}

TEST_F(ImportTest, SoftmaxWorkedOnAllAxesBehind) {
  std::string flat = importText(model(11, "y = Softmax<axis = 1>(x)"));
  EXPECT_THAT(flat, HasSubstr("onnx.Flatten(%arg0) {axis = 1 : i64} : "
                              "(tensor<2x3x4xf32>) -> tensor<2x12xf32>"));
  EXPECT_THAT(flat, HasSubstr("{axis = -1 : i64} : (tensor<2x12xf32>)"));
  EXPECT_THAT(flat, HasSubstr("onnx.Reshape(%1, %2)"));
  std::string last = importText(model(11, "y = Softmax<axis = -1>(x)"));
  EXPECT_THAT(last, HasSubstr("onnx.Softmax(%arg0) {axis = 2 : i64}"));
  EXPECT_THAT(last, Not(HasSubstr("onnx.Flatten")));
  EXPECT_THAT(importText(model(13, "y = Softmax<axis = 1>(x)")),
              HasSubstr("onnx.Softmax(%arg0) {axis = 1 : i64}"));
  EXPECT_THAT(importText(model(11, "y = Softmax<axis = 7>(x)")),
              HasSubstr("error: node 'y' (Softmax, opset 11): axis 7"));
}

TEST_F(ImportTest, UpsampleIsResize) {
  std::string module = importText(model(
      8, "y = Upsample<mode = \"nearest\", scales = [1.0, 1.0, 2.0]>(x)"));
  EXPECT_THAT(module, HasSubstr("onnx.Resize(%arg0, %1, %0, %1)"));
  EXPECT_THAT(module,
              HasSubstr("coordinate_transformation_mode = \"asymmetric\""));
  EXPECT_THAT(module, HasSubstr("nearest_mode = \"floor\""));
}

TEST_F(ImportTest, Resize10ShrinksByCeil) {
  auto resize = [&](const std::string &scales) {
    return importText(model(10, "s = Constant<value = float[3] {" + scales +
                                    "}>() y = Resize(x, s)"));
  };
  EXPECT_THAT(resize("1, 1, 0.5"), HasSubstr("nearest_mode = \"ceil\""));
  EXPECT_THAT(resize("1, 1, 2"), HasSubstr("nearest_mode = \"floor\""));
  EXPECT_THAT(resize("1, 0.5, 2"), AllOf(HasSubstr("nearest_mode = \"floor\""),
                                         HasSubstr("nearest_mode = \"ceil\"")));
}

TEST_F(ImportTest, Resize11DropsEmptyOperands) {
  std::string module =
      importText(model(11, "e = Constant<value = float[0] {}>() "
                           "s = Constant<value = int64[3] {2, 3, 8}>() "
                           "y = Resize(x, e, e, s)"));
  EXPECT_THAT(module, HasSubstr("onnx.Resize(%arg0, %2, %2, %1)"));
  EXPECT_THAT(module, HasSubstr("%2 = onnx.None()"));
}

TEST_F(ImportTest, BatchNormalizationBefore14) {
  std::string inputs = ", float[3] s, float[3] b, float[3] m, float[3] v";
  EXPECT_THAT(
      importText(model(9, "y = BatchNormalization(x, s, b, m, v)", inputs)),
      HasSubstr("training_mode = 0 : i64"));
  EXPECT_THAT(
      importText(model(9, "y, p, q, r, t = BatchNormalization(x, s, b, m, v)",
                       inputs)),
      HasSubstr("training_mode = 1 : i64"));
  EXPECT_THAT(
      importText(model(8, "y = BatchNormalization<spatial = 0>(x, s, b, m, v)",
                       inputs)),
      HasSubstr("onnx.Sqrt"));
  EXPECT_THAT(importText(model(8,
                               "y, p, q, r, t = BatchNormalization"
                               "<spatial = 0>(x, s, b, m, v)",
                               inputs)),
              HasSubstr("training with spatial = 0 is not supported"));
}

TEST_F(ImportTest, DefaultsThatChanged) {
  EXPECT_THAT(importText(model(1, "y = Selu(x)")),
              HasSubstr("alpha = 1.673200e+00"));
}

TEST_F(ImportTest, TypesThatAreNamed) {
  EXPECT_THAT(importText(model(5, "y = Cast<to = \"INT64\">(x)")),
              HasSubstr("to = 7 : i64"));
  EXPECT_THAT(importText(model(5, "y = Cast<to = \"INTEGER\">(x)")),
              HasSubstr("there is no element type 'INTEGER'"));
}

/// Where onnx infers nothing, a wrong declaration must not be believed.
TEST_F(ImportTest, DeclaredTypesAreChecked) {
  EXPECT_THAT(importText("<ir_version: 8, opset_import: [\"\" : 1]> g "
                         "(float[4] x) => (double[4] y) { y = Clip(x) }"),
              HasSubstr("output 'output' is of type tensor(float), but "
                        "declared as tensor(double)"));
}

TEST_F(ImportTest, BroadcastingBefore7) {
  std::string module = importText(
      model(6, "y = Add<axis = 1, broadcast = 1>(x, w)", ", float[3] w"));
  EXPECT_THAT(module, HasSubstr("onnx.Unsqueeze(%arg1, %0) : (tensor<3xf32>, "
                                "tensor<1xi64>) -> tensor<3x1xf32>"));
  EXPECT_THAT(module, HasSubstr("onnx.Add(%arg0, %1)"));
}

TEST_F(ImportTest, ModesThatWereRenamed) {
  EXPECT_THAT(importText("<ir_version: 8, opset_import: [\"\" : 16]> g "
                         "(float[1, 1, 4, 4] x, float[1, 2, 2, 2] g) => "
                         "(float[1, 1, 2, 2] y) { y = GridSample(x, g) }"),
              HasSubstr("mode = \"linear\""));
  EXPECT_THAT(
      importText("<ir_version: 8, opset_import: [\"\" : 11]> g "
                 "(float[1, 1, 4, 4] x, float[1, 4] r, int64[1] i) => "
                 "(float[1, 1, 1, 1] y) { y = RoiAlign(x, r, i) }"),
      HasSubstr("coordinate_transformation_mode = \"output_half_pixel\""));
}

TEST_F(ImportTest, ScatterWasRenamed) {
  EXPECT_THAT(
      importText(model(9, "y = Scatter(x, i, x)", ", int64[2, 3, 4] i")),
      HasSubstr("onnx.ScatterElements(%arg0, %arg1, %arg0) {axis = 0"));
}
