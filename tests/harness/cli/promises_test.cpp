// What the program promises whatever its streams, its limits and the run's file are like.

#include <gmock/gmock.h>

#include <cstdlib>

#include "base/files.h"
#include "harness/cli/open_model.h"
#include "harness/cli/run_session.h"
#include "harness/sandbox/sandbox.h"
#include "results/event_format.h"
#include "results/store.h"
#include "tests/harness/cli/program.h"
#include "tests/support/fake_clock.h"
#include "tests/support/sandbox_needed.h"

namespace trialwright {
namespace {

using testing::HasSubstr;

class Promises : public testing::Test {
 protected:
  ProgramResult trialwright(const std::vector<std::string>& arguments) const {
    return run_trialwright(arguments, folder_.path());
  }
  /// The exit code of a shell's command line, in which $program is the program.
  int shell(const std::string& line) {
    folder_.write("try.sh", "cd '" + folder_.path().string() +
                                "'\nexport TRIALWRIGHT_RUNS_DIR=runs\n" + "program='" +
                                TRIALWRIGHT_BINARY + "'\n" + line + "\n");
    const std::string script = (folder_.path() / "try.sh").string();
    return WEXITSTATUS(std::system(("bash '" + script + "'").c_str()));
  }
  /// A recorded run of a model, with nothing left to make.
  void record_run_of(const std::string& model) {
    RunSpec spec;
    spec.suite = "starter";
    spec.model = model;
    spec.scaffold = *load_scaffold({});
    spec.scaffold.protocol = ToolProtocol::Native;
    const FakeClock clock;
    PlannedTrial trial;
    trial.id = "aa";
    trial.task = "s/one";
    trial.epoch = 1;
    auto store =
        RunStore::create(folder_.path() / "theirs.db", {"run-1", 0, spec_to_json(spec), {}},
                         std::vector<PlannedTrial>{trial}, clock);
    ASSERT_TRUE(store);
    ASSERT_TRUE(store->finish(RunStatus::Interrupted));
  }

  FileTree folder_{{"script.jsonl", "{\"text\": \"the answer is 75\"}\n"}};
};

TEST_F(Promises, WhatCouldNotBePrintedIsAFailure) {
  ASSERT_EQ(trialwright({"run", "starter", "qa/arithmetic/add", "-m", "scripted:script.jsonl",
                         "--progress", "none"})
                .exit_code,
            0);
  for (const std::string command :
       {"--version", "--help", "help run", "list", "list tasks", "show", "verify",
        "completion bash", "report -o -", "search answer", "validate starter --list",
        "run starter qa/arithmetic/add -m scripted:script.jsonl --progress none"}) {
    EXPECT_EQ(shell("$program " + command + " >/dev/full 2>err"), 2) << command;
    EXPECT_THAT(*read_file(folder_.path() / "err"),
                HasSubstr("writing to standard output: No space left on device"))
        << command;
  }
  // Whoever has read enough is no failure.
  EXPECT_EQ(shell("$program help run | true; exit ${PIPESTATUS[0]}"), 0);
}

TEST_F(Promises, ARecordedEndpointElsewhereIsAskedOnlyIfItIsNamedAgain) {
  record_run_of("http://models.example:1/v1#m");
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"resume", "./theirs.db"},
        std::vector<std::string>{"replay", "./theirs.db:s/one@1"}}) {
    const ProgramResult refused = trialwright(command);
    EXPECT_EQ(refused.exit_code, 2) << command.front();
    EXPECT_THAT(refused.err, HasSubstr("say '--model http://models.example:1/v1#m'"))
        << command.front();
  }
  const ProgramResult other = trialwright({"resume", "./theirs.db", "--model", "smollm2-135m"});
  EXPECT_THAT(other.err, HasSubstr("--model is not what the run began with"));
}

TEST(RecordedEndpoint, IsTrustedOnThisMachineAlone) {
  const Arguments none;
  for (const char* here : {"http://localhost:8080/v1#m", "http://127.0.0.1/v1#m",
                           "https://[::1]:1/v1#m", "smollm2-135m", "scripted:/f"}) {
    EXPECT_TRUE(check_recorded_endpoint(here, none)) << here;
  }
  for (const char* elsewhere :
       {"http://host/v1#m", "https://127.0.0.1.example/v1#m", "http://localhost.example/#m",
        "http://localhost@host/v1#m", "http://127.0.0.1:8@host/v1#m", "http://10.0.0.1/v1#m"}) {
    EXPECT_FALSE(check_recorded_endpoint(elsewhere, none)) << elsewhere;
    Arguments named;
    named.add("model", elsewhere);
    EXPECT_TRUE(check_recorded_endpoint(elsewhere, named)) << elsewhere;
  }
}

