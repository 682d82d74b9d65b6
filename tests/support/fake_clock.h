#pragma once

#include <mutex>

#include "base/clock.h"

namespace trialwright {

/// A clock that moves only when told.
class FakeClock final : public Clock {
 public:
  [[nodiscard]] std::chrono::steady_clock::time_point now() const override {
    const std::lock_guard lock(mutex_);
    return std::chrono::steady_clock::time_point(elapsed_);
  }
  [[nodiscard]] std::int64_t wall_us() const override {
    const std::lock_guard lock(mutex_);
    return elapsed_.count();
  }
  void advance(std::chrono::microseconds by) {
    const std::lock_guard lock(mutex_);
    elapsed_ += by;
  }

 private:
  mutable std::mutex mutex_;
  std::chrono::microseconds elapsed_{0};
};

}  // namespace trialwright
