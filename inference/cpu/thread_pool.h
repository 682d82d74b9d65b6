#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <type_traits>
#include <vector>

namespace trialwright {

/// A fixed number of threads that share out the pieces of one loop at a time.
///
/// The calling thread works too, so `threads` = 1 starts none. Where the system grants fewer
/// threads than were asked for, those do the work: results do not depend on how many there are. A
/// piece is taken by whoever is free, so a thread that the operating system has put aside delays
/// only the piece that it holds. A worker spins for a few tens of microseconds after the last
/// piece, which bridges the gaps within a token, and then sleeps in the kernel. One thread at a
/// time may call `parallel_for`.
class ThreadPool {
 public:
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  /// Those that work, the calling one included; at most as many as were asked for.
  [[nodiscard]] int threads() const { return threads_; }

  /// Calls body(i) once for each i in [0, count), on any thread and in any order, and returns when
  /// all calls have. `body` must not throw and must not call `parallel_for`.
  template <typename Body>
  void parallel_for(int count, const Body& body) {
    if (count == 1 || (count > 0 && threads_ == 1)) {
      for (int i = 0; i < count; ++i) {
        body(i);
      }
      return;
    }
    run(count, &body, [](const void* erased, int i) { (*static_cast<const Body*>(erased))(i); });
  }

 private:
  using Call = void (*)(const void* body, int i);

  void run(int count, const void* body, Call call);
  void work();
  bool take_piece();

  int threads_;
  /// High half: the number of the loop. Low half: pieces that nobody has taken yet. Whoever lowers
  /// it owns a piece, and the loop cannot end before that piece is done.
  alignas(64) std::atomic<std::uint64_t> ticket_{0};
  alignas(64) std::atomic<std::uint32_t> unfinished_{0};
  alignas(64) std::atomic<std::uint32_t> loops_{0};  ///< Workers sleep on this number.
  alignas(64) std::atomic<int> sleepers_{0};
  std::atomic<bool> caller_sleeps_{false};
  std::atomic<bool> stopping_{false};
  // Written between loops only; read by owners of a piece.
  int count_ = 0;
  const void* body_ = nullptr;
  Call call_ = nullptr;
  std::vector<std::thread> workers_;
};

}  // namespace trialwright
