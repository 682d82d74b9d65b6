// The same seed gives the same tokens, whatever the number of threads and of trials at once.

#include <gmock/gmock.h>

#include "harness/sandbox/sandbox.h"
#include "results/event_format.h"
#include "results/run_reader.h"
#include "tests/harness/cli/program.h"
#include "tests/support/sandbox_needed.h"

namespace trialwright {
namespace {

namespace fs = std::filesystem;

class SameSeed : public testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(user_cache_folder() / "models/smollm2-135m.gguf")) {
      GTEST_SKIP() << "the model smollm2-135m is not pulled";
    }
    auto sandbox = open_bubblewrap_sandbox();
    if (!sandbox) SKIP_FOR_WANT_OF_A_SANDBOX(sandbox.error());
  }

  /// Three questions and one workspace task, sampled hot enough that chance matters.
  void make_run(const std::string& name, const std::string& seed,
                const std::vector<std::string>& more) const {
    std::vector<std::string> words = {"run",
                                      "starter",
                                      "qa/arithmetic/add",
                                      "qa/logic/squares",
                                      "qa/format/capitals",
                                      "files/write-greeting",
                                      "--model",
                                      "smollm2-135m",
                                      "--temperature",
                                      "0.9",
                                      "--max-turns",
                                      "2",
                                      "--progress",
                                      "none",
                                      "--seed",
                                      seed,
                                      "--output",
                                      name};
    words.insert(words.end(), more.begin(), more.end());
    const ProgramResult result = run_trialwright(words, folder_.path());
    ASSERT_EQ(result.exit_code, 0) << result.err;
  }

  /// Trial ids with the digests of their traces.
  [[nodiscard]] std::map<std::string, std::string> traces_of(const std::string& name) const {
    std::map<std::string, std::string> digests;
    auto reader = RunReader::open(folder_.path() / name);
    EXPECT_TRUE(reader) << reader.error().message;
    auto trials = reader->trials();
    EXPECT_TRUE(trials) << trials.error().message;
    for (const TrialSummary& trial : *trials) {
      auto trace = reader->trace(trial.trial.id);
      EXPECT_TRUE(trace) << trace.error().message;
      digests[trial.trial.id] = trace_digest(*trace).hex();
    }
    return digests;
  }

  FileTree folder_{};
};

TEST_F(SameSeed, GivesTheSameTracesAndReplaysTokenForToken) {
  make_run("first.db", "11", {"-j", "1", "--threads", "1"});
  make_run("second.db", "11", {"-j", "2", "--threads", "2"});
  const auto first = traces_of("first.db");
  ASSERT_EQ(first.size(), 4U);
  EXPECT_EQ(first, traces_of("second.db"));
  for (const auto& [trial, digest] : first) {
    const ProgramResult replayed =
        run_trialwright({"replay", "second.db:" + trial, "--threads", "2"}, folder_.path());
    EXPECT_EQ(replayed.exit_code, 0) << replayed.out << replayed.err;
    EXPECT_THAT(replayed.out, testing::HasSubstr("same"));
  }
}

TEST_F(SameSeed, AnotherSeedGivesOtherTraces) {
  make_run("first.db", "11", {});
  make_run("other.db", "12", {});
  EXPECT_NE(traces_of("first.db"), traces_of("other.db"));
}

}  // namespace
}  // namespace trialwright
