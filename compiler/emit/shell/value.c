/*===- value.c - Sizes of tensors, checks of inputs -------------*- C -*-===*/

#include "compiler/emit/shell/shell.h"

size_t onnxc_element_bits(int32_t elem_type) {
  switch (elem_type) {
  case ONNXC_UINT2:
  case ONNXC_INT2:
    return 2;
  case ONNXC_UINT4:
  case ONNXC_INT4:
  case ONNXC_FLOAT4E2M1:
    return 4;
  case ONNXC_FLOAT6E2M3:
  case ONNXC_FLOAT6E3M2:
    return 6;
  case ONNXC_UINT8:
  case ONNXC_INT8:
  case ONNXC_BOOL:
  case ONNXC_FLOAT8E4M3FN:
  case ONNXC_FLOAT8E4M3FNUZ:
  case ONNXC_FLOAT8E5M2:
  case ONNXC_FLOAT8E5M2FNUZ:
  case ONNXC_FLOAT8E8M0:
    return 8;
  case ONNXC_UINT16:
  case ONNXC_INT16:
  case ONNXC_FLOAT16:
  case ONNXC_BFLOAT16:
    return 16;
  case ONNXC_FLOAT:
  case ONNXC_INT32:
  case ONNXC_UINT32:
    return 32;
  case ONNXC_INT64:
  case ONNXC_UINT64:
  case ONNXC_DOUBLE:
  case ONNXC_COMPLEX64:
  case ONNXC_STRING: /* its address */
    return 64;
  case ONNXC_COMPLEX128:
    return 128;
  default:
    return 0;
  }
}

int64_t onnxc_tensor_bytes(int32_t elem_type, int64_t rank,
                           const int64_t *dims) {
  /* A dim of 0 makes the tensor empty, whatever the others are. */
  int empty = 0;
  for (int64_t i = 0; i < rank; ++i) {
    if (dims[i] < 0)
      return -1;
    empty |= dims[i] == 0;
  }
  if (empty)
    return 0;
  int64_t element = (int64_t)onnxc_element_bits(elem_type), count = 1;
  for (int64_t i = 0; i < rank; ++i) {
    if (dims[i] > INT64_MAX / 16 / count)
      return -1;
    count *= dims[i];
  }
  if (element >= 8)
    return count * (element / 8);
  /* Elements of less than a byte share some; the last may be in part empty. */
  return (count * (element ? element : 8) + 7) / 8;
}

static onnxc_line begin(onnxc_error *error, const onnxc_value_info *info) {
  onnxc_line line = onnxc_line_begin(error, ONNXC_MODEL_INVALID_ARGUMENT);
  onnxc_line_text(&line, "input '");
  onnxc_line_text(&line, info->name);
  onnxc_line_text(&line, "': ");
  return line;
}

static int32_t mismatch(onnxc_error *error, const onnxc_value_info *info,
                        const onnxc_value *value, const char *what) {
  onnxc_line line = begin(error, info);
  onnxc_line_text(&line, what);
  onnxc_line_text(&line, ": expected ");
  onnxc_line_info(&line, info);
  onnxc_line_text(&line, ", got ");
  onnxc_line_value(&line, value);
  return ONNXC_MODEL_INVALID_ARGUMENT;
}

/* A dim of a small integer tensor may be read while planning. */
static int may_hold_dims(const onnxc_value *value, int64_t bytes) {
  switch (value->elem_type) {
  case ONNXC_FLOAT:
  case ONNXC_DOUBLE:
  case ONNXC_FLOAT16:
  case ONNXC_BFLOAT16:
    return 0;
  default:
    return value->rank <= 1 && bytes <= 64 * 8;
  }
}

/* A dim that an earlier input has by the same name. */
static int32_t check_same_dims(const onnxc_model *model,
                               const onnxc_value *inputs, size_t index,
                               const onnxc_dim_reference *same,
                               onnxc_error *error) {
  const onnxc_value_info *info = &model->inputs[index];
  const onnxc_value *value = &inputs[index];
  for (int64_t i = 0; i < info->rank; ++i) {
    const onnxc_dim_reference *other = &same[i];
    if (other->input < 0)
      continue;
    const onnxc_value *earlier = &inputs[other->input];
    if (earlier->kind == ONNXC_KIND_NONE ||
        earlier->dims[other->dim] == value->dims[i])
      continue;
    mismatch(error, info, value, "wrong shape");
    if (error) {
      size_t length = 0;
      while (error->message[length])
        ++length;
      onnxc_line line = {error->message + length,
                         error->message + sizeof(error->message) - 1};
      onnxc_line_text(&line, "; ");
      onnxc_line_text(&line, info->dim_names[i]);
      onnxc_line_text(&line, " is ");
      onnxc_line_number(&line, earlier->dims[other->dim]);
      onnxc_line_text(&line, " in input '");
      onnxc_line_text(&line, model->inputs[other->input].name);
      onnxc_line_text(&line, "'");
    }
    return ONNXC_MODEL_INVALID_ARGUMENT;
  }
  return ONNXC_MODEL_OK;
}

