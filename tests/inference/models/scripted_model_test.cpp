#include "inference/models/scripted_model.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace trialwright {
namespace {

CompletionRequest request_of(std::vector<Message> messages) {
  CompletionRequest request;
  request.messages = std::move(messages);
  return request;
}

Message user(std::string text) { return {Role::User, std::move(text), {}, ""}; }
Message assistant(std::string text) { return {Role::Assistant, std::move(text), {}, ""}; }

std::string text_of(Model& model, std::vector<Message> messages) {
  auto completion = model.complete(request_of(std::move(messages)), {});
  return completion ? completion->text : "error: " + completion.error().message;
}

Completion saying(std::string text) {
  Completion completion;
  completion.text = std::move(text);
  return completion;
}

std::unique_ptr<ScriptedModel> script(const std::string& text) {
  auto model = ScriptedModel::parse(text, "s.jsonl");
  CHECK(model, "the script is right");
  return *std::move(model);
}

std::string script_error(const std::string& text) {
  auto model = ScriptedModel::parse(text, "s.jsonl");
  return model ? "" : model.error().message;
}

TEST(ScriptedModel, RepliesFromItsListAndThenNoMore) {
  ScriptedModel model({saying("one"), saying("two")});
  EXPECT_EQ(text_of(model, {user("a")}), "one");
  EXPECT_EQ(text_of(model, {user("b")}), "two");
  EXPECT_EQ(text_of(model, {user("c")}), "error: the script has no more replies");
  ASSERT_EQ(model.asked().size(), 3U);
  EXPECT_EQ(model.asked()[1][0].content, "b");
}

TEST(ScriptedModel, RepliesWithWhatItsFunctionGives) {
  ScriptedModel model([](const CompletionRequest& request) -> Result<Completion> {
    return saying("you said " + request.messages.back().content);
  });
  EXPECT_EQ(text_of(model, {user("hi")}), "you said hi");
}

TEST(ScriptedModel, EndsWithoutReplyingWhenStoppedOrTooLate) {
  ScriptedModel model({saying("one")});
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(model.complete(request_of({}), stop.get_token())->finish, FinishReason::Cancelled);
  CompletionRequest late = request_of({});
  late.deadline = std::chrono::steady_clock::now();
  EXPECT_EQ(model.complete(late, {})->finish, FinishReason::Deadline);
  EXPECT_EQ(text_of(model, {user("a")}), "one");
}

TEST(Script, TakesTurnsByTheRepliesInTheConversationAndGoesRound) {
  const auto model = script("{\"text\":\"one\"}\n\n{\"text\":\"two\"}\n");
  EXPECT_EQ(text_of(*model, {user("a")}), "one");
  EXPECT_EQ(text_of(*model, {user("a"), assistant("one"), user("b")}), "two");
  EXPECT_EQ(text_of(*model, {user("a"), assistant("x"), assistant("y")}), "one");
  EXPECT_EQ(text_of(*model, {user("a")}), "one");
}

TEST(Script, PrefersLinesWhoseTextAUserHasSaid) {
  const auto model = script(R"({"text":"other"}
{"when":"task-7","text":"seven"}
{"when":"task-7","text":"seven again"}
{"when":"task","text":"any task"})");
  EXPECT_EQ(text_of(*model, {user("do task-7 now")}), "seven");
  EXPECT_EQ(text_of(*model, {user("do task-7 now"), assistant("seven"), user("x")}), "seven again");
  EXPECT_EQ(text_of(*model, {user("do task-8 now")}), "any task");
  EXPECT_EQ(text_of(*model, {user("hello")}), "other");
  EXPECT_EQ(text_of(*model, {{Role::System, "task-7", {}, ""}, user("hello")}), "other");
}

TEST(Script, HasToolCallsFinishTokensAndErrors) {
  const auto model = script(
      R"({"tool_calls":[{"name":"bash","arguments":{"command":"ls"}}],"tokens":[5,6]}
{"text":"cut","finish":"length"}
{"error":"the provider is down"})");
  EXPECT_TRUE(model->identity().native_tools);
  auto first = model->complete(request_of({user("a")}), {});
  ASSERT_TRUE(first);
  ASSERT_EQ(first->tool_calls.size(), 1U);
  EXPECT_EQ(first->tool_calls[0].arguments["command"], "ls");
  EXPECT_EQ(first->tokens.size(), 2U);
  EXPECT_EQ(first->usage.completion_tokens, 2);
  auto second = model->complete(request_of({user("a"), assistant("")}), {});
  ASSERT_TRUE(second);
  EXPECT_EQ(second->finish, FinishReason::Length);
  EXPECT_EQ(text_of(*model, {user("a"), assistant(""), assistant("")}),
            "error: the provider is down");
}

TEST(Script, GivesCallsDifferentIdsInDifferentTurns) {
  const auto model = script(R"({"tool_calls":[{"name":"bash"}]})");
  auto first = model->complete(request_of({user("a")}), {});
  auto second = model->complete(request_of({user("a"), assistant("")}), {});
  ASSERT_TRUE(first && second);
  EXPECT_NE(first->tool_calls[0].id, second->tool_calls[0].id);
}

TEST(Script, ScoresTheReplyHighest) {
  const auto model = script(R"({"text":"B"})");
  ScoreRequest request;
  request.text = "Which?";
  request.continuations = {" A", " B", " C"};
  auto scores = model->score(request, {});
  ASSERT_TRUE(scores);
  EXPECT_GT((*scores)[1].logprob, (*scores)[0].logprob);
  EXPECT_EQ((*scores)[0].logprob, (*scores)[2].logprob);
}

TEST(Script, ScoresNothingWhenStopped) {
  std::stop_source stop;
  stop.request_stop();
  ScoreRequest request;
  request.text = "Which?";
  request.continuations = {" A"};
  auto scores = script(R"({"text":"A"})")->score(request, stop.get_token());
  ASSERT_FALSE(scores);
  EXPECT_EQ(scores.error().kind, ErrorKind::Cancelled);
}

TEST(Script, NamesLineAndFieldThatAreWrong) {
  EXPECT_EQ(script_error(""), "s.jsonl: the script has no lines");
  EXPECT_EQ(script_error("{\"text\":\"a\"}\nnonsense"),
            "s.jsonl, line 2: not valid JSON at line 1, byte 2");
  EXPECT_EQ(script_error("[]"), "s.jsonl, line 1: must be an object");
  EXPECT_EQ(script_error(R"({"txt":"a"})"), "s.jsonl, line 1: field \"txt\" is not known");
  EXPECT_EQ(script_error(R"({"text":5})"), "s.jsonl, line 1: field \"text\" must be a string");
  EXPECT_EQ(script_error(R"({"finish":"never"})"),
            "s.jsonl, line 1: field \"finish\" must be \"stop\" or \"length\"");
  EXPECT_EQ(script_error(R"({"tool_calls":[{"arguments":{}}]})"),
            "s.jsonl, line 1: tool call: field \"name\" is missing");
  EXPECT_EQ(script_error(R"({"tokens":["a"]})"),
            "s.jsonl, line 1: field \"tokens\" must hold whole numbers");
  EXPECT_EQ(ScriptedModel::load("/nowhere/s.jsonl").error().kind, ErrorKind::NotFound);
}

TEST(Script, IsIdentifiedByItsText) {
  EXPECT_EQ(script(R"({"text":"a"})")->identity().digest,
            script(R"({"text":"a"})")->identity().digest);
  EXPECT_NE(script(R"({"text":"a"})")->identity().digest,
            script(R"({"text":"b"})")->identity().digest);
}

TEST(Script, MayBeAskedByManyThreadsAtOnce) {
  const auto model = script("{\"when\":\"a\",\"text\":\"A\"}\n{\"when\":\"b\",\"text\":\"B\"}");
  std::vector<std::jthread> threads;
  std::atomic<int> right = 0;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 500; ++round) {
        if (text_of(*model, {user(i % 2 == 0 ? "a" : "b")}) == (i % 2 == 0 ? "A" : "B")) ++right;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(right, 2000);
}

}  // namespace
}  // namespace trialwright
