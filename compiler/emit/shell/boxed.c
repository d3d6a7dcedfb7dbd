/*===- boxed.c - Sequences, optionals and maps of a run ---------*- C -*-===*\
|*
|* Values that are no tensors are immutable, and lie in memory of the run. A
|* sequence that is made longer shares the array of its elements with the one
|* before where that array has room and nothing else was put there: the header
|* of a sequence that was made here has the array's capacity in dims[1], and
|* elements that are free are of ONNXC_KIND_NONE.
|*
\*===----------------------------------------------------------------------===*/

#include "compiler/emit/shell/shell.h"

static const onnxc_value *value_at(int64_t address) {
  return (const onnxc_value *)(uintptr_t)address;
}

static const onnxc_value none;

static onnxc_value *copy_of(onnxc_frame *frame, const onnxc_value *value) {
  onnxc_value *copy = onnxc_shell_allocate(frame, sizeof(onnxc_value));
  if (copy)
    *copy = *value;
  return copy;
}

/* A sequence of `length` elements that are still to be written. */
static onnxc_value *new_sequence(onnxc_frame *frame, int64_t length,
                                 int64_t capacity) {
  onnxc_value header = {.kind = ONNXC_KIND_SEQUENCE, .rank = 1};
  header.dims[0] = length;
  header.dims[1] = capacity;
  header.bytes = (size_t)length * sizeof(onnxc_value);
  if (capacity) {
    size_t bytes = (size_t)capacity * sizeof(onnxc_value);
    header.data = onnxc_shell_allocate(frame, (int64_t)bytes);
    if (!header.data)
      return NULL;
    __builtin_memset(header.data, 0, bytes);
  }
  return copy_of(frame, &header);
}

static void copy_elements(onnxc_value *to, const onnxc_value *from,
                          int64_t count) {
  if (count > 0)
    __builtin_memcpy(to, from, (size_t)count * sizeof(onnxc_value));
}

const onnxc_value *onnxc_shell_value_none(onnxc_frame *frame) {
  (void)frame;
  return &none;
}

const onnxc_value *onnxc_shell_value_input(onnxc_frame *frame, int64_t index) {
  onnxc_value *copy = copy_of(frame, &frame->inputs[index]);
  if (copy && copy->kind == ONNXC_KIND_SEQUENCE)
    copy->dims[1] = 0; /* the caller's array is not ours to write */
  return copy;
}

const onnxc_value *onnxc_shell_value_output(onnxc_frame *frame, int64_t index,
                                            int64_t boxed) {
  frame->outputs[index] = *value_at(boxed);
  return value_at(boxed);
}

onnxc_value *onnxc_shell_value_tensor(onnxc_frame *frame, int64_t elem_type,
                                      int64_t rank, const int64_t *dims) {
  onnxc_value value = {.kind = ONNXC_KIND_TENSOR, .rank = rank};
  value.elem_type = (int32_t)elem_type;
  for (int64_t i = 0; i < rank; ++i)
    value.dims[i] = dims[i];
  int64_t bytes = onnxc_tensor_bytes(value.elem_type, rank, dims);
  value.bytes = (size_t)bytes;
  value.data = onnxc_shell_allocate(frame, bytes);
  return value.data ? copy_of(frame, &value) : NULL;
}

const onnxc_value *onnxc_shell_value_shaped(onnxc_frame *frame, int64_t tensor,
                                            int64_t dims, int64_t elem_type) {
  const onnxc_value *shape = value_at(dims);
  onnxc_value *result = copy_of(frame, value_at(tensor));
  if (!result)
    return NULL;
  result->elem_type = (int32_t)elem_type;
  result->rank = shape->dims[0];
  for (int64_t i = 0; i < result->rank; ++i)
    result->dims[i] = ((const int64_t *)shape->data)[i];
  return result;
}

const onnxc_value *onnxc_shell_value_dims(onnxc_frame *frame, int64_t tensor) {
  const onnxc_value *of = value_at(tensor);
  onnxc_value result = {.kind = ONNXC_KIND_TENSOR, .rank = 1};
  result.elem_type = ONNXC_INT64;
  result.dims[0] = of->rank;
  result.bytes = (size_t)of->rank * sizeof(int64_t);
  result.data = (void *)(uintptr_t)of->dims;
  return copy_of(frame, &result);
}

/* Ends a run in which the elements of `tensor` do not fit the dims given. */
static const onnxc_value *misshapen(onnxc_frame *frame, int64_t name,
                                    const onnxc_value *tensor,
                                    const char *reason) {
  onnxc_error unused, *error = frame->error ? frame->error : &unused;
  onnxc_line line = onnxc_line_begin(error, ONNXC_MODEL_RUNTIME_ERROR);
  onnxc_line_text(&line, "node '");
  onnxc_line_text(&line, (const char *)(uintptr_t)name);
  onnxc_line_text(&line, "' (Reshape): ");
  onnxc_line_value(&line, tensor);
  onnxc_line_text(&line, reason);
  frame->status = ONNXC_MODEL_RUNTIME_ERROR;
  return NULL;
}

