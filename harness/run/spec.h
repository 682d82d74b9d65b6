#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/json.h"
#include "harness/agent/scaffold.h"
#include "results/run_record.h"
#include "tasks/task.h"

namespace trialwright {

/// Who attempts the tasks.
enum class AgentKind {
  Model,      ///< A model inside a scaffold.
  Nothing,    ///< Does nothing: what a suite gives away for free.
  Reference,  ///< Runs each task's own solution: what a suite can give at most.
};

std::string_view agent_name(AgentKind agent);
Result<AgentKind> agent_from_name(std::string_view name);

/// What a run is told to do, resolved: everything that is needed to make its missing trials later.
struct RunSpec {
  std::string suite;  ///< A bundled suite's name, or an absolute path.
  AgentKind agent = AgentKind::Model;
  std::string model;  ///< As `resolve_model` takes it; empty unless agent is Model.
  /// With its protocol settled; its sampling is the run's.
  Scaffold scaffold;
  int epochs = 1;
  std::uint64_t seed = 0;
  std::optional<std::chrono::seconds> trial_timeout;  ///< Instead of each task's own.
  std::optional<int> context_tokens_max;  ///< Instead of the model's own; it can end an episode.
};

/// The spec as the run's record keeps it, and back.
Json spec_to_json(const RunSpec& spec);
Result<RunSpec> spec_from_json(const Json& json);

/// The spec that a run's record holds. Errors: Integrity, naming the field.
Result<RunSpec> recorded_spec(const RunRecord& run);

Json sampling_to_json(const Sampling& sampling);

/// How long an agent may work on a task in this run: on the whole of it if the run says so,
/// otherwise on each step that has no time of its own.
std::chrono::seconds agent_timeout(const RunSpec& spec, const Task& task);
/// The longest that an agent can work on a task, all its steps together.
std::chrono::seconds agent_time_max(const RunSpec& spec, const Task& task);

}  // namespace trialwright
