#include "inference/llm/sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "base/random.h"

namespace trialwright {
namespace {

std::int32_t choose(Sampler&& sampler, std::span<const float> logits,
                    std::span<const std::int32_t> context) {
  return sampler.choose(logits, {}, context, 0).token.chosen.id;
}
std::int32_t choose(Sampler& sampler, std::span<const float> logits,
                    std::span<const std::int32_t> context) {
  return choose(std::move(sampler), logits, context);
}

using ::testing::HasSubstr;

std::vector<float> random_logits(std::size_t size, std::uint64_t seed, double spread = 8) {
  RandomStream random(seed, 0);
  std::vector<float> logits(size);
  for (float& logit : logits) {
    logit = static_cast<float>((random.uniform() - 0.5) * spread);
  }
  return logits;
}

/// How often each id is drawn over many positions.
std::map<std::int32_t, double> shares(const Sampling& sampling, const std::vector<float>& logits) {
  constexpr int kDraws = 20000;
  Sampler sampler(sampling, 0);
  std::map<std::int32_t, double> counts;
  std::vector<std::int32_t> context;
  for (int i = 0; i < kDraws; ++i) {
    counts[choose(sampler, logits, context)] += 1.0 / kDraws;
    context.push_back(-1);
  }
  return counts;
}

TEST(LogSumExp, AgreesWithDoublePrecision) {
  for (const std::size_t size : {1U, 15U, 16U, 1000U, 1025U, 49152U}) {
    const auto logits = random_logits(size, size, 40);
    double sum = 0;
    for (const float logit : logits) {
      sum += std::exp(static_cast<double>(logit));
    }
    EXPECT_NEAR(log_sum_exp(logits), std::log(sum), 1e-6) << size;
  }
}

TEST(LogSumExp, SurvivesLargeNumbersAndMinusInfinity) {
  const std::vector<float> logits = {1e30F, -INFINITY, -1e30F};
  EXPECT_EQ(log_sum_exp(logits), static_cast<double>(1e30F));
}

TEST(Sampler, GreedyTakesTheLowestIdOnATie) {
  std::vector<float> logits(100, 0.0F);
  logits[41] = logits[17] = logits[99] = 3.0F;
  EXPECT_EQ(choose(Sampler({}, 0), logits, {}), 17);
}

TEST(Sampler, DrawsInProportionToProbability) {
  const std::vector<float> logits = {std::log(0.5F), std::log(0.3F), std::log(0.2F)};
  auto drawn = shares({.temperature = 1}, logits);
  EXPECT_NEAR(drawn[0], 0.5, 0.02);
  EXPECT_NEAR(drawn[1], 0.3, 0.02);
  EXPECT_NEAR(drawn[2], 0.2, 0.02);
}

TEST(Sampler, TemperatureSharpensAndFlattens) {
  const std::vector<float> logits = {0.0F, 1.0F};
  const double cold = shares({.temperature = 0.5}, logits)[1];
  const double hot = shares({.temperature = 2}, logits)[1];
  EXPECT_NEAR(cold, 1 / (1 + std::exp(-2.0)), 0.02);
  EXPECT_NEAR(hot, 1 / (1 + std::exp(-0.5)), 0.02);
}

TEST(Sampler, FiltersKeepWhatTheyPromise) {
  const std::vector<float> logits = {std::log(0.4F), std::log(0.1F), std::log(0.3F),
                                     std::log(0.2F)};
  using ::testing::ElementsAre;
  const auto ids = [&](const Sampling& sampling) {
    std::vector<std::int32_t> kept;
    for (const auto& [id, share] : shares(sampling, logits)) {
      kept.push_back(id);
    }
    return kept;
  };
  EXPECT_THAT(ids({.temperature = 1, .top_k = 2}), ElementsAre(0, 2));
  EXPECT_THAT(ids({.temperature = 1, .top_p = 0.65}), ElementsAre(0, 2));
  EXPECT_THAT(ids({.temperature = 1, .top_p = 0.75}), ElementsAre(0, 2, 3));
  EXPECT_THAT(ids({.temperature = 1, .min_p = 0.45}), ElementsAre(0, 2, 3));
  EXPECT_THAT(ids({.temperature = 1, .top_k = 3, .top_p = 0.7}), ElementsAre(0, 2));
  EXPECT_THAT(ids({.temperature = 1, .min_p = 1}), ElementsAre(0));
}

TEST(Sampler, TopPOverAWholeVocabularyKeepsTheFewestThatSuffice) {
  const auto logits = random_logits(600, 3, 2);
  const double normalizer = log_sum_exp(logits);
  const auto best = most_probable(logits, normalizer, 600);
  double sum = 0;
  std::size_t kept = 0;
  while (sum < 0.9) {
    sum += std::exp(best[kept++].logprob);
  }
  for (const auto& [id, share] : shares({.temperature = 1, .top_p = 0.9}, logits)) {
    EXPECT_GE(logits[static_cast<std::size_t>(id)],
              logits[static_cast<std::size_t>(best[kept - 1].id)]);
  }
}

TEST(Sampler, ThePenaltyMakesSeenTokensLessLikelyWhateverTheirSign) {
  const std::vector<float> positive = {2.0F, 1.5F};
  const std::vector<float> negative = {-1.0F, -1.5F};
  const std::vector<std::int32_t> seen = {0};
  const Sampling sampling{.repetition_penalty = 2};
  EXPECT_EQ(choose(Sampler(sampling, 0), positive, seen), 1);
  EXPECT_EQ(choose(Sampler(sampling, 0), negative, seen), 1);
}

TEST(Sampler, ThePenaltyForgetsWhatLiesBeforeTheWindow) {
  const std::vector<float> logits = {2.0F, 1.5F};
  const std::vector<std::int32_t> context = {0, 1, 1};
  const Sampling sampling{.repetition_penalty = 2, .repetition_window = 2};
  EXPECT_EQ(choose(Sampler(sampling, 0), logits, context), 0);
}

TEST(Sampler, ADrawDependsOnSeedStreamAndPositionAlone) {
  const auto logits = random_logits(1000, 5);
  const Sampling sampling{.temperature = 1, .top_k = 50, .seed = 9};
  Sampler used(sampling, 4);
  for (int i = 0; i < 10; ++i) {
    (void)choose(used, random_logits(1000, static_cast<std::uint64_t>(i)), std::vector{1, 2});
  }
  const std::vector<std::int32_t> context = {5, 6, 7};
  EXPECT_EQ(choose(used, logits, context), choose(Sampler(sampling, 4), logits, context));

  int differing = 0;
  for (std::uint64_t other = 5; other < 25; ++other) {
    differing += choose(Sampler(sampling, other), logits, context) !=
                         choose(Sampler(sampling, 4), logits, context)
                     ? 1
                     : 0;
  }
  EXPECT_GT(differing, 10);
}

TEST(MostProbable, OrdersByProbabilityThenId) {
  const std::vector<float> logits = {1, 3, 3, 0, 2};
  const auto best = most_probable(logits, log_sum_exp(logits), 4);
  ASSERT_EQ(best.size(), 4U);
  EXPECT_EQ(best[0].id, 1);
  EXPECT_EQ(best[1].id, 2);
  EXPECT_EQ(best[2].id, 4);
  EXPECT_EQ(best[3].id, 0);
  EXPECT_NEAR(best[0].logprob, 3 - log_sum_exp(logits), 1e-9);
  EXPECT_TRUE(most_probable(logits, 0, 0).empty());
}

TEST(CheckSampling, NamesTheFieldThatIsWrong) {
  EXPECT_TRUE(check_sampling({}));
  EXPECT_THAT(check_sampling({.temperature = -1}).error().message, HasSubstr("temperature"));
  EXPECT_THAT(check_sampling({.temperature = NAN}).error().message, HasSubstr("temperature"));
  EXPECT_THAT(check_sampling({.top_p = 0}).error().message, HasSubstr("top_p"));
  EXPECT_THAT(check_sampling({.repetition_penalty = 0}).error().message,
              HasSubstr("repetition_penalty"));
}

TEST(LogSumExp, OfWhatIsNotANumberIsNone) {
  for (const std::size_t at : {1U, 20U, 39U}) {
    std::vector<float> logits(40, 1.0F);
    logits[at] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_TRUE(std::isnan(log_sum_exp(logits))) << at;
  }
}

/// The bits of `ids` in a vocabulary of `size`.
std::vector<std::uint64_t> bits_of(const std::vector<std::int32_t>& ids, std::size_t size) {
  std::vector<std::uint64_t> bits((size + 63) / 64);
  for (const std::int32_t id : ids) {
    bits[static_cast<std::size_t>(id) / 64] |= std::uint64_t{1} << (static_cast<unsigned>(id) % 64);
  }
  return bits;
}

TEST(Sampler, ChoosesAmongTheAllowedTokensAsIfThereWereNoOthers) {
  const auto all = random_logits(300, 8);
  const std::vector<std::int32_t> ids = {3, 64, 65, 128, 299};
  std::vector<float> few;
  for (const std::int32_t id : ids) {
    few.push_back(all[static_cast<std::size_t>(id)]);
  }
  const auto bits = bits_of(ids, all.size());
  for (const double temperature : {0.0, 0.7, 1.3}) {
    for (std::uint64_t stream = 0; stream < 40; ++stream) {
      const Sampling sampling{.temperature = temperature, .top_k = 4, .top_p = 0.95, .seed = 6};
      const auto among = Sampler(sampling, stream).choose(all, {bits}, {}, 3);
      const auto alone = Sampler(sampling, stream).choose(few, {}, {}, 3);
      EXPECT_EQ(among.token.chosen.id, ids[static_cast<std::size_t>(alone.token.chosen.id)]);
      EXPECT_EQ(among.token.chosen.logprob, alone.token.chosen.logprob);
      for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_EQ(among.token.alternatives[i].id,
                  ids[static_cast<std::size_t>(alone.token.alternatives[i].id)]);
      }
    }
  }
}

TEST(Sampler, DoesNotLookAtLogitsThatAreNotAllowed) {
  auto logits = random_logits(100, 9);
  const auto bits = bits_of({10, 20}, logits.size());
  const auto expected = Sampler({}, 0).choose(logits, {bits}, {}, 0);
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (i != 10 && i != 20) logits[i] = std::nanf("");
  }
  const auto choice = Sampler({}, 0).choose(logits, {bits}, {}, 0);
  EXPECT_EQ(choice.token.chosen.id, expected.token.chosen.id);
  EXPECT_EQ(choice.normalizer, expected.normalizer);
}

TEST(Sampler, PenalizesRepeatedTokensAmongTheAllowedOnes) {
  const std::vector<float> logits = {0, 0, 2, 0, 1.9F, 0};
  const auto bits = bits_of({2, 4}, logits.size());
  const Sampling sampling{.repetition_penalty = 1.5};
  EXPECT_EQ(Sampler(sampling, 0).choose(logits, {bits}, std::vector{1, 3}, 0).token.chosen.id, 2);
  EXPECT_EQ(Sampler(sampling, 0).choose(logits, {bits}, std::vector{2}, 0).token.chosen.id, 4);
}

}  // namespace
}  // namespace trialwright
