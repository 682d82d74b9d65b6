#include "inference/models/embedded_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "base/files.h"
#include "inference/models/model_digest.h"
#include "tests/inference/token/small_vocabulary.h"

namespace trialwright {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

/// The smallest bundled model, loaded once for all tests.
class EmbeddedModelTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    const auto path = user_cache_folder() / "models" / "smollm2-135m.gguf";
    if (std::filesystem::exists(path)) {
      auto loaded = EmbeddedModel::load(path, {});
      ASSERT_TRUE(loaded) << loaded.error().message;
      model_ = std::move(*loaded);
    }
  }
  static void TearDownTestSuite() { model_.reset(); }
  void SetUp() override {
    if (!model_) {
      GTEST_SKIP() << "smollm2-135m.gguf is absent: pull the model to run this test";
    }
  }

  static CompletionRequest ask(const std::string& text) {
    CompletionRequest request;
    request.messages.emplace_back();
    request.messages.back().content = text;
    request.tokens_max = 24;
    return request;
  }

  static std::unique_ptr<EmbeddedModel> model_;
};

std::unique_ptr<EmbeddedModel> EmbeddedModelTest::model_;

TEST_F(EmbeddedModelTest, SaysWhatItIs) {
  const ModelIdentity& identity = model_->identity();
  EXPECT_EQ(identity.name, "smollm2-135m");
  EXPECT_EQ(identity.provider, "embedded");
  EXPECT_EQ(identity.digest.substr(0, 12), "b179c9523d0e");
  EXPECT_THAT(identity.description, HasSubstr("llama, 30 layers, Q4_1, cpu"));
  EXPECT_EQ(identity.context_tokens_max, 8192);
}

TEST_F(EmbeddedModelTest, AnswersAQuestion) {
  std::string streamed;
  auto request = ask("Write one sentence about the sea.");
  request.tokens_max = 100;
  request.on_text = [&](std::string_view piece) { streamed += piece; };
  const auto completion = model_->complete(request, {});

  ASSERT_TRUE(completion) << completion.error().message;
  EXPECT_GT(completion->text.size(), 20U);
  EXPECT_EQ(completion->text, streamed);
  EXPECT_EQ(completion->finish, FinishReason::Stop);
  EXPECT_THAT(completion->text, Not(HasSubstr("<|im_end|>")));
  EXPECT_EQ(completion->usage.completion_tokens, static_cast<int>(completion->tokens.size()));
  EXPECT_TRUE(model_->tokenizer().ends_turn(completion->tokens.back().chosen.id));
}

TEST_F(EmbeddedModelTest, AnAnswerHasTheFormThatWasAskedFor) {
  auto request = ask("Describe a cat as JSON.");
  request.tokens_max = 120;
  request.format = OutputFormat{OutputFormat::Kind::JsonSchema, R"({
    "type": "object", "additionalProperties": false, "required": ["name", "legs", "tame"],
    "properties": {"name": {"type": "string", "maxLength": 20},
                   "legs": {"type": "integer", "minimum": 0, "maximum": 99},
                   "tame": {"type": "boolean"}}})"};
  request.audit_format = true;
  const auto audited = model_->complete(request, {});
  request.audit_format = false;
  const auto completion = model_->complete(request, {});

  ASSERT_TRUE(audited && completion) << completion.error().message;
  const auto answer = parse_json(completion->text);
  ASSERT_TRUE(answer) << completion->text;
  EXPECT_TRUE(answer->at("name").is_string());
  EXPECT_LE(answer->at("legs").get<int>(), 99);
  EXPECT_TRUE(answer->at("tame").is_boolean());
  EXPECT_EQ(completion->finish, FinishReason::Stop);
  // A narrow head gives the same bits as a whole one.
  ASSERT_EQ(completion->tokens.size(), audited->tokens.size());
  for (std::size_t i = 0; i < completion->tokens.size(); ++i) {
    EXPECT_EQ(completion->tokens[i].chosen.id, audited->tokens[i].chosen.id);
    EXPECT_EQ(completion->tokens[i].chosen.logprob, audited->tokens[i].chosen.logprob);
  }
  ASSERT_TRUE(audited->format_audit);
  EXPECT_GT(audited->format_audit->forced, 0);
  EXPECT_EQ(audited->format_audit->audited + audited->format_audit->forced,
            audited->format_audit->tokens);
  EXPECT_GT(audited->format_audit->removed_probability, 0);
  EXPECT_EQ(completion->format_audit->audited, 0);
}

TEST_F(EmbeddedModelTest, AFormatThatCannotBeReadIsAnError) {
  auto request = ask("Hello");
  request.format = OutputFormat{OutputFormat::Kind::Regex, "("};
  const auto completion = model_->complete(request, {});
  ASSERT_FALSE(completion);
  EXPECT_EQ(completion.error().kind, ErrorKind::Invalid);
  EXPECT_THAT(completion.error().message, HasSubstr("regex"));
}

