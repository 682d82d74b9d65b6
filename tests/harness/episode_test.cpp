#include "harness/agent/episode.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "harness/agent/fenced_protocol.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_model.h"
#include "tests/support/memory_workspace.h"

namespace trialwright {
namespace {

class IgnoringObserver final : public EpisodeObserver {
 public:
  Result<void> opened(std::span<const Message>, std::span<const ToolDefinition>) override {
    return {};
  }
  Result<void> completed(std::span<const Message>, const Completion&) override {
    ++turns;
    if (fail_at == turns) return unavailable("the disk is full");
    return {};
  }
  Result<void> observed(const Observation&) override { return {}; }

  int turns = 0;
  int fail_at = -1;
};

class EpisodeTest : public testing::Test {
 protected:
  Scaffold scaffold(ToolProtocol protocol) {
    Scaffold scaffold = *load_scaffold({});
    scaffold.protocol = protocol;
    scaffold.limits.turns_max = 4;
    return scaffold;
  }

  Trace play(FakeModel& model, const Scaffold& scaffold, std::stop_token stop = {}) {
    Episode episode({scaffold, 7, clock_.now() + std::chrono::seconds(60)}, model, clock_,
                    observer_);
    result_ = episode.attempt("Do it.", workspace_, stop);
    return episode.trace();
  }

