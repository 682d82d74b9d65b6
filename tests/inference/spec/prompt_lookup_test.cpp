#include "inference/spec/prompt_lookup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/inference/spec/random_tokens.h"

namespace trialwright {
namespace {

using ::testing::DoubleEq;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Ids = std::vector<std::int32_t>;

Draft guess(PromptLookup& drafter, const Ids& context, int tokens_max = 8) {
  Draft draft;
  drafter.draft(context, tokens_max, draft);
  return draft;
}

/// The definition in prompt_lookup.h, by a scan from the end.
Draft plain(const Ids& context, int tokens_max, const PromptLookupOptions& options) {
  const std::size_t end = context.size();
  std::size_t best = 0;
  int longest = 0;
  int candidates = 0;
  for (std::size_t place = end - std::min<std::size_t>(end, 1); place > 0; --place) {
    int agreed = 0;
    while (agreed < options.match_max && static_cast<std::size_t>(agreed) < place &&
           context[place - 1 - static_cast<std::size_t>(agreed)] ==
               context[end - 1 - static_cast<std::size_t>(agreed)]) {
      ++agreed;
    }
    if (agreed < options.ngram) {
      continue;
    }
    if (candidates++ == options.candidates_max) {
      break;
    }
    if (agreed > longest) {
      longest = agreed;
      best = place;
    }
  }
  Draft draft;
  for (int i = 0; longest > 0 && i < tokens_max; ++i) {
    const std::size_t from = best + static_cast<std::size_t>(i);
    draft.ids.push_back(from < end ? context[from] : draft.ids[from - end]);
    draft.confidence.push_back((longest + i) / (longest + i + 4.0));
  }
  return draft;
}

TEST(PromptLookup, GuessesWhatAScanGuesses) {
  RandomStream random(3, 0);
  for (const std::uint64_t alphabet : {1U, 2U, 6U, 300U}) {
    for (const PromptLookupOptions& options :
         {PromptLookupOptions{}, PromptLookupOptions{1, 5, 3}, PromptLookupOptions{4, 4, 1}}) {
      const Ids whole = random_tokens(random, 400, alphabet);
      PromptLookup drafter(options);
      for (std::size_t size = 0; size <= whole.size(); size += 1 + random.below(7)) {
        const Ids context(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
        const Draft expected = plain(context, 6, options);
        const Draft found = guess(drafter, context, 6);
        ASSERT_EQ(found.ids, expected.ids) << "alphabet " << alphabet << ", size " << size;
        ASSERT_EQ(found.confidence, expected.confidence);
      }
    }
  }
}

TEST(PromptLookup, TakesTheLongestMatchAndOfTwoTheLatest) {
  PromptLookup drafter;
  EXPECT_THAT(guess(drafter, {1, 2, 3, 10, 9, 2, 3, 11, 1, 2, 3}, 1).ids, ElementsAre(10));
  PromptLookup latest;
  EXPECT_THAT(guess(latest, {2, 3, 10, 2, 3, 11, 2, 3}, 1).ids, ElementsAre(11));
}

TEST(PromptLookup, IsTheSurerTheLongerTheMatch) {
  PromptLookup drafter;
  const Draft draft = guess(drafter, {1, 2, 3, 4, 9, 1, 2}, 2);
  ASSERT_THAT(draft.ids, ElementsAre(3, 4));
  EXPECT_THAT(draft.confidence, ElementsAre(DoubleEq(2.0 / 6), DoubleEq(3.0 / 7)));
}

TEST(PromptLookup, WhatRepeatsGoesOnRepeating) {
  PromptLookup drafter;
  EXPECT_THAT(guess(drafter, {1, 2, 1, 2, 1, 2}, 5).ids, ElementsAre(1, 2, 1, 2, 1));
}

TEST(PromptLookup, GuessesNothingFromNothing) {
  PromptLookup drafter;
  EXPECT_THAT(guess(drafter, {}).ids, IsEmpty());
  EXPECT_THAT(guess(drafter, {1, 2}).ids, IsEmpty());
  EXPECT_THAT(guess(drafter, {1, 2, 3}).ids, IsEmpty());
  EXPECT_THAT(guess(drafter, {1, 2, 3, 1, 2}, 0).ids, IsEmpty());
}

TEST(PromptLookup, ATextOfOneTokenOverAndOverIsNoTrouble) {
  PromptLookup drafter;
  Ids context(50000, 7);
  for (int i = 0; i < 2000; ++i) {
    context.push_back(7);
    ASSERT_EQ(guess(drafter, context).ids, Ids(8, 7));
  }
}

}  // namespace
}  // namespace trialwright