const onnxc_value *onnxc_shell_value_reshaped(onnxc_frame *frame, int64_t name,
                                              int64_t tensor, int64_t shape,
                                              int64_t allows_zero) {
  const onnxc_value *from = value_at(tensor), *list = value_at(shape);
  const int64_t *wanted = list->data;
  onnxc_value *to = copy_of(frame, from);
  if (!to)
    return NULL;
  to->rank = list->dims[0];
  if (to->rank > ONNXC_MAX_RANK)
    return misshapen(frame, name, from, " cannot have so many dims");
  int64_t inferred = -1;
  for (int64_t i = 0; i < to->rank; ++i) {
    to->dims[i] = wanted[i];
    if (wanted[i] == 0 && !allows_zero) {
      if (i >= from->rank)
        return misshapen(frame, name, from, " has no dim where the shape is 0");
      to->dims[i] = from->dims[i];
    } else if (wanted[i] == -1 && inferred < 0) {
      inferred = i;
      to->dims[i] = 1;
    } else if (wanted[i] < 0) {
      return misshapen(frame, name, from, " cannot have a negative dim");
    }
  }
  int64_t bytes = onnxc_tensor_bytes(to->elem_type, to->rank, to->dims);
  int64_t have = onnxc_shell_value_extent(frame, tensor, 0, from->rank);
  int64_t others = bytes < 0 ? -1
                             : onnxc_shell_value_extent(
                                   frame, (int64_t)(uintptr_t)to, 0, to->rank);
  if (inferred >= 0) {
    int fits = others > 0 && have % others == 0;
    to->dims[inferred] = fits ? have / others : 0;
    others = fits ? have : -1;
  }
  return others == have ? to
                        : misshapen(frame, name, from,
                                    " has other elements than the shape");
}

const onnxc_value *onnxc_shell_value_sequence(onnxc_frame *frame) {
  return new_sequence(frame, 0, 0);
}

const onnxc_value *onnxc_shell_value_insert(onnxc_frame *frame,
                                            int64_t sequence, int64_t element,
                                            int64_t position) {
  const onnxc_value *from = value_at(sequence);
  onnxc_value *elements = from->data;
  int64_t length = from->dims[0];
  if (position == length && length < from->dims[1] &&
      elements[length].kind == ONNXC_KIND_NONE) {
    onnxc_value *longer = copy_of(frame, from);
    if (!longer)
      return NULL;
    elements[length] = *value_at(element);
    longer->dims[0] = length + 1;
    longer->bytes += sizeof(onnxc_value);
    return longer;
  }
  onnxc_value *result = new_sequence(frame, length + 1, 2 * (length + 1));
  if (!result)
    return NULL;
  onnxc_value *to = result->data;
  copy_elements(to, elements, position);
  to[position] = *value_at(element);
  copy_elements(to + position + 1, elements + position, length - position);
  return result;
}

const onnxc_value *onnxc_shell_value_erase(onnxc_frame *frame, int64_t sequence,
                                           int64_t position) {
  const onnxc_value *from = value_at(sequence);
  const onnxc_value *elements = from->data;
  int64_t length = from->dims[0];
  onnxc_value *result = new_sequence(frame, length - 1, length - 1);
  if (!result)
    return NULL;
  onnxc_value *to = result->data;
  copy_elements(to, elements, position);
  copy_elements(to + position, elements + position + 1, length - 1 - position);
  return result;
}

const onnxc_value *onnxc_shell_value_map(onnxc_frame *frame, int64_t keys,
                                         int64_t values) {
  onnxc_value *result = new_sequence(frame, 2, 2);
  if (!result)
    return NULL;
  onnxc_value *parts = result->data;
  parts[0] = *value_at(keys);
  parts[1] = *value_at(values);
  result->kind = ONNXC_KIND_MAP;
  result->dims[0] = parts[0].dims[0];
  return result;
}

const onnxc_value *onnxc_shell_value_host(onnxc_frame *frame, int64_t name,
                                          int64_t arguments) {
  const onnxc_services *services = frame->services;
  const char *operator_name = (const char *)(uintptr_t)name;
  onnxc_value *results = new_sequence(frame, 0, 0);
  if (!results)
    return NULL;
  onnxc_error unused, *error = frame->error ? frame->error : &unused;
  if (!services || !services->host_operator) {
    onnxc_line line = onnxc_line_begin(error, ONNXC_MODEL_RUNTIME_ERROR);
    onnxc_line_text(&line, "the host does not offer the operator ");
    onnxc_line_text(&line, operator_name);
    frame->status = ONNXC_MODEL_RUNTIME_ERROR;
    return NULL;
  }
  frame->status = services->host_operator(services->context, operator_name,
                                          value_at(arguments), results, error);
  if (frame->status)
    return NULL;
  results->dims[1] = 0;
  return results;
}

void *onnxc_shell_strings(onnxc_frame *frame, const char *texts,
                          int64_t count) {
  const char **result =
      onnxc_shell_allocate(frame, count * (int64_t)sizeof(const char *));
  for (int64_t i = 0; result && i < count; ++i) {
    result[i] = texts;
    while (*texts++)
      ;
  }
  return result;
}

int64_t onnxc_shell_value_kind(onnxc_frame *frame, int64_t value) {
  (void)frame;
  return value_at(value)->kind;
}

int64_t onnxc_shell_value_length(onnxc_frame *frame, int64_t sequence) {
  (void)frame;
  return value_at(sequence)->dims[0];
}

int64_t onnxc_shell_value_at(onnxc_frame *frame, int64_t sequence,
                             int64_t position) {
  (void)frame;
  const onnxc_value *elements = value_at(sequence)->data;
  return (int64_t)(uintptr_t)&elements[position];
}

int64_t onnxc_shell_value_rank(onnxc_frame *frame, int64_t tensor) {
  (void)frame;
  return value_at(tensor)->rank;
}

int64_t onnxc_shell_value_extent(onnxc_frame *frame, int64_t tensor,
                                 int64_t begin, int64_t end) {
  (void)frame;
  const onnxc_value *of = value_at(tensor);
  int64_t extent = 1;
  for (int64_t i = begin; i < end && i < of->rank; ++i)
    extent *= of->dims[i];
  return extent;
}

int64_t onnxc_shell_value_dim(onnxc_frame *frame, int64_t tensor,
                              int64_t axis) {
  (void)frame;
  return value_at(tensor)->dims[axis];
}
