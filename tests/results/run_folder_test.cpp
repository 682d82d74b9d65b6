#include "results/run_folder.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "tests/results/run_fixture.h"
#include "tests/support/fake_clock.h"

namespace trialwright {
namespace {

/// Three runs, the last with four trials.
class RunFolder : public testing::Test {
 protected:
  void SetUp() override {
    auto folder = TemporaryFolder::make("runs-test");
    ASSERT_TRUE(folder);
    folder_.emplace(*std::move(folder));
    FakeClock clock;
    for (std::uint8_t i = 0; i < 3; ++i) {
      ids_.push_back(make_run_id(1'700'000'000'000'000 + i * 1'000'000LL, {i, 1, 2}));
      RunRecord run = sample_run();
      run.id = ids_.back();
      auto store = RunStore::create(run_file(path(), run.id), run, sample_plan(4), clock);
      ASSERT_TRUE(store);
      ASSERT_TRUE(record_trial(*store, sample_plan(4)[0].id));
      if (i == 1) {
        ASSERT_TRUE(store->finish(RunStatus::Interrupted));
      }
    }
  }
  [[nodiscard]] const std::filesystem::path& path() const { return folder_->path(); }

  std::optional<TemporaryFolder> folder_;
  std::vector<std::string> ids_;
};

TEST(RunId, HasTheFormOfUlid) {
  // The example of the ULID specification: 1469918176385 ms is "01ARYZ6S41".
  EXPECT_EQ(make_run_id(1469918176385'000, {}), "01ARYZ6S410000000000000000");
  const std::array<std::uint8_t, 10> ones = {255, 255, 255, 255, 255, 255, 255, 255, 255, 255};
  EXPECT_EQ(make_run_id(0, ones), "0000000000ZZZZZZZZZZZZZZZZ");
  EXPECT_EQ(make_run_id(0, {0, 0, 0, 0, 0, 0, 0, 0, 0, 33}).substr(24), "11");
}

TEST(RunId, IsNewEachTime) {
  const FakeClock clock;
  EXPECT_NE(new_run_id(clock), new_run_id(clock));
}

TEST(RunId, SortsByTime) { EXPECT_LT(make_run_id(1'000'000, {255}), make_run_id(1'001'000, {0})); }

TEST_F(RunFolder, ListsTheNewestFirst) {
  const auto runs = list_runs(path());
  ASSERT_EQ(runs.size(), 3U);
  EXPECT_EQ(runs[0].id, ids_[2]);
  EXPECT_EQ(runs[1].status, RunStatus::Interrupted);
  EXPECT_EQ(runs[0].status, RunStatus::Running);
  EXPECT_FALSE(runs[0].being_written);
  EXPECT_EQ(runs[0].trials, 4);
  EXPECT_EQ(runs[0].counts.at(Verdict::Passed), 1);
  EXPECT_EQ(list_runs(path(), 2).size(), 2U);
  EXPECT_TRUE(list_runs(path() / "none").empty());
}

TEST_F(RunFolder, ListsAFileThatIsDamagedWithTheReason) {
  const std::string id = make_run_id(1'800'000'000'000'000, {});
  ASSERT_TRUE(write_file_atomically(run_file(path(), id), "rubbish"));
  const auto runs = list_runs(path(), 1);
  ASSERT_EQ(runs.size(), 1U);
  EXPECT_EQ(runs[0].id, id);
  EXPECT_FALSE(runs[0].problem.empty());
}

TEST_F(RunFolder, FindsARunByWhatAPersonTypes) {
  const auto found = [&](const std::string& text) {
    auto run = resolve_run(path(), text);
    return run ? run->stem().string() : run.error().message;
  };
  EXPECT_EQ(found("last"), ids_[2]);
  EXPECT_EQ(found(ids_[1]), ids_[1]);
  EXPECT_EQ(found(to_lower(ids_[1])), ids_[1]);
  EXPECT_EQ(found(run_file(path(), ids_[0]).string()), ids_[0]);
  EXPECT_EQ(resolve_run(path(), ids_[0].substr(0, 4)).error().kind, ErrorKind::Invalid);
  EXPECT_EQ(resolve_run(path(), "ZZZ").error().kind, ErrorKind::NotFound);
  EXPECT_EQ(resolve_run(path(), "").error().kind, ErrorKind::NotFound);
  EXPECT_EQ(resolve_run(path() / "none", "last").error().kind, ErrorKind::NotFound);
}

TEST_F(RunFolder, FindsATrialByWhatAPersonTypes) {
  const auto plan = sample_plan(4);
  const auto found = [&](const std::string& text) {
    auto trial = resolve_trial(path(), text);
    return trial ? trial->run.stem().string() + " " + trial->trial_id : trial.error().message;
  };
  EXPECT_EQ(found(plan[2].id.substr(0, 8)), ids_[2] + " " + plan[2].id);
  EXPECT_EQ(found("starter/files/task-1@2"), ids_[2] + " " + plan[3].id);
  EXPECT_EQ(found("task-1@2"), ids_[2] + " " + plan[3].id);
  EXPECT_EQ(found("last:task-0@1"), ids_[2] + " " + plan[0].id);
  EXPECT_EQ(found(ids_[0] + ":task-0@1"), ids_[0] + " " + plan[0].id);
  EXPECT_EQ(found("ask-0@1"), "there is no trial \"ask-0@1\" in run " + ids_[2]);
  EXPECT_EQ(found("task-0@x"), "there is no trial \"task-0@x\" in run " + ids_[2]);
  EXPECT_EQ(resolve_trial(path(), "last:").error().kind, ErrorKind::Invalid);
}

TEST_F(RunFolder, TellsRunsFromTrials) {
  auto run = resolve_run_or_trial(path(), "last");
  ASSERT_TRUE(run);
  EXPECT_TRUE(run->trial_id.empty());
  auto trial = resolve_run_or_trial(path(), sample_plan(4)[1].id);
  ASSERT_TRUE(trial);
  EXPECT_EQ(trial->trial_id, sample_plan(4)[1].id);
  auto neither = resolve_run_or_trial(path(), "zzzz");
  ASSERT_FALSE(neither);
  EXPECT_NE(neither.error().message.find("there is no run \"zzzz\""), std::string::npos);
}

TEST_F(RunFolder, SaysHowToNameATrialWhereATaskIsNamed) {
  auto task = resolve_run_or_trial(path(), "task-1");
  ASSERT_FALSE(task);
  EXPECT_EQ(task.error().message, "\"task-1\" is a task; a trial of it is starter/files/task-1@1");
}

}  // namespace
}  // namespace trialwright
