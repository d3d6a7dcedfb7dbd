//===- BadModelTest.cpp - Models that must be refused ---------------------===//

#include "ImportFixture.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <fstream>
#include <random>

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

static const char *small = R"(
  <ir_version: 8, opset_import: ["" : 17]>
  g (float[N, 3] x) => (float[N, 2] y) <float[3, 2] w = {1, 2, 3, 4, 5, 6}> {
    a = MatMul(x, w)
    y = Softmax<axis = 1>(a)
  })";

TEST_F(ImportTest, NotAModel) {
  EXPECT_THAT(import("this is no protobuf"), HasSubstr("does not parse"));
  EXPECT_THAT(import(""), HasSubstr("it has no graph"));
  std::string whole = bytes(small);
  EXPECT_THAT(import(whole.substr(0, whole.size() - 5)),
              HasSubstr("is damaged"));
  EXPECT_THAT(importFile("/nonexistent/model.onnx"),
              HasSubstr("'/nonexistent/model.onnx' cannot be read: No such"));
  EXPECT_THAT(importFile("/"), HasSubstr("is a folder"));
}

TEST_F(ImportTest, EveryUnsupportedNodeIsNamed) {
  std::string errors = importText(R"(
    <ir_version: 8, opset_import: ["" : 11, "com.example" : 1]>
    g (float[2] x, bool c) => (float[2] y) {
      [first] a = Florp(x)
      [second] b = com.example.Thing(a)
      [third] d = LayerNormalization(b, b)
      y = If(c) <
        then_branch = t () => (float[2] e) { [fourth] e = Glorp(x) },
        else_branch = e () => (float[2] f) { f = Neg(x) }>
    })");
  EXPECT_EQ(errors,
            "error: node 'first' (Florp, opset 11): no such operator\n"
            "error: node 'second' (Thing, opset 1): the operator domain "
            "'com.example' is not supported\n"
            "error: node 'third' (LayerNormalization, opset 11): not in this "
            "opset, but in later ones\n"
            "error: node 'fourth' (Glorp, opset 11): no such operator\n");
}

TEST_F(ImportTest, VersionsOutOfRange) {
  EXPECT_THAT(importText(R"(<ir_version: 8, opset_import: ["" : 99]>
    g (float[2] x) => (float[2] y) { y = Relu(x) })"),
              HasSubstr("opset 99 is not supported"));
  EXPECT_THAT(importText(R"(<ir_version: 99, opset_import: ["" : 17]>
    g (float[2] x) => (float[2] y) { y = Relu(x) })"),
              HasSubstr("IR version 99 is not supported"));
}

TEST_F(ImportTest, CyclesAndUndefinedNames) {
  EXPECT_THAT(importText(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[2] x) => (float[2] y) {
      [n0] a = Relu(x)
      [n1] b = Add(a, c)
      [n2] c = Relu(b)
      y = Neg(c)
    })"),
              HasSubstr("the graph has a cycle: node 'n1' (Add)"));
  EXPECT_THAT(importText(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[2] x) => (float[2] y) { y = Add(x, q) })"),
              HasSubstr("topologically sorted, however input 'q'"));
  EXPECT_THAT(importText(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[2] x) => (float[2] q) { y = Relu(x) })"),
              StartsWith("error: "));
}

TEST_F(ImportTest, TypesThatDoNotFit) {
  EXPECT_THAT(importText(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[2] x, int32[2] i) => (float[2] y) { [sum] y = Add(x, i) })"),
              HasSubstr("error: node 'sum' (Add, opset 17): input 'B' is of "
                        "type tensor(int32), but must be of type "
                        "tensor(float)"));
  EXPECT_THAT(importText(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (string[2] x) => (string[2] y) { y = Relu(x) })"),
              HasSubstr("input 'X' cannot be of type tensor(string)"));
}

TEST_F(ImportTest, CheckersComplaintsNameTheNode) {
  EXPECT_EQ(
      importText(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[2] x) => (float[2] y) { [n] y = Relu(x, x) })"),
      "error: node 'n' (Relu, opset 17): Node(n) with schema(::Relu:14) has "
      "input size 2 not in range [min=1, max=1].\n");
}

TEST_F(ImportTest, AbsurdDims) {
  onnxc::ImportOptions none;
  onnx::ModelProto model = parse(small);
  auto *dim = model.mutable_graph()
                  ->mutable_input(0)
                  ->mutable_type()
                  ->mutable_tensor_type()
                  ->mutable_shape()
                  ->mutable_dim(0);
  dim->set_dim_value(int64_t(1) << 62);
  EXPECT_THAT(import(model.SerializeAsString()),
              HasSubstr("input 'x' has dims too large for any memory"));
  dim->set_dim_value(-7);
  EXPECT_THAT(import(model.SerializeAsString()),
              HasSubstr("%arg0: tensor<?x3xf32>"));
  for (int64_t bad : {int64_t(-1), int64_t(7), int64_t(1) << 62}) {
    onnx::ModelProto other = parse(small);
    other.mutable_graph()->mutable_initializer(0)->set_dims(0, bad);
    EXPECT_THAT(import(other.SerializeAsString()), StartsWith("error: "));
  }
}