TEST_F(EmbeddedModelTest, AnAnswerThatIsExpectedComesInFewerStepsAndIsTheSame) {
  auto request = ask("List the days of the week.");
  request.tokens_max = 60;
  const auto plain = model_->complete(request, {});
  ASSERT_TRUE(plain);
  std::vector<std::int32_t> ids;
  for (const GeneratedToken& token : plain->tokens) {
    ids.push_back(token.chosen.id);
  }
  request.draft_key = "days";
  const std::vector<std::vector<std::int32_t>> expected = {ids};
  model_->expect_answers("days", expected);
  const auto before = model_->speculation();
  const auto guessed = model_->complete(request, {});
  const auto after = model_->speculation();

  ASSERT_TRUE(guessed && before && after);
  ASSERT_EQ(guessed->tokens.size(), plain->tokens.size());
  for (std::size_t i = 0; i < plain->tokens.size(); ++i) {
    EXPECT_EQ(guessed->tokens[i].chosen.id, plain->tokens[i].chosen.id);
    EXPECT_EQ(guessed->tokens[i].chosen.logprob, plain->tokens[i].chosen.logprob);
  }
  EXPECT_GT(after->tokens_saved() - before->tokens_saved(), 20);
}

TEST_F(EmbeddedModelTest, RendersTheConversationToAsManyTokensAsLlamaCppDoes) {
  // llama-cpp-python 0.3.36, create_chat_completion.
  EXPECT_EQ(model_->complete(ask("What is the capital of France?"), {})->usage.prompt_tokens, 37);
}

TEST_F(EmbeddedModelTest, TheSameQuestionAgainGivesTheSameTokensFromTheCache) {
  auto request = ask("Tell me a story about a fox.");
  request.sampling.temperature = 0.9;
  request.sampling.top_p = 0.95;
  request.sampling.seed = 7;
  request.alternatives = 2;
  const auto first = model_->complete(request, {});
  const auto second = model_->complete(request, {});

  ASSERT_TRUE(first && second);
  EXPECT_EQ(second->usage.cached_tokens, second->usage.prompt_tokens - 1);
  EXPECT_EQ(first->text, second->text);
  ASSERT_EQ(first->tokens.size(), second->tokens.size());
  for (std::size_t i = 0; i < first->tokens.size(); ++i) {
    EXPECT_EQ(first->tokens[i].chosen.logprob, second->tokens[i].chosen.logprob);
    EXPECT_EQ(first->tokens[i].alternatives.size(), 2U);
  }
}

TEST_F(EmbeddedModelTest, ControlTokensInAMessageAreText) {
  const auto plain = model_->complete(ask("x"), {});
  const auto hostile = model_->complete(ask("<|im_end|>"), {});
  ASSERT_TRUE(plain && hostile);
  // As a control token it would take one id, as "x" does; as text it takes several.
  EXPECT_GT(hostile->usage.prompt_tokens, plain->usage.prompt_tokens + 2);
}

TEST_F(EmbeddedModelTest, AStopTextEndsTheCompletionBeforeIt) {
  auto request = ask("What is the capital of France?");
  request.stop = {"France"};
  const auto completion = model_->complete(request, {});
  ASSERT_TRUE(completion);
  EXPECT_EQ(completion->finish, FinishReason::Stop);
  EXPECT_THAT(completion->text, Not(HasSubstr("France")));
  EXPECT_FALSE(completion->text.empty());

  request.stop = {""};
  EXPECT_THAT(model_->complete(request, {}).error().message, HasSubstr("stop text"));
}

TEST_F(EmbeddedModelTest, ContinuesATextWithoutTheTemplate) {
  CompletionRequest request;
  request.tokens_max = 8;
  const auto completion = model_->continue_text("The capital of France is", request, {});
  ASSERT_TRUE(completion) << completion.error().message;
  EXPECT_THAT(completion->text, HasSubstr("Paris"));
}

TEST_F(EmbeddedModelTest, ScoresTheRightAnswerHigher) {
  ScoreRequest request;
  request.text = "The capital of France is";
  request.continuations = {" Paris", " a banana", " Berlin"};
  const auto scores = model_->score(request, {});
  ASSERT_TRUE(scores) << scores.error().message;
  ASSERT_EQ(scores->size(), 3U);
  EXPECT_GT((*scores)[0].logprob, (*scores)[1].logprob);
  EXPECT_GT((*scores)[0].logprob, (*scores)[2].logprob);
  EXPECT_LT((*scores)[0].logprob, 0);
  EXPECT_EQ((*scores)[0].tokens, 1);

  request.continuations = {""};
  EXPECT_EQ(model_->score(request, {}).error().kind, ErrorKind::Invalid);
}

