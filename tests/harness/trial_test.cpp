#include "harness/run/trial.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>

#include "harness/run/question_trial.h"
#include "harness/run/reference.h"
#include "harness/run/trial_outcome.h"
#include "results/run_reader.h"
#include "tests/harness/run_fixture.h"
#include "tests/support/fake_clock.h"

namespace trialwright {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

class TrialTest : public RunTest {
 protected:
  /// Makes the first task's trial to its end.
  TrialOutcome make_one(FakeModel& model) {
    tasks_.resize(1);
    auto store = new_store(&model);
    EXPECT_TRUE(store) << (store ? "" : store.error().message);
    Collector collector;
    auto made = make(*store, &model, collector);
    EXPECT_TRUE(made) << (made ? "" : made.error().message);
    EXPECT_TRUE(store->finish(RunStatus::Finished));
    return collector.outcomes[tasks_.front().id + "@1"];
  }
  Trace recorded_trace() {
    auto reader = RunReader::open(path());
    auto trace = reader->trace(reader->trials()->front().trial.id);
    EXPECT_TRUE(trace) << (trace ? "" : trace.error().message);
    return trace ? *trace : Trace{};
  }
  static Task task_of_two_steps() {
    Task task = workspace_task("s/steps");
    auto& steps = std::get<WorkspaceTask>(task.content).steps;
    steps.push_back(steps.front());
    steps.front().agent_timeout = seconds(10);
    return task;
  }
  /// Submits in the turns that are named, otherwise acts; each turn takes six seconds.
  FakeModel::Answer slow(std::set<int> submits, FakeClock& clock) {
    return [this, submits, &clock](const CompletionRequest&) -> Result<Completion> {
      clock.advance(seconds(6));
      return submits.count(++turn_) > 0
                 ? calling("submit", Json::object())
                 : calling("bash", {{"command", "touch " + std::to_string(turn_)}});
    };
  }

