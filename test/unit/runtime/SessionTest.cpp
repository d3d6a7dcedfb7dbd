//===- SessionTest.cpp - Runs, their checks, and what a model says of itself
//-===//
#include "Support.h"

#include <atomic>
#include <thread>

using namespace onnxc::test;
using testing::Each;
using testing::ElementsAre;

namespace {

class SumSession : public testing::Test {
protected:
  onnxc_value x() { return viewOf(ONNXC_FLOAT, xData, {1, 3, 1, 2}); }
  onnxc_value y() { return viewOf(ONNXC_FLOAT, yData, {1, 3, 1, 2}); }

  onnxc_status *run(std::vector<const char *> inputNames,
                    std::vector<onnxc_value> inputs,
                    std::vector<const char *> outputNames,
                    onnxc_tensor **outputs) {
    return onnxc_session_run(session.get(), nullptr, inputNames.data(),
                             inputs.data(), inputs.size(), outputNames.data(),
                             outputNames.size(), outputs);
  }
  void expectRefusal(std::vector<const char *> names,
                     std::vector<onnxc_value> inputs,
                     const std::string &message) {
    onnxc_tensor *outputs[2] = {};
    expectError(run(names, inputs, {}, outputs), ONNXC_STATUS_INVALID_ARGUMENT,
                message);
    EXPECT_THAT(outputs, Each(nullptr));
  }

  SessionHandle session = openModel("sum");
  std::vector<float> xData = {1, 2, 3, 4, 5, 6};
  std::vector<float> yData = {10, 20, 30, 40, 50, 60};
};

TEST_F(SumSession, AllOutputs) {
  onnxc_tensor *outputs[2] = {};
  expectOk(run({"y", "x"}, {y(), x()}, {}, outputs));
  TensorHandle s(outputs[0]), t(outputs[1]);
  EXPECT_THAT(elementsOf<float>(s.get()), ElementsAre(11, 22, 33, 44, 55, 66));
  EXPECT_THAT(dimsOf(*onnxc_tensor_view(s.get())), ElementsAre(1, 3, 1, 2));
  EXPECT_THAT(elementsOf<float>(t.get()), ElementsAre(231));
  EXPECT_EQ(onnxc_tensor_view(t.get())->rank, 0);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(onnxc_tensor_view(s.get())->data) % 64,
            0u);
}

TEST_F(SumSession, SubsetInAnyOrder) {
  onnxc_tensor *one[1] = {};
  expectOk(run({"x", "y"}, {x(), y()}, {"t"}, one));
  TensorHandle t(one[0]);
  EXPECT_THAT(elementsOf<float>(t.get()), ElementsAre(231));

  onnxc_tensor *two[2] = {};
  expectOk(run({"x", "y"}, {x(), y()}, {"t", "s"}, two));
  TensorHandle first(two[0]), second(two[1]);
  EXPECT_THAT(elementsOf<float>(first.get()), ElementsAre(231));
  EXPECT_THAT(elementsOf<float>(second.get()),
              ElementsAre(11, 22, 33, 44, 55, 66));
}

TEST_F(SumSession, Indexed) {
  onnxc_value inputs[2] = {x(), y()};
  size_t index = 1;
  onnxc_tensor *output = nullptr;
  expectOk(onnxc_session_run_indexed(session.get(), nullptr, inputs, &index, 1,
                                     &output));
  TensorHandle t(output);
  EXPECT_THAT(elementsOf<float>(t.get()), ElementsAre(231));

  index = 2;
  output = nullptr;
  expectError(onnxc_session_run_indexed(session.get(), nullptr, inputs, &index,
                                        1, &output),
              ONNXC_STATUS_INVALID_ARGUMENT,
              "there is no output 2; the model has 2");
}

