/*===- c_api.h - The runtime's C interface --------------------*- C -*-===*\
|*
|* Opens compiled models and runs them. Plain C11; link with onnxc_runtime.
|*
|*   onnxc_session *session;
|*   onnxc_status *status = onnxc_session_create("model.so", NULL, &session);
|*   if (status) { puts(onnxc_status_message(status)); ... }
|*   onnxc_value input = {ONNXC_KIND_TENSOR, ONNXC_FLOAT, 2, {1, 3}, data,
|*                        sizeof data};
|*   const char *name = "x";
|*   onnxc_tensor *output = NULL;
|*   status = onnxc_session_run(session, NULL, &name, &input, 1, NULL, 0,
|*                              &output);
|*   const onnxc_value *result = onnxc_tensor_view(output);
|*   onnxc_tensor_release(output);
|*   onnxc_session_release(session);
|*
|* Ownership: what a function hands out through `_create` or an output
|* parameter belongs to the caller until the matching `_release`, which takes
|* NULL too. A `const` pointer that a function returns belongs to the object it
|* came from. What the caller passes in stays the caller's: names and options
|* are copied, tensor data is neither copied nor kept after the call.
|*
|* Threads: a session may be used by any number of threads at once, runs
|* included. Options, tensors and statuses are plain data: one writer at a time.
|*
|* An argument that is a NULL where none is allowed is an error, not a crash.
|*
\*===----------------------------------------------------------------------===*/
#ifndef ONNXC_C_API_H
#define ONNXC_C_API_H

#include "onnxc/model_abi.h"

#if defined(ONNXC_RUNTIME_STATIC)
#define ONNXC_API
#else
#define ONNXC_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*===----------------------------------------------------------------------===
 * Status
 *===----------------------------------------------------------------------===*/

typedef enum onnxc_status_code {
  ONNXC_STATUS_OK = 0,
  ONNXC_STATUS_INVALID_ARGUMENT =
      1,                          /* a wrong name, type, shape, option, ... */
  ONNXC_STATUS_NO_SUCH_FILE = 2,  /* the file cannot be opened */
  ONNXC_STATUS_INVALID_MODEL = 3, /* the file is not a whole compiled model */
  ONNXC_STATUS_INCOMPATIBLE = 4,  /* of another ABI, architecture or CPU */
  ONNXC_STATUS_OUT_OF_MEMORY = 5,
  ONNXC_STATUS_RUNTIME_ERROR = 6,   /* an operator met data it must refuse */
  ONNXC_STATUS_NOT_IMPLEMENTED = 7, /* a kind of value not served yet */
  ONNXC_STATUS_SYSTEM_ERROR = 8,    /* a system call failed */
  ONNXC_STATUS_TERMINATED = 9       /* the run options' flag ended the run */
} onnxc_status_code;

/* What went wrong. A function that returns `onnxc_status *` returns NULL on
 * success; otherwise the caller releases the status. */
typedef struct onnxc_status onnxc_status;

ONNXC_API onnxc_status_code onnxc_status_get_code(const onnxc_status *status);
/* One line; "" for NULL. */
ONNXC_API const char *onnxc_status_message(const onnxc_status *status);
ONNXC_API void onnxc_status_release(onnxc_status *status);

/*===----------------------------------------------------------------------===
 * Facts
 *===----------------------------------------------------------------------===*/

/* The runtime's version: "0.1.0". */
ONNXC_API const char *onnxc_version(void);
/* Threads of a session that asks for none: the CPUs this process may use (its
 * affinity mask and cgroup limits), one for a core's two hardware threads. */
ONNXC_API int32_t onnxc_default_thread_count(void);
/* ONNX's name of an element type ("float", "int64"); "undefined" if unknown. */
ONNXC_API const char *onnxc_elem_type_name(int32_t elem_type);
/* The type of an input or output as ONNX Runtime spells it, "tensor(float)" or
 * "seq(map(int64,tensor(float)))": at most `size` bytes of it, the last a NUL,
 * go to `text` (NULL where size is 0). Returns its length without the NUL; 0
 * for NULL. */
ONNXC_API size_t onnxc_type_name(const onnxc_value_info *info, char *text,
                                 size_t size);
/* Bytes of `count` elements (2-, 4- and 6-bit types are packed; a string is its
 * address); 0 for unknown types, negative counts, and sizes beyond the address
 * space. */
ONNXC_API size_t onnxc_elem_type_bytes(int32_t elem_type, int64_t count);

/*===----------------------------------------------------------------------===
 * Options
 *===----------------------------------------------------------------------===*/

