/*===- kinds.c - A model with the unusual kinds of values -----*- C -*-===*\
|*
|* nonzero: the indices at which `data` (int64 [?]) is not 0; its length follows
|*          from the data. A 13 in it is refused at run time.
|* scaled:  `scale` (double [], default 2) times the length; absent
|*          when that is 0.
|*
|* With -DSEQUENCE, there is a third input that is a sequence.
|*
\*===----------------------------------------------------------------------===*/
#include "Note.h"
#include "onnxc/model_abi.h"

static const int64_t any[1] = {-1};
#ifdef SEQUENCE
static const onnxc_value_info element = {
    "", ONNXC_KIND_TENSOR, ONNXC_FLOAT, -1, 0, 0, 0, 0, 0};
#endif
static const onnxc_value_info inputs[] = {
    {"data", ONNXC_KIND_TENSOR, ONNXC_INT64, 1, any, 0, 0, 0, 0},
    {"scale", ONNXC_KIND_TENSOR, ONNXC_DOUBLE, 0, 0, 0, 1, 0, 0},
#ifdef SEQUENCE
    {"sequence", ONNXC_KIND_SEQUENCE, 0, -1, 0, 0, 0, 0, &element},
#endif
};
static const onnxc_value_info outputs[2] = {
    {"nonzero", ONNXC_KIND_TENSOR, ONNXC_INT64, 1, any, 0, 0, 0, 0},
    {"scaled", ONNXC_KIND_TENSOR, ONNXC_DOUBLE, 0, 0, 0, 0, 0, 0}};

static int32_t plan(const onnxc_value *in, onnxc_value *out,
                    size_t *workspace_bytes, onnxc_error *error) {
  (void)in, (void)error;
  *workspace_bytes = 0;
  out[0] = (onnxc_value){ONNXC_KIND_TENSOR, ONNXC_INT64, 1, {-1}, 0, 0};
  out[1] = (onnxc_value){ONNXC_KIND_TENSOR, ONNXC_DOUBLE, 0, {0}, 0, 8};
  return ONNXC_MODEL_OK;
}

static int32_t run(const onnxc_services *services, const onnxc_value *in,
                   onnxc_value *out, void *workspace, size_t workspace_bytes,
                   onnxc_error *error) {
  (void)workspace, (void)workspace_bytes;
  const int64_t *data = in[0].data;
  int64_t length = in[0].dims[0], found = 0;
  int64_t *indices =
      services->allocate(services->context, (size_t)length * sizeof(int64_t));
  if (!indices)
    return ONNXC_MODEL_OUT_OF_MEMORY;
  for (int64_t i = 0; i < length; ++i) {
    if (data[i] == 13) {
      const char message[] = "13 brings bad luck";
      for (size_t c = 0; c < sizeof message; ++c)
        error->message[c] = message[c];
      return error->status = ONNXC_MODEL_RUNTIME_ERROR;
    }
    if (data[i])
      indices[found++] = i;
  }
  void *given = out[0].data;
  out[0] = (onnxc_value){
      ONNXC_KIND_TENSOR, ONNXC_INT64, 1,
      {found},           given,       (size_t)found * sizeof(int64_t)};
  if (!given)
    out[0].data =
        services->allocate_output(services->context, 0, &out[0], out[0].bytes);
  if (!out[0].data)
    return ONNXC_MODEL_OUT_OF_MEMORY;
  for (int64_t i = 0; i < found; ++i)
    ((int64_t *)out[0].data)[i] = indices[i];

  if (length == 0) {
    out[1].kind = ONNXC_KIND_NONE;
    return ONNXC_MODEL_OK;
  }
  given = out[1].data;
  out[1] = (onnxc_value){ONNXC_KIND_TENSOR, ONNXC_DOUBLE, 0, {0}, given, 8};
  if (!given)
    out[1].data = services->allocate_output(services->context, 1, &out[1], 8);
  if (!out[1].data)
    return ONNXC_MODEL_OUT_OF_MEMORY;
  double scale = in[1].kind == ONNXC_KIND_NONE ? 2 : *(double *)in[1].data;
  *(double *)out[1].data = scale * (double)length;
  return ONNXC_MODEL_OK;
}

static const onnxc_model model = {ONNXC_MODEL_MAGIC,
                                  ONNXC_ABI_VERSION,
                                  sizeof(onnxc_model),
                                  "",
                                  "",
                                  "",
                                  "kinds",
                                  "",
                                  "",
                                  0,
                                  0,
                                  0,
                                  "onnxc 0.1.0",
                                  "x86-64",
                                  sizeof inputs / sizeof inputs[0],
                                  inputs,
                                  2,
                                  outputs,
                                  plan,
                                  run,
                                  0,
                                  0};

__attribute__((visibility("default"))) const onnxc_model *
onnxc_get_model(void) {
  return &model;
}
