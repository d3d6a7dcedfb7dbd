/*===- shell.c - A run of a model, around the generated code ----*- C -*-===*/

#include "compiler/emit/shell/shell.h"

/* The address that stands for memory of 0 bytes. */
static void *nowhere(onnxc_frame *frame) {
  return (void *)(((uintptr_t)frame + 63) & ~(uintptr_t)63);
}

static onnxc_line failure(onnxc_frame *frame, int32_t status) {
  frame->status = status;
  return onnxc_line_begin(frame->error, status);
}

void *onnxc_shell_output(onnxc_frame *frame, int64_t index, int64_t rank,
                         const int64_t *dims) {
  const onnxc_value_info *info = &frame->variant->model->outputs[index];
  onnxc_value *value = &frame->outputs[index];
  if (frame->status)
    return NULL;
  /* A dim of -1 follows from data: only a plan may have it. */
  int known = 1;
  value->rank = rank;
  for (int64_t i = 0; i < rank; ++i) {
    value->dims[i] = dims[i];
    known &= dims[i] >= 0;
  }
  int64_t bytes = onnxc_tensor_bytes(info->elem_type, rank, dims);
  if (frame->planning) {
    value->bytes = known && bytes > 0 ? (size_t)bytes : 0;
    if (!known || bytes >= 0)
      return NULL;
  }
  if (bytes < 0) {
    onnxc_line line = failure(frame, ONNXC_MODEL_OUT_OF_MEMORY);
    onnxc_line_text(&line, "output '");
    onnxc_line_text(&line, info->name);
    onnxc_line_text(&line, "': impossible shape ");
    onnxc_line_value(&line, value);
    return NULL;
  }
  size_t given = value->bytes;
  if (value->data) {
    if (given < (size_t)bytes) {
      onnxc_line line = failure(frame, ONNXC_MODEL_OUT_OF_MEMORY);
      onnxc_line_text(&line, "output '");
      onnxc_line_text(&line, info->name);
      onnxc_line_text(&line, "': ");
      onnxc_line_value(&line, value);
      onnxc_line_text(&line, " needs ");
      onnxc_line_number(&line, bytes);
      onnxc_line_text(&line, " bytes, the memory given has ");
      onnxc_line_number(&line, (int64_t)given);
      return NULL;
    }
  } else {
    const onnxc_services *services = frame->services;
    value->bytes = (size_t)bytes;
    if (services && services->allocate_output)
      value->data = services->allocate_output(services->context, (size_t)index,
                                              value, (size_t)bytes);
    if (!value->data && bytes) {
      onnxc_line line = failure(frame, ONNXC_MODEL_OUT_OF_MEMORY);
      onnxc_line_text(&line, "output '");
      onnxc_line_text(&line, info->name);
      onnxc_line_text(&line, "': no memory of ");
      onnxc_line_number(&line, bytes);
      onnxc_line_text(&line, " bytes for ");
      onnxc_line_value(&line, value);
      return NULL;
    }
  }
  value->bytes = (size_t)bytes;
  return value->data ? value->data : nowhere(frame);
}

void *onnxc_shell_workspace(onnxc_frame *frame, int64_t bytes) {
  if (frame->status)
    return NULL;
  if (frame->planning) {
    frame->workspace_bytes = bytes > 0 ? (size_t)bytes : 0;
    if (bytes >= 0)
      return NULL;
  }
  if (bytes == 0)
    return nowhere(frame);
  const onnxc_services *services = frame->services;
  void *memory = frame->workspace;
  if (bytes > 0 && !memory && services && services->workspace)
    memory = services->workspace(services->context, (size_t)bytes);
  else if (memory && frame->workspace_bytes < (size_t)bytes)
    memory = NULL;
  if (bytes > 0 && memory && !((uintptr_t)memory & 63))
    return memory;
  onnxc_line line = failure(frame, ONNXC_MODEL_OUT_OF_MEMORY);
  if (bytes < 0) {
    onnxc_line_text(&line, "impossible workspace size");
  } else if (memory) {
    onnxc_line_text(&line, "the workspace is not 64-byte aligned");
  } else {
    onnxc_line_text(&line, "no workspace of ");
    onnxc_line_number(&line, bytes);
    onnxc_line_text(&line, " bytes");
    if (frame->workspace) {
      onnxc_line_text(&line, ", the one given has ");
      onnxc_line_number(&line, (int64_t)frame->workspace_bytes);
    }
  }
  return NULL;
}

