#include "inference/cpu/thread_pool.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <thread>
#include <vector>

namespace trialwright {
namespace {

TEST(ThreadPool, CallsEachIndexOnce) {
  for (const int threads : {1, 2, 3, 5}) {
    ThreadPool pool(threads);
    for (const int count : {0, 1, 2, 7, 1000}) {
      std::vector<std::atomic<int>> calls(static_cast<std::size_t>(count));

      pool.parallel_for(count, [&](int i) { ++calls[static_cast<std::size_t>(i)]; });

      for (const std::atomic<int>& call : calls) {
        EXPECT_EQ(call.load(), 1);
      }
    }
  }
}

TEST(ThreadPool, ShowsTheCallerWhatTheLoopsWrote) {
  ThreadPool pool(3);
  std::vector<long> values(64, 0);
  for (int round = 0; round < 20000; ++round) {
    pool.parallel_for(64, [&](int i) { values[static_cast<std::size_t>(i)] += i; });
  }
  for (long i = 0; i < 64; ++i) {
    EXPECT_EQ(values[static_cast<std::size_t>(i)], i * 20000);
  }
}

TEST(ThreadPool, WakesWorkersThatHaveFallenAsleep) {
  ThreadPool pool(2);
  for (int round = 0; round < 20; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    std::atomic<int> calls = 0;
    pool.parallel_for(100, [&](int) { ++calls; });
    EXPECT_EQ(calls.load(), 100);
  }
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST(ThreadPool, WorksWithTheThreadsThatItGets) {
  const auto work = [] {
    // Room for a few of the threads' stacks.
    const rlimit small{std::size_t{256} << 20U, std::size_t{256} << 20U};
    setrlimit(RLIMIT_AS, &small);
    ThreadPool pool(500);
    std::atomic<int> calls = 0;
    pool.parallel_for(1000, [&](int) { ++calls; });
    std::exit(calls == 1000 && pool.threads() < 500 ? 0 : 1);
  };
  // In a process of its own, because the limit stays. Sanitizers map more than it allows.
  EXPECT_EXIT(work(), ::testing::ExitedWithCode(0), "");
}
#endif

TEST(ThreadPool, WaitsForAPieceThatTakesLong) {
  ThreadPool pool(2);
  std::atomic<int> calls = 0;

  pool.parallel_for(2, [&](int i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(i == 0 ? 1 : 20));
    ++calls;
  });

  EXPECT_EQ(calls.load(), 2);
}

}  // namespace
}  // namespace trialwright
