#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <thread>

#include "base/random.h"
#include "inference/llm/engine.h"
#include "tests/support/tiny_model.h"

namespace trialwright {
namespace {

std::vector<std::int32_t> random_ids(std::size_t count, std::uint64_t seed = 3) {
  RandomStream random(seed, 1);
  std::vector<std::int32_t> ids(count);
  for (auto& id : ids) {
    id = static_cast<std::int32_t>(random.below(300));
  }
  return ids;
}

/// Allows even tokens, and from the sixth one on only the end, token 7.
class SixEvenTokens final : public TokenConstraint {
 public:
  static constexpr std::int32_t kEnd = 7;

  std::span<const std::uint64_t> allowed() override {
    EXPECT_FALSE(ended_);
    bits_.assign(5, taken_ < 6 ? 0x5555555555555555U : 0U);
    bits_[4] &= (std::uint64_t{1} << 44U) - 1;  // 300 tokens
    if (taken_ >= 6) bits_[0] = std::uint64_t{1} << kEnd;
    return bits_;
  }
  int allowed_count() override {
    int count = 0;
    for (const std::uint64_t word : allowed()) count += std::popcount(word);
    return count;
  }
  std::span<const std::int32_t> forced() override { return {}; }
  void accept(std::int32_t id) override {
    EXPECT_FALSE(ended_);
    ended_ = id == kEnd;
    ++taken_;
  }
  [[nodiscard]] bool ended() const override { return ended_; }

 private:
  std::vector<std::uint64_t> bits_;
  int taken_ = 0;
  bool ended_ = false;
};

/// Guesses a text that was seen before, and goes on beyond its end.
class Remembering final : public Drafter {
 public:
  Remembering(std::size_t prompt, std::vector<std::int32_t> answer)
      : prompt_(prompt), answer_(std::move(answer)) {}
  void draft(std::span<const std::int32_t> context, int tokens_max, Draft& draft) override {
    draft = {};
    for (std::size_t i = context.size() - prompt_; static_cast<int>(draft.ids.size()) < tokens_max;
         ++i) {
      draft.ids.push_back(i < answer_.size() ? answer_[i] : 4);
      draft.confidence.push_back(1);
    }
  }

 private:
  std::size_t prompt_;
  std::vector<std::int32_t> answer_;
};

class EngineRequests : public ::testing::Test {
 protected:
  void SetUp() override {
    bytes_ = tiny_model_bytes({.type = TensorType::Q4_1});
    auto file = GgufFile::parse(as_bytes(bytes_), "tiny.gguf");
    ASSERT_TRUE(file);
    auto engine = Engine::load(std::move(*file), {.threads = 2, .draft_depth = {.fixed = 16}});
    ASSERT_TRUE(engine) << engine.error().message;
    engine_.emplace(std::move(*engine));
  }

  std::string bytes_;
  std::optional<Engine> engine_;
};

TEST_F(EngineRequests, EndWhereTheirConstraintEndsWhateverIsGuessed) {
  const auto ids = random_ids(20);
  SixEvenTokens alone;
  const auto plain = engine_->generate({.ids = ids, .tokens_max = 40, .constraint = &alone}, {});
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->finish, FinishReason::Stop);
  ASSERT_EQ(plain->tokens.size(), 7U);
  EXPECT_EQ(plain->tokens.back().chosen.id, SixEvenTokens::kEnd);

  std::vector<std::int32_t> answer;
  for (const GeneratedToken& token : plain->tokens) answer.push_back(token.chosen.id);
  SixEvenTokens again;
  Remembering drafter(ids.size(), answer);
  const auto guessed = engine_->generate(
      {.ids = ids, .tokens_max = 40, .constraint = &again, .drafter = &drafter}, {});

  ASSERT_TRUE(guessed);
  EXPECT_EQ(guessed->finish, FinishReason::Stop);
  ASSERT_EQ(guessed->tokens.size(), 7U);
  EXPECT_EQ(guessed->speculation.tokens_saved(), 6);
  for (std::size_t i = 0; i < answer.size(); ++i) {
    EXPECT_EQ(guessed->tokens[i].chosen.id, answer[i]);
    EXPECT_EQ(guessed->tokens[i].chosen.logprob, plain->tokens[i].chosen.logprob);
  }
}

TEST_F(EngineRequests, AreAuditedAlikeWithGuessesWhenTheirCallerStopsThem) {
  const auto ids = random_ids(20);
  const auto audit = [&](Drafter* drafter) {
    SixEvenTokens constraint;
    int calls = 0;
    const auto generation =
        engine_->generate({.ids = ids,
                           .tokens_max = 40,
                           .on_token = [&](const GeneratedToken&) { return ++calls < 3; },
                           .constraint = &constraint,
                           .audit = true,
                           .drafter = drafter},
                          {});
    EXPECT_TRUE(generation);
    return *generation->format_audit;
  };
  SixEvenTokens constraint;
  const auto whole =
      engine_->generate({.ids = ids, .tokens_max = 40, .constraint = &constraint}, {});
  std::vector<std::int32_t> answer;
  for (const GeneratedToken& token : whole->tokens) answer.push_back(token.chosen.id);
  Remembering drafter(ids.size(), answer);

  const FormatAudit plain = audit(nullptr);
  const FormatAudit guessed = audit(&drafter);

  EXPECT_EQ(plain.tokens, 3);
  EXPECT_EQ(guessed.tokens, plain.tokens);
  EXPECT_EQ(guessed.audited, plain.audited);
  EXPECT_EQ(guessed.changed, plain.changed);
  EXPECT_EQ(guessed.removed_probability, plain.removed_probability);
}

TEST_F(EngineRequests, OfOnePromptReadItOnceEvenAtOnce) {
  const auto ids = random_ids(100);
  std::vector<int> cached(4);
  {
    std::vector<std::jthread> callers;
    for (std::size_t i = 0; i < cached.size(); ++i) {
      callers.emplace_back([&, i] {
        const auto generation = engine_->generate({.ids = ids, .tokens_max = 3}, {});
        cached[i] = generation ? generation->cached_tokens : -1;
      });
    }
  }
  std::sort(cached.begin(), cached.end());
  EXPECT_EQ(cached[0], 0);
  // The whole pages of 16, at least.
  EXPECT_GE(cached[1], 96);
}

TEST_F(EngineRequests, HoldWhatIsKnownAlready) {
  const auto ids = random_ids(40);
  const auto first = engine_->hold(ids, {});
  const auto second = engine_->hold(ids, {});
  const auto shorter = engine_->hold(std::span(ids).first(20), {});
  ASSERT_TRUE(first && second && shorter);
  EXPECT_EQ(second->tokens(), 40);
  EXPECT_EQ(shorter->tokens(), 20);
}

TEST_F(EngineRequests, WithManyGuessesLeaveTheOthersTheirTurn) {
  // More requests than a step has rows for all of their guesses.
  std::vector<std::jthread> callers;
  std::vector<std::size_t> tokens(12);
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    callers.emplace_back([&, i] {
      const auto ids = random_ids(10, i);
      Remembering drafter(ids.size(), {});
      const auto generation =
          engine_->generate({.ids = ids, .tokens_max = 60, .drafter = &drafter}, {});
      tokens[i] = generation ? generation->tokens.size() : 0;
    });
  }
  callers.clear();
  EXPECT_THAT(tokens, ::testing::Each(60U));
}

}  // namespace
}  // namespace trialwright
