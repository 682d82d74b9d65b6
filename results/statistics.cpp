#include "results/statistics.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace trialwright {

namespace {

double mean_of(std::span<const double> values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

/// With n - 1 below.
double standard_deviation(std::span<const double> values) {
  const double mean = mean_of(values);
  double sum = 0;
  for (const double value : values) sum += (value - mean) * (value - mean);
  return std::sqrt(sum / static_cast<double>(values.size() - 1));
}

Interval t_interval(std::span<const double> values, double level) {
  const auto n = static_cast<double>(values.size());
  const double reach =
      student_t_quantile(0.5 + level / 2, n - 1) * standard_deviation(values) / std::sqrt(n);
  const double mean = mean_of(values);
  return {mean - reach, mean + reach};
}

bool all_equal(std::span<const double> values) {
  return std::ranges::all_of(values, [&](double value) { return value == values.front(); });
}

bool is_zero_or_one(double value) { return value == 0 || value == 1; }

/// The mean of numbers in [0, 1], one a task.
Estimate mean_of_shares(std::span<const double> values, int trials, double level) {
  Estimate estimate;
  estimate.level = level;
  estimate.trials = trials;
  estimate.tasks = static_cast<int>(values.size());
  estimate.method = "none: no trials";
  if (values.empty()) return estimate;
  estimate.value = mean_of(values);
  const bool is_rate = trials == estimate.tasks && std::ranges::all_of(values, is_zero_or_one);
  if (is_rate || (values.size() > 1 && all_equal(values))) {
    const auto count = static_cast<double>(values.size());
    estimate.interval = wilson_interval(estimate.value * count, count, level);
    estimate.method = is_rate ? "Wilson" : "Wilson over tasks, which are all alike";
  } else if (values.size() > 1) {
    const Interval interval = t_interval(values, level);
    estimate.interval = Interval{std::max(0.0, interval.low), std::min(1.0, interval.high)};
    estimate.method = "t over task means";
  } else {
    estimate.method = "none: one task";
  }
  return estimate;
}

}  // namespace

Interval wilson_interval(double successes, double count, double level) {
  CHECK(successes >= 0 && successes <= count, "successes are counted among all");
  if (count == 0) return {0, 1};
  const double z = normal_quantile(0.5 + level / 2);
  const double rate = successes / count;
  const double scale = 1 + z * z / count;
  const double middle = (rate + z * z / (2 * count)) / scale;
  const double reach =
      z / scale * std::sqrt(rate * (1 - rate) / count + z * z / (4 * count * count));
  return {std::max(0.0, middle - reach), std::min(1.0, middle + reach)};
}

Estimate mean_over_tasks(std::span<const TaskScores> tasks, double level) {
  std::vector<double> means;
  int trials = 0;
  for (const TaskScores& task : tasks) {
    if (task.scores.empty()) continue;
    means.push_back(mean_of(task.scores));
    trials += static_cast<int>(task.scores.size());
  }
  return mean_of_shares(means, trials, level);
}

ScoreSummary summarize(std::span<const TrialSummary> trials, double level) {
  ScoreSummary summary;
  std::vector<TaskScores> passes;
  std::map<std::string_view, std::size_t> places;
  for (const TrialSummary& trial : trials) {
    ++summary.planned;
    if (!trial.outcome) {
      ++summary.missing;
      continue;
    }
    const TrialOutcome& outcome = *trial.outcome;
    ++summary.counts[outcome.verdict];
    if (!enters_score(outcome.verdict)) continue;
    ++summary.scored;
    const auto [place, is_new] = places.try_emplace(trial.trial.task, summary.tasks.size());
    if (is_new) {
      summary.tasks.push_back({trial.trial.task, {}});
      passes.push_back({trial.trial.task, {}});
    }
    const double passed = outcome.verdict == Verdict::Passed ? 1 : 0;
    summary.tasks[place->second].scores.push_back(outcome.reward.value_or(passed));
    passes[place->second].scores.push_back(passed);
  }
  summary.reward = mean_over_tasks(summary.tasks, level);
  summary.passed = mean_over_tasks(passes, level);
  return summary;
}

std::string to_text(const Estimate& estimate) {
  std::array<char, 64> text{};
  if (estimate.tasks == 0) return "–";
  if (estimate.interval) {
    std::snprintf(text.data(), text.size(), "%.3f [%.3f, %.3f]", estimate.value,
                  estimate.interval->low, estimate.interval->high);
  } else {
    std::snprintf(text.data(), text.size(), "%.3f [–]", estimate.value);
  }
  return text.data();
}

}  // namespace trialwright