  FakeClock clock_;
  IgnoringObserver observer_;
  std::shared_ptr<MemoryMachine> machine_ = std::make_shared<MemoryMachine>();
  MemoryWorkspace workspace_{machine_};
  Result<void> result_;
};

TEST_F(EpisodeTest, RunsCommandsUntilTheAgentSubmits) {
  machine_->command = [](const auto&, auto&) { return printed("a.txt\n"); };
  FakeModel model(
      in_turn({calling("bash", {{"command", "ls"}}), calling("submit", {{"answer", "ok"}})}));
  const Trace trace = play(model, scaffold(ToolProtocol::Native));
  EXPECT_TRUE(result_);
  EXPECT_EQ(trace.end, EpisodeEnd::Submitted);
  EXPECT_EQ(trace.answer, "ok");
  ASSERT_EQ(trace.turns.size(), 2U);
  ASSERT_EQ(trace.turns[0].observations.size(), 1U);
  EXPECT_EQ(trace.turns[0].observations[0].text, "a.txt");
  const auto requests = model.requests();
  EXPECT_EQ(requests[1].messages.back().role, Role::Tool);
  EXPECT_EQ(requests[1].messages.back().tool_call_id, "call_0");
  EXPECT_EQ(requests[1].stream, 1U);
  EXPECT_EQ(requests[1].sampling.seed, 7U);
}

TEST_F(EpisodeTest, FencedBlocksNeedNoToolsFromTheModel) {
  machine_->command = [](const auto&, auto&) { return printed("out\n"); };
  FakeModel model(in_turn({saying("```bash\nls"), saying("```submit\ndone\n```")}));
  const Trace trace = play(model, scaffold(ToolProtocol::Fenced));
  EXPECT_EQ(trace.end, EpisodeEnd::Submitted);
  EXPECT_EQ(trace.answer, "done");
  EXPECT_TRUE(model.requests()[0].tools.empty());
  EXPECT_EQ(model.requests()[1].messages.back().role, Role::User);
  EXPECT_EQ(model.requests()[1].messages.back().content,
            fenced_observation(scaffold(ToolProtocol::Fenced), "out"));
  EXPECT_EQ(trace.turns[0].observations[0].text, "out");
  EXPECT_EQ(trace.turns[0].completion.tool_calls[0].id, "call_0");
  EXPECT_EQ(trace.turns[1].completion.tool_calls[0].id, "call_1");
  EXPECT_EQ(trace.turns[0].completion.text, "```bash\nls\n```");
}

TEST_F(EpisodeTest, NudgesOnceAndThenTakesSilenceForTheEnd) {
  FakeModel model(in_turn({saying("Thinking."), saying("Still thinking.")}));
  Scaffold patient = scaffold(ToolProtocol::Native);
  patient.nudges_max = 1;
  const Trace trace = play(model, patient);
  EXPECT_EQ(trace.end, EpisodeEnd::NoToolCall);
  EXPECT_EQ(trace.turns.size(), 2U);
}

TEST_F(EpisodeTest, TellsAnAgentThatItRepeatsItselfAndThenEndsIt) {
  FakeModel model(in_turn({calling("bash", {{"command", "ls"}})}));
  const Trace trace = play(model, scaffold(ToolProtocol::Native));
  EXPECT_EQ(trace.end, EpisodeEnd::RepeatLimit);
  ASSERT_EQ(trace.turns.size(), 3U);
  EXPECT_EQ(trace.turns[0].observations.size(), 1U);
  ASSERT_EQ(trace.turns[1].observations.size(), 2U);
  EXPECT_EQ(trace.turns[1].observations[1].text, scaffold(ToolProtocol::Native).repeat_notice);
  EXPECT_EQ(trace.turns[2].observations.size(), 1U);
}

TEST_F(EpisodeTest, TheSameMistakeAgainAndAgainIsARepetitionToo) {
  FakeModel model(in_turn({saying("```edit_file a\nx\n```")}));
  const Trace trace = play(model, scaffold(ToolProtocol::Fenced));
  EXPECT_EQ(trace.end, EpisodeEnd::RepeatLimit);
  ASSERT_EQ(trace.turns.size(), 3U);
  ASSERT_EQ(trace.turns[1].observations.size(), 2U);
  EXPECT_EQ(trace.turns[1].observations[1].text, scaffold(ToolProtocol::Fenced).repeat_notice);
}

TEST_F(EpisodeTest, TheNextStepBeginsByAnsweringTheSubmitOfTheOneBefore) {
  FakeModel model(in_turn({calling("submit", Json::object())}));
  Scaffold native = scaffold(ToolProtocol::Native);
  Episode episode({native, 7, clock_.now() + std::chrono::seconds(60)}, model, clock_, observer_);
  ASSERT_TRUE(episode.attempt("Do it.", workspace_, {}));
  ASSERT_TRUE(episode.attempt("Now the rest.", workspace_, {}));
  const auto messages = model.requests()[1].messages;
  ASSERT_GE(messages.size(), 3U);
  EXPECT_EQ(messages[messages.size() - 3].role, Role::Assistant);
  EXPECT_EQ(messages[messages.size() - 2].role, Role::Tool);
  EXPECT_EQ(messages[messages.size() - 2].tool_call_id, "call_0");
  EXPECT_EQ(messages.back().content, "Now the rest.");
}

TEST_F(EpisodeTest, TheNextStepAnswersEveryCallThatTheOneBeforeLeftOpen) {
  Completion late = calling("bash", {{"command", "ls"}});
  late.finish = FinishReason::Deadline;
  Completion two = calling("submit", Json::object());
  two.tool_calls.push_back({"call_1", "bash", {{"command", "ls"}}});
  for (const auto& [first, open] : {std::pair{late, 1U}, std::pair{two, 2U}}) {
    FakeModel model(in_turn({first, calling("submit", Json::object())}));
    Scaffold native = scaffold(ToolProtocol::Native);
    Episode episode({native, 7, clock_.now() + std::chrono::seconds(60)}, model, clock_, observer_);
    ASSERT_TRUE(episode.attempt("Do it.", workspace_, {}));
    ASSERT_TRUE(episode.attempt("Now the rest.", workspace_, {}));
    const auto messages = model.requests()[1].messages;
    const auto answers = std::ranges::count(messages, Role::Tool, &Message::role);
    EXPECT_EQ(answers, open);
    EXPECT_EQ(messages.back().content, "Now the rest.");
  }
  EXPECT_TRUE(machine_->commands_run.empty());
}

TEST_F(EpisodeTest, AnEmptyReplyThatCameTooLateIsNotSentAgain) {
  Completion late = saying("");
  late.finish = FinishReason::Deadline;
  FakeModel model(in_turn({late, calling("submit", Json::object())}));
  Scaffold native = scaffold(ToolProtocol::Native);
  Episode episode({native, 7, clock_.now() + std::chrono::seconds(60)}, model, clock_, observer_);
  ASSERT_TRUE(episode.attempt("Do it.", workspace_, {}));
  ASSERT_TRUE(episode.attempt("Now the rest.", workspace_, {}));
  EXPECT_EQ(std::ranges::count(model.requests()[1].messages, Role::Assistant, &Message::role), 0);
}

TEST_F(EpisodeTest, TheSameCommandWithANewResultIsNoRepetition) {
  int calls = 0;
  machine_->command = [&](const auto&, auto&) { return printed(std::to_string(++calls)); };
  FakeModel model(in_turn({calling("bash", {{"command", "date"}})}));
  EXPECT_EQ(play(model, scaffold(ToolProtocol::Native)).end, EpisodeEnd::TurnLimit);
}

TEST_F(EpisodeTest, SubmitWrittenAsACommandSubmits) {
  FakeModel model(in_turn({saying("```bash\nsubmit\n```")}));
  EXPECT_EQ(play(model, scaffold(ToolProtocol::Fenced)).end, EpisodeEnd::Submitted);
}

TEST_F(EpisodeTest, StopsAtTheTurnLimit) {
  int calls = 0;
  machine_->command = [&](const auto&, auto&) { return printed(std::to_string(++calls)); };
  FakeModel model(in_turn({calling("bash", {{"command", "ls"}})}));
  const Trace trace = play(model, scaffold(ToolProtocol::Native));
  EXPECT_EQ(trace.end, EpisodeEnd::TurnLimit);
  EXPECT_EQ(trace.turns.size(), 4U);
}

TEST_F(EpisodeTest, StopsAtTheTokenLimit) {
  int calls = 0;
  machine_->command = [&](const auto&, auto&) { return printed(std::to_string(++calls)); };
  FakeModel model(in_turn({calling("bash", {{"command", "ls"}})}));
  Scaffold small = scaffold(ToolProtocol::Native);
  small.limits.tokens_max = 5;
  const Trace trace = play(model, small);
  EXPECT_EQ(trace.end, EpisodeEnd::TokenLimit);
  EXPECT_EQ(model.requests()[1].tokens_max, 2);
}

TEST_F(EpisodeTest, StopsAtTheDeadline) {
  machine_->command = [this](const auto&, auto&) {
    clock_.advance(std::chrono::seconds(61));
    return printed("");
  };
  FakeModel model(in_turn({calling("bash", {{"command", "sleep 61"}})}));
  EXPECT_EQ(play(model, scaffold(ToolProtocol::Native)).end, EpisodeEnd::TimeLimit);
}

TEST_F(EpisodeTest, AsksAModelOnlyOnceThatSaysTheDeadlineHasPassed) {
  // The model's clock is ahead of the episode's.
  Completion late = saying("");
  late.finish = FinishReason::Deadline;
  FakeModel model(in_turn({late}));
  const Trace trace = play(model, scaffold(ToolProtocol::Native));
  EXPECT_TRUE(result_);
  EXPECT_EQ(trace.end, EpisodeEnd::TimeLimit);
  EXPECT_EQ(model.requests().size(), 1U);
}

TEST_F(EpisodeTest, AProviderThatIsGoneLaterIsAnErrorAndNoLimit) {
  int calls = 0;
  FakeModel model([&](const CompletionRequest&) -> Result<Completion> {
    if (++calls > 1) return unavailable("status 401: the key was revoked");
    return calling("bash", {{"command", "ls"}});
  });
  const Trace trace = play(model, scaffold(ToolProtocol::Native));
  EXPECT_FALSE(result_);
  EXPECT_EQ(trace.end, EpisodeEnd::Error);
}

TEST_F(EpisodeTest, AConversationThatOutgrowsTheContextIsALimitAndNoError) {
  int calls = 0;
  FakeModel model([&](const CompletionRequest&) -> Result<Completion> {
    if (++calls > 1) return invalid("the prompt has 9000 tokens, the context 8192");
    return calling("bash", {{"command", "ls"}});
  });
  const Trace trace = play(model, scaffold(ToolProtocol::Native));
  EXPECT_TRUE(result_);
  EXPECT_EQ(trace.end, EpisodeEnd::ContextFull);
}

TEST_F(EpisodeTest, AModelThatFailsAtOnceIsAnError) {
  FakeModel model([](const CompletionRequest&) -> Result<Completion> {
    return unavailable("connection refused");
  });
  const Trace trace = play(model, scaffold(ToolProtocol::Native));
  EXPECT_FALSE(result_);
  EXPECT_EQ(trace.end, EpisodeEnd::Error);
}

TEST_F(EpisodeTest, WhatCannotBeRecordedEndsTheEpisode) {
  observer_.fail_at = 2;
  FakeModel model(in_turn({calling("bash", {{"command", "ls"}})}));
  play(model, scaffold(ToolProtocol::Native));
  ASSERT_FALSE(result_);
  EXPECT_EQ(result_.error().message, "the disk is full");
}

TEST_F(EpisodeTest, MalformedCallsComeBackAsObservations) {
  Completion malformed = saying("");
  malformed.tool_call_errors = {"the JSON ends too early"};
  FakeModel model(in_turn({malformed, calling("submit", Json::object())}));
  const Trace trace = play(model, scaffold(ToolProtocol::Native));
  ASSERT_EQ(trace.turns[0].observations.size(), 1U);
  EXPECT_EQ(trace.turns[0].observations[0].text, "the JSON ends too early");
  EXPECT_TRUE(trace.turns[0].observations[0].is_error);
}

}  // namespace
}  // namespace trialwright
