#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <set>
#include <thread>

#include "base/random.h"
#include "results/run_reader.h"
#include "results/store.h"
#include "tests/results/faulty_disk.h"
#include "tests/results/run_fixture.h"
#include "tests/support/fake_clock.h"

namespace trialwright {
namespace {

constexpr std::size_t kTrials = 30;

class Crash : public testing::Test {
 protected:
  void SetUp() override {
    auto folder = TemporaryFolder::make("crash-test");
    ASSERT_TRUE(folder);
    folder_.emplace(*std::move(folder));
  }

  void expect_sound(const std::filesystem::path& path, const std::set<std::size_t>& acknowledged) {
    auto reader = RunReader::open(path);
    ASSERT_TRUE(reader) << reader.error().message;
    auto report = reader->verify();
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_TRUE(report->problems.empty()) << report->problems[0].what;
    auto trials = reader->trials();
    ASSERT_TRUE(trials);
    for (const std::size_t trial : acknowledged) {
      ASSERT_TRUE((*trials)[trial].outcome) << "trial " << trial << " was acknowledged and is lost";
      auto trace = reader->trace(plan_[trial].id);
      ASSERT_TRUE(trace);
      EXPECT_EQ(trace_digest(*trace), trace_digest(sample_trace(plan_[trial].id)));
    }
  }

  /// Makes what is missing; the run is then whole.
  void expect_resumable(const std::filesystem::path& path) {
    const FakeClock clock;
    {
      auto store = RunStore::open_for_resume(path, clock);
      ASSERT_TRUE(store) << store.error().message;
      for (const PlannedTrial& trial : store->pending()) {
        ASSERT_TRUE(record_trial(*store, trial.id));
      }
      ASSERT_TRUE(store->finish(RunStatus::Finished));
    }
    std::set<std::size_t> all;
    for (std::size_t i = 0; i < plan_.size(); ++i) all.insert(i);
    expect_sound(path, all);
  }

  std::optional<TemporaryFolder> folder_;
  std::vector<PlannedTrial> plan_ = sample_plan(static_cast<int>(kTrials));
};

/// What the process that is to be killed does: trials on two threads, each finished one told.
[[noreturn]] void write_until_killed(const std::filesystem::path& path,
                                     const std::vector<PlannedTrial>& plan, int told) {
  const FakeClock clock;
  auto store = RunStore::create(path, sample_run(), plan, clock);
  if (!store) ::_exit(3);
  std::vector<std::thread> threads;
  for (std::size_t worker = 0; worker < 2; ++worker) {
    threads.emplace_back([&, worker] {
      for (std::size_t i = worker; i < plan.size(); i += 2) {
        if (!record_trial(*store, plan[i].id)) ::_exit(4);
        const auto number = static_cast<std::uint8_t>(i);
        if (::write(told, &number, 1) != 1) ::_exit(5);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  if (!store->finish(RunStatus::Finished)) ::_exit(6);
  ::_exit(0);
}

/// Runs it and kills it after a while; gives the trials that it had told of.
std::set<std::size_t> killed_after(std::chrono::microseconds delay,
                                   const std::filesystem::path& path,
                                   const std::vector<PlannedTrial>& plan) {
  std::array<int, 2> pipe{};
  CHECK(::pipe(pipe.data()) == 0, "a pipe can be made");
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(pipe[0]);
    write_until_killed(path, plan, pipe[1]);
  }
  ::close(pipe[1]);
  std::this_thread::sleep_for(delay);
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK(WIFSIGNALED(status) || WEXITSTATUS(status) == 0, "the writer met no error of its own");
  std::set<std::size_t> acknowledged;
  std::uint8_t number = 0;
  while (::read(pipe[0], &number, 1) == 1) acknowledged.insert(number);
  ::close(pipe[0]);
  return acknowledged;
}

TEST_F(Crash, AtAnyMomentLosesNothingThatWasAcknowledged) {
  RandomStream random(3, 0);
  int cut_off = 0;
  constexpr int kKills = 24;
  for (int kill = 0; kill < kKills; ++kill) {
    const auto path = folder_->path() / ("run-" + std::to_string(kill) + ".db");
    // The first moments too, when the file is being made.
    const std::chrono::microseconds delay(random.below(kill < 6 ? 8'000 : 80'000));
    const auto acknowledged = killed_after(delay, path, plan_);
    if (!std::filesystem::exists(path)) {
      EXPECT_TRUE(acknowledged.empty());
      EXPECT_TRUE(write_sample_run(path, 2)) << "what a killed creation leaves is in the way";
      continue;
    }
    if (acknowledged.size() < kTrials) ++cut_off;
    expect_sound(path, acknowledged);
    expect_resumable(path);
  }
  EXPECT_GT(cut_off, 0);
}

TEST_F(Crash, OnAFullDiskKeepsWhatWasAcknowledged) {
  FaultyDisk disk;
  const FakeClock clock;
  int failures = 0;
  bool went_through = false;
  // The first write, the second, and so on; later ones in larger steps to save time.
  for (long write = 1; !went_through; write += 1 + write / 12) {
    const auto path = folder_->path() / ("run-" + std::to_string(write) + ".db");
    std::set<std::size_t> acknowledged;
    disk.fail_from(write, write % 2 == 0 ? SQLITE_FULL : SQLITE_IOERR_WRITE);
    {
      auto store = RunStore::create(path, sample_run(), plan_, clock);
      if (!store) {
        EXPECT_EQ(store.error().kind, ErrorKind::Unavailable) << store.error().message;
        disk.mend();
        // Either there is no run, or all of its plan.
        if (std::filesystem::exists(path)) expect_resumable(path);
        ++failures;
        continue;
      }
      for (std::size_t i = 0; i < plan_.size(); ++i) {
        if (record_trial(*store, plan_[i].id)) {
          EXPECT_EQ(acknowledged.size(), i) << "a failed store must stay failed";
          acknowledged.insert(i);
        }
      }
      const bool all_recorded = acknowledged.size() == plan_.size();
      auto finished = store->finish(RunStatus::Finished);
      if (!all_recorded) {
        ASSERT_FALSE(finished);
        EXPECT_NE(finished.error().message.find(path.string()), std::string::npos)
            << finished.error().message;
      }
      went_through = all_recorded && finished && !disk.has_failed();
      // The store is closed while the disk is still full.
    }
    if (disk.has_failed()) ++failures;
    disk.mend();
    expect_sound(path, acknowledged);
    expect_resumable(path);
  }
  EXPECT_GT(failures, 20);
}

TEST_F(Crash, OnAFileSizeLimitIsAnErrorThatNamesTheFile) {
  const auto path = folder_->path() / "run.db";
  const pid_t child = ::fork();
  if (child == 0) {
    // A real limit of the system, not a made-up failure.
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{512 * 1024, 512 * 1024};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const FakeClock clock;
    auto store = RunStore::create(path, sample_run(), plan_, clock);
    if (!store) ::_exit(1);
    for (int round = 0; round < 100; ++round) {
      for (const PlannedTrial& trial : plan_) {
        auto done = record_trial(*store, trial.id);
        if (done) continue;
        const bool named = done.error().kind == ErrorKind::Unavailable &&
                           done.error().message.find(path.string()) != std::string::npos;
        ::_exit(named ? 0 : 2);
      }
    }
    ::_exit(3);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  expect_sound(path, {});
  expect_resumable(path);
}

}  // namespace
}  // namespace trialwright
