//===- ThreadPool.cpp - The threads that share a run -===//
#include "ThreadPool.h"

#include <algorithm>
#include <chrono>
#include <climits>
#include <csignal>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <system_error>
#include <unistd.h>

namespace onnxc::runtime {

// Idle workers spin this long: longer than the serial stretches between two
// loops of a run, short against a user's pause between two runs.
static constexpr auto idleSpin = std::chrono::microseconds(200);
// The caller, having run out of work, spins this long for the last worker.
static constexpr auto joinSpin = std::chrono::microseconds(100);
// A part is taken in this many bites, so that a fast thread can help a slow
// one.
static constexpr int64_t chunksPerPart = 4;

// Workers and the caller sleep on the same word; the kernel keeps them apart.
static constexpr uint32_t workerBit = 1;
static constexpr uint32_t callerBit = 2;

static thread_local bool insideJob = false;

static void futexWait(std::atomic<uint32_t> &word, uint32_t expected,
                      uint32_t bits) {
  syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, expected, nullptr,
          nullptr, bits);
}

static void futexWake(std::atomic<uint32_t> &word, int count, uint32_t bits) {
  syscall(SYS_futex, &word, FUTEX_WAKE_BITSET_PRIVATE, count, nullptr, nullptr,
          bits);
}

static void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/// Spins until `done` holds; false when `limit` has passed before.
template <typename Done>
static bool spinUntil(Done done, std::chrono::microseconds limit) {
  auto end = std::chrono::steady_clock::now() + limit;
  while (true) {
    for (int i = 0; i < 32; ++i) {
      if (done())
        return true;
      pause();
    }
    if (std::chrono::steady_clock::now() >= end)
      return false;
  }
}

ThreadPool::ThreadPool(int threads, bool spinning)
    : threads(std::max(threads, 1)), spinning(spinning),
      parts(new Part[this->threads]) {}

ThreadPool::~ThreadPool() {
  stopping.store(true);
  state.fetch_add(epochOne);
  futexWake(state, INT_MAX, workerBit);
  for (std::thread &worker : workers) {
    // The workers of a process that has forked exist in the parent only.
    if (getpid() == owner)
      worker.join();
    else
      worker.detach();
  }
}