static int32_t lacks_memory(onnxc_error *error, const onnxc_value_info *input,
                            const onnxc_value *value, int64_t bytes) {
  onnxc_line line = begin(error, input);
  if (!value->data) {
    onnxc_line_text(&line, "data is NULL");
    return ONNXC_MODEL_INVALID_ARGUMENT;
  }
  onnxc_line_value(&line, value);
  onnxc_line_text(&line, " needs ");
  onnxc_line_number(&line, bytes);
  onnxc_line_text(&line, " bytes, the memory given has ");
  onnxc_line_number(&line, (int64_t)value->bytes);
  return ONNXC_MODEL_INVALID_ARGUMENT;
}

/* Whether `value` is one that `expected` describes, a part of `input`. */
static int32_t check_value(const onnxc_value_info *input,
                           const onnxc_value_info *expected,
                           const onnxc_value *value, int32_t planning,
                           onnxc_error *error) {
  onnxc_value_info named = *expected;
  named.name = input->name;
  if (expected->kind == ONNXC_KIND_OPTIONAL)
    return value->kind == ONNXC_KIND_NONE
               ? ONNXC_MODEL_OK
               : check_value(input, expected->element, value, planning, error);
  if (value->kind != expected->kind)
    return mismatch(error, &named, value, "wrong type");
  if (value->kind != ONNXC_KIND_TENSOR) {
    int is_map = value->kind == ONNXC_KIND_MAP;
    int64_t length = value->dims[0], parts = is_map ? 2 : length;
    if (value->rank != 1 || length < 0 ||
        length > INT64_MAX / (int64_t)sizeof(onnxc_value))
      return mismatch(error, &named, value, "impossible length");
    int64_t bytes = parts * (int64_t)sizeof(onnxc_value);
    if (parts && (!value->data || value->bytes < (size_t)bytes))
      return lacks_memory(error, input, value, bytes);
    const onnxc_value *elements = value->data;
    for (int64_t i = 0; i < parts; ++i) {
      onnxc_value_info keys = {.kind = ONNXC_KIND_TENSOR, .rank = 1};
      int64_t any = is_map ? length : -1;
      keys.elem_type = expected->elem_type;
      keys.dims = &any;
      /* As many values as keys, which the type gives as scalars. */
      onnxc_value_info entries = *expected->element;
      if (is_map) {
        entries.rank = 1;
        entries.dims = &any;
      }
      int32_t status = check_value(input, is_map && i == 0 ? &keys : &entries,
                                   &elements[i], planning, error);
      if (status)
        return status;
    }
    return ONNXC_MODEL_OK;
  }
  if (value->elem_type != expected->elem_type)
    return mismatch(error, &named, value, "wrong type");
  if (value->rank < 0 || value->rank > ONNXC_MAX_RANK ||
      (expected->rank >= 0 && value->rank != expected->rank))
    return mismatch(error, &named, value, "wrong rank");
  for (int64_t i = 0; i < expected->rank; ++i)
    if (expected->dims[i] >= 0 && value->dims[i] != expected->dims[i])
      return mismatch(error, &named, value, "wrong shape");
  int64_t bytes =
      onnxc_tensor_bytes(value->elem_type, value->rank, value->dims);
  if (bytes < 0)
    return mismatch(error, &named, value, "impossible shape");
  if (!bytes)
    return ONNXC_MODEL_OK;
  if (!value->data && planning && !may_hold_dims(value, bytes))
    return ONNXC_MODEL_OK;
  if (!value->data || value->bytes < (size_t)bytes)
    return lacks_memory(error, input, value, bytes);
  if (value->elem_type == ONNXC_STRING) {
    const char *const *strings = value->data;
    for (int64_t i = 0; i < bytes / (int64_t)sizeof *strings; ++i) {
      if (strings[i])
        continue;
      onnxc_line line = begin(error, input);
      onnxc_line_text(&line, "a string is NULL");
      return ONNXC_MODEL_INVALID_ARGUMENT;
    }
  }
  return ONNXC_MODEL_OK;
}

static int32_t check_input(const onnxc_model *model, const onnxc_value *inputs,
                           size_t index, const onnxc_dim_reference *same,
                           int32_t planning, onnxc_error *error) {
  const onnxc_value_info *info = &model->inputs[index];
  const onnxc_value *value = &inputs[index];
  if (value->kind == ONNXC_KIND_NONE && info->has_default)
    return ONNXC_MODEL_OK;
  int32_t status = check_value(info, info, value, planning, error);
  return status ? status : check_same_dims(model, inputs, index, same, error);
}

int32_t onnxc_check_inputs(const onnxc_model *model, const onnxc_value *inputs,
                           int32_t planning, onnxc_error *error) {
  const onnxc_dim_reference *same = onnxc_generated_same_dims;
  for (size_t i = 0; i < model->input_count; ++i) {
    int32_t status = check_input(model, inputs, i, same, planning, error);
    if (status)
      return status;
    if (model->inputs[i].rank > 0)
      same += model->inputs[i].rank;
  }
  return ONNXC_MODEL_OK;
}
