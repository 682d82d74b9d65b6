#include "inference/kv/kv_sequence.h"

#include <gtest/gtest.h>

#include <optional>

#include "tests/inference/kv/filled_sequence.h"

namespace trialwright {
namespace {

class KvSequenceTest : public ::testing::Test {
 protected:
  KvSequence filled(const std::vector<std::int32_t>& ids) {
    KvSequence sequence(pool_);
    fill(sequence, ids);
    return sequence;
  }

  KvPagePool pool_{small_layout()};
};

TEST_F(KvSequenceTest, TakesAPageForEachSixteenTokens) {
  for (const auto& [tokens, pages] : {std::pair{1, 1}, {16, 1}, {17, 2}, {40, 3}}) {
    const KvSequence sequence = filled(counting(1, tokens));
    EXPECT_EQ(pool_.in_use(), pages) << tokens;
    EXPECT_EQ(stored(sequence), counting(1, tokens));
  }
  EXPECT_EQ(pool_.in_use(), 0);
}

TEST_F(KvSequenceTest, AForkCostsNothingUntilItIsWrittenTo) {
  KvSequence original = filled(counting(1, 40));
  KvSequence fork = original.fork();
  EXPECT_EQ(pool_.in_use(), 3);
  EXPECT_EQ(fork.pages_wanted(1), 1);

  fill(fork, counting(500, 20));

  EXPECT_EQ(pool_.in_use(), 5) << "the page in which they part, and a further one";
  auto expected = counting(1, 40);
  const auto more = counting(500, 20);
  expected.insert(expected.end(), more.begin(), more.end());
  EXPECT_EQ(stored(fork), expected);
  EXPECT_EQ(stored(original), counting(1, 40));
}

TEST_F(KvSequenceTest, WhicheverOfTwoForksWritesFirstDoesNotDisturbTheOther) {
  KvSequence one = filled(counting(1, 20));
  KvSequence other = one.fork();
  fill(one, counting(100, 3));
  fill(other, counting(200, 5));
  EXPECT_EQ(stored(one).back(), 102);
  EXPECT_EQ(stored(other)[20], 200);
}

TEST_F(KvSequenceTest, AForkAtAPagesEndCopiesNothing) {
  KvSequence one = filled(counting(1, 32));
  KvSequence other = one.fork();
  EXPECT_EQ(other.pages_wanted(16), 1);
  fill(other, counting(100, 16));
  EXPECT_EQ(pool_.in_use(), 3);
}

TEST_F(KvSequenceTest, ForgettingTokensGivesTheirPagesBack) {
  KvSequence sequence = filled(counting(1, 40));
  sequence.truncate(17);
  EXPECT_EQ(pool_.in_use(), 2);
  fill(sequence, counting(70, 2));
  EXPECT_EQ(stored(sequence)[16], 17);
  EXPECT_EQ(stored(sequence)[18], 71);
  sequence.truncate(0);
  EXPECT_EQ(pool_.in_use(), 0);
}

TEST_F(KvSequenceTest, ForgettingTokensOfASharedPageLeavesItToTheOther) {
  KvSequence one = filled(counting(1, 30));
  KvSequence other = one.fork();
  one.truncate(20);
  fill(one, counting(300, 10));
  EXPECT_EQ(stored(other), counting(1, 30));
  EXPECT_EQ(stored(one)[20], 300);
}

TEST_F(KvSequenceTest, RoomThatIsNotUsedIsNotForked) {
  KvSequence one = filled(counting(1, 10));
  ASSERT_TRUE(one.make_room(100));
  const KvSequence other = one.fork();
  EXPECT_EQ(other.pages().size(), 1U);
  EXPECT_EQ(stored(other), counting(1, 10));
}

TEST_F(KvSequenceTest, PagesOutliveTheirPool) {
  std::optional<KvPagePool> pool(small_layout());
  KvSequence sequence(*pool);
  fill(sequence, counting(1, 5));
  pool.reset();
  EXPECT_EQ(stored(sequence), counting(1, 5));
}

}  // namespace
}  // namespace trialwright