TEST_F(SumSession, GivenMemory) {
  std::vector<float> memory(8, -1);
  int64_t dims[] = {8};
  onnxc_tensor *outputs[2] = {};
  expectOk(
      onnxc_tensor_wrap(ONNXC_FLOAT, dims, 1, memory.data(), 32, &outputs[0]));
  onnxc_tensor *given = outputs[0];
  expectOk(run({"x", "y"}, {x(), y()}, {}, outputs));
  EXPECT_EQ(outputs[0], given);
  TensorHandle s(outputs[0]), t(outputs[1]);
  EXPECT_THAT(memory, ElementsAre(11, 22, 33, 44, 55, 66, -1, -1));
  EXPECT_THAT(dimsOf(*onnxc_tensor_view(given)), ElementsAre(1, 3, 1, 2));
  EXPECT_EQ(onnxc_tensor_view(given)->bytes, 24u);

  // The room is still that of 8 floats.
  std::vector<float> more(7, 0);
  outputs[1] = nullptr;
  expectError(run({"x", "y"}, {x(), y()}, {"s", "s"}, outputs),
              ONNXC_STATUS_INVALID_ARGUMENT, "output 's' is asked for twice");
}

TEST_F(SumSession, GivenMemoryThatDoesNotFit) {
  int64_t dims[] = {3};
  std::vector<float> memory(3);
  onnxc_tensor *output = nullptr;
  expectOk(onnxc_tensor_wrap(ONNXC_FLOAT, dims, 1, memory.data(), 12, &output));
  TensorHandle owner(output);
  expectError(run({"x", "y"}, {x(), y()}, {"s"}, &output),
              ONNXC_STATUS_INVALID_ARGUMENT, "an output is too small");

  dims[0] = 0;
  expectOk(onnxc_tensor_wrap(ONNXC_FLOAT, dims, 1, nullptr, 0, &output));
  TensorHandle empty(output);
  expectError(run({"x", "y"}, {x(), y()}, {"s"}, &output),
              ONNXC_STATUS_INVALID_ARGUMENT,
              "output 's': shape [1,3,1,2] needs 24 bytes, got a tensor of 0");

  dims[0] = 6;
  expectOk(onnxc_tensor_create(ONNXC_INT32, dims, 1, &output));
  TensorHandle wrongType(output);
  expectError(run({"x", "y"}, {x(), y()}, {"s"}, &output),
              ONNXC_STATUS_INVALID_ARGUMENT,
              "output 's': expected tensor(float), got tensor(int32)");

  onnxc_tensor *same[2] = {output, output};
  expectOk(onnxc_tensor_create(ONNXC_FLOAT, dims, 1, &output));
  TensorHandle shared(output);
  same[0] = same[1] = output;
  expectError(run({"x", "y"}, {x(), y()}, {}, same),
              ONNXC_STATUS_INVALID_ARGUMENT,
              "output 't' shares its tensor with another output");
}

TEST_F(SumSession, Names) {
  expectRefusal({"x", "z"}, {x(), y()},
                "unknown input 'z'; the model has 'x', 'y'");
  expectRefusal({"x"}, {x()}, "missing input 'y'");
  expectRefusal({}, {}, "missing input 'x'");
  expectRefusal({"x", "x"}, {x(), x()}, "input 'x' is given twice");
  expectRefusal({"x", nullptr}, {x(), y()}, "an input's name is NULL");
  onnxc_tensor *output = nullptr;
  expectError(run({"x", "y"}, {x(), y()}, {"u"}, &output),
              ONNXC_STATUS_INVALID_ARGUMENT,
              "unknown output 'u'; the model has 's', 't'");
}

TEST_F(SumSession, Types) {
  std::vector<int64_t> integers(6);
  expectRefusal({"x", "y"}, {x(), viewOf(ONNXC_INT64, integers, {1, 3, 1, 2})},
                "input 'y': expected tensor(float), got tensor(int64)");
  onnxc_value sequence = x();
  sequence.kind = ONNXC_KIND_SEQUENCE;
  expectRefusal({"x", "y"}, {sequence, y()},
                "input 'x': expected a tensor, got what is a sequence");
  sequence.kind = ONNXC_KIND_NONE;
  expectRefusal({"x", "y"}, {sequence, y()},
                "input 'x': the value given is none");
}

