#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "harness/agent/scaffold.h"
#include "inference/model.h"
#include "results/trace.h"
#include "tasks/workspace.h"

namespace trialwright {

/// Sees an episode as it happens, in order, on the episode's thread. What it is told is final.
/// An error ends the episode: what cannot be recorded must not go on.
class EpisodeObserver {
 public:
  virtual ~EpisodeObserver() = default;
  virtual Result<void> opened(std::span<const Message> opening,
                              std::span<const ToolDefinition> tools) = 0;
  virtual Result<void> completed(std::span<const Message> sent, const Completion& completion) = 0;
  virtual Result<void> observed(const Observation& observation) = 0;
};

/// What an agent and its trial are made of.
struct EpisodeSettings {
  const Scaffold& scaffold;  ///< With its protocol settled: not Auto.
  std::uint64_t seed = 0;    ///< Of this trial; turns are its streams.
  std::chrono::steady_clock::time_point deadline;
  std::string draft_key{};  ///< Of all its requests.
};

/// An agent at work on one task: the turn loop with its conversation.
///
/// A task with several steps calls `attempt` once a step; the conversation goes on.
/// One thread at a time.
class Episode {
 public:
  Episode(const EpisodeSettings& settings, Model& model, const Clock& clock,
          EpisodeObserver& observer);

  /// Lets the agent work until it submits, gives up or meets a limit. `workspace` may be another
  /// object for each step, over the same file tree.
  /// Errors: Unavailable if the model or the workspace failed; the trace so far stays.
  Result<void> attempt(const std::string& instruction, Workspace& workspace, std::stop_token stop);

  /// Gives the next step its own time.
  void extend_deadline(std::chrono::steady_clock::time_point deadline) {
    settings_.deadline = deadline;
  }

  /// Everything that happened.
  [[nodiscard]] const Trace& trace() const { return trace_; }

 private:
  Result<void> open(const std::string& instruction, const Workspace& workspace);
  /// Tells the agent of the next step.
  Result<void> go_on(const std::string& instruction);
  Result<void> take_turns(Workspace& workspace, std::stop_token stop);
  Result<void> observe(Observation observation);
  /// The same, with other words for the model than the record holds.
  Result<void> observe(Observation observation, std::string told_as);
  [[nodiscard]] bool limit_reached(std::stop_token stop);
  Result<Completion> next_completion(std::stop_token stop);
  Result<void> act(const Completion& completion, Workspace& workspace, std::stop_token stop,
                   bool& submitted);
  /// Looks at the latest turn; says so to the model if it only repeats the one before.
  Result<void> watch_repeats();
  [[nodiscard]] std::chrono::milliseconds time_left() const;

  EpisodeSettings settings_;
  Model& model_;
  const Clock& clock_;
  EpisodeObserver& observer_;
  std::vector<std::string> tool_names_;
  std::vector<Message> messages_;
  Trace trace_;
  /// Of the step before: its submit, or what came too late.
  std::vector<std::string> unanswered_calls_;
  int tokens_generated_ = 0;
  int repeats_ = 1;  ///< Turns in a row that did and saw the same, the latest one included.
};

}  // namespace trialwright
