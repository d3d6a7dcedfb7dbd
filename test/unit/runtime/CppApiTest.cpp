//===- CppApiTest.cpp - The C++ interface -===//
#include "Support.h"
#include "onnxc/onnxc.hpp"

using namespace onnxc::test;
using onnxc::Value;
using testing::ElementsAre;

namespace {

class CppApi : public testing::Test {
protected:
  onnxc::Session session{modelPath("sum")};
  std::vector<float> data = {1, 2, 3, 4, 5, 6};
  Value x = Value::CreateTensor<float>(data.data(), data.size(), {1, 3, 1, 2});
};

TEST_F(CppApi, Run) {
  std::vector<Value> outputs = session.Run({"x", "y"}, {x, x});
  ASSERT_EQ(outputs.size(), 2u);
  EXPECT_THAT(outputs[0].GetShape(), ElementsAre(1, 3, 1, 2));
  EXPECT_EQ(outputs[0].GetElementCount(), 6u);
  EXPECT_EQ(outputs[0].GetElementType(), ONNXC_FLOAT);
  EXPECT_EQ(outputs[0].GetTensorData<float>()[5], 12);
  EXPECT_EQ(outputs[1].GetTensorData<float>()[0], 42);
}

TEST_F(CppApi, RunAsInOnnxRuntime) {
  const char *inputs[] = {"x", "y"}, *names[] = {"t"};
  Value values[] = {x, x};
  std::vector<Value> outputs =
      session.Run(onnxc::RunOptions(), inputs, values, 2, names, 1);
  ASSERT_EQ(outputs.size(), 1u);
  EXPECT_EQ(outputs[0].GetTensorData<float>()[0], 42);
}

TEST_F(CppApi, OutputsOutliveTheSession) {
  Value kept;
  {
    onnxc::Session other(modelPath("sum"));
    kept = other.Run({"x", "y"}, {x, x}, {"s"})[0];
  }
  EXPECT_EQ(kept.GetTensorData<float>()[0], 2);
}

TEST_F(CppApi, RunInto) {
  std::vector<Value> outputs = {Value::CreateTensor<float>({6})};
  float *memory = outputs[0].GetTensorMutableData<float>();
  session.RunInto({"x", "y"}, {x, x}, {"s"}, outputs);
  EXPECT_EQ(outputs[0].GetTensorData<float>(), memory);
  EXPECT_THAT(outputs[0].GetShape(), ElementsAre(1, 3, 1, 2));
  EXPECT_EQ(memory[1], 4);
}

TEST_F(CppApi, Errors) {
  try {
    session.Run({"x"}, {x});
    FAIL() << "no error";
  } catch (const onnxc::Error &error) {
    EXPECT_EQ(error.GetErrorCode(), ONNXC_STATUS_INVALID_ARGUMENT);
    EXPECT_STREQ(error.what(), "missing input 'y'");
  }
  EXPECT_THROW(onnxc::Session("no such file.so"), onnxc::Error);
  EXPECT_THROW(session.Run({"x", "y"}, {x}), onnxc::Error);
  EXPECT_THROW(session.Run({"x", "y"}, {x, Value()}), onnxc::Error);
  EXPECT_THROW(x.GetTensorData<double>(), onnxc::Error);
  EXPECT_THROW(session.GetInputInfo(2), onnxc::Error);
  EXPECT_THROW(onnxc::SessionOptions().SetIntraOpNumThreads(-1), onnxc::Error);
}

TEST_F(CppApi, Facts) {
  EXPECT_THAT(session.GetInputNames(), ElementsAre("x", "y"));
  EXPECT_THAT(session.GetOutputNames(), ElementsAre("s", "t"));
  onnxc::ValueInfo info = session.GetInputInfo(0);
  EXPECT_EQ(info.name, "x");
  EXPECT_THAT(info.shape, ElementsAre(-1, 3, -1, -1));
  EXPECT_THAT(info.dimNames, ElementsAre("N", "", "", ""));
  onnxc::ModelMetadata metadata = session.GetModelMetadata();
  EXPECT_EQ(metadata.producerName, "unit test");
  EXPECT_EQ(metadata.version, 42);
  EXPECT_EQ(metadata.customMetadata.at("stride"), "32");
}

TEST(Values, Sequences) {
  std::vector<float> data = {1, 2, 3};
  Value sequence;
  {
    Value tensor = Value::CreateTensor<float>(data.data(), 3, {3});
    Value texts = Value::CreateStringTensor({"a", "", "\u00e9"}, {3, 1});
    sequence = Value::CreateSequence({tensor, texts});
  }
  data.assign(3, 0);
  ASSERT_TRUE(sequence.IsSequence());
  ASSERT_EQ(sequence.GetCount(), 2u);
  Value first = sequence.GetValue(0), second = sequence.GetValue(1);
  sequence = Value();
  EXPECT_EQ(first.GetTensorData<float>()[2], 3);
  EXPECT_THAT(second.GetShape(), ElementsAre(3, 1));
  EXPECT_EQ(second.GetStringTensorElement(0), "a");
  EXPECT_EQ(second.GetStringTensorElement(2), "\u00e9");
  EXPECT_THROW(second.GetStringTensorElement(3), onnxc::Error);
  EXPECT_THROW(first.GetStringTensorElement(0), onnxc::Error);
  EXPECT_THROW(first.GetCount(), onnxc::Error);
  EXPECT_EQ(Value::CreateSequence({}).GetCount(), 0u);
  EXPECT_THROW(Value::CreateSequence({}).GetValue(0), onnxc::Error);
  EXPECT_THROW(Value::CreateSequence({}).GetTensorData<float>(), onnxc::Error);
  EXPECT_THROW(Value::CreateStringTensor({std::string("a\0b", 3)}, {1}),
               onnxc::Error);
  EXPECT_THROW(Value::CreateStringTensor({"a"}, {2}), onnxc::Error);
}

TEST(Values, Maps) {
  Value keys = Value::CreateTensor<int64_t>({2});
  Value scores = Value::CreateTensor<float>({2});
  for (int i : {0, 1}) {
    keys.GetTensorMutableData<int64_t>()[i] = 7 + i;
    scores.GetTensorMutableData<float>()[i] = 0.5f * i;
  }
  Value map = Value::CreateMap(keys, scores);
  ASSERT_TRUE(map.IsMap());
  ASSERT_EQ(map.GetCount(), 2u);
  EXPECT_EQ(map.GetValue(0).GetTensorData<int64_t>()[1], 8);
  EXPECT_EQ(map.GetValue(1).GetTensorData<float>()[1], 0.5f);
  EXPECT_THROW(Value::CreateMap(keys, Value::CreateTensor<float>({3})),
               onnxc::Error);
}

TEST(Values, SequenceInput) {
  onnxc::Session session(modelPath("sequence"));
  onnxc::ValueInfo info = session.GetInputInfo(2);
  EXPECT_EQ(info.kind, ONNXC_KIND_SEQUENCE);
  ASSERT_EQ(info.element.size(), 1u);
  EXPECT_EQ(info.element[0].elementType, ONNXC_FLOAT);
  Value data = Value::CreateTensor<int64_t>({1});
  data.GetTensorMutableData<int64_t>()[0] = 1;
  Value sequence = Value::CreateSequence({Value::CreateTensor<float>({2})});
  EXPECT_EQ(session.Run({"data", "sequence"}, {data, sequence}).size(), 2u);
  EXPECT_THROW(session.Run({"data", "sequence"}, {data, data}), onnxc::Error);
  std::vector<Value> outputs = {sequence.GetValue(0), Value()};
  EXPECT_THROW(
      session.RunInto({"data", "sequence"}, {data, sequence}, {}, outputs),
      onnxc::Error);
}

TEST_F(CppApi, Options) {
  onnxc::SessionOptions options;
  options.SetIntraOpNumThreads(2).SetSpinning(false);
  onnxc::Session other(modelPath("sum"), options);
  EXPECT_EQ(other.GetThreadCount(), 2);
  onnxc::RunOptions one;
  one.SetMaxThreads(1);
  EXPECT_EQ(
      other.Run({"x", "y"}, {x, x}, {"t"}, one)[0].GetTensorData<float>()[0],
      42);
}

TEST_F(CppApi, Terminate) {
  onnxc::RunOptions options;
  options.SetTerminate();
  try {
    session.Run({"x", "y"}, {x, x}, {"t"}, options);
    FAIL() << "no error";
  } catch (const onnxc::Error &error) {
    EXPECT_EQ(error.GetErrorCode(), ONNXC_STATUS_TERMINATED);
  }
  options.UnsetTerminate();
  EXPECT_EQ(session.Run({"x", "y"}, {x, x}, {"t"}, options).size(), 1u);
}

} // namespace
