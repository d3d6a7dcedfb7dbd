//===- Support.h - What the runtime's tests share -*- C++ -*-===//
#ifndef ONNXC_TEST_UNIT_RUNTIME_SUPPORT_H
#define ONNXC_TEST_UNIT_RUNTIME_SUPPORT_H

#include "onnxc/c_api.h"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <initializer_list>
#include <memory>
#include <string>
#include <unistd.h>
#include <vector>

namespace onnxc::test {

inline std::string modelPath(const std::string &name) {
  return std::string(ONNXC_TEST_MODELS) + "/" + name + ".so";
}

/// What a call reported; the status is released.
struct Outcome {
  onnxc_status_code code = ONNXC_STATUS_OK;
  std::string message;

  Outcome(onnxc_status *status)
      : code(onnxc_status_get_code(status)),
        message(onnxc_status_message(status)) {
    onnxc_status_release(status);
  }
};

inline void expectOk(onnxc_status *status) {
  Outcome outcome(status);
  EXPECT_EQ(outcome.code, ONNXC_STATUS_OK) << outcome.message;
}

inline void expectError(onnxc_status *status, onnxc_status_code code,
                        const std::string &message) {
  Outcome outcome(status);
  EXPECT_EQ(outcome.code, code);
  EXPECT_EQ(outcome.message, message);
  EXPECT_EQ(outcome.message.find('\n'), std::string::npos);
}

struct SessionReleaser {
  void operator()(onnxc_session *session) const {
    onnxc_session_release(session);
  }
};
using SessionHandle = std::unique_ptr<onnxc_session, SessionReleaser>;

struct TensorReleaser {
  void operator()(onnxc_tensor *tensor) const { onnxc_tensor_release(tensor); }
};
using TensorHandle = std::unique_ptr<onnxc_tensor, TensorReleaser>;

inline SessionHandle openModel(const std::string &name, int threads = 1) {
  onnxc_session_options *options = nullptr;
  expectOk(onnxc_session_options_create(&options));
  expectOk(onnxc_session_options_set_intra_op_num_threads(options, threads));
  onnxc_session *session = nullptr;
  expectOk(onnxc_session_create(modelPath(name).c_str(), options, &session));
  onnxc_session_options_release(options);
  return SessionHandle(session);
}

template <typename T>
onnxc_value viewOf(onnxc_elem_type type, std::vector<T> &data,
                   std::initializer_list<int64_t> dims) {
  onnxc_value value = {};
  value.kind = ONNXC_KIND_TENSOR;
  value.elem_type = type;
  value.rank = static_cast<int64_t>(dims.size());
  std::copy(dims.begin(), dims.end(), value.dims);
  value.data = data.data();
  value.bytes = data.size() * sizeof(T);
  return value;
}

template <typename T> std::vector<T> elementsOf(const onnxc_tensor *tensor) {
  const onnxc_value *view = onnxc_tensor_view(tensor);
  const T *data = static_cast<const T *>(view->data);
  return {data, data + view->bytes / sizeof(T)};
}

inline std::vector<int64_t> dimsOf(const onnxc_value &value) {
  return {value.dims, value.dims + value.rank};
}

/// A folder of the test's own, removed at its end.
class TemporaryFolder {
public:
  TemporaryFolder() {
    std::string name =
        (std::filesystem::temp_directory_path() / "onnxc-test-XXXXXX").string();
    folder = mkdtemp(name.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(folder); }
  std::string write(const std::string &name, const std::string &bytes) const {
    std::filesystem::path path = folder / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << bytes;
    return path.string();
  }
  std::string path() const { return folder.string(); }

private:
  std::filesystem::path folder;
};

inline std::string readFile(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

} // namespace onnxc::test

#endif // ONNXC_TEST_UNIT_RUNTIME_SUPPORT_H
