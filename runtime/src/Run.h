//===- Run.h - What one run of a model needs -*- C++ -*-===//
#ifndef ONNXC_RUNTIME_SRC_RUN_H
#define ONNXC_RUNTIME_SRC_RUN_H

#include "Memory.h"
#include "Profile.h"
#include "Status.h"
#include "ThreadPool.h"

#include <vector>

namespace onnxc::runtime {

/// What a run that its options end returns.
Status terminated();

/// What a model's own status means to the caller.
Status modelStatus(int32_t code, const std::string &message);

/// The memory and the services of one run at a time. A session keeps those of
/// past runs, so that a run in the steady state allocates its outputs only.
class Run {
public:
  explicit Run(const onnxc_model &model);

  /// Runs the model on inputs that were checked. `indices` says which outputs
  /// go to `outputs`; an entry that is not null provides the memory. `profile`,
  /// where it is not null, gets the times of the kernels; `terminate`, where it
  /// is not null, ends the run when it becomes other than 0.
  Status execute(const onnxc_value *inputs, const size_t *indices, size_t count,
                 onnxc_tensor **outputs, ThreadPool *pool, int maxThreads,
                 const int32_t *terminate, Profile *profile);

  // Reused by the session while it prepares the run.
  std::vector<onnxc_value> inputs;
  std::vector<size_t> outputIndices;
  std::vector<int64_t> symbolValues;

private:
  // Where an output goes.
  struct Destination {
    bool wanted;
    onnxc_tensor *given; // the caller's tensor, or null
    Tensor made;
  };

  Status bindOutputs(const size_t *indices, size_t count,
                     onnxc_tensor **outputs);
  Status handOut(const size_t *indices, size_t count, onnxc_tensor **outputs);
  void reset();
  void *keep(size_t bytes);
  void *outputMemory(size_t index, const onnxc_value &value, size_t bytes);
  static onnxc_services makeServices();
  static void addProfiling(onnxc_services &services);

  const onnxc_model &model;
  Workspace workspace;
  std::vector<AlignedMemory> temporaries; // freed after the run
  std::vector<onnxc_value> values;        // one for each output of the model
  std::vector<Destination> destinations;  // likewise
  ThreadPool *pool = nullptr;
  int maxThreads = 0;
  RunProfile runProfile;
  std::string complaint; // says more than the model's own message
};

} // namespace onnxc::runtime

#endif // ONNXC_RUNTIME_SRC_RUN_H