void *onnxc_shell_allocate(onnxc_frame *frame, int64_t bytes) {
  if (frame->status || frame->planning)
    return NULL;
  if (bytes == 0)
    return nowhere(frame);
  const onnxc_services *services = frame->services;
  void *memory = NULL;
  if (bytes > 0 && services && services->allocate)
    memory = services->allocate(services->context, (size_t)bytes);
  if (memory)
    return memory;
  onnxc_line line = failure(frame, ONNXC_MODEL_OUT_OF_MEMORY);
  onnxc_line_text(&line, "no memory of ");
  onnxc_line_number(&line, bytes);
  onnxc_line_text(&line, " bytes for a tensor whose size follows from data");
  return NULL;
}

void *onnxc_shell_reserve(onnxc_frame *frame, onnxc_slot *slot, int64_t offset,
                          int64_t bytes) {
  if (frame->status || frame->planning)
    return NULL;
  if (!bytes)
    return nowhere(frame);
  /* A size that does not fit is one that nobody can give. */
  int64_t end = -1;
  if (bytes > 0 && offset >= 0 && bytes <= INT64_MAX - offset)
    end = offset + bytes;
  if (end < 0 || end > slot->capacity) {
    int64_t capacity = end;
    if (end >= 0 && slot->capacity <= INT64_MAX / 2 && end < 2 * slot->capacity)
      capacity = 2 * slot->capacity;
    char *data = onnxc_shell_allocate(frame, capacity);
    if (!data)
      return NULL;
    if (offset)
      __builtin_memcpy(data, slot->data, (size_t)offset);
    slot->data = data;
    slot->capacity = capacity;
  }
  return slot->data + offset;
}

void onnxc_shell_parallel(onnxc_frame *frame, int64_t count, int64_t grain,
                          void (*body)(void *, int64_t, int64_t),
                          void *argument) {
  const onnxc_services *services = frame->services;
  if (count <= 0)
    return;
  if (count > grain && services && services->parallel_for)
    services->parallel_for(services->context, count, grain, body, argument);
  else
    body(argument, 0, count);
}

int32_t onnxc_shell_status(onnxc_frame *frame) { return frame->status; }

static __attribute__((noinline)) int32_t terminate(onnxc_frame *frame) {
  onnxc_line line = failure(frame, ONNXC_MODEL_TERMINATED);
  onnxc_line_text(&line, "the run was terminated");
  return frame->status;
}

int32_t onnxc_shell_terminated(onnxc_frame *frame) {
  const onnxc_services *services = frame->services;
  if (__builtin_expect(
          !services || !services->terminate ||
              !__atomic_load_n(services->terminate, __ATOMIC_RELAXED),
          1))
    return ONNXC_MODEL_OK;
  return terminate(frame);
}

int32_t onnxc_shell_fail(onnxc_frame *frame, const char *message, int64_t first,
                         int64_t second) {
  onnxc_line line = failure(frame, ONNXC_MODEL_RUNTIME_ERROR);
  const int64_t values[] = {first, second};
  onnxc_line_values(&line, message, values);
  return frame->status;
}

void onnxc_shell_kernel_begin(onnxc_frame *frame, int64_t index) {
  const onnxc_services *services = frame->services;
  if (services && services->kernel_begin)
    services->kernel_begin(services->context,
                           &frame->variant->model->kernels[index]);
}

