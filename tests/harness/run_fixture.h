#pragma once

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/text.h"
#include "harness/run/plan.h"
#include "harness/run/run.h"
#include "tests/support/fake_model.h"
#include "tests/support/memory_workspace.h"

namespace trialwright {

inline Task workspace_task(const std::string& id) {
  Task task;
  task.id = id;
  task.tags = {"files"};
  WorkspaceTask content;
  content.steps.push_back({});
  content.steps[0].instruction = "Make /app/done.";
  content.steps[0].test_command = "check";
  content.steps[0].solution_command = "solve";
  task.content = content;
  task.digest = sha256(id);
  return task;
}

inline Task question(const std::string& id, Answer answer) {
  Task task;
  task.id = id;
  task.content = QaTask{"What is 6 x 7?", std::move(answer), 16};
  task.digest = sha256(id);
  return task;
}

/// `solve` and `touch` do the task; `check` writes the reward that it deserves.
inline Result<CommandResult> act(const std::vector<std::string>& argv,
                                 std::map<std::string, std::string>& files) {
  const std::string line = joined(argv, " ");
  if (line.find("check") != std::string::npos) {
    files["/logs/verifier/reward.txt"] = files.count("/app/done") > 0 ? "1" : "0";
  } else if (line.find("solve") != std::string::npos || line.find("touch") != std::string::npos) {
    files["/app/done"] = "";
  }
  return printed("");
}

class Collector final : public RunObserver {
 public:
  void trial_started(const PlannedTrial&) override {
    if (++started == stop_at && source != nullptr) source->request_stop();
  }
  void turn_ended(const PlannedTrial&, int) override {}
  void trial_ended(const PlannedTrial& trial, const TrialOutcome& outcome) override {
    outcomes[trial.task + "@" + std::to_string(trial.epoch)] = outcome;
  }
  void tick() override {}

  std::map<std::string, TrialOutcome> outcomes;
  int started = 0;
  int stop_at = -1;
  std::stop_source* source = nullptr;
};

class RunTest : public testing::Test {
 protected:
  void SetUp() override {
    auto folder = TemporaryFolder::make();
    ASSERT_TRUE(folder);
    folder_.emplace(*std::move(folder));
    spec_.scaffold = *load_scaffold({});
    spec_.scaffold.protocol = ToolProtocol::Native;
    tasks_ = {workspace_task("s/one"), workspace_task("s/two"), workspace_task("s/three"),
              question("s/qa", NumericAnswer{42, 0})};
  }

  [[nodiscard]] std::filesystem::path path() const { return folder_->path() / "run.db"; }

  Result<RunStore> new_store(Model* model = nullptr) {
    const auto trials =
        plan_trials(spec_, tasks_, model != nullptr ? model->identity().digest : "none");
    return RunStore::create(path(), {"run-1", 0, spec_to_json(spec_), {}}, trials, clock_);
  }

  Result<RunResult> make(RunStore& store, Model* model, Collector& collector, int jobs = 1,
                         const RunLimits& limits = {}, std::stop_token stop = {}) {
    auto matched = match_tasks(store.pending(), tasks_);
    if (!matched) return matched.error();
    const TrialContext context{spec_, model, &sandbox_, *trial_clock_, served_};
    return make_trials(store, *matched, context, limits, jobs, collector, stop);
  }

  SystemClock clock_;
  const Clock* trial_clock_ = &clock_;  // A test may put another one here.
  std::optional<TemporaryFolder> folder_;
  RunSpec spec_;
  std::vector<Task> tasks_;
  MemorySandbox sandbox_{act};
  ServedModelWatch served_;
};

/// Does the task and submits; answers questions with 42.
inline FakeModel::Answer solver() {
  return [](const CompletionRequest& request) -> Result<Completion> {
    if (request.tools.empty()) return saying("6 x 7 = 42");
    const bool acted = request.messages.back().role == Role::Tool;
    return acted ? calling("submit", Json::object()) : calling("bash", {{"command", "touch done"}});
  };
}

}  // namespace trialwright
