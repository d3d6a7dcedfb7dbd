//===- ThreadPool.h - The threads that share a run -*- C++ -*-===//
//
// A fork-join pool. The calling thread does its part of the work and never
// waits for a thread that has not yet taken any: a sleeping or descheduled
// worker (or one that fork() has lost) costs nothing but its help.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_RUNTIME_SRC_THREADPOOL_H
#define ONNXC_RUNTIME_SRC_THREADPOOL_H

#include <atomic>
#include <cstdint>
#include <memory>
#include <sys/types.h>
#include <thread>
#include <vector>

namespace onnxc::runtime {

class ThreadPool {
public:
  using Body = void (*)(void *argument, int64_t begin, int64_t end);

  /// `threads` counts the calling one. Workers start with the first job.
  explicit ThreadPool(int threads, bool spinning = true);
  ~ThreadPool();
  ThreadPool(const ThreadPool &) = delete;
  ThreadPool &operator=(const ThreadPool &) = delete;

  int threadCount() const { return threads; }

  /// Calls body(argument, begin, end) for ranges that cover [0, count) once,
  /// each at least `grain` long but the last, on at most `maxThreads` threads
  /// (0: all). May be called by several threads at once; from inside a body it
  /// runs on the calling thread alone.
  void parallelFor(int64_t count, int64_t grain, Body body, void *argument,
                   int maxThreads = 0);

private:
  // One contiguous part of a job's range, in units of the grain. Each thread
  // begins with its own part, so that consecutive jobs over the same data keep
  // to the same core's cache, and helps with the others when it is done.
  struct alignas(64) Part {
    std::atomic<int64_t> next;
    int64_t end;
  };

  struct Job {
    Body body;
    void *argument;
    int64_t count, grain;
    int64_t chunk; // units taken at a time
    int parts;     // threads that may take part
  };

  void start();
  void work(int index);
  void takeParts(int first);
  bool waitForJob(uint32_t &seen);
  void runJob(int64_t begin, int64_t count, int64_t grain, Body body,
              void *argument, int parts);

  // state: epoch of the latest job (upper half), whether it may be joined, and
  // how many workers are in it.
  static constexpr uint32_t openBit = 1u << 15;
  static constexpr uint32_t activeMask = openBit - 1;
  static constexpr uint32_t epochOne = 1u << 16;

  const int threads;
  const bool spinning;
  bool started = false;
  pid_t owner = 0;
  std::vector<std::thread> workers;
  std::unique_ptr<Part[]> parts;
  Job job = {};

  alignas(64) std::atomic<bool> busy{false}; // a caller owns the pool
  alignas(64) std::atomic<uint32_t> state{0};
  alignas(64) std::atomic<uint32_t> sleepers{0};
  std::atomic<bool> callerSleeps{false};
  std::atomic<bool> stopping{false};
};

} // namespace onnxc::runtime

#endif // ONNXC_RUNTIME_SRC_THREADPOOL_H
