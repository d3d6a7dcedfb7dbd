//===- main.cpp - Adds two tensors with a compiled model -===//
#include <onnxc/onnxc.hpp>

#include <cstdio>

int main(int argc, char **argv) {
  try {
    onnxc::Session session(argv[argc - 1]);
    std::vector<float> data = {1, 2, 3};
    auto x = onnxc::Value::CreateTensor<float>(data.data(), 3, {1, 3, 1, 1});
    auto outputs = session.Run({"x", "y"}, {x, x});
    printf("%g\n", outputs[1].GetTensorData<float>()[0]);
    return 0;
  } catch (const onnxc::Error &error) {
    fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
