#include "inference/spec/speculation_stats.h"

#include <gtest/gtest.h>

namespace trialwright {
namespace {

TEST(SpeculationStats, CountsByPosition) {
  SpeculationStats stats;
  stats.step(3, 3);
  stats.step(3, 1);
  stats.step(1, 0);
  stats.step(0, 0);

  EXPECT_EQ(stats.steps, 4);
  EXPECT_EQ(stats.steps_guessed, 3);
  EXPECT_EQ(stats.offered, (std::vector<std::int64_t>{3, 2, 2}));
  EXPECT_EQ(stats.accepted, (std::vector<std::int64_t>{2, 1, 1}));
  EXPECT_EQ(stats.tokens_offered(), 7);
  EXPECT_EQ(stats.tokens_saved(), 4);
  EXPECT_EQ(stats.line(),
            "saved 4 of 8 steps (50.0 %); 4 of 7 guesses kept; by position 67 50 50 %");
  EXPECT_EQ(to_text(stats.json()),
            R"({"steps":4,"steps_guessed":3,"offered":[3,2,2],"accepted":[2,1,1]})");
}

TEST(SpeculationStats, AddsUpOverRequests) {
  SpeculationStats all;
  SpeculationStats one;
  SpeculationStats both;
  all.step(1, 1);
  both.step(1, 1);
  one.step(4, 2);
  both.step(4, 2);
  all += one;
  EXPECT_EQ(to_text(all.json()), to_text(both.json()));
  one += SpeculationStats();
  EXPECT_EQ(one.tokens_saved(), 2);
}

TEST(SpeculationStats, SaysWhereNothingWasGuessed) {
  SpeculationStats stats;
  EXPECT_EQ(stats.line(), "nothing was guessed");
  stats.step(0, 0);
  EXPECT_EQ(stats.line(), "nothing was guessed");
}

TEST(SpeculationStats, ALineShowsTheFirstPositionsOnly) {
  SpeculationStats stats;
  stats.step(32, 32);
  EXPECT_EQ(stats.line(),
            "saved 32 of 33 steps (97.0 %); 32 of 32 guesses kept; "
            "by position 100 100 100 100 100 100 100 100 %");
}

}  // namespace
}  // namespace trialwright