void onnxc_shell_kernel_end(onnxc_frame *frame, int64_t index, int64_t flops,
                            int64_t bytes, const int64_t *sizes) {
  const onnxc_services *services = frame->services;
  if (services && services->kernel_end)
    services->kernel_end(services->context,
                         &frame->variant->model->kernels[index], flops, bytes,
                         sizes);
}

static int32_t reject(onnxc_error *error, const char *message) {
  onnxc_line line = onnxc_line_begin(error, ONNXC_MODEL_INVALID_ARGUMENT);
  onnxc_line_text(&line, message);
  return ONNXC_MODEL_INVALID_ARGUMENT;
}

/* Puts defaults in the place of absent inputs, then runs. */
static __attribute__((noinline)) int32_t
execute_with_defaults(onnxc_frame *frame) {
  const onnxc_model *model = frame->variant->model;
  onnxc_value inputs[model->input_count];
  for (size_t i = 0; i < model->input_count; ++i) {
    const onnxc_value_info *info = &model->inputs[i];
    inputs[i] = frame->inputs[i];
    if (inputs[i].kind != ONNXC_KIND_NONE)
      continue;
    inputs[i].kind = info->kind;
    inputs[i].elem_type = info->elem_type;
    inputs[i].rank = info->rank;
    for (int64_t d = 0; d < info->rank; ++d)
      inputs[i].dims[d] = info->dims[d];
    inputs[i].data = (void *)(frame->weights + onnxc_generated_defaults[i]);
    inputs[i].bytes =
        (size_t)onnxc_tensor_bytes(info->elem_type, info->rank, info->dims);
  }
  frame->inputs = inputs;
  return frame->variant->run(frame);
}

static int32_t execute(onnxc_frame *frame) {
  const onnxc_model *model = frame->variant->model;
  onnxc_line_begin(frame->error, ONNXC_MODEL_OK);
  if ((!frame->inputs && model->input_count) ||
      (!frame->outputs && model->output_count))
    return reject(frame->error, "inputs or outputs is NULL");
  int32_t status =
      onnxc_check_inputs(model, frame->inputs, frame->planning, frame->error);
  if (status)
    return status;
  for (size_t i = 0; i < model->output_count; ++i) {
    const onnxc_value_info *info = &model->outputs[i];
    onnxc_value *value = &frame->outputs[i];
    value->kind = info->kind;
    value->elem_type = info->elem_type;
    value->rank = info->rank;
    for (int64_t d = 0; d < info->rank; ++d)
      value->dims[d] = info->dims[d];
    if (frame->planning)
      value->bytes = 0;
  }
  frame->weights = onnxc_generated_weights;
  status = onnxc_generated_default_count ? execute_with_defaults(frame)
                                         : frame->variant->run(frame);
  return frame->status ? frame->status : status;
}

int32_t onnxc_shell_plan(const onnxc_variant *variant,
                         const onnxc_value *inputs, onnxc_value *outputs,
                         size_t *workspace_bytes, onnxc_error *error) {
  onnxc_frame frame = {.inputs = inputs,
                       .outputs = outputs,
                       .variant = variant,
                       .error = error,
                       .planning = 1};
  int32_t status = execute(&frame);
  if (workspace_bytes)
    *workspace_bytes = status ? 0 : frame.workspace_bytes;
  return status;
}

int32_t onnxc_shell_run(const onnxc_variant *variant,
                        const onnxc_services *services,
                        const onnxc_value *inputs, onnxc_value *outputs,
                        void *workspace, size_t workspace_bytes,
                        onnxc_error *error) {
  if (services && (services->abi_version != ONNXC_ABI_VERSION ||
                   services->struct_size < sizeof(onnxc_services)))
    return reject(error, "the services are of another ABI version");
  onnxc_frame frame = {.inputs = inputs,
                       .outputs = outputs,
                       .variant = variant,
                       .services = services,
                       .workspace = workspace,
                       .workspace_bytes = workspace_bytes,
                       .error = error};
  return execute(&frame);
}