  int turn_ = 0;
};

TEST_F(TrialTest, AModelThatCannotScoreIsAskedForTheLetter) {
  tasks_ = {question("s/choice", ChoiceAnswer{{"7", "42", "71"}, 1})};
  FakeModel model([](const auto&) -> Result<Completion> { return saying("(B) is right"); });
  model.refuse_to_score();
  EXPECT_EQ(make_one(model).verdict, Verdict::Passed);
  ASSERT_EQ(model.requests().size(), 1U);
  EXPECT_THAT(model.requests().front().messages.back().content,
              HasSubstr("B. 42\nC. 71\n\nAnswer with the letter"));
  EXPECT_EQ(recorded_trace().turns.size(), 1U);
}

TEST_F(TrialTest, AModelThatScoresIsNotAskedForTheLetter) {
  tasks_ = {question("s/choice", ChoiceAnswer{{"42", "7"}, 0})};
  FakeModel model(solver());
  EXPECT_EQ(make_one(model).verdict, Verdict::Passed);
  EXPECT_TRUE(model.requests().empty());
}

TEST(NamedChoice, IsReadFromAReplyThatNamesOneLetter) {
  const ChoiceAnswer choice{{"7", "42", "71"}, 1};
  for (const char* right : {"B", "b", " **B**\n", "(B)", "B.", "B. 42", "`b`: 42", "\"B\""}) {
    EXPECT_EQ(grade_named_choice(choice, right).score, 1) << right;
  }
  for (const char* wrong : {"", "A", "C", "42", "Because", "B or C", "I choose B", "\xff"}) {
    EXPECT_EQ(grade_named_choice(choice, wrong).score, 0) << wrong;
  }
  EXPECT_EQ(grade_named_choice(choice, "C.").explanation, "chose C, right is B");
  EXPECT_EQ(grade_named_choice(choice, "Z").explanation, "no choice was made");
}

TEST_F(TrialTest, ATreeThatCannotBeGradedIsTheAgentsFailure) {
  sandbox_ = MemorySandbox([](const auto& argv, auto& files) {
    if (joined(argv, " ").find("touch") != std::string::npos) files[kUnfit] = "";
    return act(argv, files);
  });
  FakeModel model(solver());
  const TrialOutcome outcome = make_one(model);
  EXPECT_EQ(outcome.verdict, Verdict::Failed);
  EXPECT_EQ(outcome.reason, "no machine can be made of this");
}

TEST_F(TrialTest, ATreeThatCannotBeGradedIsTheTasksFaultIfTheReferenceMadeIt) {
  spec_.agent = AgentKind::Reference;
  tasks_ = {workspace_task("s/one")};
  int solved = 0;
  sandbox_ = MemorySandbox([&](const auto& argv, auto& files) {
    if (joined(argv, " ").find("solve") != std::string::npos && ++solved > 0) files[kUnfit] = "";
    return act(argv, files);
  });
  auto store = new_store();
  ASSERT_TRUE(store);
  Collector collector;
  ASSERT_TRUE(make(*store, nullptr, collector));
  EXPECT_EQ(solved, 1);
  EXPECT_EQ(collector.outcomes["s/one@1"].verdict, Verdict::GraderError);
}

TEST_F(TrialTest, HowTheAgentEndedIsKeptWhereTheGraderFailed) {
  sandbox_ = MemorySandbox([](const auto&, auto&) { return printed("pytest: not found", 127); });
  FakeModel model(solver());
  EXPECT_EQ(make_one(model).verdict, Verdict::GraderError);
  EXPECT_EQ(recorded_trace().end, EpisodeEnd::Submitted);
}

TEST_F(TrialTest, HowTheAgentEndedIsKeptWhereTheMachineFailed) {
  for (const Task& task : {workspace_task("s/one"), question("s/qa", NumericAnswer{42, 0})}) {
    std::filesystem::remove(path());
    tasks_ = {task};
    FakeModel model([](const auto&) -> Result<Completion> { return unavailable("no route"); });
    EXPECT_EQ(make_one(model).verdict, Verdict::Infra);
    EXPECT_EQ(recorded_trace().end, EpisodeEnd::Error);
    EXPECT_THAT(recorded_trace().error, HasSubstr("no route"));
  }
}

TEST_F(TrialTest, TheTimeOfATrialHoldsForAllItsStepsTogether) {
  FakeClock clock;
  trial_clock_ = &clock;
  spec_.trial_timeout = seconds(10);
  tasks_ = {task_of_two_steps()};
  FakeModel model(slow({1}, clock));
  EXPECT_EQ(make_one(model).turns, 2);
  EXPECT_EQ(recorded_trace().end, EpisodeEnd::TimeLimit);
}

TEST_F(TrialTest, AStepThatRanOutOfItsOwnTimeDoesNotEndTheTrial) {
  FakeClock clock;
  trial_clock_ = &clock;
  tasks_ = {task_of_two_steps()};
  FakeModel model(slow({3}, clock));
  EXPECT_EQ(make_one(model).verdict, Verdict::Passed);
  EXPECT_EQ(recorded_trace().end, EpisodeEnd::Submitted);
}

TEST_F(TrialTest, WhatTheLimitsOfTheMachineCaughtIsRecorded) {
  sandbox_.set_usage({{"oom_kills", 2}, {"pids_refused", 0}, {"memory_peak_bytes", 12345}});
  FakeModel model(solver());
  make_one(model);
  auto reader = RunReader::open(path());
  const auto events = reader->events(reader->trials()->front().trial.id);
  ASSERT_TRUE(events);
  const auto noted =
      std::ranges::find_if(*events, [](const StoredEvent& event) { return event.kind == "note"; });
  ASSERT_NE(noted, events->end());
  EXPECT_EQ(noted->text, "limits of the machine were met");
  // Without numbers, which differ from run to run.
  EXPECT_EQ(noted->detail, (Json{{"memory", true}, {"processes", false}}));
}

TEST(TrialOutcome, HasASignatureOfWholeCharacters) {
  const TrialResult result = without_grade(Verdict::Infra, std::string(119, 'x') + "é and more");
  EXPECT_EQ(result.outcome.signature, "infra: " + std::string(119, 'x'));
}

TEST(TrialOutcome, HasOneSignatureForOneCauseWithOtherNumbersAndPaths) {
  const auto signature = [](const std::string& reason) {
    return without_grade(Verdict::Infra, reason).outcome.signature;
  };
  EXPECT_EQ(signature("/app/count.sh is missing, 12 of 3 wanted"),
            "infra: /… is missing, # of # wanted");
  EXPECT_EQ(signature("found '/a/b 1', not /"), "infra: found '/… #', not /…");
  EXPECT_EQ(signature("and/or"), "infra: and/or");
}

TEST(Reference, StagesAFolderWithoutFollowingItsLinks) {
  auto folder = TemporaryFolder::make();
  ASSERT_TRUE(folder);
  ASSERT_TRUE(write_file_atomically(folder->path() / "sub/solve.sh", "echo done"));
  std::filesystem::create_symlink("loop", folder->path() / "loop");
  std::filesystem::create_symlink("/etc/passwd", folder->path() / "out");
  auto machine = std::make_shared<MemoryMachine>();
  MemoryWorkspace workspace(machine);
  ASSERT_TRUE(stage_solution(folder->path(), workspace, {}));
  EXPECT_THAT(machine->files,
              testing::ElementsAre(testing::Pair("/solution/sub/solve.sh", "echo done")));
  EXPECT_THAT(machine->commands_run, testing::Contains(std::vector<std::string>{
                                         "ln", "-sfn", "--", "/etc/passwd", "/solution/out"}));
}

TEST(Reference, SaysWhichFolderItCouldNotStage) {
  MemoryWorkspace workspace(std::make_shared<MemoryMachine>());
  const auto staged = stage_solution("/nowhere/solution", workspace, {});
  ASSERT_FALSE(staged);
  EXPECT_THAT(staged.error().message, HasSubstr("/nowhere/solution: No such file"));
}

}  // namespace
}  // namespace trialwright
