#include "inference/spec/suffix_drafter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "tests/inference/spec/random_tokens.h"

namespace trialwright {
namespace {

using ::testing::DoubleEq;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Ids = std::vector<std::int32_t>;

/// The definition in suffix_drafter.h, by scans of all that was stored.
class PlainSuffixDrafter {
 public:
  explicit PlainSuffixDrafter(std::vector<Ids> stored) : stored_(std::move(stored)) {}

  Draft draft(const Ids& tail, int tokens_max) {
    best_ = {};
    best_expected_ = 0;
    for (std::size_t length = std::min<std::size_t>(tail.size(), kMatchedTokensMax); length > 0;
         --length) {
      pattern_.assign(tail.end() - static_cast<std::ptrdiff_t>(length), tail.end());
      if (count() > 0) {
        explore(1, 0, tokens_max);
        break;
      }
    }
    return best_;
  }

 private:
  [[nodiscard]] std::size_t count() const {
    std::size_t found = 0;
    for (const Ids& sequence : stored_) {
      for (auto at = sequence.begin(); at != sequence.end(); ++at) {
        at = std::search(at, sequence.end(), pattern_.begin(), pattern_.end());
        if (at == sequence.end()) {
          break;
        }
        ++found;
      }
    }
    return found;
  }

  void explore(double survival, double expected, int left) {
    if (expected > best_expected_) {
      best_ = path_;
      best_expected_ = expected;
    }
    if (left == 0) {
      return;
    }
    const double total = static_cast<double>(count()) + 1.0 / static_cast<double>(pattern_.size());
    std::map<std::int32_t, std::size_t> next;
    for (const Ids& sequence : stored_) {
      for (const std::int32_t id : sequence) {
        next[id] = 0;
      }
    }
    std::vector<std::pair<std::size_t, std::int32_t>> likeliest;
    for (auto& [id, times] : next) {
      pattern_.push_back(id);
      likeliest.emplace_back(count(), -id);
      pattern_.pop_back();
    }
    std::sort(likeliest.rbegin(), likeliest.rend());
    for (const auto& [times, minus_id] : likeliest) {
      const double confidence = static_cast<double>(times) / total;
      if (-minus_id == kAnswerBegin || survival * confidence < SuffixDrafter::kSurvivalMin) {
        continue;
      }
      pattern_.push_back(-minus_id);
      path_.ids.push_back(-minus_id);
      path_.confidence.push_back(confidence);
      explore(survival * confidence, expected + survival * confidence, left - 1);
      pattern_.pop_back();
      path_.ids.pop_back();
      path_.confidence.pop_back();
    }
  }

