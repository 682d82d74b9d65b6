#include <gtest/gtest.h>

#include "results/event_format.h"
#include "tests/results/run_fixture.h"
#include "tests/support/fake_clock.h"

namespace trialwright {
namespace {

using std::chrono::seconds;

class RunSessions : public testing::Test {
 protected:
  void SetUp() override {
    auto folder = TemporaryFolder::make("sessions-test");
    ASSERT_TRUE(folder);
    folder_.emplace(*std::move(folder));
    path_ = folder_->path() / "run.db";
    run_ = sample_run();
    run_.created_us = clock_.wall_us();
  }

  RunReader reader() {
    auto reader = RunReader::open(path_);
    CHECK(reader, "the run was just written");
    return *std::move(reader);
  }

  FakeClock clock_;
  std::optional<TemporaryFolder> folder_;
  std::filesystem::path path_;
  RunRecord run_;
  std::vector<PlannedTrial> plan_ = sample_plan(4);
};

TEST_F(RunSessions, TakeTheTimeThatPassedHoweverManyTrialsRanAtOnce) {
  auto store = RunStore::create(path_, run_, plan_, clock_);
  ASSERT_TRUE(store);
  {
    auto first = store->begin_trial(plan_[0].id);
    auto second = store->begin_trial(plan_[1].id);
    ASSERT_TRUE(first && second);
    clock_.advance(seconds(10));
    ASSERT_TRUE(first->finish(sample_outcome(1), sample_grades(1)));
    ASSERT_TRUE(second->finish(sample_outcome(1), sample_grades(1)));
  }
  ASSERT_TRUE(store->finish(RunStatus::Interrupted));
  auto elapsed = reader().elapsed();
  ASSERT_TRUE(elapsed);
  EXPECT_EQ(*elapsed, seconds(10));
}

TEST_F(RunSessions, DoNotTakeTheTimeBetweenAKillAndTheResumption) {
  {
    auto store = RunStore::create(path_, run_, plan_, clock_);
    ASSERT_TRUE(store);
    clock_.advance(seconds(3));
    ASSERT_TRUE(record_trial(*store, plan_[0].id));
    // Destroyed without a finish, as by a kill.
  }
  clock_.advance(seconds(1000));
  auto store = RunStore::open_for_resume(path_, clock_);
  ASSERT_TRUE(store);
  clock_.advance(seconds(4));
  ASSERT_TRUE(record_trial(*store, plan_[1].id));
  EXPECT_EQ(*reader().elapsed(), seconds(7)) << "also while the run goes on";
  ASSERT_TRUE(store->finish(RunStatus::Finished));
  EXPECT_EQ(*reader().elapsed(), seconds(7));
  auto report = reader().verify();
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->problems.empty());
}

TEST_F(RunSessions, TellWhichModelWasServedFirstAndWhatTookItsPlace) {
  auto store = RunStore::create(path_, run_, plan_, clock_);
  ASSERT_TRUE(store);
  EXPECT_EQ(*reader().first_served_model(), "");
  for (const PlannedTrial& trial : plan_) {
    auto recorder = store->begin_trial(trial.id);
    ASSERT_TRUE(recorder);
    ASSERT_TRUE(record_turns(*recorder, sample_trace(trial.id)));
    ASSERT_TRUE(recorder->note("something else", {{"now", "x"}}));
    if (&trial == &plan_[0]) continue;
    for (int turn = 0; turn < 2; ++turn) {
      ASSERT_TRUE(recorder->note(kOtherModelServed, {{"first", "scripted"}, {"now", "other"}}));
    }
    ASSERT_TRUE(recorder->finish(sample_outcome(1), {}));
  }
  auto run = reader();
  EXPECT_EQ(*run.first_served_model(), "scripted");
  auto changes = run.served_model_changes();
  ASSERT_TRUE(changes);
  ASSERT_EQ(changes->size(), 1U);
  EXPECT_EQ(changes->front().first, "scripted");
  EXPECT_EQ(changes->front().now, "other");
  EXPECT_EQ(changes->front().trials, 3);
  EXPECT_EQ(changes->front().task, plan_[1].task);
  EXPECT_EQ(changes->front().epoch, plan_[1].epoch);
}

}  // namespace
}  // namespace trialwright
