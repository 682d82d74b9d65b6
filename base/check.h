#pragma once

/// Stops the program when something that must hold does not: our mistake, never the input's.
///
/// The text says why the condition holds. It is on in every build.
#define CHECK(condition, why)                                           \
  do {                                                                  \
    if (!(condition)) [[unlikely]] {                                    \
      ::trialwright::check_failed(#condition, why, __FILE__, __LINE__); \
    }                                                                   \
  } while (false)

namespace trialwright {

/// Prints the condition, the reason it should have held and the place; ends with exit status 70.
[[noreturn]] void check_failed(const char* condition, const char* why, const char* file, int line);

}  // namespace trialwright
