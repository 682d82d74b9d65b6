#include "inference/spec/draft_depth.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <thread>

#include "base/random.h"
#include "inference/spec/acceptance_calibration.h"

namespace trialwright {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using Confidence = std::vector<double>;

double plain_gain(const std::vector<Confidence>& drafts, const std::vector<int>& depths,
                  int rows_beside, const RowCost& cost) {
  double useful = rows_beside + static_cast<double>(drafts.size());
  int rows = rows_beside + static_cast<int>(drafts.size());
  for (std::size_t request = 0; request < drafts.size(); ++request) {
    double survival = 1;
    for (int i = 0; i < depths[request]; ++i) {
      survival *= drafts[request][static_cast<std::size_t>(i)];
      useful += survival;
      ++rows;
    }
  }
  return useful / cost(rows);
}

/// The best gain of all combinations of depths.
double best_gain(const std::vector<Confidence>& drafts, int rows_beside, const RowCost& cost) {
  std::vector<int> depths(drafts.size(), 0);
  double best = 0;
  while (true) {
    best = std::max(best, plain_gain(drafts, depths, rows_beside, cost));
    std::size_t digit = 0;
    while (digit < depths.size() && depths[digit] == static_cast<int>(drafts[digit].size())) {
      depths[digit++] = 0;
    }
    if (digit == depths.size()) {
      return best;
    }
    ++depths[digit];
  }
}

std::vector<int> depths_of(const std::vector<Confidence>& drafts, int rows_beside,
                           const RowCost& cost) {
  std::vector<std::span<const double>> spans(drafts.begin(), drafts.end());
  return best_depths(spans, rows_beside, cost);
}

TEST(BestDepths, NoCombinationIsBetter) {
  RandomStream random(4, 0);
  for (int round = 0; round < 300; ++round) {
    std::vector<Confidence> drafts(1 + random.below(3));
    for (Confidence& draft : drafts) {
      draft.resize(random.below(6));
      for (double& one : draft) {
        one = random.below(5) == 0 ? 1 : random.uniform();
      }
    }
    // Any curve that does not fall.
    std::vector<double> curve{1};
    while (curve.size() < 40) {
      curve.push_back(curve.back() + (random.below(3) == 0 ? 0 : random.uniform() / 2));
    }
    const RowCost cost = [&](int rows) { return curve[static_cast<std::size_t>(rows - 1)]; };
    const int beside = static_cast<int>(random.below(10));

    const auto depths = depths_of(drafts, beside, cost);

    EXPECT_NEAR(plain_gain(drafts, depths, beside, cost), best_gain(drafts, beside, cost), 1e-12);
  }
}

TEST(BestDepths, ChecksMoreWhereGuessesAreSurer) {
  const RowCost cost = StepCost::prior_cost;
  EXPECT_THAT(depths_of({{0.05, 0.9}}, 0, cost), ElementsAre(0));
  const auto depths = depths_of({{0.9, 0.9, 0.9, 0.9}, {0.5, 0.2, 0.2, 0.2}, {}}, 0, cost);
  EXPECT_GT(depths[0], depths[1]);
  EXPECT_GT(depths[1], 0);
  EXPECT_EQ(depths[2], 0);
}

TEST(BestDepths, ChecksLessWhereTheBatchIsFull) {
  // Eight rows are free, more cost in proportion.
  const RowCost cost = [](int rows) { return std::max(8, rows); };
  EXPECT_THAT(depths_of({{0.8, 0.8, 0.8, 0.8, 0.8}}, 0, cost), ElementsAre(5));
  EXPECT_THAT(depths_of({{0.8, 0.8, 0.8, 0.8, 0.8}}, 5, cost), ElementsAre(2));
  EXPECT_THAT(depths_of({{0.8, 0.8, 0.8, 0.8, 0.8}}, 20, cost), ElementsAre(0));
}

TEST(DepthWorthGuessing, IsTheBestOfAllDepths) {
  RandomStream random(6, 0);
  for (int round = 0; round < 200; ++round) {
    const double acceptance = random.uniform();
    const double guess_cost = random.uniform() / 2;
    const int beside = static_cast<int>(random.below(4));
    const auto gain = [&](int depth) {
      double useful = beside + 1;
      for (int i = 1; i <= depth; ++i) {
        useful += std::pow(acceptance, i);
      }
      return useful / (StepCost::prior_cost(beside + 1 + depth) + guess_cost * depth);
    };
    const int depth = depth_worth_guessing(acceptance, guess_cost, beside, 8, StepCost::prior_cost);
    for (int other = 0; other <= 8; ++other) {
      EXPECT_GE(gain(depth), gain(other) - 1e-12);
    }
  }
}

TEST(DepthWorthGuessing, IsNoneWhereTheDrafterIsAsSlowAsTheModel) {
  EXPECT_EQ(depth_worth_guessing(0.9, 1, 0, 8, StepCost::prior_cost), 0);
  EXPECT_GT(depth_worth_guessing(0.9, 0.1, 0, 8, StepCost::prior_cost), 0);
}

TEST(StepCost, UnmeasuredIsThePrior) {
  const StepCost cost;
  EXPECT_DOUBLE_EQ(cost.cost(1), 1);
  EXPECT_DOUBLE_EQ(cost.cost(9), StepCost::prior_cost(9));
}

TEST(StepCost, OneStepThatWasInterruptedDoesNotCount) {
  StepCost cost;
  for (const int time : {10, 10, 500, 10, 10}) {
    cost.took(4, milliseconds(time));
  }
  EXPECT_DOUBLE_EQ(cost.cost(4), 0.010);
}

TEST(StepCost, ForgetsAnOldLoad) {
  StepCost cost;
  for (int i = 0; i < 50; ++i) {
    cost.took(1, milliseconds(40));
  }
  for (std::size_t i = 0; i < StepCost::kKept; ++i) {
    cost.took(1, milliseconds(10));
  }
  EXPECT_DOUBLE_EQ(cost.cost(1), 0.010);
  EXPECT_EQ(cost.measured(1), StepCost::kKept);
  EXPECT_EQ(cost.measured(2), 0U);
}

TEST(StepCost, InterpolatesAndGoesOnAtTheMeanSlope) {
  StepCost cost;
  cost.took(1, milliseconds(10));
  cost.took(5, milliseconds(14));
  cost.took(9, milliseconds(26));
  EXPECT_DOUBLE_EQ(cost.cost(3), 0.012);
  EXPECT_DOUBLE_EQ(cost.cost(13), 0.034);
  StepCost few;
  few.took(1, milliseconds(10));
  EXPECT_DOUBLE_EQ(few.cost(5), 0.010 * StepCost::prior_cost(5));
}

TEST(StepCost, NeverFallsAsRowsGrow) {
  RandomStream random(2, 0);
  StepCost cost;
  for (int i = 0; i < 300; ++i) {
    cost.took(1 + static_cast<int>(random.below(40)),
              microseconds(static_cast<std::int64_t>(1000 + random.below(9000))));
    for (int rows = 1; rows < 60; ++rows) {
      ASSERT_LE(cost.cost(rows), cost.cost(rows + 1) + 1e-15);
      ASSERT_GT(cost.cost(rows), 0);
    }
  }
}

TEST(StepCost, DoesNotLearnFromLongPrompts) {
  StepCost cost;
  cost.took(StepCost::kRowsMax + 1, milliseconds(900));
  EXPECT_DOUBLE_EQ(cost.cost(1), 1);
}

TEST(DraftDepth, TheFixedDepthIsTakenWhateverItCosts) {
  DraftDepth depth({.tokens_max = 16, .fixed = 3});
  depth.step_took(1, milliseconds(1));
  depth.step_took(4, milliseconds(100));
  EXPECT_EQ(depth.tokens_max(), 3);
  EXPECT_EQ(depth.choose(Confidence(10, 0.01), 5), 3);
  EXPECT_EQ(depth.choose(Confidence(2, 0.01), 5), 2);
  EXPECT_EQ(depth.worth_guessing(0.1, milliseconds(100), 0, 8), 3);
  DraftDepth off({.fixed = 0});
  EXPECT_EQ(off.tokens_max(), 0);
  EXPECT_EQ(off.choose(Confidence(10, 1), 0), 0);
}

TEST(DraftDepth, GoesByTheStepsThatItSaw) {
  DraftDepth cheap;
  DraftDepth dear;
  for (const int rows : {1, 2, 4, 8, 16, 32}) {
    cheap.step_took(rows, milliseconds(20));
    dear.step_took(rows, milliseconds(20 * rows));
  }
  const Confidence draft(16, 0.8);
  EXPECT_EQ(cheap.choose(draft, 0), 16);
  EXPECT_EQ(dear.choose(draft, 0), 0);
}

TEST(DraftDepth, TriesAgainWhatABadMomentForbade) {
  DraftDepth depth;
  depth.step_took(1, milliseconds(10));
  depth.step_took(5, milliseconds(1000));
  const Confidence draft(4, 0.9);
  int tried = 0;
  for (int i = 0; i < DraftDepth::kRetriedEvery; ++i) {
    tried += depth.choose(draft, 0) > 0 ? 1 : 0;
  }
  EXPECT_EQ(tried, 1);
  // And where guessing would not pay at any cost, it never does.
  for (int i = 0; i < 3 * DraftDepth::kRetriedEvery; ++i) {
    ASSERT_EQ(depth.choose(Confidence(4, 0.01), 0), 0);
  }
}

TEST(DraftDepth, DoesNotAskASlowDrafterExceptToLookAgain) {
  DraftDepth depth;
  depth.step_took(1, milliseconds(10));
  int asked = 0;
  for (int i = 0; i < DraftDepth::kRetriedEvery; ++i) {
    asked += depth.worth_guessing(0.9, milliseconds(50), 0, 8) > 0 ? 1 : 0;
  }
  EXPECT_EQ(asked, 1);
  EXPECT_GT(depth.worth_guessing(0.9, microseconds(500), 0, 8), 0);
}

TEST(DraftDepth, MayBeAskedFromManyThreads) {
  DraftDepth depth;
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 4; ++thread) {
      threads.emplace_back([&depth] {
        for (int i = 1; i < 200; ++i) {
          depth.step_took(1 + i % 8, microseconds(100 + i % 8));
          EXPECT_LE(depth.choose(Confidence(6, 0.9), i % 3), 6);
        }
      });
    }
  }
  EXPECT_EQ(depth.choose(Confidence(6, 0.9), 0), 6);
}

