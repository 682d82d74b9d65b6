#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <vector>

#include "base/clock.h"
#include "harness/run/spec.h"
#include "harness/sandbox/sandbox.h"
#include "inference/model.h"
#include "results/run_record.h"
#include "results/store.h"

namespace trialwright {

/// Notices when an endpoint starts to serve another model than it did at first.
///
/// Any thread.
class ServedModelWatch {
 public:
  /// first  what the run's trials were served so far; empty if there are none.
  explicit ServedModelWatch(std::string first = "") : first_(std::move(first)) {}

  /// The name served first, if `name` is another one; an empty name tells nothing.
  std::optional<std::string> differs_from_first(const std::string& name);

 private:
  std::mutex mutex_;
  std::string first_;
};

/// What trials share.
struct TrialContext {
  const RunSpec& spec;
  Model* model = nullptr;      ///< Null unless the agent is a model.
  Sandbox* sandbox = nullptr;  ///< Null where no task needs one.
  const Clock& clock;
  ServedModelWatch& served;
};

/// Sees a trial go on, for progress. Called on the trial's thread.
class TurnObserver {
 public:
  virtual ~TurnObserver() = default;
  virtual void turn_ended(const PlannedTrial& trial, int turns) = 0;
};

/// A trial that came to an end of its own.
struct TrialResult {
  TrialOutcome outcome;
  std::vector<Grade> grades;
};

/// Makes one trial: machine, agent, grading. What goes wrong on the way is in the outcome's verdict
/// (infra, grader_error), never a score.
///
/// Errors: Cancelled if `stop` was set before the agent ended: the trial is then still to be made;
/// Unavailable if what happened could not be recorded.
Result<TrialResult> make_trial(const PlannedTrial& planned, const Task& task,
                               const TrialContext& context, TrialRecorder& recorder,
                               TurnObserver& turns, std::stop_token stop);

}  // namespace trialwright
