/*===- model_abi.h - Binary interface of a compiled model ------*- C -*-===*\
|*
|* A compiled model exports one symbol, `onnxc_get_model`. Everything else is
|* reached through the structure it returns, or is handed in: a compiled model
|* has no undefined symbols, no mutable globals, and may be run by any number
|* of threads at once.
|*
|* Plain C11, no dependencies. A program needs this header, dlopen and dlsym.
|*
\*===----------------------------------------------------------------------===*/
#ifndef ONNXC_MODEL_ABI_H
#define ONNXC_MODEL_ABI_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Version of everything in this header. A loader accepts its own version only.
 */
#define ONNXC_ABI_VERSION 3u

/* "ONNXCMDL", little-endian. */
#define ONNXC_MODEL_MAGIC UINT64_C(0x4c444d43584e4e4f)

/* The largest rank of a tensor at the model's boundary. */
#define ONNXC_MAX_RANK 16

/* Element types: the numbers of ONNX's TensorProto.DataType. */
typedef enum onnxc_elem_type {
  ONNXC_UNDEFINED = 0,
  ONNXC_FLOAT = 1,
  ONNXC_UINT8 = 2,
  ONNXC_INT8 = 3,
  ONNXC_UINT16 = 4,
  ONNXC_INT16 = 5,
  ONNXC_INT32 = 6,
  ONNXC_INT64 = 7,
  ONNXC_STRING = 8,
  ONNXC_BOOL = 9,
  ONNXC_FLOAT16 = 10,
  ONNXC_DOUBLE = 11,
  ONNXC_UINT32 = 12,
  ONNXC_UINT64 = 13,
  ONNXC_COMPLEX64 = 14,
  ONNXC_COMPLEX128 = 15,
  ONNXC_BFLOAT16 = 16,
  ONNXC_FLOAT8E4M3FN = 17,
  ONNXC_FLOAT8E4M3FNUZ = 18,
  ONNXC_FLOAT8E5M2 = 19,
  ONNXC_FLOAT8E5M2FNUZ = 20,
  ONNXC_UINT4 = 21,
  ONNXC_INT4 = 22,
  ONNXC_FLOAT4E2M1 = 23,
  ONNXC_FLOAT8E8M0 = 24,
  ONNXC_UINT2 = 25,
  ONNXC_INT2 = 26,
  ONNXC_FLOAT6E2M3 = 27,
  ONNXC_FLOAT6E3M2 = 28
} onnxc_elem_type;

typedef enum onnxc_value_kind {
  ONNXC_KIND_NONE = 0,
  ONNXC_KIND_TENSOR = 1,
  ONNXC_KIND_SPARSE_TENSOR = 2,
  ONNXC_KIND_SEQUENCE = 3,
  ONNXC_KIND_MAP = 4,
  ONNXC_KIND_OPTIONAL = 5
} onnxc_value_kind;

/* A value at the model's boundary.
 *
 * ONNXC_KIND_TENSOR:
 *   data:  elements, row-major, contiguous, aligned to the size of one (that
 *          of complex128 is 16), not owned. May be NULL when a dim is 0. A
 *          string is a `const char *`, NUL-terminated UTF-8.
 *   bytes: size of the memory at data. For an input at least the tensor's size.
 * ONNXC_KIND_SEQUENCE: rank is 1, dims[0] the length, data an array of as many
 *   onnxc_value; elem_type is 0.
 * ONNXC_KIND_MAP: rank is 1, dims[0] the number of entries, data an array of
 * two onnxc_value, the tensors of the keys and of what belongs to them.
 * ONNXC_KIND_NONE: an optional that is absent. One that is there is what it
 *   holds: no value has ONNXC_KIND_OPTIONAL, which only types have.
 *
 * What the elements of a sequence or map and the strings of an output point to
 * is memory of the run (of `services->allocate`), of an input or of the model:
 * a host copies them before it frees that.
 */
typedef struct onnxc_value {
  uint32_t kind;     /* onnxc_value_kind */
  int32_t elem_type; /* onnxc_elem_type */
  int64_t rank;
  int64_t dims[ONNXC_MAX_RANK];
  void *data;
  size_t bytes;
} onnxc_value;

/* Status of a call; 0 is success. */
typedef enum onnxc_model_status {
  ONNXC_MODEL_OK = 0,
  ONNXC_MODEL_INVALID_ARGUMENT = 1, /* an input does not fit the model */
  ONNXC_MODEL_OUT_OF_MEMORY = 2,    /* workspace or output memory missing */
  ONNXC_MODEL_RUNTIME_ERROR = 3,    /* an operator met data it must refuse */
  ONNXC_MODEL_TERMINATED = 4        /* services->terminate became non-zero */
} onnxc_model_status;

/* Where a call says what went wrong: one line, NUL-terminated. */
typedef struct onnxc_error {
  int32_t status; /* onnxc_model_status */
  char message[508];
} onnxc_error;

