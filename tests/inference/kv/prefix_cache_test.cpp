#include "inference/kv/prefix_cache.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.h"
#include "tests/inference/kv/filled_sequence.h"

namespace trialwright {
namespace {

class PrefixCacheTest : public ::testing::Test {
 protected:
  /// Computes what is not known of `ids`; returns how many tokens were.
  int use(const std::vector<std::int32_t>& ids) {
    KvSequence sequence = cache_.take(ids);
    const int known = sequence.size();
    EXPECT_EQ(stored(sequence), std::vector(ids.begin(), ids.begin() + known));
    fill(sequence, std::span(ids).subspan(static_cast<std::size_t>(known)));
    EXPECT_EQ(stored(sequence), ids);
    cache_.keep(sequence);
    return known;
  }

  KvPagePool pool_{small_layout()};
  PrefixCache cache_{pool_};
};

std::vector<std::int32_t> joined(std::vector<std::int32_t> a, const std::vector<std::int32_t>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

TEST_F(PrefixCacheTest, ANewTextIsNotKnown) {
  EXPECT_EQ(use({1, 2, 3}), 0);
  EXPECT_EQ(use({4, 5, 6}), 0);
  EXPECT_EQ(cache_.pages(), 2);
}

TEST_F(PrefixCacheTest, AContinuationIsHeldInOnePlace) {
  EXPECT_EQ(use(counting(1, 10)), 0);
  EXPECT_EQ(use(counting(1, 40)), 10);
  EXPECT_EQ(use(counting(1, 40)), 40);
  EXPECT_EQ(cache_.pages(), 3);
  EXPECT_EQ(pool_.in_use(), 3);
}

TEST_F(PrefixCacheTest, TextsThatPartShareWhatTheyHaveInCommon) {
  const auto common = counting(1, 37);
  EXPECT_EQ(use(joined(common, counting(100, 20))), 0);
  EXPECT_EQ(use(joined(common, counting(200, 20))), 37);
  EXPECT_EQ(use(joined(common, counting(300, 1))), 37);
  EXPECT_EQ(use(joined(common, counting(100, 20))), 57);
  // Two common pages; 21 + 4, 41 to 48, 49 to 57 twice; and the third with its one.
  EXPECT_EQ(cache_.pages(), 2 + 2 + 2 + 1);
}

TEST_F(PrefixCacheTest, KnowsAsMuchAsItWouldTake) {
  use(counting(1, 37));
  for (const int count : {1, 15, 16, 17, 36, 37, 60}) {
    EXPECT_EQ(cache_.known(counting(1, count)), std::min(count, 37));
    EXPECT_EQ(cache_.take(counting(1, count)).size(), std::min(count, 37));
  }
  EXPECT_EQ(cache_.known({}), 0);
}

TEST_F(PrefixCacheTest, WholePagesOfAGrowingSequenceAreKnownToOthers) {
  KvSequence growing(pool_);
  fill(growing, counting(1, 20));
  cache_.keep_whole_pages(growing);
  EXPECT_EQ(cache_.known(counting(1, 20)), 16);
  fill(growing, counting(21, 20));
  EXPECT_EQ(pool_.in_use(), 3) << "the growing sequence did not have to copy";
  cache_.keep(growing);
  EXPECT_EQ(cache_.known(counting(1, 60)), 40);
}

TEST_F(PrefixCacheTest, TheLeastRecentlyUsedIsForgottenFromItsEnd) {
  use(counting(1, 48));
  use(counting(1000, 48));
  use(counting(1, 48));
  EXPECT_EQ(cache_.drop(2), 2);
  EXPECT_EQ(cache_.known(counting(1000, 48)), 16);
  EXPECT_EQ(cache_.known(counting(1, 48)), 48);
  EXPECT_EQ(cache_.drop(100), 4);
  EXPECT_EQ(pool_.in_use(), 0);
  EXPECT_EQ(cache_.pages(), 0);
}

TEST_F(PrefixCacheTest, WhatSomebodyHoldsIsNotForgotten) {
  use(counting(1, 48));
  const KvSequence held = cache_.take(counting(1, 32));
  EXPECT_EQ(cache_.drop(100), 1);
  EXPECT_EQ(cache_.known(counting(1, 48)), 32);
  EXPECT_EQ(stored(held), counting(1, 32));
}

TEST_F(PrefixCacheTest, EndsOfTheTreeAreAllThatIsKnown) {
  use(counting(1, 20));
  use(joined(counting(1, 20), {99}));
  use({7});
  std::vector<std::vector<std::int32_t>> all;
  for (const KvSequence& sequence : cache_.sequences()) {
    EXPECT_EQ(stored(sequence), sequence.ids());
    all.push_back(sequence.ids());
  }
  EXPECT_EQ(all, (std::vector<std::vector<std::int32_t>>{joined(counting(1, 20), {99}), {7}}));
}

TEST_F(PrefixCacheTest, KnowsWhatAListOfAllTextsWouldKnow) {
  RandomStream random(4, 2);
  std::vector<std::vector<std::int32_t>> texts;
  for (int round = 0; round < 300; ++round) {
    // Two tokens make long common prefixes likely.
    std::vector<std::int32_t> ids;
    if (!texts.empty() && random.below(4) != 0) {
      ids = texts[random.below(texts.size())];
      ids.resize(random.below(ids.size()) + 1);
    }
    for (std::uint64_t more = random.below(40); more > 0; --more) {
      ids.push_back(static_cast<std::int32_t>(random.below(2)));
    }
    if (ids.empty()) {
      continue;
    }
    int expected = 0;
    for (const auto& text : texts) {
      const auto end = std::mismatch(ids.begin(), ids.end(), text.begin(), text.end()).first;
      expected = std::max(expected, static_cast<int>(end - ids.begin()));
    }
    ASSERT_EQ(use(ids), expected);
    texts.push_back(ids);
  }
}

TEST_F(PrefixCacheTest, ALongTextIsForgottenWithoutDeepRecursion) {
  use(std::vector<std::int32_t>(200'000, 3));
  EXPECT_EQ(cache_.drop(1), 1);
}

}  // namespace
}  // namespace trialwright
