#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace trialwright {

/// Where time comes from. Tests put a fake in its place.
///
/// Any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  /// Never goes back; for durations and deadlines.
  [[nodiscard]] virtual std::chrono::steady_clock::time_point now() const = 0;
  /// Microseconds since 1970-01-01 UTC; for records.
  [[nodiscard]] virtual std::int64_t wall_us() const = 0;
};

/// The machine's own clock.
class SystemClock final : public Clock {
 public:
  [[nodiscard]] std::chrono::steady_clock::time_point now() const override;
  [[nodiscard]] std::int64_t wall_us() const override;
};

/// A time for people: "41 ms", "1.2 s", "3 m 05 s", "2 h 10 m".
std::string duration_text(std::chrono::microseconds time);

}  // namespace trialwright
