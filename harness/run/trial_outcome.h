#pragma once

#include <chrono>
#include <span>
#include <stop_token>
#include <string>

#include "base/clock.h"
#include "harness/agent/episode.h"
#include "harness/run/trial.h"

namespace trialwright {

// What trials of questions and trials on machines make their records of.

/// Writes what an agent does into its trial's record as it happens.
class RecordingObserver final : public EpisodeObserver {
 public:
  RecordingObserver(const PlannedTrial& trial, ServedModelWatch& served, TrialRecorder& recorder,
                    TurnObserver& turns)
      : trial_(trial), served_(served), recorder_(recorder), turns_(turns) {}

  Result<void> opened(std::span<const Message> opening,
                      std::span<const ToolDefinition> tools) override;
  Result<void> completed(std::span<const Message> sent, const Completion& completion) override;
  Result<void> observed(const Observation& observation) override;

 private:
  const PlannedTrial& trial_;
  ServedModelWatch& served_;
  TrialRecorder& recorder_;
  TurnObserver& turns_;
  int count_ = 0;
};

std::chrono::microseconds since(const Clock& clock, std::chrono::steady_clock::time_point start);

bool ended_by_limit(EpisodeEnd end);

/// Adds up what the trace's turns used.
void add_usage(TrialOutcome& outcome, const Trace& trace);

/// A trial that nothing is known about, or that does not count.
TrialResult without_grade(Verdict verdict, const std::string& reason);

/// A trial with its score.
TrialResult graded(Grade grade, const Trace& trace);

/// What an error on the way means: the agent is not to blame for any of them.
/// Errors: Cancelled if that was the reason.
Result<TrialResult> broken(const Error& error, std::stop_token stop, Verdict verdict);

}  // namespace trialwright
