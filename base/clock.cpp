#include "base/clock.h"

#include <array>
#include <cstdio>

namespace trialwright {

std::chrono::steady_clock::time_point SystemClock::now() const {
  return std::chrono::steady_clock::now();
}

std::int64_t SystemClock::wall_us() const {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string duration_text(std::chrono::microseconds time) {
  const double seconds = std::chrono::duration<double>(time).count();
  std::array<char, 64> out{};
  if (seconds < 0.0995) {
    std::snprintf(out.data(), out.size(), "%.0f ms", seconds * 1e3);
  } else if (seconds < 59.95) {
    std::snprintf(out.data(), out.size(), "%.1f s", seconds);
  } else {
    const auto whole = std::chrono::round<std::chrono::seconds>(time).count();
    if (whole < 3600) {
      std::snprintf(out.data(), out.size(), "%lld m %02lld s", static_cast<long long>(whole / 60),
                    static_cast<long long>(whole % 60));
    } else {
      std::snprintf(out.data(), out.size(), "%lld h %02lld m", static_cast<long long>(whole / 3600),
                    static_cast<long long>(whole % 3600 / 60));
    }
  }
  return out.data();
}

}  // namespace trialwright
