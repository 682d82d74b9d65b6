#include "inference/cpu/thread_pool.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <system_error>

#include "base/check.h"

namespace trialwright {
namespace {

// Long enough to bridge the gap between two loops of one token, short enough not to hold a core
// that another process could use.
constexpr std::chrono::microseconds kSpin{40};

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

/// Calls `done` again and again for the length of a spin; true as soon as it is.
template <typename Done>
bool spin_until(const Done& done) {
  const auto end = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < 8; ++i) {
      if (done()) {
        return true;
      }
      relax();
    }
  } while (std::chrono::steady_clock::now() < end);
  return done();
}

static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t),
              "the kernel compares the plain number");

void sleep_while(std::atomic<std::uint32_t>& word, std::uint32_t value) {
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
}

void wake_all(std::atomic<std::uint32_t>& word) {
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1 << 30, nullptr, nullptr, 0);
}

constexpr std::uint64_t kPiecesMask = 0xffffffffU;

}  // namespace

ThreadPool::ThreadPool(int threads) : threads_(threads) {
  CHECK(threads >= 1, "somebody has to do the work");
  workers_.reserve(static_cast<std::size_t>(threads - 1));
  try {
    for (int i = 1; i < threads; ++i) {
      workers_.emplace_back([this] { work(); });
    }
  } catch (const std::system_error&) {
    // A limit on processes or memory; those that have started are enough.
    threads_ = static_cast<int>(workers_.size()) + 1;
  }
}

ThreadPool::~ThreadPool() {
  stopping_.store(true);
  loops_.fetch_add(1);
  wake_all(loops_);
  for (std::thread& worker : workers_) {
    worker.join();
  }
}

void ThreadPool::run(int count, const void* body, Call call) {
  if (count <= 0) {
    return;
  }
  count_ = count;
  body_ = body;
  call_ = call;
  unfinished_.store(static_cast<std::uint32_t>(count), std::memory_order_relaxed);
  const std::uint32_t loop = loops_.load(std::memory_order_relaxed) + 1;
  ticket_.store((std::uint64_t{loop} << 32U) | static_cast<std::uint64_t>(count),
                std::memory_order_release);
  // From here on workers may take pieces. The order of these two, and of the same two in `work`,
  // makes sure that a worker that goes to sleep now either sees the loop or is woken.
  loops_.store(loop);
  if (sleepers_.load() > 0) {
    wake_all(loops_);
  }

  while (take_piece()) {
  }
  const auto all_done = [this] { return unfinished_.load(std::memory_order_acquire) == 0; };
  if (spin_until(all_done)) {
    return;
  }
  // A worker has been put aside in the middle of a piece. Giving up this core may let it continue.
  caller_sleeps_.store(true);
  for (std::uint32_t left = unfinished_.load(); left != 0; left = unfinished_.load()) {
    sleep_while(unfinished_, left);
  }
  caller_sleeps_.store(false);
}

bool ThreadPool::take_piece() {
  std::uint64_t ticket = ticket_.load(std::memory_order_acquire);
  do {
    if ((ticket & kPiecesMask) == 0) {
      return false;
    }
  } while (!ticket_.compare_exchange_weak(ticket, ticket - 1, std::memory_order_acq_rel,
                                          std::memory_order_acquire));
  // The loop cannot end before this piece is done, so its description stays as it is.
  call_(body_, count_ - static_cast<int>(ticket & kPiecesMask));
  if (unfinished_.fetch_sub(1) == 1 && caller_sleeps_.load()) {
    wake_all(unfinished_);
  }
  return true;
}

void ThreadPool::work() {
  std::uint32_t seen = 0;
  while (!stopping_.load()) {
    if (!spin_until([&] { return loops_.load(std::memory_order_acquire) != seen; })) {
      sleepers_.fetch_add(1);
      sleep_while(loops_, seen);
      sleepers_.fetch_sub(1);
    }
    seen = loops_.load(std::memory_order_acquire);
    while (take_piece()) {
    }
  }
}

}  // namespace trialwright