TEST(AcceptanceCalibration, StartsAtTheConfidenceItself) {
  const AcceptanceCalibration calibration;
  EXPECT_DOUBLE_EQ(calibration.rate(0.3), 0.3);
  EXPECT_DOUBLE_EQ(calibration.rate(1), 1);
  EXPECT_DOUBLE_EQ(calibration.rate(0), 0);
  EXPECT_DOUBLE_EQ(calibration.overall_rate(0.7), 0.7);
}

TEST(AcceptanceCalibration, LearnsHowOftenGuessesOfAConfidenceComeTrue) {
  RandomStream random(1, 0);
  AcceptanceCalibration calibration;
  for (int i = 0; i < 2000; ++i) {
    calibration.saw(0.9, random.uniform() < 0.3);
    calibration.saw(0.2, true);
  }
  EXPECT_NEAR(calibration.rate(0.9), 0.3, 0.1);
  EXPECT_GT(calibration.rate(0.2), 0.95);
  // What was never seen is still believed.
  EXPECT_DOUBLE_EQ(calibration.rate(0.5), 0.5);
}

TEST(AcceptanceCalibration, OldOutcomesFade) {
  AcceptanceCalibration calibration;
  for (int i = 0; i < 10000; ++i) {
    calibration.saw(0.5, false);
  }
  for (int i = 0; i < 1500; ++i) {
    calibration.saw(0.5, true);
  }
  EXPECT_GT(calibration.rate(0.5), 0.8);
}

}  // namespace
}  // namespace trialwright