typedef struct onnxc_session_options onnxc_session_options;

ONNXC_API onnxc_status *
onnxc_session_options_create(onnxc_session_options **options);
ONNXC_API void onnxc_session_options_release(onnxc_session_options *options);
/* Threads that share one run, the calling one included; 0: the default. */
ONNXC_API onnxc_status *
onnxc_session_options_set_intra_op_num_threads(onnxc_session_options *options,
                                               int32_t threads);
/* Whether idle threads spin for a short while before they sleep (default 1). */
ONNXC_API onnxc_status *
onnxc_session_options_set_spinning(onnxc_session_options *options,
                                   int32_t enable);

/* Whether the session records when each kernel ran (default 0). Creating a
 * session of a model that was not compiled with --profile then fails. */
ONNXC_API onnxc_status *
onnxc_session_options_set_profiling(onnxc_session_options *options,
                                    int32_t enable);

typedef struct onnxc_run_options onnxc_run_options;

ONNXC_API onnxc_status *onnxc_run_options_create(onnxc_run_options **options);
ONNXC_API void onnxc_run_options_release(onnxc_run_options *options);
/* At most this many of the session's threads share the run; 0: all. */
ONNXC_API onnxc_status *
onnxc_run_options_set_max_threads(onnxc_run_options *options, int32_t threads);
/* Ends the runs that are under way with these options, each before its next
 * kernel, with ONNXC_STATUS_TERMINATED, and refuses others, until the flag is 0
 * again. For any thread, at any time. */
ONNXC_API onnxc_status *
onnxc_run_options_set_terminate(onnxc_run_options *options, int32_t terminate);

/*===----------------------------------------------------------------------===
 * Tensors
 *
 * Inputs are `onnxc_value` views (model_abi.h) of the caller's memory. Outputs
 * are `onnxc_tensor` handles: a view with its memory, independent of the
 * session, so that the memory can be handed on (to Python, say) uncopied. A
 * sequence, an optional, a map and a tensor of strings are such handles, too,
 * whose one block of memory holds all parts.
 *===----------------------------------------------------------------------===*/

typedef struct onnxc_tensor onnxc_tensor;

/* A tensor with memory of its own, 64-byte aligned and not initialised. */
ONNXC_API onnxc_status *onnxc_tensor_create(int32_t elem_type,
                                            const int64_t *dims, size_t rank,
                                            onnxc_tensor **tensor);
/* A tensor in the caller's memory, which must outlive it. */
ONNXC_API onnxc_status *onnxc_tensor_wrap(int32_t elem_type,
                                          const int64_t *dims, size_t rank,
                                          void *data, size_t bytes,
                                          onnxc_tensor **tensor);
/* A copy of a value of any kind (a sequence, a map, a tensor of strings) with
 * all that it refers to, in memory of its own. */
ONNXC_API onnxc_status *onnxc_tensor_copy(const onnxc_value *value,
                                          onnxc_tensor **tensor);
ONNXC_API void onnxc_tensor_release(onnxc_tensor *tensor);
/* Type, dims, and the data, which may be written. In an output that a run has
 * allocated, `bytes` is the tensor's size. Valid until the tensor is released
 * or written by a run. */
ONNXC_API const onnxc_value *onnxc_tensor_view(const onnxc_tensor *tensor);

/*===----------------------------------------------------------------------===
 * Sessions
 *===----------------------------------------------------------------------===*/

typedef struct onnxc_session onnxc_session;

/* Judges a file by its headers, without opening it as a library: reports what
 * onnxc_session_create would refuse it for. */
ONNXC_API onnxc_status *onnxc_check_file(const char *path);

/* Opens a compiled model. options may be NULL. */
ONNXC_API onnxc_status *
onnxc_session_create(const char *path, const onnxc_session_options *options,
                     onnxc_session **session);
/* The same from memory, which is copied. */
ONNXC_API onnxc_status *
onnxc_session_create_from_bytes(const void *data, size_t bytes,
                                const onnxc_session_options *options,
                                onnxc_session **session);
/* The same from a model linked into the program (made with --emit=obj). */
ONNXC_API onnxc_status *
onnxc_session_create_from_model(const onnxc_model *model,
                                const onnxc_session_options *options,
                                onnxc_session **session);
/* No run may be under way. Outputs stay valid. */
ONNXC_API void onnxc_session_release(onnxc_session *session);

