/*===- shell.h - What surrounds the generated code in a model ---*- C -*-===*\
|*
|* Freestanding C11, compiled when onnxc is built and linked into every model:
|* as machine code into a library, as bitcode into an object, which is one
|* file. math*.c, whose speed counts, is always bitcode. Nothing here may need a
|* symbol from outside.
|*
\*===----------------------------------------------------------------------===*/
#ifndef ONNXC_EMIT_SHELL_H
#define ONNXC_EMIT_SHELL_H

#include "runtime/include/onnxc/model_abi.h"

struct onnxc_frame;

/* The code that was generated for one CPU. */
typedef struct onnxc_variant {
  uint64_t cpu_features; /* ONNXC_CPU_* */
  const onnxc_model *model;
  int32_t (*run)(struct onnxc_frame *frame);
} onnxc_variant;

/* One run. Generated code reads the first three fields. */
typedef struct onnxc_frame {
  const onnxc_value *inputs;
  onnxc_value *outputs;
  const char *weights;
  const onnxc_variant *variant;
  const onnxc_services *services; /* may be NULL */
  void *workspace;                /* may be NULL */
  size_t workspace_bytes;         /* of `workspace`; when planning: the need */
  onnxc_error *error;             /* may be NULL */
  int32_t status;
  int32_t planning;
} onnxc_frame;

/* What the emitter writes. */
#pragma GCC visibility push(hidden)

typedef struct onnxc_dim_reference {
  int32_t input; /* -1: none */
  int32_t dim;
} onnxc_dim_reference;

extern const char onnxc_generated_weights[];
/* For each dim of each input of known rank, in order: the earlier dim that it
 * must equal. */
extern const onnxc_dim_reference onnxc_generated_same_dims[];
/* For each input: where its default lies in the weights, or -1. */
extern const int64_t onnxc_generated_defaults[];
/* How many inputs have a default. */
extern const int64_t onnxc_generated_default_count;

/* The most demanding first; the last one's features all others have. */
extern const onnxc_variant *const onnxc_generated_variants[];
extern const int64_t onnxc_generated_variant_count; /* at least 1 */

#pragma GCC visibility pop

/* Memory of a run that grows; all zero at first. */
typedef struct onnxc_slot {
  char *data;
  int64_t capacity;
} onnxc_slot;

/* Services for generated code; compiler/README.md says what they mean. */
void *onnxc_shell_output(onnxc_frame *frame, int64_t index, int64_t rank,
                         const int64_t *dims);
void *onnxc_shell_workspace(onnxc_frame *frame, int64_t bytes);
void *onnxc_shell_allocate(onnxc_frame *frame, int64_t bytes);
void *onnxc_shell_reserve(onnxc_frame *frame, onnxc_slot *slot, int64_t offset,
                          int64_t bytes);
void onnxc_shell_parallel(onnxc_frame *frame, int64_t count, int64_t grain,
                          void (*body)(void *, int64_t, int64_t),
                          void *argument);
int32_t onnxc_shell_status(onnxc_frame *frame);
int32_t onnxc_shell_terminated(onnxc_frame *frame);
int32_t onnxc_shell_fail(onnxc_frame *frame, const char *message, int64_t first,
                         int64_t second);
/* Boxed values (dialects/kernel): what `kernel.make_value` and
 * `kernel.read_value` call. Values are addresses of onnxc_value; positions and
 * axes are in range. Those that make a value return NULL after a failure. */
onnxc_value *onnxc_shell_value_tensor(onnxc_frame *frame, int64_t elem_type,
                                      int64_t rank, const int64_t *dims);
const onnxc_value *onnxc_shell_value_none(onnxc_frame *frame);
const onnxc_value *onnxc_shell_value_input(onnxc_frame *frame, int64_t index);
const onnxc_value *onnxc_shell_value_output(onnxc_frame *frame, int64_t index,
                                            int64_t boxed);
/* The memory of a tensor as one of the dims that another, of int64, lists. */
const onnxc_value *onnxc_shell_value_shaped(onnxc_frame *frame, int64_t tensor,
                                            int64_t dims, int64_t elem_type);
/* The dims of a tensor as a tensor of int64. */
const onnxc_value *onnxc_shell_value_dims(onnxc_frame *frame, int64_t tensor);
/* Reshape, with the operator's meaning of -1 and, unless `allows_zero`, of 0 in
 * the shape; `name` (of the node) is for messages. */
const onnxc_value *onnxc_shell_value_reshaped(onnxc_frame *frame, int64_t name,
                                              int64_t tensor, int64_t shape,
                                              int64_t allows_zero);