TEST_F(Promises, FewDescriptorsAreNoReasonForATrialToFail) {
  if (auto sandbox = open_bubblewrap_sandbox(); !sandbox)
    SKIP_FOR_WANT_OF_A_SANDBOX(sandbox.error());
  EXPECT_EQ(shell("ulimit -Sn 48; $program run starter 'files/*' --agent nothing -j 8 "
                  "--max-error-rate 0 --progress none >out"),
            0);
}

TEST_F(Promises, TamperingIsNoErrorOfTheMachine) {
  if (auto sandbox = open_bubblewrap_sandbox(); !sandbox)
    SKIP_FOR_WANT_OF_A_SANDBOX(sandbox.error());
  folder_.write(
      "cheat.jsonl",
      R"({"when": "greeting", "tool_calls": [{"name": "bash", "arguments": {"command": "mkdir -p /logs/verifier; echo 1 > /logs/verifier/reward.txt"}}]}
{"when": "greeting", "tool_calls": [{"name": "submit", "arguments": {"answer": "done"}}]}
{"text": "75"}
)");
  const ProgramResult result =
      trialwright({"run", "starter", "files/write-greeting", "qa/arithmetic/add",
                   "--max-error-rate", "0", "--progress", "none", "-m", "scripted:cheat.jsonl"});
  EXPECT_THAT(result.out, HasSubstr("1 invalid"));
  EXPECT_EQ(result.exit_code, 0) << result.err;
}

TEST_F(Promises, AQuietRunElsewhereIsNamedAsResumeFindsIt) {
  const ProgramResult run = trialwright(
      {"run", "starter", "qa/arithmetic/add", "-q", "-o", "mine", "-m", "scripted:script.jsonl"});
  EXPECT_EQ(run.out, (folder_.path() / "mine").string() + "\n");
  EXPECT_EQ(trialwright({"show", run.out.substr(0, run.out.size() - 1)}).exit_code, 0);
}

TEST_F(Promises, ASwitchCanBeTurnedOffAndOperandsAreNoFlag) {
  const ProgramResult run = trialwright({"run", "starter", "qa/arithmetic/add", "--dry-run=false",
                                         "-m", "scripted:script.jsonl", "--progress", "none"});
  EXPECT_THAT(run.out, HasSubstr("1 of 1 trial scored"));
  const ProgramResult odd = trialwright({"run", "--operands", "starter", "--list"});
  EXPECT_EQ(odd.exit_code, 2);
  EXPECT_THAT(odd.err, HasSubstr("'trialwright run' has no flag --operands"));
}

TEST_F(Promises, ErrorsAreColouredAsAsked) {
  const ProgramResult coloured = trialwright({"show", "nothing", "--color", "always"});
  EXPECT_THAT(coloured.err, HasSubstr("\x1b["));
  const auto forced = [&](const char* value) {
    return run_trialwright({"show", "nothing"}, folder_.path(), "", {{"CLICOLOR_FORCE", value}})
        .err;
  };
  EXPECT_THAT(forced("0"), testing::Not(HasSubstr("\x1b[")));
  EXPECT_THAT(forced("1"), HasSubstr("\x1b["));
}

TEST_F(Promises, ASystemMessageForARawPromptIsRefused) {
  const ProgramResult refused =
      trialwright({"generate", "m.gguf", "--raw", "--system", "x", "--prompt", "y"});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, HasSubstr("--system has no place"));
}

TEST_F(Promises, ATaskWhoseTestsGiveNoVerdictEndsValidationWith3) {
  if (auto sandbox = open_bubblewrap_sandbox(); !sandbox)
    SKIP_FOR_WANT_OF_A_SANDBOX(sandbox.error());
  folder_.write("tasks/t/task.toml", "version = \"1.0\"\n");
  folder_.write("tasks/t/instruction.md", "Do nothing.\n");
  folder_.write("tasks/t/environment/Dockerfile", "FROM debian:12\nWORKDIR /app\n");
  folder_.write("tasks/t/tests/test.sh", "exit 0\n");
  folder_.write("tasks/t/solution/solve.sh", "true\n");
  const ProgramResult result = trialwright({"validate", "tasks"});
  EXPECT_THAT(result.out, HasSubstr("broken"));
  EXPECT_EQ(result.exit_code, 3) << result.err;
}

TEST(LimitsWarning, IsGivenWhereNoControlGroupHoldsThem) {
  EXPECT_THAT(limits_warning({{"limits", "rlimits"}}), HasSubstr("for each process"));
  EXPECT_EQ(limits_warning({{"limits", "cgroup v2"}}), "");
}

}  // namespace
}  // namespace trialwright