TEST_F(SumSession, Shapes) {
  expectRefusal({"x", "y"}, {x(), viewOf(ONNXC_FLOAT, yData, {3, 2})},
                "input 'y': expected shape [N,3,?,?], got [3,2]");
  expectRefusal({"x", "y"}, {viewOf(ONNXC_FLOAT, xData, {1, 2, 1, 3}), y()},
                "input 'x': expected shape [N,3,?,?], got [1,2,1,3]");
  expectRefusal({"x", "y"}, {x(), viewOf(ONNXC_FLOAT, yData, {2, 3, 1, 1})},
                "input 'y': expected shape [N,3,?,?] with N = 1 as in input "
                "'x', got [2,3,1,1]");
  expectRefusal({"x", "y"}, {viewOf(ONNXC_FLOAT, xData, {-1, 3, 1, 2}), y()},
                "input 'x': no tensor can have the shape [-1,3,1,2]");
  expectRefusal({"x", "y"},
                {viewOf(ONNXC_FLOAT, xData, {1, 3, INT64_MAX, 2}), y()},
                "input 'x': no tensor can have the shape "
                "[1,3,9223372036854775807,2]");
  onnxc_value deep = x();
  deep.rank = ONNXC_MAX_RANK + 1;
  expectRefusal({"x", "y"}, {deep, y()},
                "input 'x': a rank of 17 is not possible");
  // What only the model itself knows.
  expectRefusal({"x", "y"}, {x(), viewOf(ONNXC_FLOAT, yData, {1, 3, 2, 1})},
                "input 'y' has another size than input 'x'");
}

TEST_F(SumSession, Memory) {
  onnxc_value value = x();
  value.bytes = 23;
  expectRefusal({"x", "y"}, {value, y()},
                "input 'x': shape [1,3,1,2] needs 24 bytes, got 23");
  value = x();
  value.data = nullptr;
  expectRefusal({"x", "y"}, {value, y()},
                "input 'x': shape [1,3,1,2] needs 24 bytes, got NULL");
  value = viewOf(ONNXC_FLOAT, xData, {1, 3, 1, 1});
  value.data = static_cast<char *>(value.data) + 1;
  expectRefusal({"x", "y"}, {value, y()},
                "input 'x': the data is not aligned to 4 bytes");
}

TEST_F(SumSession, EmptyTensors) {
  onnxc_value none = viewOf(ONNXC_FLOAT, xData, {0, 3, 4, 4});
  none.data = nullptr;
  none.bytes = 0;
  onnxc_tensor *outputs[2] = {};
  expectOk(run({"x", "y"}, {none, none}, {}, outputs));
  TensorHandle s(outputs[0]), t(outputs[1]);
  EXPECT_THAT(dimsOf(*onnxc_tensor_view(s.get())), ElementsAre(0, 3, 4, 4));
  EXPECT_THAT(elementsOf<float>(t.get()), ElementsAre(0));
}

TEST_F(SumSession, NullArguments) {
  onnxc_value inputs[2] = {x(), y()};
  const char *names[2] = {"x", "y"};
  onnxc_tensor *outputs[2] = {};
  auto run = [&](onnxc_session *s, const char *const *n, const onnxc_value *v,
                 onnxc_tensor **o) {
    return Outcome(onnxc_session_run(s, nullptr, n, v, 2, nullptr, 0, o));
  };
  EXPECT_EQ(run(nullptr, names, inputs, outputs).message, "session is NULL");
  EXPECT_EQ(run(session.get(), nullptr, inputs, outputs).message,
            "input_names is NULL");
  EXPECT_EQ(run(session.get(), names, nullptr, outputs).message,
            "inputs is NULL");
  EXPECT_EQ(run(session.get(), names, inputs, nullptr).message,
            "outputs is NULL");
  expectError(onnxc_session_run(session.get(), nullptr, names, inputs, 2,
                                nullptr, 1, outputs),
              ONNXC_STATUS_INVALID_ARGUMENT, "output_names is NULL");
  expectError(onnxc_session_create(nullptr, nullptr, nullptr),
              ONNXC_STATUS_INVALID_ARGUMENT, "session is NULL");
  onnxc_session *made = nullptr;
  expectError(onnxc_session_create(nullptr, nullptr, &made),
              ONNXC_STATUS_INVALID_ARGUMENT, "path is NULL");
  expectError(onnxc_session_create_from_model(nullptr, nullptr, &made),
              ONNXC_STATUS_INVALID_ARGUMENT, "model is NULL");
  onnxc_session_release(nullptr);
  onnxc_tensor_release(nullptr);
  onnxc_status_release(nullptr);
  EXPECT_EQ(onnxc_session_input(nullptr, 0), nullptr);
  EXPECT_EQ(onnxc_session_metadata(nullptr), nullptr);
}