ONNXC_API size_t onnxc_session_input_count(const onnxc_session *session);
ONNXC_API size_t onnxc_session_output_count(const onnxc_session *session);
/* NULL when there is no such index. */
ONNXC_API const onnxc_value_info *
onnxc_session_input(const onnxc_session *session, size_t index);
ONNXC_API const onnxc_value_info *
onnxc_session_output(const onnxc_session *session, size_t index);
/* The index of a name, or -1. */
ONNXC_API ptrdiff_t onnxc_session_find_input(const onnxc_session *session,
                                             const char *name);
ONNXC_API ptrdiff_t onnxc_session_find_output(const onnxc_session *session,
                                              const char *name);
ONNXC_API int32_t onnxc_session_thread_count(const onnxc_session *session);

/* What the ModelProto says of itself; no string is NULL. Later versions add
 * fields at the end. */
typedef struct onnxc_metadata {
  const char *producer_name;
  const char *producer_version;
  const char *graph_name;
  const char *graph_description;
  const char *domain;
  const char *description;
  int64_t version;
  size_t custom_count;
  const onnxc_key_value *custom;
  const char *compiler_version; /* the compiler that made the library */
  const char *target;           /* the CPU level it was made for */
} onnxc_metadata;

ONNXC_API const onnxc_metadata *
onnxc_session_metadata(const onnxc_session *session);
/* The value of a key of the custom map, or NULL. */
ONNXC_API const char *
onnxc_session_metadata_lookup(const onnxc_session *session, const char *key);

/* Runs the model.
 *
 * input_names, inputs: input_count of them, in any order. An input that has a
 *          default may be absent.
 * output_names: output_count of them, in any order; output_count 0 means all,
 *          in the model's order.
 * outputs: as many entries as outputs were asked for. An entry that is NULL is
 *          set to a new tensor. Any other entry is a tensor whose memory
 *          receives the result: the element type must be the output's, the
 *          memory must suffice; its dims are set. On failure new tensors are
 *          released and their entries stay NULL; the contents of the caller's
 *          tensors are then undefined. No two entries may be the same tensor.
 * options: may be NULL. */
ONNXC_API onnxc_status *
onnxc_session_run(onnxc_session *session, const onnxc_run_options *options,
                  const char *const *input_names, const onnxc_value *inputs,
                  size_t input_count, const char *const *output_names,
                  size_t output_count, onnxc_tensor **outputs);

/* The same without names: the fast way for a caller that has looked them up.
 *
 * inputs:  one for each of the model's inputs, in its order; kind
 *          ONNXC_KIND_NONE for one that is absent.
 * output_indices: which outputs, in which order; NULL means the first
 *          output_count, and 0 of them all. */
ONNXC_API onnxc_status *onnxc_session_run_indexed(
    onnxc_session *session, const onnxc_run_options *options,
    const onnxc_value *inputs, const size_t *output_indices,
    size_t output_count, onnxc_tensor **outputs);

/* What a run with these inputs would give, without running: checks the inputs
 * (in the model's order, as above) and fills in one value for each output of
 * the model; a dim is -1 when it follows from data.
 * workspace_bytes may be NULL. */
ONNXC_API onnxc_status *onnxc_session_plan(onnxc_session *session,
                                           const onnxc_value *inputs,
                                           onnxc_value *outputs,
                                           size_t *workspace_bytes);

/*===----------------------------------------------------------------------===
 * Profiles
 *
 * What a session records that was created with profiling on, until
 * onnxc_session_end_profiling or a million kernels.
 *===----------------------------------------------------------------------===*/

/* One kernel of one run. Times are nanoseconds from the session's creation. */
typedef struct onnxc_profile_event {
  const onnxc_kernel_info *kernel; /* valid as long as the session */
  const int64_t *sizes; /* kernel->size_count; valid until the next run ends */
  int64_t begin_ns, end_ns;
  int64_t flops, bytes; /* 0 where not known */
  int64_t run;          /* counts from 0, in the order in which runs end */
} onnxc_profile_event;

/* When recording began, in nanoseconds since 1970; 0 without profiling. */
ONNXC_API int64_t
onnxc_session_profiling_start_time_ns(const onnxc_session *session);
ONNXC_API size_t
onnxc_session_profile_event_count(const onnxc_session *session);
ONNXC_API onnxc_status *
onnxc_session_profile_event(const onnxc_session *session, size_t index,
                            onnxc_profile_event *event);
/* Writes what was recorded to a file in Chrome's trace format (open it in
 * ui.perfetto.dev or chrome://tracing), and stops recording. */
ONNXC_API onnxc_status *onnxc_session_end_profiling(onnxc_session *session,
                                                    const char *path);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* ONNXC_C_API_H */
