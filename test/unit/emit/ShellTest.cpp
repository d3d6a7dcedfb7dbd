//===- ShellTest.cpp - What a compiled model answers ----------------------===//

#include "runtime/include/onnxc/model_abi.h"
#include "test/unit/emit/Models.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <dlfcn.h>
#include <memory>

using namespace onnxc;
using namespace onnxc::test;
using testing::HasSubstr;

namespace {

/// A model in this process.
class ShellTest : public testing::Test {
protected:
  static void SetUpTestSuite() {
    directory = new Directory;
    const float scale[4] = {1, 2, 3, 4};
    std::string path = directory->file("m.so");
    ASSERT_EQ(emitScale(path, scale), "");
    void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    ASSERT_TRUE(library) << dlerror();
    model = reinterpret_cast<onnxc_get_model_fn>(
        dlsym(library, ONNXC_GET_MODEL_SYMBOL))();
  }
  static void TearDownTestSuite() { delete directory; }

  /// Two rows of ones.
  void SetUp() override {
    inputs[0] = {ONNXC_KIND_TENSOR, ONNXC_FLOAT, 2, {2, 4}, x, sizeof(x)};
    inputs[1] = {ONNXC_KIND_TENSOR, ONNXC_INT64, 1, {2}, unused, 16};
    output.data = y;
    output.bytes = sizeof(y);
  }
  int run(const onnxc_services *services = nullptr) {
    return model->run(services, inputs, &output, workspace, sizeof(workspace),
                      &error);
  }
  void expectRefusal(const std::string &message) {
    EXPECT_EQ(run(), ONNXC_MODEL_INVALID_ARGUMENT);
    EXPECT_EQ(error.status, ONNXC_MODEL_INVALID_ARGUMENT);
    EXPECT_EQ(std::string(error.message), message);
  }

