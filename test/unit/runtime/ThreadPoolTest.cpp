//===- ThreadPoolTest.cpp - Parallel loops -===//
#include "ThreadPool.h"
#include "Support.h"

#include <chrono>
#include <mutex>
#include <set>
#include <sys/wait.h>

using onnxc::runtime::ThreadPool;

namespace {

/// Calls `body(begin, end)` through the pool.
template <typename Body>
void parallelFor(ThreadPool &pool, int64_t count, int64_t grain, Body body,
                 int maxThreads = 0) {
  pool.parallelFor(
      count, grain,
      [](void *argument, int64_t begin, int64_t end) {
        (*static_cast<Body *>(argument))(begin, end);
      },
      &body, maxThreads);
}

/// Every index once, every range as long as the grain but the last.
void expectCover(ThreadPool &pool, int64_t count, int64_t grain) {
  std::vector<std::atomic<int>> seen(count);
  std::atomic<int> shortRanges{0};
  parallelFor(pool, count, grain, [&](int64_t begin, int64_t end) {
    if (end - begin < grain && end != count)
      ++shortRanges;
    for (int64_t i = begin; i < end; ++i)
      ++seen[i];
  });
  EXPECT_EQ(shortRanges, 0);
  for (const std::atomic<int> &times : seen)
    ASSERT_EQ(times, 1) << "count " << count << ", grain " << grain;
}

TEST(ThreadPool, CoversTheRange) {
  for (int threads : {1, 2, 3, 8})
    for (bool spinning : {true, false}) {
      ThreadPool pool(threads, spinning);
      for (int64_t count : {1, 2, 3, 7, 64, 1000})
        for (int64_t grain : {1, 2, 5, 64, 5000})
          expectCover(pool, count, grain);
    }
}

TEST(ThreadPool, EmptyRangeAndOddGrain) {
  ThreadPool pool(2);
  int calls = 0;
  parallelFor(pool, 0, 1, [&](int64_t, int64_t) { ++calls; });
  parallelFor(pool, -5, 1, [&](int64_t, int64_t) { ++calls; });
  EXPECT_EQ(calls, 0);
  std::atomic<int64_t> sum{0};
  parallelFor(pool, 10, 0,
              [&](int64_t begin, int64_t end) { sum += end - begin; });
  EXPECT_EQ(sum, 10);
}

TEST(ThreadPool, UsesItsThreads) {
  ThreadPool pool(2);
  std::mutex mutex;
  std::set<std::thread::id> ids;
  // Two ranges that wait for each other, so that they need two threads.
  std::atomic<int> arrived{0};
  parallelFor(pool, 2, 1, [&](int64_t, int64_t) {
    ++arrived;
    auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (arrived < 2 && std::chrono::steady_clock::now() < end)
      std::this_thread::yield();
    std::lock_guard<std::mutex> lock(mutex);
    ids.insert(std::this_thread::get_id());
  });
  EXPECT_EQ(ids.size(), 2u);
}

TEST(ThreadPool, MaxThreads) {
  ThreadPool pool(4);
  std::mutex mutex;
  std::set<std::thread::id> ids;
  auto note = [&](int64_t, int64_t) {
    std::lock_guard<std::mutex> lock(mutex);
    ids.insert(std::this_thread::get_id());
  };
  for (int i = 0; i < 100; ++i)
    parallelFor(pool, 100, 1, note, 1);
  EXPECT_EQ(ids.size(), 1u);
  ids.clear();
  for (int i = 0; i < 100; ++i)
    parallelFor(pool, 100, 1, note, 2);
  EXPECT_LE(ids.size(), 2u);
}

TEST(ThreadPool, Nested) {
  ThreadPool pool(3);
  std::atomic<int64_t> sum{0};
  parallelFor(pool, 20, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      std::thread::id self = std::this_thread::get_id();
      parallelFor(pool, 10, 1, [&](int64_t first, int64_t last) {
        EXPECT_EQ(std::this_thread::get_id(), self);
        sum += last - first;
      });
    }
  });
  EXPECT_EQ(sum, 200);
}

TEST(ThreadPool, ManyCallers) {
  ThreadPool pool(3);
  std::vector<std::thread> callers;
  std::atomic<int> wrong{0};
  for (int caller = 0; caller < 4; ++caller)
    callers.emplace_back([&] {
      for (int job = 0; job < 500; ++job) {
        std::atomic<int64_t> sum{0};
        parallelFor(pool, 100 + job % 7, 3, [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i)
            sum += i;
        });
        int64_t count = 100 + job % 7;
        wrong += sum != count * (count - 1) / 2;
      }
    });
  for (std::thread &caller : callers)
    caller.join();
  EXPECT_EQ(wrong, 0);
}

TEST(ThreadPool, WakesAfterSleep) {
  ThreadPool pool(2);
  for (int i = 0; i < 20; ++i) {
    expectCover(pool, 1000, 1);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

TEST(ThreadPool, WorksInAForkedChild) {
  ThreadPool pool(3);
  expectCover(pool, 100, 1);
  pid_t child = fork();
  if (child == 0) {
    std::atomic<int64_t> sum{0};
    parallelFor(pool, 100, 1,
                [&](int64_t begin, int64_t end) { sum += end - begin; });
    _exit(sum == 100 ? 0 : 1);
  }
  ASSERT_GT(child, 0);
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

} // namespace
