//===- use.cpp - A program outside the source tree --------------*- C++ -*-===//
//
// Runs the model y = 2 x + 1 on one row of three numbers.
//
//===----------------------------------------------------------------------===//
#include <onnxc/onnxc.hpp>

#include <cstdio>

int main(int argc, char **argv) {
  if (argc != 2)
    return 2;
  try {
    onnxc::Session session(argv[1]);
    float x[] = {0, 1, 2};
    auto input = onnxc::Value::CreateTensor(x, 3, {1, 3});
    auto outputs = session.Run({"x"}, {input}, {"y"});
    const float *y = outputs[0].GetTensorData<float>();
    std::printf("y: %g %g %g\n", y[0], y[1], y[2]);
  } catch (const onnxc::Error &error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}
