/*===- run_model.c - Runs a compiled model with nothing but libc -*- C -*-===*\
|*
|* usage: run_model MODEL.so INPUT OUTPUT DIM...
|*
|* Opens the library with dlopen, reads the first input's elements (float) from
|* a file, gives the model memory that it has planned, and writes the first
|* output's elements to a file. Prints the output's dims.
|*
\*===----------------------------------------------------------------------===*/
#include "onnxc/model_abi.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(const char *what, const char *why) {
  fprintf(stderr, "error: %s: %s\n", what, why);
  return 1;
}

int main(int argc, char **argv) {
  if (argc < 4 || argc - 4 > ONNXC_MAX_RANK)
    return fail("usage", "run_model MODEL.so INPUT OUTPUT DIM...");
  void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return fail(argv[1], dlerror());
  onnxc_get_model_fn get_model;
  void *symbol = dlsym(library, ONNXC_GET_MODEL_SYMBOL);
  memcpy(&get_model, &symbol, sizeof get_model);
  if (!get_model)
    return fail(argv[1], "no " ONNXC_GET_MODEL_SYMBOL);
  const onnxc_model *model = get_model();
  if (model->magic != ONNXC_MODEL_MAGIC ||
      model->abi_version != ONNXC_ABI_VERSION || model->input_count != 1 ||
      model->output_count != 1)
    return fail(argv[1], "not a model with one input and one output");

  onnxc_value input = {
      .kind = ONNXC_KIND_TENSOR, .elem_type = ONNXC_FLOAT, .rank = argc - 4};
  size_t count = 1;
  for (int i = 4; i < argc; ++i)
    count *= (size_t)(input.dims[i - 4] = atoll(argv[i]));
  input.bytes = count * sizeof(float);
  input.data = malloc(input.bytes + 1);
  FILE *file = fopen(argv[2], "rb");
  if (!file || fread(input.data, 1, input.bytes, file) != input.bytes)
    return fail(argv[2], "cannot be read");
  fclose(file);

  onnxc_value output;
  memset(&output, 0, sizeof output);
  onnxc_error error;
  size_t workspace_bytes = 0;
  if (model->plan(&input, &output, &workspace_bytes, &error))
    return fail("plan", error.message);
  output.data = malloc(output.bytes + 1);
  void *workspace = aligned_alloc(64, (workspace_bytes + 127) / 64 * 64);
  /* No services: one thread, and memory from here alone. */
  if (model->run(NULL, &input, &output, workspace, workspace_bytes, &error))
    return fail("run", error.message);

  file = fopen(argv[3], "wb");
  if (!file || fwrite(output.data, 1, output.bytes, file) != output.bytes ||
      fclose(file))
    return fail(argv[3], "cannot be written");
  for (int64_t i = 0; i < output.rank; ++i)
    printf("%lld ", (long long)output.dims[i]);
  printf("\n");
  free(workspace);
  free(output.data);
  free(input.data);
  dlclose(library);
  return 0;
}
