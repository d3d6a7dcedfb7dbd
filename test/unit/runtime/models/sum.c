/*===- sum.c - A model: s = x + y, t = the sum of s -----------*- C -*-===*\
|*
|* x and y are float [N,3,?,?] and [N,3,?,?]; s likewise, t is a scalar. Goes
|* through a workspace, an output of each kind, and a parallel loop.
|*
\*===----------------------------------------------------------------------===*/
#include "Note.h"
#include "onnxc/model_abi.h"

static const int64_t dims[4] = {-1, 3, -1, -1};
static const char *const dim_names[4] = {"N", 0, 0, ""};

static const onnxc_value_info inputs[2] = {
    {"x", ONNXC_KIND_TENSOR, ONNXC_FLOAT, 4, dims, dim_names, 0, 0, 0},
    {"y", ONNXC_KIND_TENSOR, ONNXC_FLOAT, 4, dims, dim_names, 0, 0, 0}};
static const onnxc_value_info outputs[2] = {
    {"s", ONNXC_KIND_TENSOR, ONNXC_FLOAT, 4, dims, dim_names, 0, 0, 0},
    {"t", ONNXC_KIND_TENSOR, ONNXC_FLOAT, 0, 0, 0, 0, 0, 0}};

static const onnxc_key_value metadata[2] = {{"character", "abc\ndef"},
                                            {"stride", "32"}};

static int64_t count_of(const onnxc_value *value) {
  int64_t count = 1;
  for (int64_t i = 0; i < value->rank; ++i)
    count *= value->dims[i];
  return count;
}

static int32_t fail(onnxc_error *error, int32_t status, const char *message) {
  if (error) {
    size_t i = 0;
    error->status = status;
    for (; message[i] && i + 1 < sizeof error->message; ++i)
      error->message[i] = message[i];
    error->message[i] = 0;
  }
  return status;
}

static int32_t plan(const onnxc_value *in, onnxc_value *out,
                    size_t *workspace_bytes, onnxc_error *error) {
  for (int i = 1; i < 4; ++i)
    if (in[0].dims[i] != in[1].dims[i])
      return fail(error, ONNXC_MODEL_INVALID_ARGUMENT,
                  "input 'y' has another size than input 'x'");
  out[0].kind = out[1].kind = ONNXC_KIND_TENSOR;
  out[0].elem_type = out[1].elem_type = ONNXC_FLOAT;
  out[0].rank = 4;
  for (int i = 0; i < 4; ++i)
    out[0].dims[i] = in[0].dims[i];
  out[1].rank = 0;
  out[0].bytes = (size_t)count_of(&in[0]) * sizeof(float);
  out[1].bytes = sizeof(float);
  *workspace_bytes = out[0].bytes;
  return ONNXC_MODEL_OK;
}

struct add {
  const float *x, *y;
  float *to;
};

static void add_range(void *argument, int64_t begin, int64_t end) {
  const struct add *add = argument;
  for (int64_t i = begin; i < end; ++i)
    add->to[i] = add->x[i] + add->y[i];
}

static const char *const nodes[] = {"add1", "a \"quoted\" name"};
static const char *const operators[] = {"Add", "Relu"};
static const onnxc_kernel_info kernel = {
    "elementwise", 2, nodes, operators, "f32[?] -> f32[4]", 1};

static int32_t run(const onnxc_services *services, const onnxc_value *in,
                   onnxc_value *out, void *workspace, size_t workspace_bytes,
                   onnxc_error *error) {
  onnxc_value planned[2];
  size_t needed;
  int32_t status = plan(in, planned, &needed, error);
  if (status != ONNXC_MODEL_OK)
    return status;
  for (size_t i = 0; i < 2; ++i) {
    size_t room = out[i].bytes;
    planned[i].data = out[i].data;
    out[i] = planned[i];
    if (!out[i].data && services && services->allocate_output)
      out[i].data = services->allocate_output(services->context, i, &out[i],
                                              out[i].bytes);
    else if (room < planned[i].bytes)
      return fail(error, ONNXC_MODEL_INVALID_ARGUMENT,
                  "an output is too small");
    if (!out[i].data)
      return fail(error, ONNXC_MODEL_OUT_OF_MEMORY, "no memory for an output");
  }
  if (!workspace && services && services->workspace)
    workspace = services->workspace(services->context, needed);
  else if (workspace_bytes < needed)
    return fail(error, ONNXC_MODEL_OUT_OF_MEMORY, "the workspace is too small");
  if (!workspace || (uintptr_t)workspace % 64)
    return fail(error, ONNXC_MODEL_OUT_OF_MEMORY, "no aligned workspace");

  struct add add = {in[0].data, in[1].data, workspace};
  int64_t count = count_of(&in[0]);
  if (services && services->kernel_begin)
    services->kernel_begin(services->context, &kernel);
  if (services && services->parallel_for)
    services->parallel_for(services->context, count, 16, add_range, &add);
  else
    add_range(&add, 0, count);
  if (services && services->kernel_end)
    services->kernel_end(services->context, &kernel, count, 12 * count, &count);
  float total = 0;
  for (int64_t i = 0; i < count; ++i) {
    ((float *)out[0].data)[i] = add.to[i];
    total += add.to[i];
  }
  *(float *)out[1].data = total;
  return ONNXC_MODEL_OK;
}

#ifndef MODEL_MAGIC
#define MODEL_MAGIC ONNXC_MODEL_MAGIC
#endif

static const onnxc_model model = {MODEL_MAGIC,
                                  ONNXC_ABI_VERSION,
                                  sizeof(onnxc_model),
                                  "unit test",
                                  "7",
                                  "org.example",
                                  "sum",
                                  "adds two tensors",
                                  "the graph of sum",
                                  42,
                                  2,
                                  metadata,
                                  "onnxc 0.1.0",
                                  "x86-64",
                                  2,
                                  inputs,
                                  2,
                                  outputs,
                                  plan,
                                  run,
                                  1,
                                  &kernel};

__attribute__((visibility("default"))) const onnxc_model *
onnxc_get_model(void) {
  return &model;
}
