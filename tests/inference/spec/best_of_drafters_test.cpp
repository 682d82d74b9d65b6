#include "inference/spec/best_of_drafters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "tests/support/fake_clock.h"

namespace trialwright {
namespace {

using std::chrono::milliseconds;
using ::testing::DoubleEq;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Ids = std::vector<std::int32_t>;

/// Guesses always the same, and counts how often it is asked.
class FixedDrafter final : public Drafter {
 public:
  FixedDrafter(Ids ids, double confidence, int& asked, std::function<void()> meanwhile = {})
      : ids_(std::move(ids)),
        confidence_(confidence),
        asked_(asked),
        meanwhile_(std::move(meanwhile)) {}

  void draft(std::span<const std::int32_t>, int tokens_max, Draft& draft) override {
    ++asked_;
    if (meanwhile_) {
      meanwhile_();
    }
    const auto count =
        static_cast<std::ptrdiff_t>(std::min(ids_.size(), static_cast<std::size_t>(tokens_max)));
    draft.ids.assign(ids_.begin(), ids_.begin() + count);
    draft.confidence.assign(draft.ids.size(), confidence_);
  }

 private:
  Ids ids_;
  double confidence_;
  int& asked_;
  std::function<void()> meanwhile_;
};

class BestOfDraftersTest : public ::testing::Test {
 protected:
  void add(Ids ids, double confidence) {
    sources_.push_back({.drafter = std::make_unique<FixedDrafter>(std::move(ids), confidence,
                                                                  asked_[sources_.size()]),
                        .record = records_[sources_.size()]});
  }
  /// One that takes so long for a call.
  void add_slow(Ids ids, double confidence, milliseconds time) {
    sources_.push_back({.drafter = std::make_unique<FixedDrafter>(
                            std::move(ids), confidence, asked_[sources_.size()],
                            [this, time] { clock_.advance(time); }),
                        .record = records_[sources_.size()],
                        .takes_time = true});
  }
  BestOfDrafters made() { return {std::exchange(sources_, {}), depth_, clock_}; }
  static Draft guess(BestOfDrafters& drafters, const Ids& context, int tokens_max = 8) {
    Draft draft;
    drafters.draft(context, tokens_max, draft);
    return draft;
  }

  std::array<DrafterRecord, 3> records_;
  std::array<int, 3> asked_{};
  DraftDepth depth_;
  FakeClock clock_;
  std::vector<DraftSource> sources_;
};

TEST_F(BestOfDraftersTest, TakesTheDraftOfMostExpectedTokens) {
  add({1, 2}, 0.9);
  add({3, 4, 5, 6}, 0.8);
  auto drafters = made();
  EXPECT_THAT(guess(drafters, {9}).ids, ElementsAre(3, 4, 5, 6));
  EXPECT_THAT(guess(drafters, {9, 9}, 1).ids, ElementsAre(1));
}

TEST_F(BestOfDraftersTest, LearnsWhoseGuessesComeTrue) {
  add({1}, 0.9);
  add({2}, 0.6);
  auto drafters = made();
  Ids context{0};
  EXPECT_THAT(guess(drafters, context).ids, ElementsAre(1));
  for (int i = 0; i < 40; ++i) {
    context.push_back(2);
    guess(drafters, context);
  }
  const Draft draft = guess(drafters, context);
  EXPECT_THAT(draft.ids, ElementsAre(2));
  EXPECT_GT(draft.confidence[0], 0.85);
  EXPECT_LT(records_[0].calibration.rate(0.9), 0.3);
}

TEST_F(BestOfDraftersTest, AGuessBehindAWrongOneTellsNothing) {
  add({1, 2, 3}, 0.5);
  auto drafters = made();
  guess(drafters, {0});
  guess(drafters, {0, 1, 9, 3});
  // The 1 was right, the 2 was wrong, and of the 3 nothing is known: 1 of 2 beside the prior.
  constexpr double kPrior = AcceptanceCalibration::kPriorGuesses;
  EXPECT_THAT(records_[0].calibration.rate(0.5), DoubleEq((1 + kPrior / 2) / (2 + kPrior)));
}

TEST_F(BestOfDraftersTest, AsksASlowOneOnlyWhereTheOthersKnowLittle) {
  add({1, 2, 3, 4}, 0.9);
  add_slow({5, 6}, 0.9, milliseconds(1));
  auto drafters = made();
  EXPECT_THAT(guess(drafters, {9}).ids, ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(asked_[1], 0);
  EXPECT_THAT(guess(drafters, {9, 1}, 1).ids, ElementsAre(1));
  EXPECT_EQ(asked_[1], 1);
}

TEST_F(BestOfDraftersTest, StopsAskingASlowOneThatDoesNotPay) {
  depth_.step_took(1, milliseconds(10));
  add_slow({5, 6}, 0.9, milliseconds(100));
  auto drafters = made();
  Ids context{9};
  for (int i = 0; i < 20; ++i) {
    context.push_back(5);
    guess(drafters, context);
  }
  // The first call reads the prompt and is no measure of those that follow.
  EXPECT_EQ(asked_[0], 2);

  add_slow({5, 6}, 0.9, milliseconds(100));
  asked_[0] = 0;
  auto next_request = made();
  guess(next_request, {9});
  EXPECT_EQ(asked_[0], 0);
}

TEST_F(BestOfDraftersTest, KeepsAskingASlowOneThatPays) {
  depth_.step_took(1, milliseconds(100));
  add_slow({5, 6}, 0.9, milliseconds(1));
  auto drafters = made();
  Ids context{9};
  for (int i = 0; i < 20; ++i) {
    context.push_back(5);
    EXPECT_THAT(guess(drafters, context).ids, ElementsAre(5, 6));
  }
}

TEST_F(BestOfDraftersTest, WithoutDraftersNothingIsGuessed) {
  auto drafters = made();
  EXPECT_THAT(guess(drafters, {1, 2}).ids, IsEmpty());
}

TEST(ExpectedTokens, IsTheSumOfSurvivals) {
  EXPECT_DOUBLE_EQ(expected_tokens(std::vector<double>{0.5, 0.5, 1}), 0.5 + 0.25 + 0.25);
  EXPECT_DOUBLE_EQ(expected_tokens({}), 0);
}

}  // namespace
}  // namespace trialwright
