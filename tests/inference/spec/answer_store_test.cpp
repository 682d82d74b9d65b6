#include "inference/spec/answer_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <thread>

#include "inference/spec/suffix_drafter.h"

namespace trialwright {
namespace {

using ::testing::ElementsAre;
using Ids = std::vector<std::int32_t>;

TEST(AnswerStore, KeepsTheEndOfThePromptWithTheAnswer) {
  EXPECT_THAT(stored_answer(Ids{1, 2}, Ids{3, 4}), ElementsAre(1, 2, kAnswerBegin, 3, 4));
  Ids prompt(100);
  std::iota(prompt.begin(), prompt.end(), 0);
  const Ids stored = stored_answer(prompt, Ids{7});
  EXPECT_EQ(stored.size(), kMatchedTokensMax + 2U);
  EXPECT_EQ(stored.front(), 100 - kMatchedTokensMax);
}

TEST(AnswerStore, ASnapshotStaysAsItIs) {
  AnswerStore store;
  store.add({}, Ids{1, 2});
  const auto before = store.index();
  store.add({}, Ids{1, 3});
  EXPECT_EQ(before->find(Ids{1}).count(), 1U);
  EXPECT_EQ(store.index()->find(Ids{1}).count(), 2U);
}

TEST(AnswerStore, AnEmptyAnswerTellsNothing) {
  AnswerStore store;
  store.add(Ids{1, 2}, {});
  EXPECT_EQ(store.index()->tokens(), 0U);
}

TEST(AnswerStore, OldAnswersMakeRoom) {
  AnswerStore store(100);
  for (std::int32_t i = 0; i < 50; ++i) {
    store.add({}, Ids(19, i));
    ASSERT_LE(store.index()->tokens(), 100U);
  }
  EXPECT_EQ(store.index()->find(Ids{44}).count(), 0U);
  EXPECT_EQ(store.index()->find(Ids{45}).count(), 19U);
}

TEST(AnswerStore, LosesNothingWhenManyAddAndGuessAtOnce) {
  constexpr int kThreads = 4;
  constexpr int kAnswers = 25;
  const auto store = std::make_shared<AnswerStore>();
  std::vector<std::jthread> threads;
  for (std::int32_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&store, thread] {
      SuffixDrafter drafter(store, 0);
      Ids context;
      Draft draft;
      for (std::int32_t i = 0; i < kAnswers; ++i) {
        store->add({}, Ids{thread, 1000 + thread, 2000 + i});
        context.push_back(thread);
        drafter.draft(context, 8, draft);
        // Its own answer is there at once, whatever the others add.
        EXPECT_EQ(draft.ids.empty() ? -1 : draft.ids.front(), 1000 + thread);
        context.push_back(9999);
      }
    });
  }
  threads.clear();
  EXPECT_EQ(store->index()->sequences(), kThreads * kAnswers);
  for (std::int32_t thread = 0; thread < kThreads; ++thread) {
    EXPECT_EQ(store->index()->find(Ids{thread, 1000 + thread}).count(), kAnswers);
  }
}

TEST(AnswerLibrary, GivesEqualKeysTheSameStore) {
  AnswerLibrary library;
  library.of("a")->add({}, Ids{1});
  EXPECT_EQ(library.of("a")->index()->sequences(), 1U);
  EXPECT_EQ(library.of("b")->index()->sequences(), 0U);
  EXPECT_EQ(library.keys(), 2U);
}

TEST(AnswerLibrary, TheKeyThatWasUsedLongestAgoMakesRoom) {
  AnswerLibrary library(2);
  const auto held = library.of("a");
  held->add({}, Ids{1});
  library.of("b")->add({}, Ids{1});
  library.of("a");
  library.of("c");
  EXPECT_EQ(library.keys(), 2U);
  EXPECT_EQ(library.of("a"), held);
  EXPECT_EQ(library.of("b")->index()->sequences(), 0U);
  // Whoever held it still has it.
  EXPECT_EQ(held->index()->sequences(), 1U);
}

}  // namespace
}  // namespace trialwright
