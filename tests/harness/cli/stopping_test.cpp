// A run that is stopped says so, keeps what it has, and can be resumed.

#include <gmock/gmock.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "base/files.h"
#include "harness/sandbox/sandbox.h"
#include "results/run_reader.h"
#include "tests/harness/cli/program.h"
#include "tests/support/sandbox_needed.h"

namespace trialwright {
namespace {

using testing::HasSubstr;

constexpr const char* kSlow =
    R"({"when": "greeting", "tool_calls": [{"name": "bash", "arguments": {"command": "sleep 3"}}]}
{"when": "greeting", "tool_calls": [{"name": "submit", "arguments": {"answer": "done"}}]}
{"text": "75", "tokens": [1, 2, 3, 4, 5]}
)";

class Stopping : public testing::Test {
 protected:
  ProgramResult trialwright(const std::vector<std::string>& arguments) const {
    return run_trialwright(arguments, folder_.path());
  }

  /// Stops a run by a signal once its quick trial is made and its slow one is under way.
  ProgramResult stop_by(int signal) const {
    Program program({"run", "starter", "files/write-greeting", "qa/arithmetic/add", "-j", "2",
                     "--progress", "lines", "-m", "scripted:slow.jsonl"},
                    folder_.path());
    while (!program.has_ended() && program.err_so_far().find("[1/2]") == std::string::npos) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    program.send(signal);
    return program.wait();
  }

  void expect_resumable() const {
    const auto run = only_run(folder_.path() / "runs");
    EXPECT_FALSE(path_exists(run.string() + "-wal")) << "the run is one closed file";
    const auto stopped = outcomes_of(run);
    ASSERT_EQ(stopped.size(), 2U);
    EXPECT_THAT(stopped, testing::Contains(HasSubstr("missing")));
    EXPECT_THAT(stopped, testing::Contains(HasSubstr("passed 1.0")));
    EXPECT_EQ(trialwright({"verify"}).exit_code, 0);
    const ProgramResult resumed = trialwright({"resume", "last"});
    EXPECT_EQ(resumed.exit_code, 0) << resumed.err;
    EXPECT_THAT(resumed.out, HasSubstr("2 of 2 trials scored"));
    EXPECT_EQ(trialwright({"verify"}).exit_code, 0);
  }

  FileTree folder_{{"slow.jsonl", kSlow}};
};

TEST_F(Stopping, InterruptEndsWith130AndAFileThatCanBeResumed) {
  if (auto sandbox = open_bubblewrap_sandbox(); !sandbox)
    SKIP_FOR_WANT_OF_A_SANDBOX(sandbox.error());
  const ProgramResult stopped = stop_by(SIGINT);
  EXPECT_EQ(stopped.exit_code, 130);
  EXPECT_THAT(stopped.err, HasSubstr("resume"));
  expect_resumable();
}

TEST_F(Stopping, TerminationEndsWith143AndAFileThatCanBeResumed) {
  if (auto sandbox = open_bubblewrap_sandbox(); !sandbox)
    SKIP_FOR_WANT_OF_A_SANDBOX(sandbox.error());
  EXPECT_EQ(stop_by(SIGTERM).exit_code, 143);
  expect_resumable();
}

TEST_F(Stopping, SpentTokensEndWith7AndAFileThatCanBeResumed) {
  const ProgramResult stopped =
      trialwright({"run", "starter", "qa/arithmetic/*", "--max-tokens", "12", "--progress", "none",
                   "-m", "scripted:slow.jsonl"});
  EXPECT_EQ(stopped.exit_code, 7);
  EXPECT_THAT(stopped.err, HasSubstr("budget is spent"));
  EXPECT_THAT(outcomes_of(only_run(folder_.path() / "runs")),
              testing::Contains(HasSubstr("missing")));
  EXPECT_EQ(trialwright({"verify"}).exit_code, 0);
  EXPECT_EQ(trialwright({"resume", "last"}).exit_code, 0);
  EXPECT_THAT(outcomes_of(only_run(folder_.path() / "runs")),
              testing::Not(testing::Contains(HasSubstr("missing"))));
}

TEST_F(Stopping, RunCanBeResumedFromAnotherFolderAndWithoutASandboxItDoesNotNeed) {
  ASSERT_EQ(trialwright({"run", "starter", "qa/arithmetic/*", "--max-tokens", "12", "--progress",
                         "none", "-m", "scripted:slow.jsonl"})
                .exit_code,
            7);
  const FileTree elsewhere{};
  const ProgramResult resumed =
      run_trialwright({"resume", only_run(folder_.path() / "runs").string()}, elsewhere.path(), "",
                      {{"PATH", "/nonexistent"}});
  EXPECT_EQ(resumed.exit_code, 0) << resumed.err;
}

TEST_F(Stopping, RunInWhichNothingCanBeScoredEndsWith3) {
  folder_.write("broken.jsonl", "{\"error\": \"the endpoint is down\"}\n");
  const ProgramResult result = trialwright({"run", "starter", "qa/reading/closing-time",
                                            "--progress", "none", "-m", "scripted:broken.jsonl"});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.err, HasSubstr("no trial was scored"));
}

