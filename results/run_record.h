#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "base/json.h"
#include "results/trace.h"

namespace trialwright {

/// What a run is, written once when it starts.
struct RunRecord {
  std::string id;               ///< Sorts by time; see run_folder.h.
  std::int64_t created_us = 0;  ///< Microseconds since 1970-01-01 UTC.
  /// The full resolved configuration: all that is needed to run the missing trials later.
  Json spec = Json::object();
  /// Versions, CPU, kernels, what the sandbox can do, model identity: told, never compared.
  Json environment = Json::object();
};

/// One trial that the run means to make.
struct PlannedTrial {
  std::string id;    ///< Digest of all that decides the trial's course; unique in the run.
  std::string task;  ///< The task's id.
  Digest task_digest;
  int epoch = 0;
  std::uint64_t seed = 0;
  std::vector<std::string> tags;
};

/// How one attempt at a trial ended.
struct TrialOutcome {
  Verdict verdict = Verdict::Infra;
  std::optional<double> reward;  ///< In [0, 1]; none where nothing was graded.
  std::string reason;            ///< One sentence for people, for example what broke.
  /// Groups alike failures: the same cause gives the same text, whatever the times and paths.
  std::string signature;
  int turns = 0;
  std::int64_t prompt_tokens = 0;  ///< Summed over the turns, as are the next two.
  std::int64_t cached_tokens = 0;
  std::int64_t completion_tokens = 0;
  /// Times are for people; they are no part of any identity.
  std::chrono::microseconds setup_time{0};
  std::chrono::microseconds model_time{0};
  std::chrono::microseconds tool_time{0};
  std::chrono::microseconds grading_time{0};
  std::chrono::microseconds total_time{0};
};

/// A grade and where it came from.
struct StoredGrade {
  std::string trial_id;
  int attempt = 1;
  int generation = 0;  ///< 0 was given when the trial ran; 1 and above by grading again.
  Grade grade;
};

/// What is known of one planned trial. Where it was attempted more than once, the latest finished
/// attempt counts.
struct TrialSummary {
  PlannedTrial trial;
  int attempts = 0;                     ///< Begun, finished or not.
  int finished_attempt = 0;             ///< The one that `outcome` tells of; 0 if none.
  std::optional<TrialOutcome> outcome;  ///< None while the trial is missing.
};

/// That an endpoint served another model than at first, so that the run's trials are not all of
/// one.
struct ServedModelChange {
  std::string first;
  std::string now;
  int trials = 0;    ///< In which this was seen.
  std::string task;  ///< Where it was seen first.
  int epoch = 0;
};

enum class RunStatus {
  Running,      ///< Being written, or its writer died.
  Finished,     ///< Every planned trial was seen to.
  Interrupted,  ///< Stopped by a person or a signal, and closed in order.
  BudgetStop,   ///< Stopped by a limit of the run, and closed in order.
};

/// "running", "finished", "interrupted" or "budget_stop".
std::string_view run_status_name(RunStatus status);
Result<RunStatus> run_status_from_name(std::string_view name);

}  // namespace trialwright