/* A piece of generated code that computes one node of the model, a part of one,
 * or several at once (fused). Models compiled with --profile list theirs. */
typedef struct onnxc_kernel_info {
  const char *kind; /* "conv", "elementwise", "transpose" */
  /* The nodes that it computes, in order; none for what belongs to no node. */
  size_t node_count;
  const char *const *nodes;     /* their names */
  const char *const *operators; /* their operators: "Conv" */
  /* What it reads and writes, as laid out in memory, "f32[?,8], f32[8] ->
   * f32[?,8]"; each '?' is a size that a run tells. */
  const char *shapes;
  size_t size_count; /* the number of '?' */
} onnxc_kernel_info;

/* What the host offers to a running model. Any pointer may be NULL; the whole
 * table may be absent: then the model runs on the calling thread, in the
 * memory that the caller gives.
 *
 * context is passed back to each function. */
typedef struct onnxc_services {
  uint32_t abi_version; /* ONNXC_ABI_VERSION */
  uint32_t struct_size; /* sizeof(onnxc_services) as the host knows it */
  void *context;

  /* Workspace of one run, 64-byte aligned; NULL when there is none. Called at
   * most once a run, with the size that `plan` would report. */
  void *(*workspace)(void *context, size_t bytes);

  /* Memory for output `index`, whose kind, element type and dims are in
   * `value`; NULL when there is none. Called only for an output whose data the
   * caller left NULL. Aligned as inputs are; 64 bytes are better. */
  void *(*allocate_output)(void *context, size_t index,
                           const onnxc_value *value, size_t bytes);

  /* 64-byte aligned memory for a tensor whose size follows from data; the host
   * frees it after the run. */
  void *(*allocate)(void *context, size_t bytes);

  /* Calls body(argument, begin, end) for ranges that together cover
   * [0, count) once, possibly on several threads at a time, and returns when
   * all have returned. A range is at least `grain` long, the last excepted. */
  void (*parallel_for)(void *context, int64_t count, int64_t grain,
                       void (*body)(void *argument, int64_t begin, int64_t end),
                       void *argument);

  /* Called by a model compiled with --profile before and after each kernel,
   * on the thread that runs the model.
   *
   * flops, bytes: floating-point operations, and bytes read and written; 0
   *          where not known.
   * sizes:   kernel->size_count numbers, valid during the call. */
  void (*kernel_begin)(void *context, const onnxc_kernel_info *kernel);
  void (*kernel_end)(void *context, const onnxc_kernel_info *kernel,
                     int64_t flops, int64_t bytes, const int64_t *sizes);

  /* Runs an operator on strings or images, which generated code leaves to it;
   * runtime/README.md lists their names and arguments. Both are sequences;
   * `results`, whose memory is like that of `allocate`, is written. On failure
   * `error`, which is not NULL, says why. Returns an onnxc_model_status. */
  int32_t (*host_operator)(void *context, const char *name,
                           const onnxc_value *arguments, onnxc_value *results,
                           onnxc_error *error);
  /* Looked at between kernels: the run ends when it is not 0. Any thread may
   * write it, atomically. */
  const int32_t *terminate;
} onnxc_services;

/* What a model says of an input or output. */
typedef struct onnxc_value_info {
  const char *name;
  uint32_t kind;     /* onnxc_value_kind */
  int32_t elem_type; /* onnxc_elem_type */
  int64_t rank;      /* -1: any rank */
  /* rank entries: the dim, or -1 where it is known only at run time. */
  const int64_t *dims;
  /* rank entries: the name of a symbolic dim (equal names in the inputs are
   * equal dims), or NULL. */
  const char *const *dim_names;
  /* Inputs only: 1 when the model has a default for it (an overridable
   * initializer), so that the value may be of ONNXC_KIND_NONE. */
  int32_t has_default;
  int32_t reserved;
  /* What a sequence or an optional holds, or a map besides its keys, whose type
   * elem_type is; NULL for a tensor. `rank` is then -1. */
  const struct onnxc_value_info *element;
} onnxc_value_info;

typedef struct onnxc_key_value {
  const char *key;
  const char *value;
} onnxc_key_value;