TEST_F(SumSession, Metadata) {
  const onnxc_metadata *metadata = onnxc_session_metadata(session.get());
  EXPECT_STREQ(metadata->producer_name, "unit test");
  EXPECT_STREQ(metadata->producer_version, "7");
  EXPECT_STREQ(metadata->domain, "org.example");
  EXPECT_STREQ(metadata->graph_name, "sum");
  EXPECT_STREQ(metadata->description, "adds two tensors");
  EXPECT_STREQ(metadata->graph_description, "the graph of sum");
  EXPECT_EQ(metadata->version, 42);
  EXPECT_STREQ(onnxc_session_metadata_lookup(session.get(), "character"),
               "abc\ndef");
  EXPECT_STREQ(onnxc_session_metadata_lookup(session.get(), "stride"), "32");
  EXPECT_EQ(onnxc_session_metadata_lookup(session.get(), "none"), nullptr);

  ASSERT_EQ(onnxc_session_input_count(session.get()), 2u);
  const onnxc_value_info *info = onnxc_session_input(session.get(), 1);
  EXPECT_STREQ(info->name, "y");
  EXPECT_EQ(info->elem_type, ONNXC_FLOAT);
  EXPECT_EQ(info->rank, 4);
  EXPECT_STREQ(info->dim_names[0], "N");
  EXPECT_EQ(onnxc_session_input(session.get(), 2), nullptr);
  EXPECT_STREQ(onnxc_session_output(session.get(), 1)->name, "t");
  EXPECT_EQ(onnxc_session_find_input(session.get(), "y"), 1);
  EXPECT_EQ(onnxc_session_find_input(session.get(), "s"), -1);
  EXPECT_EQ(onnxc_session_find_output(session.get(), "s"), 0);
}

TEST_F(SumSession, Plan) {
  onnxc_value inputs[2] = {x(), y()}, outputs[2];
  size_t workspace = 0;
  expectOk(onnxc_session_plan(session.get(), inputs, outputs, &workspace));
  EXPECT_THAT(dimsOf(outputs[0]), ElementsAre(1, 3, 1, 2));
  EXPECT_EQ(outputs[0].bytes, 24u);
  EXPECT_EQ(workspace, 24u);
  inputs[1] = viewOf(ONNXC_FLOAT, yData, {2, 3, 1, 1});
  EXPECT_EQ(
      Outcome(onnxc_session_plan(session.get(), inputs, outputs, nullptr)).code,
      ONNXC_STATUS_INVALID_ARGUMENT);
}

TEST_F(SumSession, FromBytes) {
  std::string bytes = readFile(modelPath("sum"));
  onnxc_session *made = nullptr;
  expectOk(onnxc_session_create_from_bytes(bytes.data(), bytes.size(), nullptr,
                                           &made));
  session.reset(made);
  bytes.assign(bytes.size(), '\0');
  onnxc_tensor *output = nullptr;
  expectOk(run({"x", "y"}, {x(), y()}, {"t"}, &output));
  TensorHandle t(output);
  EXPECT_THAT(elementsOf<float>(t.get()), ElementsAre(231));
}

// A model compiled anew under the same name, while the old one is in use.
TEST_F(SumSession, ReplacedFile) {
  TemporaryFolder folder;
  std::string path = folder.write("model.so", readFile(modelPath("sum")));
  onnxc_session *first = nullptr, *second = nullptr, *third = nullptr;
  expectOk(onnxc_session_create(path.c_str(), nullptr, &first));
  expectOk(onnxc_session_create(path.c_str(), nullptr, &second));
  std::filesystem::rename(folder.write("new.so", readFile(modelPath("kinds"))),
                          path);
  onnxc_session_release(first);
  expectOk(onnxc_session_create(path.c_str(), nullptr, &third));
  EXPECT_STREQ(onnxc_session_metadata(second)->graph_name, "sum");
  EXPECT_STREQ(onnxc_session_metadata(third)->graph_name, "kinds");
  onnxc_session_release(second);
  onnxc_session_release(third);
}

