//===- ProfileTest.cpp - When each kernel ran -===//
#include "Support.h"
#include "onnxc/onnxc.hpp"

#include <chrono>

using namespace onnxc::test;
using onnxc::Value;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

class Profile : public testing::Test {
protected:
  static onnxc::SessionOptions profiling() {
    onnxc::SessionOptions options;
    options.EnableProfiling();
    return options;
  }
  void run() { session.Run({"x", "y"}, {x, x}); }

  onnxc::Session session{modelPath("sum"), profiling()};
  std::vector<float> data = {1, 2, 3, 4, 5, 6};
  Value x = Value::CreateTensor<float>(data.data(), data.size(), {1, 3, 1, 2});
};

TEST_F(Profile, Events) {
  int64_t now = std::chrono::duration_cast<std::chrono::nanoseconds>(
                    std::chrono::system_clock::now().time_since_epoch())
                    .count();
  EXPECT_NEAR(double(session.GetProfilingStartTimeNs()), double(now), 60e9);
  EXPECT_TRUE(session.GetProfile().empty());
  run();
  run();
  std::vector<onnxc_profile_event> events = session.GetProfile();
  ASSERT_EQ(events.size(), 2u);
  const onnxc_profile_event &last = events[1];
  EXPECT_STREQ(last.kernel->kind, "elementwise");
  EXPECT_EQ(last.sizes[0], 6);
  EXPECT_EQ(last.flops, 6);
  EXPECT_EQ(last.bytes, 72);
  EXPECT_EQ(last.run, 1);
  EXPECT_LE(0, events[0].begin_ns);
  EXPECT_LE(events[0].begin_ns, events[0].end_ns);
  EXPECT_LE(events[0].end_ns, last.begin_ns);
}

TEST_F(Profile, Trace) {
  TemporaryFolder folder;
  std::string path = folder.path() + "/trace.json";
  run();
  session.EndProfiling(path);
  std::string trace = readFile(path);
  EXPECT_THAT(trace, HasSubstr(R"("name":"model_run")"));
  EXPECT_THAT(trace, HasSubstr(R"("name":"add1 + a \"quoted\" name")"));
  EXPECT_THAT(trace, HasSubstr(R"("op_name":"Add + Relu")"));
  EXPECT_THAT(trace, HasSubstr(R"("shapes":"f32[6] -> f32[4]")"));
  // Recording has ended.
  run();
  EXPECT_EQ(session.GetProfile().size(), 1u);
}

TEST_F(Profile, CannotWrite) {
  expectError(
      onnxc_session_end_profiling(session, "/no/such/folder/trace.json"),
      ONNXC_STATUS_SYSTEM_ERROR,
      "cannot write the trace to '/no/such/folder/trace.json': No such file or "
      "directory");
}

TEST_F(Profile, WrongArguments) {
  onnxc_profile_event event;
  expectError(onnxc_session_profile_event(session, 0, &event),
              ONNXC_STATUS_INVALID_ARGUMENT, "there is no event 0");
  expectError(onnxc_session_profile_event(session, 0, nullptr),
              ONNXC_STATUS_INVALID_ARGUMENT, "event is NULL");
  expectError(onnxc_session_end_profiling(session, nullptr),
              ONNXC_STATUS_INVALID_ARGUMENT, "path is NULL");
  SessionHandle silent = openModel("sum");
  EXPECT_EQ(onnxc_session_profile_event_count(silent.get()), 0u);
  EXPECT_EQ(onnxc_session_profiling_start_time_ns(silent.get()), 0);
  expectError(onnxc_session_end_profiling(silent.get(), "trace.json"),
              ONNXC_STATUS_INVALID_ARGUMENT,
              "profiling is not enabled in this session");
}

TEST_F(Profile, ModelWithoutTimes) {
  onnxc_session *other = nullptr;
  expectError(
      onnxc_session_create(modelPath("kinds").c_str(), profiling(), &other),
      ONNXC_STATUS_INVALID_ARGUMENT,
      "'" + modelPath("kinds") +
          "' does not report times: compile it with onnx-compile --profile");
  EXPECT_EQ(other, nullptr);
}

} // namespace