void ThreadPool::start() {
  started = true;
  owner = getpid();
  // Signals belong to the application's own threads.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    workers.reserve(threads - 1);
    for (int i = 1; i < threads; ++i)
      workers.emplace_back([this, i] { work(i); });
  } catch (const std::exception &) {
    // No memory or no more threads: those that exist do.
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

/// Returns with the pool's state changed since `seen`; false to end.
bool ThreadPool::waitForJob(uint32_t &seen) {
  auto isNew = [&] {
    uint32_t now = state.load(std::memory_order_acquire);
    return (now & openBit) && (now ^ seen) >= epochOne;
  };
  while (!stopping.load(std::memory_order_acquire)) {
    auto newOrStopping = [&] {
      return isNew() || stopping.load(std::memory_order_relaxed);
    };
    if (isNew() || (spinning && spinUntil(newOrStopping, idleSpin)))
      return !stopping.load(std::memory_order_acquire);
    // The counter goes up before the state is compared (by the kernel), and the
    // caller changes the state before it reads the counter: one sees the other.
    sleepers.fetch_add(1);
    uint32_t now = state.load();
    bool idle = !(now & openBit) || (now ^ seen) < epochOne;
    if (idle && !stopping.load())
      futexWait(state, now, workerBit);
    sleepers.fetch_sub(1);
  }
  return false;
}

void ThreadPool::work(int index) {
  insideJob = true;
  uint32_t seen = 0;
  while (waitForJob(seen)) {
    uint32_t now = state.load(std::memory_order_acquire);
    bool joined = false;
    while ((now & openBit) && !joined)
      joined = state.compare_exchange_weak(now, now + 1);
    seen = now;
    if (!joined)
      continue;
    // The job's fields hold still while a worker is in it.
    if (index < job.parts)
      takeParts(index);
    uint32_t before = state.fetch_sub(1);
    if ((before & (openBit | activeMask)) == 1 && callerSleeps.load())
      futexWake(state, 1, callerBit);
  }
}

void ThreadPool::takeParts(int first) {
  for (int i = 0; i < job.parts; ++i) {
    Part &part = parts[(first + i) % job.parts];
    while (part.next.load(std::memory_order_relaxed) < part.end) {
      int64_t begin = part.next.fetch_add(job.chunk, std::memory_order_relaxed);
      if (begin >= part.end)
        break;
      int64_t end = std::min(begin + job.chunk, part.end);
      // The last unit may be short.
      job.body(job.argument, begin * job.grain,
               end * job.grain > job.count ? job.count : end * job.grain);
    }
  }
}

namespace {
struct Shifted {
  ThreadPool::Body body;
  void *argument;
  int64_t offset;
};
} // namespace

static void callShifted(void *argument, int64_t begin, int64_t end) {
  auto *shifted = static_cast<Shifted *>(argument);
  shifted->body(shifted->argument, begin + shifted->offset,
                end + shifted->offset);
}

void ThreadPool::runJob(int64_t offset, int64_t count, int64_t grain, Body body,
                        void *argument, int partCount) {
  Shifted shifted{body, argument, offset};
  int64_t units = (count - 1) / grain + 1;
  partCount = static_cast<int>(std::min<int64_t>(partCount, units));
  job = offset == 0 ? Job{body, argument, count, grain, 0, partCount}
                    : Job{callShifted, &shifted, count, grain, 0, partCount};
  job.chunk = std::max<int64_t>(1, units / partCount / chunksPerPart);
  for (int64_t i = 0, begin = 0; i < partCount; ++i) {
    int64_t length = units / partCount + (i < units % partCount);
    parts[i].next.store(begin, std::memory_order_relaxed);
    parts[i].end = begin += length;
  }

  // Nobody is in a job now: open the next one.
  uint32_t epoch = (state.load() & ~(epochOne - 1)) + epochOne;
  state.store(epoch | openBit);
  if (sleepers.load() != 0)
    futexWake(state, partCount < threads ? INT_MAX : partCount - 1, workerBit);

  insideJob = true;
  takeParts(0);
  insideJob = false;

  // Close it, and wait for those that have joined.
  uint32_t now = state.fetch_and(~openBit) & ~openBit;
  if ((now & activeMask) == 0)
    return;
  auto alone = [&] {
    return (state.load(std::memory_order_acquire) & activeMask) == 0;
  };
  if (spinUntil(alone, joinSpin))
    return;
  callerSleeps.store(true);
  while (((now = state.load()) & activeMask) != 0)
    futexWait(state, now, callerBit);
  callerSleeps.store(false);
}

void ThreadPool::parallelFor(int64_t count, int64_t grain, Body body,
                             void *argument, int maxThreads) {
  if (count <= 0)
    return;
  grain = std::clamp<int64_t>(grain, 1, count);
  int parts = maxThreads > 0 ? std::min(maxThreads, threads) : threads;
  if (parts == 1 || insideJob || count <= grain)
    return body(argument, 0, count);

  // While another run has the workers, go on alone, in pieces: they may be free
  // again after the next one.
  int64_t units = (count - 1) / grain + 1;
  int64_t step = grain * std::max<int64_t>(1, units / parts / chunksPerPart);
  for (int64_t begin = 0; begin < count;) {
    int64_t left = count - begin;
    if (left <= grain)
      return body(argument, begin, count);
    if (!busy.exchange(true, std::memory_order_acquire)) {
      if (!started)
        start();
      runJob(begin, left, grain, body, argument, parts);
      busy.store(false, std::memory_order_release);
      return;
    }
    int64_t end = begin + std::min(step, left);
    insideJob = true;
    body(argument, begin, end);
    insideJob = false;
    begin = end;
  }
}

} // namespace onnxc::runtime