  static Directory *directory;
  static const onnxc_model *model;
  float x[8] = {1, 1, 1, 1, 2, 2, 2, 2}, y[8] = {};
  int64_t unused[2] = {};
  alignas(64) char workspace[64];
  onnxc_value inputs[2] = {}, output = {};
  onnxc_error error = {};
};
Directory *ShellTest::directory;
const onnxc_model *ShellTest::model;

TEST_F(ShellTest, DescribesTheModel) {
  EXPECT_EQ(model->magic, ONNXC_MODEL_MAGIC);
  EXPECT_EQ(model->abi_version, ONNXC_ABI_VERSION);
  EXPECT_EQ(model->struct_size, sizeof(onnxc_model));
  EXPECT_STREQ(model->producer_name, "tester");
  EXPECT_STREQ(model->producer_version, "");
  EXPECT_STREQ(model->graph_name, "scale");
  EXPECT_EQ(model->model_version, 7);
  ASSERT_EQ(model->metadata_count, 1u);
  EXPECT_STREQ(model->metadata[0].key, "key");
  EXPECT_STREQ(model->metadata[0].value, "value");
  EXPECT_STREQ(model->compiler_version, "onnxc test");
  EXPECT_STREQ(model->target, "x86-64-v2");
  ASSERT_EQ(model->input_count, 2u);
  const onnxc_value_info &info = model->inputs[0];
  EXPECT_STREQ(info.name, "x");
  EXPECT_EQ(info.kind, unsigned(ONNXC_KIND_TENSOR));
  EXPECT_EQ(info.elem_type, ONNXC_FLOAT);
  EXPECT_EQ(info.rank, 2);
  EXPECT_EQ(info.dims[0], -1);
  EXPECT_EQ(info.dims[1], 4);
  EXPECT_STREQ(info.dim_names[0], "N");
  EXPECT_EQ(info.dim_names[1], nullptr);
  EXPECT_EQ(info.has_default, 0);
  EXPECT_EQ(model->inputs[1].elem_type, ONNXC_INT64);
  ASSERT_EQ(model->output_count, 1u);
  EXPECT_STREQ(model->outputs[0].name, "y");
}

TEST_F(ShellTest, RunsWithoutServices) {
  ASSERT_EQ(run(), 0) << error.message;
  for (int i = 0; i < 8; ++i)
    EXPECT_EQ(y[i], (i % 4 + 1) * (i / 4 + 1));
  EXPECT_EQ(output.kind, unsigned(ONNXC_KIND_TENSOR));
  EXPECT_EQ(output.elem_type, ONNXC_FLOAT);
  EXPECT_EQ(output.rank, 2);
  EXPECT_EQ(output.dims[0], 2);
  EXPECT_EQ(output.dims[1], 4);
  EXPECT_EQ(output.bytes, 32u);
  EXPECT_EQ(model->run(nullptr, inputs, &output, workspace, 64, nullptr), 0);
}

TEST_F(ShellTest, RunsLargeSizes) {
  const int64_t rows = 1000; // memcpy takes its other paths
  std::vector<float> in(rows * 4), out(rows * 4);
  std::vector<int64_t> ids(rows);
  std::unique_ptr<char, decltype(&free)> space(
      static_cast<char *>(aligned_alloc(64, rows * 16)), &free);
  for (size_t i = 0; i < in.size(); ++i)
    in[i] = static_cast<float>(i);
  for (int64_t n = 0; n < rows; n += n < 20 ? 1 : 97) {
    if (n == 13)
      continue;
    std::fill(out.begin(), out.end(), -1);
    inputs[0] = {ONNXC_KIND_TENSOR, ONNXC_FLOAT,  2, {n, 4},
                 in.data(),         in.size() * 4};
    inputs[1] = {ONNXC_KIND_TENSOR, ONNXC_INT64,   1, {n},
                 ids.data(),        ids.size() * 8};
    output.data = out.data();
    output.bytes = out.size() * 4;
    ASSERT_EQ(
        model->run(nullptr, inputs, &output, space.get(), rows * 16, &error), 0)
        << error.message;
    for (int64_t i = 0; i < rows * 4; ++i)
      ASSERT_EQ(out[i], i < n * 4 ? in[i] * static_cast<float>(i % 4 + 1) : -1)
          << n << " " << i;
  }
}

TEST_F(ShellTest, PlansWithoutData) {
  inputs[0].data = nullptr;
  size_t bytes = 1;
  ASSERT_EQ(model->plan(inputs, &output, &bytes, &error), 0) << error.message;
  EXPECT_EQ(bytes, 32u);
  EXPECT_EQ(output.rank, 2);
  EXPECT_EQ(output.dims[0], 2);
  EXPECT_EQ(output.bytes, 32u);
}

TEST_F(ShellTest, RefusesInputsThatDoNotFit) {
  inputs[0].dims[1] = 5;
  expectRefusal("input 'x': wrong shape: expected float[N,4], got float[2,5]");
  SetUp();
  inputs[0].elem_type = ONNXC_DOUBLE;
  expectRefusal("input 'x': wrong type: expected float[N,4], got double[2,4]");
  SetUp();
  inputs[0].kind = ONNXC_KIND_SEQUENCE;
  expectRefusal("input 'x': wrong type: expected float[N,4], got sequence");
  SetUp();
  inputs[0].kind = ONNXC_KIND_NONE;
  expectRefusal("input 'x': wrong type: expected float[N,4], got none");
  SetUp();
  inputs[0].rank = 3;
  inputs[0].dims[2] = 1;
  expectRefusal("input 'x': wrong rank: expected float[N,4], got float[2,4,1]");
  SetUp();
  inputs[0].rank = 1000;
  expectRefusal(
      "input 'x': wrong rank: expected float[N,4], got float of rank 1000");
  SetUp();
  inputs[1].dims[0] = 1;
  expectRefusal("input 'unused': wrong shape: expected int64[N], got int64[1]; "
                "N is 2 in input 'x'");
  SetUp();
  inputs[0].dims[0] = -1;
  expectRefusal(
      "input 'x': impossible shape: expected float[N,4], got float[-1,4]");
  SetUp();
  inputs[0].dims[0] = INT64_MAX / 2;
  EXPECT_EQ(run(), ONNXC_MODEL_INVALID_ARGUMENT);
  EXPECT_THAT(error.message, HasSubstr("impossible shape"));
  SetUp();
  inputs[0].data = nullptr;
  expectRefusal("input 'x': data is NULL");
  SetUp();
  inputs[0].bytes = 31;
  expectRefusal(
      "input 'x': float[2,4] needs 32 bytes, the memory given has 31");
}

TEST_F(ShellTest, MessageIsCutNotOverrun) {
  EXPECT_EQ(model->run(nullptr, nullptr, nullptr, nullptr, 0, &error),
            ONNXC_MODEL_INVALID_ARGUMENT);
  EXPECT_LT(strlen(error.message), sizeof(error.message));
}

TEST_F(ShellTest, MissingMemoryIsAnError) {
  EXPECT_EQ(model->run(nullptr, inputs, &output, workspace, 16, &error),
            ONNXC_MODEL_OUT_OF_MEMORY);
  EXPECT_STREQ(error.message, "no workspace of 32 bytes, the one given has 16");
  EXPECT_EQ(model->run(nullptr, inputs, &output, nullptr, 0, &error),
            ONNXC_MODEL_OUT_OF_MEMORY);
  EXPECT_STREQ(error.message, "no workspace of 32 bytes");
  EXPECT_EQ(model->run(nullptr, inputs, &output, workspace + 4, 60, &error),
            ONNXC_MODEL_OUT_OF_MEMORY);
  EXPECT_THAT(error.message, HasSubstr("aligned"));
  output.bytes = 31;
  EXPECT_EQ(run(), ONNXC_MODEL_OUT_OF_MEMORY);
  EXPECT_STREQ(
      error.message,
      "output 'y': float[2,4] needs 32 bytes, the memory given has 31");
  output.data = nullptr;
  EXPECT_EQ(run(), ONNXC_MODEL_OUT_OF_MEMORY);
  EXPECT_STREQ(error.message,
               "output 'y': no memory of 32 bytes for float[2,4]");
}

TEST_F(ShellTest, GeneratedCodeCanFail) {
  std::vector<float> in(13 * 4), out(13 * 4);
  std::vector<int64_t> ids(13);
  alignas(64) static char space[13 * 16];
  inputs[0] = {ONNXC_KIND_TENSOR, ONNXC_FLOAT, 2, {13, 4}, in.data(), 208};
  inputs[1] = {ONNXC_KIND_TENSOR, ONNXC_INT64, 1, {13}, ids.data(), 104};
  output.data = out.data();
  output.bytes = 208;
  EXPECT_EQ(model->run(nullptr, inputs, &output, space, sizeof(space), &error),
            ONNXC_MODEL_RUNTIME_ERROR);
  EXPECT_STREQ(error.message, "13 rows are refused");
}

struct Host {
  float output[8] = {};
  alignas(64) char workspace[64];
  size_t workspaceBytes = 0;
  int ranges = 0;
};

TEST_F(ShellTest, UsesTheHostsServices) {
  Host host;
  onnxc_services services = {};
  services.abi_version = ONNXC_ABI_VERSION;
  services.struct_size = sizeof(services);
  services.context = &host;
  services.workspace = [](void *context, size_t bytes) -> void * {
    auto *host = static_cast<Host *>(context);
    host->workspaceBytes = bytes;
    return host->workspace;
  };
  services.allocate_output = [](void *context, size_t index,
                                const onnxc_value *value,
                                size_t bytes) -> void * {
    EXPECT_EQ(index, 0u);
    EXPECT_EQ(value->rank, 2);
    EXPECT_EQ(value->dims[0], 2);
    EXPECT_EQ(bytes, 32u);
    return static_cast<Host *>(context)->output;
  };
  services.parallel_for = [](void *context, int64_t count, int64_t grain,
                             void (*body)(void *, int64_t, int64_t),
                             void *argument) {
    for (int64_t i = 0; i < count; i += grain) {
      ++static_cast<Host *>(context)->ranges;
      body(argument, i, std::min(i + grain, count));
    }
  };
  output.data = nullptr;
  ASSERT_EQ(model->run(&services, inputs, &output, nullptr, 0, &error), 0)
      << error.message;
  EXPECT_EQ(host.workspaceBytes, 32u);
  EXPECT_EQ(host.ranges, 2);
  EXPECT_EQ(output.data, host.output);
  EXPECT_EQ(host.output[7], 8);
  services.abi_version = 999;
  EXPECT_EQ(run(&services), ONNXC_MODEL_INVALID_ARGUMENT);
}

TEST(Shell, AbsentInputTakesItsDefault) {
  Directory directory;
  const float scale[4] = {1, 2, 3, 4};
  std::string path = directory.file("m.so");
  ASSERT_EQ(emitScale(path, scale, EmitKind::Library, "x86-64-v2",
                      "x86_64-unknown-linux-gnu", "onnxc_get_model", true),
            "");
  void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  ASSERT_TRUE(library) << dlerror();
  const onnxc_model *model = reinterpret_cast<onnxc_get_model_fn>(
      dlsym(library, ONNXC_GET_MODEL_SYMBOL))();
  ASSERT_EQ(model->input_count, 1u);
  EXPECT_EQ(model->inputs[0].has_default, 1);
  float x[4] = {1, 1, 1, 1}, y[4] = {};
  alignas(64) char workspace[64];
  onnxc_value input = {}, output = {};
  output.data = y;
  output.bytes = sizeof(y);
  EXPECT_EQ(model->run(nullptr, &input, &output, workspace, 64, nullptr), 0);
  EXPECT_EQ(y[0], 5);
  EXPECT_EQ(y[3], 32);
  input = {ONNXC_KIND_TENSOR, ONNXC_FLOAT, 2, {1, 4}, x, sizeof(x)};
  EXPECT_EQ(model->run(nullptr, &input, &output, workspace, 64, nullptr), 0);
  EXPECT_EQ(y[3], 4);
  dlclose(library);
}

} // namespace