const onnxc_value *onnxc_shell_value_sequence(onnxc_frame *frame);
const onnxc_value *onnxc_shell_value_insert(onnxc_frame *frame,
                                            int64_t sequence, int64_t element,
                                            int64_t position);
const onnxc_value *onnxc_shell_value_erase(onnxc_frame *frame, int64_t sequence,
                                           int64_t position);
const onnxc_value *onnxc_shell_value_map(onnxc_frame *frame, int64_t keys,
                                         int64_t values);
/* Random numbers of f64, which with `is_seeded` follow from the seed: `count`
 * in [0, 1); or of `count` numbers of mean 0 and variance 1 by Marsaglia's
 * polar method what they are made of: c, s for each, that is c sqrt(-2 ln(s) /
 * s). */
const onnxc_value *onnxc_shell_value_uniform(onnxc_frame *frame, int64_t count,
                                             int64_t is_seeded, int64_t seed);
const onnxc_value *onnxc_shell_value_polar(onnxc_frame *frame, int64_t count,
                                           int64_t is_seeded, int64_t seed);
/* What the host's operator `name` (the address of a text) makes of a sequence
 * of arguments: a sequence. */
const onnxc_value *onnxc_shell_value_host(onnxc_frame *frame, int64_t name,
                                          int64_t arguments);
int64_t onnxc_shell_value_kind(onnxc_frame *frame, int64_t value);
int64_t onnxc_shell_value_length(onnxc_frame *frame, int64_t sequence);
int64_t onnxc_shell_value_at(onnxc_frame *frame, int64_t sequence,
                             int64_t position);
int64_t onnxc_shell_value_rank(onnxc_frame *frame, int64_t tensor);
/* The product of the dims from `begin` on to before `end`, which may lie beyond
 * the rank. */
int64_t onnxc_shell_value_extent(onnxc_frame *frame, int64_t tensor,
                                 int64_t begin, int64_t end);
int64_t onnxc_shell_value_dim(onnxc_frame *frame, int64_t tensor, int64_t axis);
/* The addresses of `count` texts that lie one behind the other; NULL: no
 * memory. */
void *onnxc_shell_strings(onnxc_frame *frame, const char *texts, int64_t count);
void onnxc_shell_kernel_begin(onnxc_frame *frame, int64_t index);
void onnxc_shell_kernel_end(onnxc_frame *frame, int64_t index, int64_t flops,
                            int64_t bytes, const int64_t *sizes);

/* What the entry points of onnxc_model call. */
int32_t onnxc_shell_plan(const onnxc_variant *variant,
                         const onnxc_value *inputs, onnxc_value *outputs,
                         size_t *workspace_bytes, onnxc_error *error);
int32_t onnxc_shell_run(const onnxc_variant *variant,
                        const onnxc_services *services,
                        const onnxc_value *inputs, onnxc_value *outputs,
                        void *workspace, size_t workspace_bytes,
                        onnxc_error *error);

/*===-- message.c ---------------------------------------------------------===*/

/* A line that is being written to an onnxc_error; both NULL: to nowhere. */
typedef struct onnxc_line {
  char *at;
  char *end; /* room for the NUL is behind it */
} onnxc_line;

/* Starts the message of `error` (may be NULL), which gets `status`. */
onnxc_line onnxc_line_begin(onnxc_error *error, int32_t status);
void onnxc_line_text(onnxc_line *line, const char *text);
/* `text` with the numbers in the places of "{}", in order. */
void onnxc_line_values(onnxc_line *line, const char *text,
                       const int64_t *values);
void onnxc_line_number(onnxc_line *line, int64_t number);
/* "float[N,3,?]" */
void onnxc_line_info(onnxc_line *line, const onnxc_value_info *info);
/* "float[1,3,224]" */
void onnxc_line_value(onnxc_line *line, const onnxc_value *value);

/*===-- value.c -----------------------------------------------------------===*/

/* Bits of an element in memory, 0 for what is not a numeric type. */
size_t onnxc_element_bits(int32_t elem_type);
/* Bytes of the tensor, or -1 when they do not fit in 63 bits or a dim is
 * negative. */
int64_t onnxc_tensor_bytes(int32_t elem_type, int64_t rank,
                           const int64_t *dims);
/* Whether the inputs fit the model; otherwise writes the error. Returns a
 * status. */
int32_t onnxc_check_inputs(const onnxc_model *model, const onnxc_value *inputs,
                           int32_t planning, onnxc_error *error);

#endif /* ONNXC_EMIT_SHELL_H */
