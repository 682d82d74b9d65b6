#include "harness/run/replay.h"
#include "harness/run/stored_answers.h"
#include "harness/run/validation.h"
#include "results/run_reader.h"
#include "tests/harness/run_fixture.h"

namespace trialwright {
namespace {

TEST_F(RunTest, TheReferenceScoresOneAndDoingNothingZero) {
  for (const AgentKind agent : {AgentKind::Reference, AgentKind::Nothing}) {
    spec_.agent = agent;
    std::filesystem::remove(path());
    auto store = new_store();
    ASSERT_TRUE(store) << store.error().message;
    Collector collector;
    auto made = make(*store, nullptr, collector);
    ASSERT_TRUE(made) << made.error().message;
    ASSERT_EQ(collector.outcomes.size(), 4U);
    for (const auto& [trial, outcome] : collector.outcomes) {
      EXPECT_EQ(outcome.verdict, agent == AgentKind::Reference ? Verdict::Passed : Verdict::Failed)
          << trial << ": " << outcome.reason;
    }
    ASSERT_TRUE(store->finish(made->status));
  }
}

/// As `act`, but tests give no verdict where there is a file /app/trap, and `touch` makes one.
Result<CommandResult> act_with_trap(const std::vector<std::string>& argv,
                                    std::map<std::string, std::string>& files) {
  const std::string line = joined(argv, " ");
  if (line.find("touch") != std::string::npos) files["/app/trap"] = "";
  if (line.find("check") != std::string::npos && files.count("/app/trap") > 0) {
    CommandResult hung;
    hung.end = CommandEnd::TimedOut;
    return hung;
  }
  return act(argv, files);
}

TEST_F(RunTest, TestsThatHangOnWhatTheAgentLeftAreItsFailure) {
  tasks_ = {workspace_task("s/one")};
  sandbox_ = MemorySandbox(act_with_trap);
  FakeModel model(solver());
  auto store = new_store(&model);
  ASSERT_TRUE(store);
  Collector collector;
  ASSERT_TRUE(make(*store, &model, collector));
  const TrialOutcome& outcome = collector.outcomes["s/one@1"];
  EXPECT_EQ(outcome.verdict, Verdict::Failed);
  EXPECT_EQ(outcome.reward, 0.0);
  EXPECT_EQ(outcome.reason,
            "the tests ran out of their 120 s; on the untouched task they do give a verdict");
}

TEST_F(RunTest, TestsThatNeverGiveAVerdictAreNobodysFailure) {
  tasks_ = {workspace_task("s/one")};
  sandbox_ = MemorySandbox([](const auto&, auto&) { return printed("pytest: not found", 127); });
  FakeModel model(solver());
  auto store = new_store(&model);
  ASSERT_TRUE(store);
  Collector collector;
  ASSERT_TRUE(make(*store, &model, collector));
  EXPECT_EQ(collector.outcomes["s/one@1"].verdict, Verdict::GraderError);
}

TEST_F(RunTest, AVerdictThatTheAgentWroteIsTamperingUnlessTheTaskSpeaksOfIt) {
  tasks_ = {workspace_task("s/one"), workspace_task("s/meta")};
  std::get<WorkspaceTask>(tasks_[1].content).steps[0].instruction =
      "Mend the script that writes /logs/verifier/reward.txt.";
  sandbox_ = MemorySandbox([](const auto& argv, auto& files) {
    if (joined(argv, " ").find("touch") != std::string::npos) {
      files["/logs/verifier/reward.txt"] = "1";
    }
    return act(argv, files);
  });
  FakeModel model(solver());
  auto store = new_store(&model);
  ASSERT_TRUE(store);
  Collector collector;
  ASSERT_TRUE(make(*store, &model, collector));
  EXPECT_EQ(collector.outcomes["s/one@1"].verdict, Verdict::Invalid);
  EXPECT_EQ(collector.outcomes["s/one@1"].reason,
            "tampering: /logs/verifier/reward.txt was written before the tests ran");
  EXPECT_FALSE(collector.outcomes["s/one@1"].reward);
  EXPECT_EQ(collector.outcomes["s/meta@1"].verdict, Verdict::Passed);
}

TEST_F(RunTest, AModelsTrialsAreRecordedWithTraceAndGrades) {
  FakeModel model(solver());
  auto store = new_store(&model);
  ASSERT_TRUE(store);
  Collector collector;
  auto made = make(*store, &model, collector, 2);
  ASSERT_TRUE(made);
  EXPECT_EQ(made->verdicts[Verdict::Passed], 4);
  ASSERT_TRUE(store->finish(made->status));

  auto reader = RunReader::open(path());
  ASSERT_TRUE(reader);
  auto trials = reader->trials();
  ASSERT_TRUE(trials);
  auto trace = reader->trace(trials->front().trial.id);
  ASSERT_TRUE(trace);
  EXPECT_EQ(trace->turns.size(), 2U);
  EXPECT_EQ(trace->end, EpisodeEnd::Submitted);
  auto grades = reader->grades(trials->front().trial.id);
  ASSERT_TRUE(grades);
  ASSERT_EQ(grades->size(), 1U);
  EXPECT_EQ(grades->front().grade.score, 1);
  auto verified = reader->verify();
  ASSERT_TRUE(verified);
  EXPECT_TRUE(verified->problems.empty());
}

TEST_F(RunTest, AStoppedRunIsResumedWithTheSameTrialsAndRewards) {
  FakeModel model(solver());
  std::stop_source source;
  {
    auto store = new_store(&model);
    ASSERT_TRUE(store);
    Collector collector;
    collector.stop_at = 3;
    collector.source = &source;
    auto made = make(*store, &model, collector, 1, {}, source.get_token());
    ASSERT_TRUE(made);
    EXPECT_EQ(made->status, RunStatus::Interrupted);
    EXPECT_EQ(collector.outcomes.size(), 2U);
    ASSERT_TRUE(store->finish(made->status));
  }
  auto store = RunStore::open_for_resume(path(), clock_);
  ASSERT_TRUE(store);
  EXPECT_EQ(store->pending().size(), 2U);
  Collector collector;
  auto made = make(*store, &model, collector);
  ASSERT_TRUE(made);
  EXPECT_EQ(made->status, RunStatus::Finished);
  ASSERT_TRUE(store->finish(made->status));
  auto reader = RunReader::open(path());
  ASSERT_TRUE(reader);
  auto trials = reader->trials();
  ASSERT_TRUE(trials);
  ASSERT_EQ(trials->size(), 4U);
  for (const TrialSummary& trial : *trials) {
    ASSERT_TRUE(trial.outcome);
    EXPECT_EQ(trial.outcome->reward, 1.0);
  }
}

TEST_F(RunTest, ABrokenModelIsInfraAndNeverAScore) {
  FakeModel model([](const CompletionRequest&) -> Result<Completion> {
    return unavailable("connection refused");
  });
  auto store = new_store(&model);
  ASSERT_TRUE(store);
  Collector collector;
  auto made = make(*store, &model, collector);
  ASSERT_TRUE(made);
  EXPECT_EQ(made->verdicts[Verdict::Infra], 4);
  for (const auto& [trial, outcome] : collector.outcomes) EXPECT_FALSE(outcome.reward) << trial;
}

TEST_F(RunTest, TheTokenBudgetStopsTheRun) {
  FakeModel model(solver());
  auto store = new_store(&model);
  ASSERT_TRUE(store);
  Collector collector;
  auto made = make(*store, &model, collector, 1, {.tokens_max = 5, .time_max = {}});
  ASSERT_TRUE(made);
  EXPECT_EQ(made->status, RunStatus::BudgetStop);
  EXPECT_EQ(collector.outcomes.size(), 1U);
}

TEST_F(RunTest, AnEndpointThatChangesItsModelIsNoted) {
  int calls = 0;
  FakeModel model([&](const CompletionRequest& request) -> Result<Completion> {
    auto completion = solver()(request);
    completion->served_model = ++calls < 3 ? "model-a" : "model-b";
    return completion;
  });
  auto store = new_store(&model);
  ASSERT_TRUE(store);
  Collector collector;
  ASSERT_TRUE(make(*store, &model, collector));
  ASSERT_TRUE(store->finish(RunStatus::Finished));
  auto reader = RunReader::open(path());
  ASSERT_TRUE(reader);
  auto changes = reader->served_model_changes();
  ASSERT_TRUE(changes);
  ASSERT_EQ(changes->size(), 1U);
  EXPECT_EQ(changes->front().first, "model-a");
  EXPECT_EQ(changes->front().now, "model-b");
  EXPECT_EQ(changes->front().task, "s/two");
}

TEST_F(RunTest, AModelThatChangedBetweenTwoSessionsIsNotedToo) {
  FakeModel model([&](const CompletionRequest& request) -> Result<Completion> {
    auto completion = solver()(request);
    completion->served_model = "model-b";
    return completion;
  });
  auto store = new_store(&model);
  ASSERT_TRUE(store);
  ServedModelWatch served("model-a");
  const TrialContext context{spec_, &model, &sandbox_, clock_, served};
  Collector collector;
  auto matched = match_tasks(store->pending(), tasks_);
  ASSERT_TRUE(matched);
  ASSERT_TRUE(make_trials(*store, *matched, context, {}, 1, collector, {}));
  ASSERT_TRUE(store->finish(RunStatus::Finished));
  auto changes = RunReader::open(path())->served_model_changes();
  ASSERT_TRUE(changes);
  ASSERT_EQ(changes->size(), 1U);
  EXPECT_EQ(changes->front().trials, 4);
}

TEST_F(RunTest, AReplayFindsTheFirstTokenThatDiffers) {
  FakeModel model(solver());
  auto store = new_store(&model);
  ASSERT_TRUE(store);
  Collector collector;
  auto made = make(*store, &model, collector);
  ASSERT_TRUE(made);
  ASSERT_TRUE(store->finish(made->status));
  auto reader = RunReader::open(path());
  ASSERT_TRUE(reader);
  const std::string id = reader->trials()->front().trial.id;

  auto same = replay_trial(*reader, id, model, {}, {});
  ASSERT_TRUE(same) << same.error().message;
  EXPECT_TRUE(same->same);
  EXPECT_EQ(same->turns, 2);
  EXPECT_EQ(same->tokens, 6);

  int calls = 0;
  FakeModel other([&](const CompletionRequest& request) -> Result<Completion> {
    auto completion = solver()(request);
    if (++calls == 2) completion->tokens[1].chosen.id = 99;
    return completion;
  });
  auto different = replay_trial(*reader, id, other, {}, {});
  ASSERT_TRUE(different);
  EXPECT_FALSE(different->same);
  EXPECT_EQ(different->turn, 1);
  EXPECT_EQ(different->position, 1);
  EXPECT_EQ(different->recorded_token, 2);
  EXPECT_EQ(different->replayed_token, 99);
}

TEST_F(RunTest, AReplayGuessesFromItsOwnTraceOnlyWhereAskedTo) {
  FakeModel model(solver());
  auto store = new_store(&model);
  ASSERT_TRUE(store);
  Collector collector;
  auto made = make(*store, &model, collector);
  ASSERT_TRUE(made);
  ASSERT_TRUE(store->finish(made->status));
  auto reader = RunReader::open(path());
  ASSERT_TRUE(reader);
  const std::string id = reader->trials()->front().trial.id;

  FakeModel without(solver());
  ASSERT_TRUE(replay_trial(*reader, id, without, {}, {}));
  EXPECT_TRUE(without.expected_answers().empty());
  for (const CompletionRequest& request : without.requests()) {
    EXPECT_EQ(request.draft_key, "");
  }

  FakeModel with(solver());
  auto report = replay_trial(*reader, id, with, {.guess_from_trace = true}, {});
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_TRUE(report->same);
  const auto expected = with.expected_answers();
  ASSERT_EQ(expected.size(), 1U);
  const auto& [key, answers] = *expected.begin();
  EXPECT_EQ(answers, (std::vector<std::vector<std::int32_t>>{{1, 2, 3}, {1, 2, 3}}));
  ASSERT_EQ(with.requests().size(), 2U);
  for (const CompletionRequest& request : with.requests()) {
    EXPECT_EQ(request.draft_key, key);
  }
}

TEST_F(RunTest, TrialsOfATaskShareADraftKeyAndNoOthersDo) {
  spec_.epochs = 2;
  FakeModel model(solver());
  auto store = new_store(&model);
  ASSERT_TRUE(store);
  Collector collector;
  ASSERT_TRUE(make(*store, &model, collector));
  std::map<std::string, int> requests;
  for (const CompletionRequest& request : model.requests()) {
    ++requests[request.draft_key];
  }
  std::map<std::string, int> expected;
  for (const Task& task : tasks_) {
    // Two epochs: of two turns each for the others, of one for the question.
    expected[draft_key(task.digest)] = std::holds_alternative<QaTask>(task.content) ? 2 : 4;
  }
  EXPECT_EQ(requests, expected);
}

TEST_F(RunTest, StoredAnswersAreTheTokensOfEveryTurn) {
  int said = 0;
  FakeModel model([&](const CompletionRequest& request) -> Result<Completion> {
    auto completion = solver()(request);
    completion->tokens.resize(1);
    completion->tokens[0].chosen.id = ++said;
    if (said == 4) completion->tokens.clear();
    return completion;
  });
  auto store = new_store(&model);
  ASSERT_TRUE(store);
  auto planned = RunReader::open(path());
  ASSERT_TRUE(planned);
  // Nothing is stored before a trial ends.
  auto none = stored_answers_to(*planned, tasks_[0].digest);
  ASSERT_TRUE(none) << none.error().message;
  EXPECT_TRUE(none->empty());

  Collector collector;
  ASSERT_TRUE(make(*store, &model, collector));
  auto reader = RunReader::open(path());
  ASSERT_TRUE(reader);
  using Answers = std::vector<std::vector<std::int32_t>>;
  auto first = stored_answers(*reader, reader->trials()->front().trial.id);
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(*first, (Answers{{1}, {2}}));
  EXPECT_EQ(*stored_answers_to(*reader, tasks_[0].digest), (Answers{{1}, {2}}));
  EXPECT_EQ(*stored_answers_to(*reader, tasks_[1].digest), (Answers{{3}}));
  EXPECT_EQ(*stored_answers_to(*reader, sha256("another")), Answers{});
  EXPECT_FALSE(stored_answers(*reader, "none"));
}

TEST_F(RunTest, ChangedTasksAreRefusedOnResume) {
  auto store = new_store();
  ASSERT_TRUE(store);
  tasks_[0].digest = sha256("changed");
  auto matched = match_tasks(store->pending(), tasks_);
  ASSERT_FALSE(matched);
  EXPECT_EQ(matched.error().message, "task \"s/one\" has changed since the run was planned");
}

TEST_F(RunTest, TrialsThatWouldBeOthersTodayAreRefusedOnResume) {
  FakeModel model(solver());
  auto store = new_store(&model);
  ASSERT_TRUE(store);
  auto matched = match_tasks(store->pending(), tasks_);
  ASSERT_TRUE(matched);
  const std::string digest = model.identity().digest;
  EXPECT_TRUE(check_identities(store->pending(), *matched, spec_, digest));
  EXPECT_FALSE(check_identities(store->pending(), *matched, spec_, "another model"));
  RunSpec reworded = spec_;
  reworded.scaffold.fenced_observation = "It says {{result}}.";
  auto refused = check_identities(store->pending(), *matched, reworded, digest);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("would be another one today"), std::string::npos);
}

TEST_F(RunTest, ValidationTellsEachBreach) {
  Task given_away = workspace_task("s/given-away");
  std::get<WorkspaceTask>(given_away.content).steps[0].test_command = "touch check";
  Task unsolved = workspace_task("s/unsolved");
  std::get<WorkspaceTask>(unsolved.content).steps[0].solution_command = "wrong";
  Task elsewhere = workspace_task("s/elsewhere");
  std::get<WorkspaceTask>(elsewhere.content).unsupported = "it grades with a model";
  const std::vector<Task> tasks = {workspace_task("s/good"),
                                   given_away,
                                   unsolved,
                                   elsewhere,
                                   question("s/rule", RegexAnswer{"[0-9]+"}),
                                   question("s/proved", RegexAnswer{"[0-9]+", "7"}),
                                   question("s/unproved", RegexAnswer{"[0-9]+", "seven"})};
  MemorySandbox sandbox([](const auto& argv, auto& files) {
    if (joined(argv, " ").find("touch") != std::string::npos) files["/app/done"] = "";
    return act(argv, files);
  });
  Collector collector;
  auto rows = validate_tasks(tasks, &sandbox, clock_, 2, 2, collector, {});
  ASSERT_TRUE(rows) << rows.error().message;
  EXPECT_EQ((*rows)[0].status, ValidationStatus::Valid);
  EXPECT_EQ((*rows)[1].status, ValidationStatus::NothingPasses);
  EXPECT_EQ((*rows)[2].status, ValidationStatus::OracleFails);
  EXPECT_EQ((*rows)[3].status, ValidationStatus::Unsupported);
  EXPECT_EQ((*rows)[4].status, ValidationStatus::NoReference);
  EXPECT_EQ((*rows)[5].status, ValidationStatus::Valid);
  EXPECT_EQ((*rows)[6].status, ValidationStatus::OracleFails);
}

TEST_F(RunTest, AWorkspaceTaskWithoutAReferenceIsSkippedNotBroken) {
  Task task = workspace_task("s/unsolved");
  std::get<WorkspaceTask>(task.content).steps[0].solution_command.clear();
  Collector collector;
  const std::vector<Task> tasks = {task};
  auto rows = validate_tasks(tasks, &sandbox_, clock_, 1, 1, collector, {});
  ASSERT_TRUE(rows) << rows.error().message;
  EXPECT_EQ((*rows)[0].status, ValidationStatus::NoReference);
  EXPECT_FALSE(is_breach((*rows)[0].status));

  spec_.agent = AgentKind::Reference;
  tasks_ = tasks;
  auto store = new_store();
  ASSERT_TRUE(store);
  ASSERT_TRUE(make(*store, nullptr, collector));
  EXPECT_EQ(collector.outcomes["s/unsolved@1"].verdict, Verdict::Skipped);
}

TEST(TrialId, DependsOnWhatDecidesTheTrialAlone) {
  RunSpec spec;
  spec.scaffold = *load_scaffold({});
  spec.scaffold.protocol = ToolProtocol::Native;
  const Task task = workspace_task("s/one");
  const std::string id = trial_id(spec, task, "model", 1);
  RunSpec moved = spec;
  moved.suite = "/another/path";
  moved.scaffold.name = "renamed";
  EXPECT_EQ(trial_id(moved, task, "model", 1), id);
  EXPECT_NE(trial_id(spec, task, "model", 2), id);
  EXPECT_NE(trial_id(spec, task, "other", 1), id);
  RunSpec warmer = spec;
  warmer.scaffold.sampling.temperature += 0.1;
  EXPECT_NE(trial_id(warmer, task, "model", 1), id);
  RunSpec seeded = spec;
  seeded.seed = 5;
  EXPECT_NE(trial_id(seeded, task, "model", 1), id);
  RunSpec timed = spec;
  timed.trial_timeout = task.limits.agent_timeout;
  EXPECT_NE(trial_id(timed, task, "model", 1), id) << "steps lose the timeouts of their own";
  RunSpec narrower = spec;
  narrower.context_tokens_max = 1024;
  EXPECT_NE(trial_id(narrower, task, "model", 1), id) << "a smaller context ends episodes early";
}

TEST(RunSpec, SurvivesBeingWrittenAndRead) {
  RunSpec spec;
  spec.suite = "starter";
  spec.model = "m";
  spec.scaffold = *load_scaffold({});
  spec.scaffold.protocol = ToolProtocol::Fenced;
  spec.scaffold.sampling.temperature = 0.7;
  spec.scaffold.limits.turns_max = 3;
  spec.seed = std::uint64_t{1} << 62U;
  spec.trial_timeout = std::chrono::seconds(9);
  spec.context_tokens_max = 1024;
  auto read = spec_from_json(spec_to_json(spec));
  ASSERT_TRUE(read);
  EXPECT_EQ(spec_to_json(*read), spec_to_json(spec));
  EXPECT_EQ(scaffold_digest(read->scaffold), scaffold_digest(spec.scaffold));
}

}  // namespace
}  // namespace trialwright
