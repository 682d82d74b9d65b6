#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "results/run_record.h"

namespace trialwright {

// Numbers over trials. Trials of one task are alike, so the task is the unit that is drawn at
// random and every interval is over tasks (Miller, "Adding Error Bars to Evals", arXiv 2411.00640,
// section 2.2); repeating a task narrows what is known of that task and no more.

struct Interval {
  double low = 0;
  double high = 0;
};

/// A number with what it takes to judge it.
struct Estimate {
  double value = 0;
  std::optional<Interval> interval;  ///< None where there is too little to say.
  double level = 0.95;               ///< Of the interval's confidence.
  int trials = 0;
  int tasks = 0;
  std::string method;  ///< How the interval was made, for the reader.
};

/// The scores of one task, one an epoch.
struct TaskScores {
  std::string task;
  std::vector<double> scores;
};

/// The interval for a rate of successes: Wilson 1927, "Probable inference", without continuity
/// correction. `successes` and `count` may be any non-negative numbers, successes <= count.
Interval wilson_interval(double successes, double count, double level = 0.95);

/// Mean over tasks of the mean over epochs, with a t interval over the task means, cut to [0, 1].
///
/// With as many epochs for every task this is the cluster-robust interval of Miller 2024, equation
/// 4, with T - 1 instead of T in the variance and t instead of normal quantiles, which matters for
/// few tasks. Where every task was tried once and scored 0 or 1 the mean is a rate, and where all
/// task means are equal their spread says nothing: in both cases the interval is Wilson's over the
/// tasks. None without tasks, and for a single one unless it is such a rate. Tasks without scores
/// are left out.
Estimate mean_over_tasks(std::span<const TaskScores> tasks, double level = 0.95);

/// The p-quantile of the standard normal distribution, and of Student's t. 0 < p < 1; degrees > 0.
double normal_quantile(double p);
double student_t_quantile(double p, double degrees);

/// What a run or a part of it scored, with every denominator.
struct ScoreSummary {
  std::map<Verdict, int>
      counts;  ///< Of trials with an outcome; verdicts that did not come are not in it.
  int planned = 0;
  int missing = 0;                ///< Planned, no outcome yet.
  int scored = 0;                 ///< Whose verdict enters the score.
  Estimate reward;                ///< mean_over_tasks of the rewards.
  Estimate passed;                ///< mean_over_tasks of 1 for Passed and 0 for Failed and Limit.
  std::vector<TaskScores> tasks;  ///< In the order of the plan; only scored trials.
};
ScoreSummary summarize(std::span<const TrialSummary> trials, double level = 0.95);

/// "0.612 [0.584, 0.640]", or with a dash for a missing interval.
std::string to_text(const Estimate& estimate);

}  // namespace trialwright
