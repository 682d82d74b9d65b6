#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <stop_token>

#include "base/check.h"

namespace trialwright {

/// Lets a bounded number of callers in at a time, in the order of arrival. Any thread.
class FairQueue {
 public:
  enum class Outcome { Entered, Deadline, Cancelled };

  /// places >= 1: callers that may be inside together.
  explicit FairQueue(int places) : places_(places) {
    CHECK(places >= 1, "somebody must come in, or all wait for ever");
  }

  /// Waits for this caller's turn. After Entered the caller must call `leave`.
  Outcome enter(std::optional<std::chrono::steady_clock::time_point> deadline,
                const std::stop_token& stop);
  void leave();

  /// Callers before the door.
  [[nodiscard]] std::size_t waiting() const;

 private:
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  int places_;
  int inside_ = 0;
  std::deque<std::uint64_t> waiting_;
  std::uint64_t next_ = 0;
};

/// Leaves the queue on destruction.
class FairTurn {
 public:
  explicit FairTurn(FairQueue& queue) : queue_(queue) {}
  ~FairTurn() { queue_.leave(); }
  FairTurn(const FairTurn&) = delete;
  FairTurn& operator=(const FairTurn&) = delete;

 private:
  FairQueue& queue_;
};

}  // namespace trialwright
