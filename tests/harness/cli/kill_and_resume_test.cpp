// A run that is killed at any moment and resumed ends as if nothing had happened.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <thread>

#include "base/random.h"
#include "harness/sandbox/sandbox.h"
#include "results/database.h"
#include "results/run_reader.h"
#include "tests/harness/cli/program.h"
#include "tests/support/sandbox_needed.h"

namespace trialwright {
namespace {

namespace fs = std::filesystem;

constexpr int kMoments = 20;
constexpr int kKilled = 128 + SIGKILL;

/// One episode of two turns solves some tasks and leaves the others; questions get one answer.
constexpr const char* kScript = "script.jsonl";

std::vector<std::string> run_arguments(const std::vector<std::string>& selection) {
  std::vector<std::string> words = {"run", "starter", "--epochs",   "2",
                                    "-j",  "2",       "--progress", "lines"};
  words.insert(words.end(), {"--model", std::string("scripted:") + kScript});
  words.insert(words.end(), selection.begin(), selection.end());
  return words;
}

class KillAndResume : public testing::Test {
 protected:
  void SetUp() override {
    auto sandbox = open_bubblewrap_sandbox();
    if (!sandbox) SKIP_FOR_WANT_OF_A_SANDBOX(sandbox.error());
    auto script =
        read_file(fs::path(TRIALWRIGHT_GOLDEN_FOLDER) / "harness/cli/some_tasks_solved.jsonl");
    ASSERT_TRUE(script) << script.error().message;
    folder_.write(kScript, *script);
  }

  ProgramResult trialwright(const std::vector<std::string>& arguments) const {
    return run_trialwright(arguments, folder_.path());
  }

