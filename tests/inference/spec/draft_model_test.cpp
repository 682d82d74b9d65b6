#include "inference/spec/draft_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/inference/token/small_vocabulary.h"
#include "tests/support/tiny_model.h"

namespace trialwright {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Ids = std::vector<std::int32_t>;

Tokenizer tokenizer_of(const SmallVocabulary& vocabulary) {
  const std::string bytes = vocabulary.file();
  auto file = GgufFile::parse(as_bytes(bytes), "small.gguf");
  EXPECT_TRUE(file);
  auto tokenizer = Tokenizer::load(*file);
  EXPECT_TRUE(tokenizer);
  return std::move(*tokenizer);
}

TEST(DraftModelVocabulary, MustBeTheSameTokenByToken) {
  SmallVocabulary plain;
  SmallVocabulary same;
  SmallVocabulary longer;
  longer.merge("a", "b");
  SmallVocabulary other;
  other.merge("b", "a");

  EXPECT_TRUE(check_same_vocabulary(tokenizer_of(plain), tokenizer_of(same)));
  const auto size = check_same_vocabulary(tokenizer_of(plain), tokenizer_of(longer));
  ASSERT_FALSE(size);
  EXPECT_THAT(size.error().message, HasSubstr("the draft model has 257 tokens"));
  const auto token = check_same_vocabulary(tokenizer_of(longer), tokenizer_of(other));
  ASSERT_FALSE(token);
  EXPECT_THAT(token.error().message, HasSubstr("token 256 is not the same"));
}

class DraftModelTest : public ::testing::Test {
 protected:
  void SetUp() override {
    bytes_ = tiny_model_bytes({});
    auto file = GgufFile::parse(as_bytes(bytes_), "tiny.gguf");
    ASSERT_TRUE(file);
    auto engine = Engine::load(std::move(*file), {.threads = 1});
    ASSERT_TRUE(engine) << engine.error().message;
    engine_.emplace(std::move(*engine));
  }

  std::string bytes_;
  std::optional<Engine> engine_;
};

TEST_F(DraftModelTest, GuessesWhatTheSmallModelIsSureOf) {
  DraftModel drafter(*engine_);
  Ids context{1, 2, 3};
  for (int i = 0; i < 10; ++i) {
    const auto said = engine_->generate({.ids = context, .tokens_max = 6}, {});
    ASSERT_TRUE(said);
    Ids expected;
    std::vector<double> confidence;
    double survival = 1;
    for (const GeneratedToken& token : said->tokens) {
      survival *= std::exp(token.chosen.logprob);
      if (survival < DraftModel::kSurvivalMin) {
        break;
      }
      expected.push_back(token.chosen.id);
      confidence.push_back(std::exp(token.chosen.logprob));
    }
    Draft draft;
    drafter.draft(context, 6, draft);
    EXPECT_EQ(draft.ids, expected);
    EXPECT_EQ(draft.confidence, confidence);
    context.push_back(said->tokens.front().chosen.id);
  }
}

TEST_F(DraftModelTest, WhereTheSmallModelCannotGoOnNothingIsGuessed) {
  DraftModel drafter(*engine_);
  Draft draft{{1}, {1}};
  drafter.draft(Ids(600, 1), 4, draft);
  EXPECT_THAT(draft.ids, IsEmpty());
  EXPECT_THAT(draft.confidence, IsEmpty());
  drafter.draft(Ids{299, 300}, 4, draft);
  EXPECT_THAT(draft.ids, IsEmpty());
  drafter.draft(Ids{1}, 0, draft);
  EXPECT_THAT(draft.ids, IsEmpty());
}

}  // namespace
}  // namespace trialwright
