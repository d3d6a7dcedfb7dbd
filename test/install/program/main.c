/*===- main.c - The same through the C interface --------------*- C -*-===*/
#include <onnxc/c_api.h>

#include <stdio.h>

int main(int argc, char **argv) {
  onnxc_session *session = NULL;
  onnxc_tensor *outputs[2] = {NULL, NULL};
  float data[3] = {1, 2, 3};
  onnxc_value inputs[2] = {
      {ONNXC_KIND_TENSOR, ONNXC_FLOAT, 4, {1, 3, 1, 1}, data, sizeof data}};
  onnxc_status *status = onnxc_session_create(argv[argc - 1], NULL, &session);
  inputs[1] = inputs[0];
  if (!status)
    status = onnxc_session_run_indexed(session, NULL, inputs, NULL, 0, outputs);
  if (status)
    fprintf(stderr, "%s\n", onnxc_status_message(status));
  else
    printf("%g\n", *(const float *)onnxc_tensor_view(outputs[1])->data);
  onnxc_tensor_release(outputs[0]);
  onnxc_tensor_release(outputs[1]);
  onnxc_session_release(session);
  onnxc_status_release(status);
  return 0;
}