  std::vector<Ids> stored_;
  Ids pattern_;
  Draft path_;
  Draft best_;
  double best_expected_ = 0;
};

std::shared_ptr<AnswerStore> store_of(const std::vector<Ids>& answers, const Ids& prompt = {}) {
  auto store = std::make_shared<AnswerStore>();
  for (const Ids& answer : answers) {
    store->add(prompt, answer);
  }
  return store;
}

Draft guess(SuffixDrafter& drafter, const Ids& context, int tokens_max = 16) {
  Draft draft;
  drafter.draft(context, tokens_max, draft);
  return draft;
}

class SuffixDrafterAlphabet : public ::testing::TestWithParam<std::uint64_t> {};
INSTANTIATE_TEST_SUITE_P(SuffixDrafter, SuffixDrafterAlphabet, ::testing::Values(1, 2, 3, 8));

TEST_P(SuffixDrafterAlphabet, GuessesThePathThatTheDefinitionGives) {
  RandomStream random(5, GetParam());
  for (int round = 0; round < 20; ++round) {
    const Ids prompt = random_tokens(random, 10, GetParam());
    std::vector<Ids> stored;
    auto store = std::make_shared<AnswerStore>();
    for (int i = 0; i < 4; ++i) {
      const Ids answer = random_tokens(random, 1 + random.below(25), GetParam());
      store->add(prompt, answer);
      stored.push_back(stored_answer(prompt, answer));
    }
    SuffixDrafter drafter(store, prompt.size());
    Ids context = prompt;
    Ids tail = prompt;
    tail.push_back(kAnswerBegin);
    for (int i = 0; i < 15; ++i) {
      const Draft expected = PlainSuffixDrafter(stored).draft(tail, 5);
      const Draft found = guess(drafter, context, 5);
      ASSERT_EQ(found.ids, expected.ids);
      ASSERT_EQ(found.confidence, expected.confidence);
      for (std::size_t more = 1 + random.below(3); more > 0; --more) {
        context.push_back(static_cast<std::int32_t>(random.below(GetParam())));
        tail.push_back(context.back());
      }
    }
  }
}

TEST(SuffixDrafter, ReplaysAnAnswerThatItKnows) {
  RandomStream random(6, 0);
  const Ids prompt = random_tokens(random, 40, 1000);
  const Ids answer = random_tokens(random, 200, 1000);
  SuffixDrafter drafter(store_of({answer}, prompt), prompt.size());
  Ids context = prompt;
  int calls = 0;
  std::size_t at = 0;
  while (at < answer.size()) {
    ++calls;
    for (const std::int32_t id : guess(drafter, context, 64).ids) {
      ASSERT_LT(at, answer.size());
      if (answer[at] != id) {
        break;
      }
      context.push_back(answer[at++]);
    }
    if (at < answer.size()) {
      context.push_back(answer[at++]);  // The model's own token behind the guesses.
    }
  }
  EXPECT_LE(calls, 5);
}

TEST(SuffixDrafter, FollowsTheManyWhereTheyGoOnForLong) {
  // 5 is followed by 1 more often, but nothing is sure behind it; 2 leads into a long certainty.
  const auto store =
      store_of({{5, 1, 10}, {5, 1, 11}, {5, 1, 12}, {5, 2, 3, 4, 6, 7, 8}, {5, 2, 3, 4, 6, 7, 8}});
  SuffixDrafter drafter(store, 1);
  EXPECT_THAT(guess(drafter, {99, 5}).ids, ElementsAre(2, 3, 4, 6, 7, 8));
  SuffixDrafter brief(store, 1);
  EXPECT_THAT(guess(brief, {99, 5}, 1).ids, ElementsAre(1));
}

TEST(SuffixDrafter, BelievesOneWitnessTheMoreTheLongerItAgreed) {
  SuffixDrafter drafter(store_of({{1, 2, 3, 4}}), 1);
  const Draft draft = guess(drafter, {99, 2});
  ASSERT_THAT(draft.ids, ElementsAre(3, 4));
  EXPECT_THAT(draft.confidence, ElementsAre(DoubleEq(1 / (1 + 1.0)), DoubleEq(1 / (1 + 1.0 / 2))));
}

TEST(SuffixDrafter, FindsBeginningsAmongBeginnings) {
  // 7 stands in the middle of one answer often; at the beginning it goes on differently.
  SuffixDrafter drafter(store_of({{7, 1, 2}, {3, 7, 4, 7, 4, 7, 4}}), 2);
  EXPECT_THAT(guess(drafter, {50, 51, 7}).ids, ElementsAre(1, 2));
}

TEST(SuffixDrafter, GuessesNothingAcrossTheEndOfAnAnswerOrTheBeginningOfOne) {
  const auto store = store_of({{1, 2}, {3, 4}}, {8, 9});
  SuffixDrafter drafter(store, 2);
  EXPECT_THAT(guess(drafter, {8, 9, 1, 2}).ids, IsEmpty());
  SuffixDrafter earlier(store, 2);
  // Within the stored end of a prompt a guess may go up to its end, not beyond.
  EXPECT_THAT(guess(earlier, {50, 51, 8}).ids, ElementsAre(9));
}

TEST(SuffixDrafter, SeesAnswersThatCameWhileItWasAtWork) {
  const auto store = store_of({{1, 2, 3}});
  SuffixDrafter drafter(store, 1);
  EXPECT_THAT(guess(drafter, {9, 4}).ids, IsEmpty());
  store->add({}, Ids{4, 5, 6});
  EXPECT_THAT(guess(drafter, {9, 4}).ids, ElementsAre(5, 6));
}

TEST(SuffixDrafter, IsTheSameHoweverItIsCalled) {
  RandomStream random(11, 0);
  std::vector<Ids> answers;
  for (int i = 0; i < 8; ++i) {
    answers.push_back(random_tokens(random, 60, 4));
  }
  const auto store = store_of(answers);
  const Ids context = random_tokens(random, 120, 4);
  SuffixDrafter stepwise(store, 20);
  for (std::size_t size = 0; size <= context.size(); ++size) {
    const Ids so_far(context.begin(), context.begin() + static_cast<std::ptrdiff_t>(size));
    SuffixDrafter fresh(store, 20);
    const Draft a = guess(stepwise, so_far);
    const Draft b = guess(fresh, so_far);
    ASSERT_EQ(a.ids, b.ids);
    ASSERT_EQ(a.confidence, b.confidence);
  }
}

TEST(SuffixDrafter, AsksForNoMoreThanItIsAllowed) {
  SuffixDrafter drafter(store_of({{1, 2, 3, 4, 5}}), 0);
  EXPECT_THAT(guess(drafter, {1}, 0).ids, IsEmpty());
  EXPECT_EQ(guess(drafter, {1, 2}, 2).ids.size(), 2U);
}

TEST(SuffixDrafter, ATextOfOneTokenOverAndOverIsNoTrouble) {
  SuffixDrafter drafter(store_of({Ids(20000, 7), Ids(20000, 7)}), 0);
  Ids context;
  for (int i = 0; i < 2000; ++i) {
    context.push_back(7);
    ASSERT_EQ(guess(drafter, context, 64).ids.size(), 64U);
  }
}

}  // namespace
}  // namespace trialwright