TEST_F(SumSession, ConcurrentRuns) {
  for (int threads : {1, 3}) {
    session = openModel("sum", threads);
    EXPECT_EQ(onnxc_session_thread_count(session.get()), threads);
    std::atomic<int> wrong{0};
    std::vector<std::thread> callers;
    for (int caller = 0; caller < 4; ++caller) {
      callers.emplace_back([&, caller] {
        for (int64_t i = 0; i < 50; ++i) {
          int64_t size = 1 + (caller * 37 + i * 11) % 90;
          std::vector<float> a(3 * size, static_cast<float>(caller));
          std::vector<float> b(3 * size, static_cast<float>(i));
          onnxc_value inputs[2] = {viewOf(ONNXC_FLOAT, a, {1, 3, size, 1}),
                                   viewOf(ONNXC_FLOAT, b, {1, 3, size, 1})};
          onnxc_tensor *output = nullptr;
          size_t index = 0;
          Outcome outcome(onnxc_session_run_indexed(
              session.get(), nullptr, inputs, &index, 1, &output));
          TensorHandle s(output);
          if (outcome.code != ONNXC_STATUS_OK ||
              elementsOf<float>(s.get()) !=
                  std::vector<float>(3 * size, static_cast<float>(caller + i)))
            ++wrong;
        }
      });
    }
    for (std::thread &caller : callers)
      caller.join();
    EXPECT_EQ(wrong, 0);
  }
}

TEST_F(SumSession, RunOptions) {
  onnxc_run_options *options = nullptr;
  expectOk(onnxc_run_options_create(&options));
  expectOk(onnxc_run_options_set_max_threads(options, 1));
  expectError(onnxc_run_options_set_max_threads(options, -1),
              ONNXC_STATUS_INVALID_ARGUMENT,
              "max_threads is -1, expected 0 to 1024");
  session = openModel("sum", 2);
  onnxc_value inputs[2] = {x(), y()};
  onnxc_tensor *outputs[2] = {};
  expectOk(onnxc_session_run_indexed(session.get(), options, inputs, nullptr, 0,
                                     outputs));
  TensorHandle s(outputs[0]), t(outputs[1]);
  EXPECT_THAT(elementsOf<float>(t.get()), ElementsAre(231));
  onnxc_run_options_release(options);
}

TEST(SessionOptions, Threads) {
  onnxc_session_options *options = nullptr;
  expectOk(onnxc_session_options_create(&options));
  expectOk(onnxc_session_options_set_intra_op_num_threads(options, 2));
  for (int threads : {-1, 1025})
    expectError(
        onnxc_session_options_set_intra_op_num_threads(options, threads),
        ONNXC_STATUS_INVALID_ARGUMENT,
        "intra_op_num_threads is " + std::to_string(threads) +
            ", expected 0 to 1024");
  expectOk(onnxc_session_options_set_spinning(options, 0));
  onnxc_session *session = nullptr;
  expectOk(onnxc_session_create(modelPath("sum").c_str(), options, &session));
  EXPECT_EQ(onnxc_session_thread_count(session), 2);
  onnxc_session_release(session);
  onnxc_session_options_release(options);
}

class KindsSession : public testing::Test {
protected:
  onnxc_status *run(std::vector<int64_t> data, double *scale = nullptr) {
    onnxc_value inputs[2] = {};
    inputs[0] = viewOf(ONNXC_INT64, data, {static_cast<int64_t>(data.size())});
    if (scale) {
      inputs[1].kind = ONNXC_KIND_TENSOR;
      inputs[1].elem_type = ONNXC_DOUBLE;
      inputs[1].data = scale;
      inputs[1].bytes = sizeof *scale;
    }
    onnxc_tensor *outputs[2] = {};
    onnxc_status *status = onnxc_session_run_indexed(
        session.get(), nullptr, inputs, nullptr, 0, outputs);
    nonzero.reset(outputs[0]);
    scaled.reset(outputs[1]);
    return status;
  }
  SessionHandle session = openModel("kinds");
  TensorHandle nonzero, scaled;
};