typedef struct onnxc_model {
  uint64_t magic;       /* ONNXC_MODEL_MAGIC */
  uint32_t abi_version; /* ONNXC_ABI_VERSION */
  uint32_t struct_size; /* sizeof(onnxc_model) as the compiler knew it */

  /* From the ModelProto; empty strings where the model says nothing. */
  const char *producer_name;
  const char *producer_version;
  const char *domain;
  const char *graph_name;
  const char *description;
  const char *graph_description;
  int64_t model_version; /* INT64_MAX where the model says none */
  size_t metadata_count; /* the model's custom map */
  const onnxc_key_value *metadata;

  const char *compiler_version; /* "onnxc 0.1.0" */
  const char *target;           /* for a person: "x86-64-v4" */

  size_t input_count;
  const onnxc_value_info *inputs;
  size_t output_count;
  const onnxc_value_info *outputs;

  /* Checks the inputs and reports what a run with them needs.
   *
   * inputs:  input_count values. The data is read only where a dim depends
   *          on it.
   * outputs: output_count values; kind, element type, rank and dims are
   *          written, a dim is -1 when it is known only after the run.
   *          `bytes` is the size of the data, or 0 when it is not known.
   * error:   may be NULL. Returns an onnxc_model_status. */
  int32_t (*plan)(const onnxc_value *inputs, onnxc_value *outputs,
                  size_t *workspace_bytes, onnxc_error *error);

  /* Runs the model.
   *
   * services: may be NULL.
   * outputs:  output_count values. Where data is not NULL, the result is
   *           written there (bytes must suffice); where it is NULL, memory
   *           comes from services->allocate_output. kind, element type, rank,
   *           dims and bytes are written. Outputs must not overlap inputs or
   *           each other. Only a cache of attention (present_key and
   *           present_value of GroupQueryAttention) may be the memory of the
   *           input that it continues (past_key, past_value), where their dims
   *           are equal and nothing else reads that input: then the new tokens
   *           are written, and nothing is copied.
   * workspace: 64-byte aligned, workspace_bytes long; NULL to have it from
   *           services->workspace.
   * error:    may be NULL. Returns an onnxc_model_status. */
  int32_t (*run)(const onnxc_services *services, const onnxc_value *inputs,
                 onnxc_value *outputs, void *workspace, size_t workspace_bytes,
                 onnxc_error *error);

  /* The kernels that report their times; none unless compiled with --profile.
   */
  size_t kernel_count;
  const onnxc_kernel_info *kernels;
} onnxc_model;

/* The one exported symbol. (An object made with --emit=obj exports it under a
 * name of the user's choosing.) */
typedef const onnxc_model *(*onnxc_get_model_fn)(void);
#define ONNXC_GET_MODEL_SYMBOL "onnxc_get_model"

/*===----------------------------------------------------------------------===
 * The note: lets a loader judge a file before it opens it.
 *
 * An ELF note (section .note.onnxc, in a PT_NOTE segment) with name "onnxc"
 * (6 bytes with its NUL), type ONNXC_NOTE_TYPE and this descriptor.
 *===----------------------------------------------------------------------===*/
#define ONNXC_NOTE_NAME "onnxc"
#define ONNXC_NOTE_TYPE 1u

typedef struct onnxc_note {
  uint32_t abi_version;
  uint32_t reserved;
  uint64_t cpu_features; /* onnxc_cpu_feature bits that the code needs */
  uint64_t file_bytes;   /* size of the whole library; 0 in an object */
} onnxc_note;

/* x86-64 features beyond the baseline that code may need. */
#define ONNXC_CPU_SSE3 (UINT64_C(1) << 0)
#define ONNXC_CPU_SSSE3 (UINT64_C(1) << 1)
#define ONNXC_CPU_SSE4_1 (UINT64_C(1) << 2)
#define ONNXC_CPU_SSE4_2 (UINT64_C(1) << 3)
#define ONNXC_CPU_POPCNT (UINT64_C(1) << 4)
#define ONNXC_CPU_CX16 (UINT64_C(1) << 5)
#define ONNXC_CPU_SAHF (UINT64_C(1) << 6)
#define ONNXC_CPU_AVX (UINT64_C(1) << 7)
#define ONNXC_CPU_AVX2 (UINT64_C(1) << 8)
#define ONNXC_CPU_FMA (UINT64_C(1) << 9)
#define ONNXC_CPU_F16C (UINT64_C(1) << 10)
#define ONNXC_CPU_BMI (UINT64_C(1) << 11)
#define ONNXC_CPU_BMI2 (UINT64_C(1) << 12)
#define ONNXC_CPU_LZCNT (UINT64_C(1) << 13)
#define ONNXC_CPU_MOVBE (UINT64_C(1) << 14)
#define ONNXC_CPU_AVX512F (UINT64_C(1) << 15)
#define ONNXC_CPU_AVX512BW (UINT64_C(1) << 16)
#define ONNXC_CPU_AVX512CD (UINT64_C(1) << 17)
#define ONNXC_CPU_AVX512DQ (UINT64_C(1) << 18)
#define ONNXC_CPU_AVX512VL (UINT64_C(1) << 19)
#define ONNXC_CPU_AVX512VNNI (UINT64_C(1) << 20)
#define ONNXC_CPU_AVX512BF16 (UINT64_C(1) << 21)
#define ONNXC_CPU_AVX512FP16 (UINT64_C(1) << 22)
#define ONNXC_CPU_AVXVNNI (UINT64_C(1) << 23)

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* ONNXC_MODEL_ABI_H */
