#include "inference/llm/kv_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "inference/cpu/cpu.h"

namespace trialwright {
namespace {

using ::testing::ElementsAre;

ModelConfig small_config() {
  ModelConfig config;
  config.layers = 2;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_dim = 16;
  return config;
}

/// Keys and values that tell position and layer apart.
void fill(const Cpu& cpu, KvSequence& sequence, std::span<const std::int32_t> ids) {
  for (std::size_t i = 0; i < ids.size(); ++i) {
    for (int layer = 0; layer < 2; ++layer) {
      const std::vector<float> keys(32, static_cast<float>(ids[i] + layer));
      const std::vector<float> values(32, static_cast<float>(-ids[i] - layer));
      store_kv(cpu, sequence.layer(layer), sequence.size() + static_cast<int>(i), keys.data(),
               values.data());
    }
  }
  sequence.append(ids);
}

/// What a query at the sequence's last position sees in a layer.
std::vector<float> seen(Cpu& cpu, const KvSequence& sequence, int layer) {
  const std::vector<float> query(64, 0.01F);
  std::vector<float> out(64);
  attention(cpu, sequence.layer(layer),
            {.queries = query.data(),
             .stride = 64,
             .rows = 1,
             .heads = 4,
             .first_position = sequence.size() - 1,
             .scale = 1},
            out.data(), 64);
  return out;
}

class KvCacheTest : public ::testing::Test {
 protected:
  std::unique_ptr<KvSequence> take(std::vector<std::int32_t> ids, int capacity = 64) {
    auto taken = cache_.take(ids, capacity);
    EXPECT_TRUE(taken);
    auto sequence = std::move(*taken);
    reused_ = sequence->size();
    fill(cpu_, *sequence, std::span(ids).subspan(static_cast<std::size_t>(reused_)));
    return sequence;
  }
  void use(const std::vector<std::int32_t>& ids, int capacity = 64) {
    cache_.give_back(take(ids, capacity));
  }

  Cpu cpu_{1};
  std::size_t unit_ = KvSequence::bytes_for(small_config(), 64);
  KvCache cache_{small_config(), 3 * unit_};
  int reused_ = 0;
};

TEST_F(KvCacheTest, ANewPromptReusesNothing) {
  use({1, 2, 3});
  use({4, 5, 6});
  EXPECT_EQ(reused_, 0);
  EXPECT_EQ(cache_.sequences(), 2U);
}

TEST_F(KvCacheTest, AContinuationGoesOnInPlace) {
  use({1, 2, 3});
  use({1, 2, 3, 4, 5});
  EXPECT_EQ(reused_, 3);
  EXPECT_EQ(cache_.sequences(), 1U);
}

TEST_F(KvCacheTest, TheSamePromptAgainLeavesOneTokenToCompute) {
  use({1, 2, 3});
  use({1, 2, 3});
  EXPECT_EQ(reused_, 2);
}

TEST_F(KvCacheTest, ABranchKeepsTheOldSequence) {
  use({1, 2, 3, 4});
  use({1, 2, 9});
  EXPECT_EQ(reused_, 2);
  EXPECT_EQ(cache_.sequences(), 2U);
  use({1, 2, 3, 4, 5});
  EXPECT_EQ(reused_, 4);
}

TEST_F(KvCacheTest, ACopiedPrefixIsSeenAsIfItHadBeenStored) {
  const std::vector<std::int32_t> common = {7,  1,  5,  3,  2,  8,  4,  6, 9,
                                            11, 10, 15, 12, 14, 13, 16, 17};
  auto longer = common;
  longer.insert(longer.end(), {20, 21});
  auto branch = common;
  branch.insert(branch.end(), {30, 31, 32});
  use(longer);
  const auto copied = take(branch, 128);
  EXPECT_EQ(reused_, 17);

  auto fresh = KvSequence::make(small_config(), 64);
  ASSERT_TRUE(fresh);
  fill(cpu_, *fresh, branch);
  for (const int layer : {0, 1}) {
    EXPECT_EQ(seen(cpu_, *copied, layer), seen(cpu_, *fresh, layer));
  }
}

TEST_F(KvCacheTest, TheLeastRecentlyUsedSequenceIsDropped) {
  use({1, 1, 1});
  use({2, 2, 2});
  use({3, 3, 3});
  use({1, 1, 1});
  use({4, 4, 4});
  EXPECT_LE(cache_.bytes(), 3 * unit_);
  use({1, 1, 1});
  EXPECT_EQ(reused_, 2);
  use({2, 2, 2});
  EXPECT_EQ(reused_, 0);
}

TEST_F(KvCacheTest, SequencesThatAreTakenCountToo) {
  use({1, 1, 1});
  use({2, 2, 2});
  auto first = take({3, 3, 3});
  auto second = take({4, 4, 4});
  EXPECT_EQ(cache_.sequences(), 1U);
  EXPECT_LE(cache_.bytes(), 3 * unit_);
  auto third = take({5, 5, 5});
  auto fourth = take({6, 6, 6});
  EXPECT_EQ(cache_.sequences(), 0U);
  EXPECT_EQ(cache_.bytes(), 4 * unit_);
  first.reset();  // A caller may drop what it took.
  second.reset();
  EXPECT_EQ(cache_.bytes(), 2 * unit_);
  cache_.give_back(std::move(third));
  cache_.give_back(std::move(fourth));
  EXPECT_EQ(cache_.sequences(), 2U);
}

TEST_F(KvCacheTest, OneSequenceIsGrantedEvenIfItExceedsTheBound) {
  std::vector<std::int32_t> ids(300, 1);
  use(ids, 512);
  EXPECT_EQ(cache_.sequences(), 1U);
  ids.back() = 2;
  use(ids, 512);
  EXPECT_EQ(reused_, 299);
  EXPECT_EQ(cache_.sequences(), 1U);
}

TEST_F(KvCacheTest, ASequenceThatOutgrowsItsRoomMovesWithItsContent) {
  use({1, 2, 3});
  std::vector<std::int32_t> ids(100, 3);
  ids[0] = 1;
  ids[1] = 2;
  use(ids, 128);
  EXPECT_EQ(reused_, 3);
  EXPECT_EQ(cache_.sequences(), 1U);
}

}  // namespace
}  // namespace trialwright