TEST_F(Stopping, RunThatIsInvalidAndOverBudgetEndsWith3) {
  folder_.write("half.jsonl",
                R"({"when": "48 + 27", "text": "75", "tokens": [1, 2, 3]}
{"error": "the endpoint is down"}
)");
  const ProgramResult result =
      trialwright({"run", "starter", "qa/arithmetic/*", "--epochs", "2", "--max-tokens", "4",
                   "--progress", "none", "-m", "scripted:half.jsonl"});
  EXPECT_EQ(result.exit_code, 3) << result.err;
  EXPECT_THAT(result.err, HasSubstr("budget is spent"));
  EXPECT_THAT(result.err, HasSubstr("the run is invalid"));
}

TEST_F(Stopping, HintToResumeNamesAFileThatLiesElsewhere) {
  const ProgramResult stopped =
      trialwright({"run", "starter", "qa/arithmetic/*", "--max-tokens", "12", "--progress", "none",
                   "-m", "scripted:slow.jsonl", "-o", "mine"});
  EXPECT_EQ(stopped.exit_code, 7) << stopped.err;
  const std::string path = (folder_.path() / "mine").string();
  EXPECT_THAT(stopped.err, HasSubstr("'trialwright resume " + path + "' makes the rest"));
  EXPECT_EQ(trialwright({"resume", path}).exit_code, 0);
}

TEST_F(Stopping, ResumedRunKeepsItsContextAndItsJobs) {
  const std::vector<std::string> run = {
      "run", "starter", "qa/arithmetic/*",     "--progress", "none", "-j",
      "2",   "-m",      "scripted:slow.jsonl", "--context",  "1024"};
  std::vector<std::string> stopped = run;
  stopped.insert(stopped.end(), {"--max-tokens", "12"});
  ASSERT_EQ(trialwright(stopped).exit_code, 7);
  const auto file = only_run(folder_.path() / "runs");
  {
    auto reader = RunReader::open(file);
    ASSERT_TRUE(reader);
    EXPECT_EQ(reader->run()->spec["context_tokens_max"], 1024);
  }
  const ProgramResult other = trialwright({"resume", "last", "--context", "2048"});
  EXPECT_EQ(other.exit_code, 2);
  EXPECT_THAT(other.err, HasSubstr("--context 2048 is not what the run began with, 1024"));
  const ProgramResult resumed = trialwright({"resume", "last"});
  EXPECT_EQ(resumed.exit_code, 0);
  EXPECT_THAT(resumed.err, HasSubstr("-j 2"));
}

TEST_F(Stopping, RunGoesOnWhenWhoReadsItsMessagesHasGone) {
  // The lines of progress go to a reader that leaves at once.
  folder_.write("try.sh",
                "set -e\ncd \"$1\"\nexport TRIALWRIGHT_RUNS_DIR=\"$1/runs\"\n"
                "\"$2\" run starter 'qa/arithmetic/*' --progress lines "
                "-m scripted:slow.jsonl 2>&1 >out | true\n"
                "exit \"${PIPESTATUS[0]}\"\n");
  const std::string script = (folder_.path() / "try.sh").string();
  EXPECT_EQ(std::system(("bash '" + script + "' '" + folder_.path().string() + "' '" +
                         TRIALWRIGHT_BINARY + "'")
                            .c_str()),
            0);
  EXPECT_THAT(*read_file(folder_.path() / "out"), HasSubstr("10 of 10 trials scored"));
}

TEST_F(Stopping, FailingTrialsEndWith0) {
  folder_.write("wrong.jsonl", "{\"text\": \"I do not know\"}\n");
  const ProgramResult result =
      trialwright({"run", "starter", "qa/format/*", "-q", "-m", "scripted:wrong.jsonl"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(result.out, only_run(folder_.path() / "runs").stem().string() + "\n");
}

}  // namespace
}  // namespace trialwright