TEST_F(ImportTest, InitializerOfTheWrongSize) {
  onnx::ModelProto model = parse(small);
  onnx::TensorProto *weight = model.mutable_graph()->mutable_initializer(0);
  weight->clear_float_data();
  weight->set_raw_data(std::string(23, '\0'));
  EXPECT_THAT(import(model.SerializeAsString()),
              HasSubstr("raw_data size (23 bytes) is too small"));
  weight->set_raw_data(std::string(28, '\0'));
  EXPECT_THAT(import(model.SerializeAsString()),
              HasSubstr("tensor 'w' has dims for 6 elements, but data for 7"));
}

namespace {
/// A folder for a model with external data.
class ExternalDataTest : public ImportTest {
protected:
  void SetUp() override {
    llvm::SmallString<128> path;
    ASSERT_FALSE(llvm::sys::fs::createUniqueDirectory("onnxc-import", path));
    folder = path.str().str();
    std::ofstream(folder + "/w.bin", std::ios::binary)
        << std::string(4096 + 8, '\1');
  }
  void TearDown() override { llvm::sys::fs::remove_directories(folder); }

  /// Imports a model whose weight, float[1024], is at `location`.
  std::string importAt(const std::string &location,
                       const std::string &offset = "8",
                       const std::string &length = "4096") {
    onnx::ModelProto model = parse(R"(
      <ir_version: 8, opset_import: ["" : 17]>
      g (float[1024] x) => (float[1024] y) { y = Add(x, w) })");
    onnx::TensorProto *weight = model.mutable_graph()->add_initializer();
    weight->set_name("w");
    weight->set_data_type(onnx::TensorProto::FLOAT);
    weight->add_dims(1024);
    weight->set_data_location(onnx::TensorProto::EXTERNAL);
    for (auto [key, value] :
         {std::pair("location", location), std::pair("offset", offset),
          std::pair("length", length)}) {
      auto *entry = weight->add_external_data();
      entry->set_key(key);
      entry->set_value(value);
    }
    std::string path = folder + "/model.onnx";
    std::ofstream(path, std::ios::binary) << model.SerializeAsString();
    fromMemory = model.SerializeAsString();
    return importFile(path);
  }

  std::string folder, fromMemory;
};
} // namespace

TEST_F(ExternalDataTest, IsFound) {
  // All bytes equal: a splat.
  EXPECT_THAT(importAt("w.bin"), HasSubstr(": tensor<1024xf32>}"));
}

TEST_F(ExternalDataTest, IsMissingOrTooShort) {
  EXPECT_THAT(importAt("none.bin"),
              HasSubstr("tensor 'w': external data 'none.bin' cannot be read"));
  EXPECT_THAT(importAt("w.bin", "9"),
              HasSubstr("external data 'w.bin' has 4104 bytes, too few for "
                        "offset 9 and length 4096"));
  EXPECT_THAT(importAt("w.bin", "-1"), HasSubstr("offset '-1' is no number"));
  EXPECT_THAT(importAt("w.bin", "8", "4092"), StartsWith("error: "));
}

TEST_F(ExternalDataTest, StaysInTheFolder) {
  ASSERT_FALSE(llvm::sys::fs::create_link(folder + "/w.bin", folder + "/link"));
  EXPECT_THAT(importAt("link"), HasSubstr("symbolic link"));
  EXPECT_THAT(importAt("../w.bin"), HasSubstr("inside the model's folder"));
  EXPECT_THAT(importAt("/etc/passwd"), HasSubstr("relative to the model"));
  EXPECT_THAT(importAt(""), StartsWith("error: "));
  EXPECT_THAT(importAt("."), HasSubstr("must be a regular file"));
  importAt("w.bin");
  EXPECT_THAT(import(fromMemory), HasSubstr("has no folder"));
}

// Damaged models: whatever comes out, it is a model or an error.
TEST_F(ImportTest, DamagedModels) {
  std::string whole = bytes(small);
  std::mt19937 random(7);
  for (int i = 0; i < 2000; ++i) {
    std::string damaged = whole;
    if (i % 4 == 0)
      damaged.resize(random() % whole.size());
    for (int flips = i % 4; flips > 0; --flips)
      damaged[random() % damaged.size()] = static_cast<char>(random());
    std::string result = import(damaged);
    EXPECT_FALSE(result.empty());
    if (llvm::StringRef(result).starts_with("error: "))
      EXPECT_THAT(result, Not(HasSubstr("\n\n")));
  }
}
