//===- Profile.h - When each kernel of a session's runs ran -*- C++ -*-===//
#ifndef ONNXC_RUNTIME_SRC_PROFILE_H
#define ONNXC_RUNTIME_SRC_PROFILE_H

#include "Status.h"

#include <atomic>
#include <mutex>
#include <vector>

namespace onnxc::runtime {

/// Nanoseconds of a clock that only goes forward.
int64_t clockNanoseconds();

/// What one run records, by its own thread alone.
class RunProfile {
public:
  /// Forgets what an earlier run left.
  void clear();
  void begin();
  /// Memory that runs out loses the event.
  void end(const onnxc_kernel_info *kernel, int64_t flops, int64_t bytes,
           const int64_t *sizes);

private:
  friend class Profile;
  std::vector<onnxc_profile_event> events; // `sizes` not set yet
  std::vector<int64_t> sizes;              // of all events, in order
  int64_t kernelBegin = 0;
};

/// What the runs of a session have recorded, up to a million kernels.
class Profile {
public:
  Profile();

  /// When recording began, in nanoseconds since 1970.
  int64_t startTime() const { return wallStart; }
  bool isRecording() const { return recording; }

  /// Takes the events of a run on this thread, which began and ended then
  /// (clockNanoseconds). Recording stops when memory runs out.
  void add(const RunProfile &run, int64_t begin, int64_t end);
  size_t eventCount();
  bool event(size_t index, onnxc_profile_event &event);
  /// Writes all that was recorded as a Chrome trace, and stops recording.
  Status finish(const char *path);

private:
  struct Event {
    onnxc_profile_event event; // `sizes` not set
    size_t firstSize;
  };
  struct RunSpan {
    int64_t begin, end, thread;
  };
  onnxc_profile_event complete(const Event &recorded) const;
  std::string trace() const;

  std::mutex mutex;
  std::atomic<bool> recording{true};
  int64_t wallStart, clockStart;
  std::vector<Event> events;
  std::vector<int64_t> sizes;
  std::vector<RunSpan> runs;
};

} // namespace onnxc::runtime

#endif // ONNXC_RUNTIME_SRC_PROFILE_H