TEST_F(KindsSession, DataDependentSize) {
  expectOk(run({0, 5, 0, 7, 8}));
  EXPECT_THAT(elementsOf<int64_t>(nonzero.get()), ElementsAre(1, 3, 4));
  expectOk(run({0, 0}));
  EXPECT_THAT(dimsOf(*onnxc_tensor_view(nonzero.get())), ElementsAre(0));
}

TEST_F(KindsSession, DefaultInput) {
  expectOk(run({1, 2, 3}));
  EXPECT_THAT(elementsOf<double>(scaled.get()), ElementsAre(6));
  double scale = 10;
  expectOk(run({1, 2, 3}, &scale));
  EXPECT_THAT(elementsOf<double>(scaled.get()), ElementsAre(30));
}

TEST_F(KindsSession, AbsentOutput) {
  expectOk(run({}));
  ASSERT_NE(scaled, nullptr);
  EXPECT_EQ(onnxc_tensor_view(scaled.get())->kind, uint32_t(ONNXC_KIND_NONE));
}

TEST_F(KindsSession, RuntimeError) {
  expectError(run({1, 13}), ONNXC_STATUS_RUNTIME_ERROR, "13 brings bad luck");
  EXPECT_EQ(nonzero, nullptr);
  expectOk(run({1, 12})); // the session is unharmed
}

/// What the model with a sequence says of its third input.
struct SequenceSession : KindsSession {
  void SetUp() override { session = openModel("sequence"); }
  Outcome runWith(const onnxc_value &sequence) {
    std::vector<int64_t> data = {1};
    onnxc_value inputs[3] = {viewOf(ONNXC_INT64, data, {1}), {}, sequence};
    onnxc_tensor *outputs[2] = {};
    Outcome outcome(onnxc_session_run_indexed(session.get(), nullptr, inputs,
                                              nullptr, 0, outputs));
    nonzero.reset(outputs[0]);
    scaled.reset(outputs[1]);
    return outcome;
  }
};

static onnxc_value sequenceOf(std::vector<onnxc_value> &elements) {
  onnxc_value value = {};
  value.kind = ONNXC_KIND_SEQUENCE;
  value.rank = 1;
  value.dims[0] = static_cast<int64_t>(elements.size());
  value.data = elements.data();
  value.bytes = elements.size() * sizeof(onnxc_value);
  return value;
}

TEST_F(SequenceSession, Taken) {
  std::vector<float> data = {1, 2};
  std::vector<onnxc_value> elements = {viewOf(ONNXC_FLOAT, data, {2}),
                                       viewOf(ONNXC_FLOAT, data, {1, 1})};
  EXPECT_EQ(runWith(sequenceOf(elements)).message, "");
  elements.clear();
  EXPECT_EQ(runWith(sequenceOf(elements)).message, "");
}

TEST_F(SequenceSession, Refused) {
  std::vector<float> data = {1, 2};
  std::vector<onnxc_value> elements = {viewOf(ONNXC_FLOAT, data, {2})};
  EXPECT_EQ(runWith(elements[0]).message,
            "input 'sequence': expected seq(tensor(float)), got what is a "
            "tensor");
  EXPECT_EQ(runWith({}).message, "missing input 'sequence'");
  onnxc_value wrong = sequenceOf(elements);
  wrong.bytes = 1;
  EXPECT_EQ(runWith(wrong).message,
            "input 'sequence': 1 values need 160 bytes, got 1");
  wrong.data = nullptr;
  EXPECT_EQ(runWith(wrong).message,
            "input 'sequence': 1 values need 160 bytes, got NULL");
  wrong.dims[0] = -1;
  EXPECT_EQ(runWith(wrong).message,
            "input 'sequence': the length of a sequence is not possible");
  elements[0].elem_type = ONNXC_DOUBLE;
  EXPECT_EQ(runWith(sequenceOf(elements)).message,
            "input 'sequence': expected tensor(float), got tensor(double)");
  elements[0] = sequenceOf(elements);
  EXPECT_EQ(runWith(sequenceOf(elements)).message,
            "input 'sequence': expected a tensor, got what is a sequence");
}

} // namespace
