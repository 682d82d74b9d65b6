#pragma once

#include <gtest/gtest.h>

#include <cstdlib>

#include "base/result.h"

namespace trialwright {

/// True where a sandbox that does not open must not pass unnoticed: TRIALWRIGHT_REQUIRE_SANDBOX is
/// set, as `.ci/run` does.
inline bool sandbox_is_required() { return std::getenv("TRIALWRIGHT_REQUIRE_SANDBOX") != nullptr; }

}  // namespace trialwright

/// Ends a test that a machine without a sandbox cannot make; as a failure where one is required.
#define SKIP_FOR_WANT_OF_A_SANDBOX(error)                                                        \
  do {                                                                                           \
    if (::trialwright::sandbox_is_required()) GTEST_FAIL() << "no sandbox: " << (error).message; \
    GTEST_SKIP() << "no sandbox here: " << (error).message;                                      \
  } while (false)
