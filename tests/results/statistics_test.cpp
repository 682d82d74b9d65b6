#include "results/statistics.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

namespace trialwright {
namespace {

std::vector<TaskScores> tasks_with(const std::vector<std::vector<double>>& scores) {
  std::vector<TaskScores> tasks;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    tasks.push_back({"task-" + std::to_string(i), scores[i]});
  }
  return tasks;
}

TEST(Quantile, AgreesWithTables) {
  // NIST/SEMATECH e-Handbook of Statistical Methods, tables 1.3.6.7.1 and 1.3.6.7.2, and for more
  // digits the closed forms for 1 and 2 degrees of freedom.
  EXPECT_NEAR(normal_quantile(0.975), 1.959963984540054, 1e-12);
  EXPECT_NEAR(normal_quantile(0.5), 0, 1e-12);
  EXPECT_NEAR(normal_quantile(0.01), -2.326347874040841, 1e-12);
  EXPECT_NEAR(student_t_quantile(0.975, 1), std::tan(M_PI * 0.475), 1e-9);
  EXPECT_NEAR(student_t_quantile(0.975, 2), 0.95 * std::sqrt(2 / (4 * 0.975 * 0.025)), 1e-10);
  EXPECT_NEAR(student_t_quantile(0.975, 10), 2.228, 5e-4);
  EXPECT_NEAR(student_t_quantile(0.95, 30), 1.697, 5e-4);
  EXPECT_NEAR(student_t_quantile(0.975, 100), 1.984, 5e-4);
  EXPECT_NEAR(student_t_quantile(0.05, 5), -2.015, 5e-4);
  // With many degrees of freedom it is the normal one.
  EXPECT_NEAR(student_t_quantile(0.975, 1e7), normal_quantile(0.975), 1e-6);
}

TEST(Wilson, GivesKnownIntervals) {
  // Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3.
  const Interval a = wilson_interval(81, 263);
  EXPECT_NEAR(a.low, 0.2553, 5e-5);
  EXPECT_NEAR(a.high, 0.3662, 5e-5);
  const Interval b = wilson_interval(15, 148);
  EXPECT_NEAR(b.low, 0.0624, 5e-5);
  EXPECT_NEAR(b.high, 0.1605, 5e-5);
  const Interval c = wilson_interval(0, 20);
  EXPECT_NEAR(c.low, 0, 5e-5);
  EXPECT_NEAR(c.high, 0.1611, 5e-5);
  const Interval d = wilson_interval(1, 29);
  EXPECT_NEAR(d.low, 0.0061, 5e-5);
  EXPECT_NEAR(d.high, 0.1718, 5e-5);
  const Interval nothing = wilson_interval(0, 0);
  EXPECT_EQ(nothing.low, 0);
  EXPECT_EQ(nothing.high, 1);
}

TEST(MeanOverTasks, IsAMeanOfMeansWithATInterval) {
  // Task means 0.6, 0.5, 0.4, 0.5: mean 0.5, standard deviation 0.0816497; t(0.975, 3) = 3.182446.
  const auto tasks = tasks_with({{0.5, 0.7}, {0.5, 0.5}, {0.4, 0.4, 0.4, 0.4}, {0.25, 0.75}});
  const Estimate mean = mean_over_tasks(tasks);
  EXPECT_DOUBLE_EQ(mean.value, 0.5);
  ASSERT_TRUE(mean.interval);
  EXPECT_NEAR(mean.interval->low, 0.5 - 3.182446 * 0.0816497 / 2, 1e-6);
  EXPECT_NEAR(mean.interval->high, 0.5 + 3.182446 * 0.0816497 / 2, 1e-6);
  EXPECT_EQ(mean.tasks, 4);
  EXPECT_EQ(mean.trials, 10);
  EXPECT_EQ(mean.method, "t over task means");
}

TEST(MeanOverTasks, CutsTheTIntervalToWhatAScoreCanBe) {
  const Estimate mean = mean_over_tasks(tasks_with({{1, 1}, {1, 0}, {0, 0}, {0, 1}}));
  ASSERT_TRUE(mean.interval);
  EXPECT_EQ(mean.interval->low, 0);
  EXPECT_EQ(mean.interval->high, 1);
}

TEST(MeanOverTasks, IsWilsonForOneTrialATask) {
  const Estimate rate = mean_over_tasks(tasks_with({{1}, {0}, {1}, {1}}));
  EXPECT_EQ(rate.method, "Wilson");
  ASSERT_TRUE(rate.interval);
  EXPECT_NEAR(rate.interval->low, wilson_interval(3, 4).low, 1e-12);
}

TEST(MeanOverTasks, IsNotCertainWhereAllTasksAreAlike) {
  const Estimate all = mean_over_tasks(tasks_with({{1, 1}, {1, 1}, {1, 1}}));
  EXPECT_EQ(all.value, 1);
  ASSERT_TRUE(all.interval);
  EXPECT_LT(all.interval->low, 0.6);
  EXPECT_EQ(all.method, "Wilson over tasks, which are all alike");
}

TEST(MeanOverTasks, SaysWhyThereIsNoInterval) {
  EXPECT_EQ(mean_over_tasks({}).method, "none: no trials");
  const Estimate one = mean_over_tasks(tasks_with({{0.5, 0.25}, {}}));
  EXPECT_FALSE(one.interval);
  EXPECT_EQ(one.method, "none: one task");
  EXPECT_EQ(to_text(one), "0.375 [–]");
}

TEST(Coverage, OfTheTIntervalIsWhatItSays) {
  // 2,000 made-up runs of 20 tasks with 3 epochs, where a task's own rate is uniform in [0.2, 0.8].
  int covered = 0;
  constexpr int kRuns = 2000;
  for (std::uint64_t run = 0; run < kRuns; ++run) {
    RandomStream random(11, run);
    std::vector<TaskScores> tasks;
    for (int task = 0; task < 20; ++task) {
      const double rate = 0.2 + 0.6 * random.uniform();
      TaskScores scores{std::to_string(task), {}};
      for (int epoch = 0; epoch < 3; ++epoch) {
        scores.scores.push_back(random.uniform() < rate ? 1.0 : 0.0);
      }
      tasks.push_back(std::move(scores));
    }
    const auto interval = mean_over_tasks(tasks).interval;
    ASSERT_TRUE(interval);
    if (interval->low <= 0.5 && 0.5 <= interval->high) ++covered;
  }
  // Four standard errors of the coverage itself around 95 %.
  EXPECT_NEAR(static_cast<double>(covered) / kRuns, 0.95, 4 * std::sqrt(0.95 * 0.05 / kRuns));
}

TEST(Summary, CountsEveryVerdictAndScoresOnlyThree) {
  std::vector<TrialSummary> trials(8);
  const std::vector<std::pair<Verdict, std::optional<double>>> outcomes = {
      {Verdict::Passed, 1.0}, {Verdict::Failed, 0.5},     {Verdict::Limit, 0.0},
      {Verdict::Infra, {}},   {Verdict::GraderError, {}}, {Verdict::Invalid, 1.0},
      {Verdict::Skipped, {}}};
  for (std::size_t i = 0; i < trials.size(); ++i) {
    trials[i].trial.task = "task-" + std::to_string(i % 2);
    if (i == outcomes.size()) break;  // The last one is missing.
    trials[i].outcome.emplace();
    trials[i].outcome->verdict = outcomes[i].first;
    trials[i].outcome->reward = outcomes[i].second;
  }
  const ScoreSummary summary = summarize(trials);
  EXPECT_EQ(summary.planned, 8);
  EXPECT_EQ(summary.missing, 1);
  EXPECT_EQ(summary.scored, 3);
  EXPECT_EQ(summary.counts.size(), 7U);
  // Task 0: 1.0 and 0.0; task 1: 0.5.
  EXPECT_DOUBLE_EQ(summary.reward.value, 0.5);
  EXPECT_DOUBLE_EQ(summary.passed.value, 0.25);
  EXPECT_EQ(summary.reward.tasks, 2);
  EXPECT_EQ(summary.reward.trials, 3);
}

}  // namespace
}  // namespace trialwright
