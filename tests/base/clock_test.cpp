#include "base/clock.h"

#include <gtest/gtest.h>

namespace trialwright {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(DurationText, NamesTheUnitsThatMatter) {
  EXPECT_EQ(duration_text(microseconds(0)), "0 ms");
  EXPECT_EQ(duration_text(milliseconds(41)), "41 ms");
  EXPECT_EQ(duration_text(milliseconds(1234)), "1.2 s");
  EXPECT_EQ(duration_text(seconds(185)), "3 m 05 s");
  EXPECT_EQ(duration_text(seconds(7800)), "2 h 10 m");
}

TEST(DurationText, RoundsOverToTheNextUnit) {
  EXPECT_EQ(duration_text(microseconds(99'400)), "99 ms");
  EXPECT_EQ(duration_text(microseconds(99'600)), "0.1 s");
  EXPECT_EQ(duration_text(milliseconds(59'949)), "59.9 s");
  EXPECT_EQ(duration_text(milliseconds(59'960)), "1 m 00 s");
  EXPECT_EQ(duration_text(milliseconds(3'599'600)), "1 h 00 m");
}

}  // namespace
}  // namespace trialwright
