#include "inference/spec/suffix_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "tests/inference/spec/random_tokens.h"

namespace trialwright {
namespace {

using Ids = std::vector<std::int32_t>;

/// How often a pattern occurs, by looking everywhere.
std::size_t occurrences(const std::vector<Ids>& sequences, const Ids& pattern) {
  std::size_t count = 0;
  for (const Ids& sequence : sequences) {
    for (std::size_t at = 0; at + pattern.size() <= sequence.size(); ++at) {
      count += std::equal(pattern.begin(), pattern.end(),
                          sequence.begin() + static_cast<std::ptrdiff_t>(at))
                   ? 1U
                   : 0U;
    }
  }
  return count;
}

/// What follows a pattern, and how often.
std::map<std::int32_t, std::size_t> followers(const std::vector<Ids>& sequences,
                                              const Ids& pattern) {
  std::map<std::int32_t, std::size_t> counts;
  for (const Ids& sequence : sequences) {
    for (std::size_t at = 0; at + pattern.size() < sequence.size(); ++at) {
      if (std::equal(pattern.begin(), pattern.end(),
                     sequence.begin() + static_cast<std::ptrdiff_t>(at))) {
        ++counts[sequence[at + pattern.size()]];
      }
    }
  }
  return counts;
}

/// What an index with room for `tokens_max` tokens keeps of sequences that came one by one.
std::vector<Ids> latest(const std::vector<Ids>& sequences, std::size_t tokens_max) {
  std::vector<Ids> kept;
  std::size_t tokens = 0;
  for (auto at = sequences.rbegin(); at != sequences.rend(); ++at) {
    tokens += at->size();
    if (tokens > tokens_max) {
      break;
    }
    kept.insert(kept.begin(), *at);
  }
  return kept;
}

Ids some_pattern(RandomStream& random, const std::vector<Ids>& sequences, std::uint64_t alphabet) {
  const std::size_t length = 1 + random.below(12);
  if (random.below(3) == 0) {
    return random_tokens(random, length, alphabet);
  }
  const Ids& sequence = sequences[random.below(sequences.size())];
  const auto from = static_cast<std::ptrdiff_t>(random.below(sequence.size()));
  const auto rest = static_cast<std::ptrdiff_t>(sequence.size()) - from;
  return {sequence.begin() + from,
          sequence.begin() + from + std::min(rest, static_cast<std::ptrdiff_t>(length))};
}

class SuffixIndexAlphabet : public ::testing::TestWithParam<std::uint64_t> {};
INSTANTIATE_TEST_SUITE_P(SuffixIndex, SuffixIndexAlphabet, ::testing::Values(1, 2, 5, 1000));

TEST_P(SuffixIndexAlphabet, FindsWhatAScanFinds) {
  constexpr std::size_t kTokensMax = 400;
  RandomStream random(7, GetParam());
  SuffixIndex index;
  std::vector<Ids> all;
  for (int round = 0; round < 30; ++round) {
    all.push_back(random_tokens(random, 1 + random.below(80), GetParam()));
    index = index.with(std::span(&all.back(), 1), kTokensMax);
    const std::vector<Ids> kept = latest(all, kTokensMax);
    ASSERT_EQ(index.sequences(), kept.size());
    for (int i = 0; i < 40; ++i) {
      const Ids pattern = some_pattern(random, kept, GetParam());
      const auto node = index.find(pattern);
      ASSERT_EQ(node.count(), occurrences(kept, pattern));
      const std::size_t count_min = 1 + random.below(4);
      std::vector<SuffixIndex::Child> children;
      index.frequent_children(node, count_min, children);
      std::map<std::int32_t, std::size_t> found;
      for (const auto& child : children) {
        EXPECT_EQ(child.node.depth, node.depth + 1);
        found[child.id] = child.node.count();
      }
      auto expected = followers(kept, pattern);
      std::erase_if(expected, [&](const auto& entry) { return entry.second < count_min; });
      ASSERT_EQ(found, expected);
    }
  }
}

TEST_P(SuffixIndexAlphabet, TheLongestMatchIsThatOfAScan) {
  RandomStream random(8, GetParam());
  std::vector<Ids> sequences;
  for (int i = 0; i < 6; ++i) {
    sequences.push_back(random_tokens(random, 60, GetParam()));
  }
  const SuffixIndex index = SuffixIndex().with(sequences, 10000);
  for (int i = 0; i < 200; ++i) {
    Ids text = random_tokens(random, 5, GetParam());
    const Ids known = some_pattern(random, sequences, GetParam());
    text.insert(text.end(), known.begin(), known.end());
    const int length_max = 1 + static_cast<int>(random.below(14));
    int longest = 0;
    for (int length = 1; length <= std::min(length_max, static_cast<int>(text.size())); ++length) {
      longest = occurrences(sequences, Ids(text.end() - length, text.end())) > 0 ? length : longest;
    }
    const auto node = index.longest_match(text, length_max);
    ASSERT_EQ(node.depth, longest);
    ASSERT_EQ(node.count(), longest == 0
                                ? index.tokens()
                                : occurrences(sequences, Ids(text.end() - longest, text.end())));
  }
}

TEST(SuffixIndex, ManyAtOnceAreAsOneByOne) {
  RandomStream random(9, 0);
  std::vector<Ids> sequences;
  for (int i = 0; i < 20; ++i) {
    sequences.push_back(random_tokens(random, 1 + random.below(50), 3));
  }
  SuffixIndex one_by_one;
  for (const Ids& sequence : sequences) {
    one_by_one = one_by_one.with(std::span(&sequence, 1), 300);
  }
  const SuffixIndex at_once = SuffixIndex().with(sequences, 300);

  EXPECT_EQ(at_once.tokens(), one_by_one.tokens());
  for (int i = 0; i < 200; ++i) {
    const Ids pattern = some_pattern(random, sequences, 3);
    const auto a = at_once.find(pattern);
    const auto b = one_by_one.find(pattern);
    ASSERT_EQ(a.first, b.first);
    ASSERT_EQ(a.last, b.last);
  }
}

TEST(SuffixIndex, KeepsTheLatestThatFit) {
  SuffixIndex index;
  for (std::int32_t i = 0; i < 1000; ++i) {
    const Ids sequence(10, i);
    index = index.with(std::span(&sequence, 1), 95);
    ASSERT_LE(index.tokens(), 95U);
    ASSERT_LE(index.bytes(), 2048U);
  }
  EXPECT_EQ(index.sequences(), 9U);
  EXPECT_EQ(index.find(Ids{990}).count(), 0U);
  EXPECT_EQ(index.find(Ids{991}).count(), 10U);
}

TEST(SuffixIndex, OfASequenceThatIsTooLongTheEndIsKept) {
  const Ids first{1, 2, 3};
  const Ids second{4, 5, 6, 7, 8};
  const SuffixIndex index =
      SuffixIndex().with(std::span(&first, 1), 4).with(std::span(&second, 1), 4);

  EXPECT_EQ(index.tokens(), 4U);
  EXPECT_EQ(index.find(Ids{5, 6, 7, 8}).count(), 1U);
  EXPECT_EQ(index.find(Ids{4}).count(), 0U);
  EXPECT_EQ(index.find(Ids{1}).count(), 0U);
}

TEST(SuffixIndex, ATextOfOneTokenOverAndOverIsNoTrouble) {
  const Ids sequence(30000, 7);
  const SuffixIndex index =
      SuffixIndex().with(std::span(&sequence, 1), 100000).with(std::span(&sequence, 1), 100000);

  EXPECT_EQ(index.find(Ids(32, 7)).count(), 2U * (30000 - 31));
  EXPECT_EQ(index.longest_match(Ids(50, 7), 32).depth, 32);
}

TEST(SuffixIndex, AnEmptyOneFindsNothing) {
  const SuffixIndex index;
  EXPECT_EQ(index.find(Ids{1}).count(), 0U);
  EXPECT_EQ(index.longest_match(Ids{1, 2}, 32).depth, 0);
  const std::vector<Ids> empty_ones(3);
  EXPECT_EQ(index.with(empty_ones, 10).tokens(), 0U);
  const Ids sequence{1, 2};
  EXPECT_EQ(index.with(std::span(&sequence, 1), 0).tokens(), 0U);
}

}  // namespace
}  // namespace trialwright