  /// Waits until `trials` have ended, then for `time` more.
  static void wait_for(const Program& program, int trials, std::chrono::duration<double> time) {
    const auto ended = [&] {
      const std::string lines = "\n" + program.err_so_far();
      int count = 0;
      for (std::size_t at = 0; (at = lines.find("\n[", at)) != std::string::npos; ++at) ++count;
      return count;
    };
    while (ended() < trials && !program.has_ended()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    std::this_thread::sleep_for(time);
  }

  /// Kills a run after so many trials and so much time, and resumes it. True if the kill came when
  /// some trials were made and some were not.
  bool kill_and_resume(const std::vector<std::string>& arguments, int trials,
                       std::chrono::duration<double> time,
                       const std::vector<std::string>& undisturbed) const {
    const fs::path runs = folder_.path() / "runs";
    fs::remove_all(runs);
    Program program(arguments, folder_.path());
    wait_for(program, trials, time);
    program.send(SIGKILL);
    const bool killed = program.wait().exit_code == kKilled;

    bool in_the_middle = false;
    const std::vector<std::string> files = files_below(runs);
    const bool began = std::any_of(files.begin(), files.end(),
                                   [](const std::string& file) { return file.ends_with(".db"); });
    if (began) {
      const std::vector<std::string> after_kill = outcomes_of(only_run(runs));
      const auto missing = std::count_if(after_kill.begin(), after_kill.end(),
                                         [](const auto& row) { return row.ends_with(" missing"); });
      in_the_middle = killed && missing > 0 && missing < std::ssize(after_kill);
      const ProgramResult resumed =
          trialwright({"resume", "last", "-j", "2", "--progress", "none"});
      EXPECT_EQ(resumed.exit_code, 0) << resumed.err;
    } else {
      // Killed before there was a file: nothing of the run may be there, and it can begin anew.
      EXPECT_EQ(trialwright({"resume", "last"}).exit_code, 2);
      const ProgramResult again = trialwright(arguments);
      EXPECT_EQ(again.exit_code, 0) << again.err;
    }
    EXPECT_EQ(outcomes_of(only_run(runs)), undisturbed);
    const ProgramResult verified = trialwright({"verify"});
    EXPECT_EQ(verified.exit_code, 0) << verified.out << verified.err;
    return in_the_middle;
  }

  void expect_resumable_at_any_moment(const std::vector<std::string>& selection) const {
    const std::vector<std::string> arguments = run_arguments(selection);
    const auto start = std::chrono::steady_clock::now();
    const ProgramResult whole = trialwright(arguments);
    const std::chrono::duration<double> duration = std::chrono::steady_clock::now() - start;
    ASSERT_EQ(whole.exit_code, 0) << whole.err;
    const std::vector<std::string> undisturbed = outcomes_of(only_run(folder_.path() / "runs"));
    // A run in which everything fails or passes would show little.
    EXPECT_NE(whole.out.find(" passed"), std::string::npos) << whole.out;
    EXPECT_NE(whole.out.find(" failed"), std::string::npos) << whole.out;

    RandomStream random(4, 0);
    int in_the_middle = 0;
    for (int moment = 0; moment < kMoments; ++moment) {
      // One random moment in each twentieth of the run, counted in trials so that a busy machine
      // does not shift it.
      const auto trials = static_cast<double>(undisturbed.size());
      const double place = (moment + random.uniform()) / kMoments * trials;
      const double whole_trials = std::floor(place);
      SCOPED_TRACE("killed after " + std::to_string(place) + " trials");
      in_the_middle += kill_and_resume(arguments, static_cast<int>(whole_trials),
                                       (place - whole_trials) * duration / trials, undisturbed)
                           ? 1
                           : 0;
      if (HasFailure()) return;
    }
    std::cout << undisturbed.size() << " trials in " << duration.count() << " s; " << in_the_middle
              << " of " << kMoments << " kills left some of them made and some missing\n";
    EXPECT_GE(in_the_middle, kMoments / 2);
  }

  FileTree folder_{};
};

TEST_F(KillAndResume, EndsWithTheTrialsAndRewardsOfAnUndisturbedRun) {
  expect_resumable_at_any_moment({"--sample", "12", "--seed", "3"});
}

// Takes minutes.
TEST_F(KillAndResume, EndsAsUndisturbedOverTheWholeStarterSuite) {
  if (std::getenv("TRIALWRIGHT_SOAK") == nullptr) GTEST_SKIP() << "TRIALWRIGHT_SOAK is not set";
  expect_resumable_at_any_moment({});
}

TEST_F(KillAndResume, LeavesNothingToDoWhenTheRunIsWhole) {
  ASSERT_EQ(trialwright(run_arguments({"--limit", "2"})).exit_code, 0);
  const auto before = outcomes_of(only_run(folder_.path() / "runs"));
  const ProgramResult resumed = trialwright({"resume", "last"});
  EXPECT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_EQ(outcomes_of(only_run(folder_.path() / "runs")), before);
}

TEST_F(KillAndResume, OneEditedByteOfAnEventIsFound) {
  ASSERT_EQ(trialwright(run_arguments({"qa/arithmetic/*"})).exit_code, 0);
  const fs::path run = only_run(folder_.path() / "runs");
  const std::string sound = *read_file(run);
  ASSERT_EQ(trialwright({"verify"}).exit_code, 0);
  for (const std::string change :
       {"at_us = at_us + 1", "kind = 'X' || substr(kind, 2)", "text = 'X' || substr(text, 2)",
        "detail = replace(detail, 'e', 'f')", "hash = randomblob(32)"}) {
    SCOPED_TRACE(change);
    ASSERT_TRUE(write_file_atomically(run, sound));
    {
      auto database = Database::open(run, Database::Mode::ReadWrite);
      ASSERT_TRUE(database) << database.error().message;
      // As somebody would who wants to change the record: without the trigger that forbids it.
      ASSERT_TRUE(database->execute("DROP TRIGGER event_no_update"));
      ASSERT_TRUE(database->execute("UPDATE event SET " + change + " WHERE trial = 2 AND seq = 2"));
    }
    const ProgramResult verified = trialwright({"verify"});
    EXPECT_EQ(verified.exit_code, 6);
    EXPECT_NE(verified.out.find("event 2"), std::string::npos) << verified.out << verified.err;
  }
}

}  // namespace
}  // namespace trialwright