TEST_F(EmbeddedModelTest, ConcurrentCallersGetWhatTheyWouldGetAlone) {
  const std::vector<std::string> questions = {"Name a colour.", "Name an animal.",
                                              "Count to five."};
  std::vector<std::string> alone;
  for (const auto& question : questions) {
    alone.push_back(model_->complete(ask(question), {})->text);
  }
  std::vector<std::string> together(questions.size());
  {
    std::vector<std::jthread> callers;
    for (std::size_t i = 0; i < questions.size(); ++i) {
      callers.emplace_back([&, i] { together[i] = model_->complete(ask(questions[i]), {})->text; });
    }
  }
  EXPECT_EQ(together, alone);
}

TEST_F(EmbeddedModelTest, ADeadlineAndAStopAreFinishReasons) {
  auto request = ask("Hello");
  request.deadline = std::chrono::steady_clock::now();
  EXPECT_EQ(model_->complete(request, {})->finish, FinishReason::Deadline);
  std::stop_source stopped;
  stopped.request_stop();
  EXPECT_EQ(model_->complete(ask("Hello"), stopped.get_token())->finish, FinishReason::Cancelled);
}

TEST_F(EmbeddedModelTest, APromptLongerThanTheContextIsAnError) {
  std::string text;
  for (int i = 0; i < 9000; ++i) {
    text += " word";
  }
  const auto completion = model_->complete(ask(text), {});
  ASSERT_FALSE(completion);
  EXPECT_THAT(completion.error().message, HasSubstr("the context of"));
}

TEST(RememberedDigest, FollowsTheFilesChanges) {
  auto folder = TemporaryFolder::make();
  ASSERT_TRUE(folder);
  const auto file = folder->path() / "model.gguf";
  const auto memory = folder->path() / "digests";
  ASSERT_TRUE(write_file_atomically(file, "one"));
  EXPECT_EQ(*remembered_digest(file, memory), sha256("one"));
  EXPECT_EQ(*remembered_digest(file, memory), sha256("one"));
  ASSERT_TRUE(write_file_atomically(file, "three"));
  EXPECT_EQ(*remembered_digest(file, memory), sha256("three"));
  EXPECT_EQ(remembered_digest(folder->path() / "nothing", memory).error().kind,
            ErrorKind::NotFound);
}

TEST(RememberedDigest, NoticesAChangeThatKeepsSizeAndTime) {
  auto folder = TemporaryFolder::make();
  ASSERT_TRUE(folder);
  const auto file = folder->path() / "model.gguf";
  const auto memory = folder->path() / "digests";
  ASSERT_TRUE(write_file_atomically(file, "one"));
  const auto time = std::filesystem::last_write_time(file);
  EXPECT_EQ(*remembered_digest(file, memory), sha256("one"));
  EXPECT_FALSE(std::filesystem::exists(memory));  // The file is too new to be sure of it.
  std::this_thread::sleep_for(std::chrono::milliseconds(2100));
  EXPECT_EQ(*remembered_digest(file, memory), sha256("one"));
  EXPECT_FALSE(std::filesystem::is_empty(memory));
  std::ofstream(file) << "two";
  std::filesystem::last_write_time(file, time);
  EXPECT_EQ(*remembered_digest(file, memory), sha256("two"));
}

TEST(EmbeddedModel, RefusesToServeNobody) {
  EXPECT_EQ(EmbeddedModel::load("nothing.gguf", {.requests_max = 0}).error().message,
            "at least one request must be computed at a time");
}

TEST(EmbeddedModel, ReadsNoFileWholeThatItCannotRun) {
  auto folder = TemporaryFolder::make();
  ASSERT_TRUE(folder);
  const auto file = folder->path() / "model.gguf";
  ASSERT_TRUE(write_file_atomically(file, SmallVocabulary().file()));
  auto model = EmbeddedModel::load(file, {.digest_folder = folder->path() / "digests"});
  ASSERT_FALSE(model);
  EXPECT_THAT(model.error().message, HasSubstr("holds a vocabulary only"));
  EXPECT_FALSE(std::filesystem::exists(folder->path() / "digests"));
}

TEST(RememberedDigest, AMemoryThatCannotBeUsedCostsOnlyTime) {
  auto folder = TemporaryFolder::make();
  ASSERT_TRUE(folder);
  const auto file = folder->path() / "model.gguf";
  ASSERT_TRUE(write_file_atomically(file, "one"));
  EXPECT_EQ(*remembered_digest(file, file / "impossible"), sha256("one"));
}

}  // namespace
}  // namespace trialwright
