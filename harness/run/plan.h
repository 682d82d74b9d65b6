#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "harness/run/spec.h"
#include "results/run_record.h"
#include "tasks/task.h"

namespace trialwright {

/// The trials of a run, epoch by epoch, so that a run that is stopped early has seen every task
/// before it repeats one.
///
/// model_digest  ModelIdentity::digest, or the agent's name where there is no model.
std::vector<PlannedTrial> plan_trials(const RunSpec& spec, std::span<const Task> tasks,
                                      const std::string& model_digest);

/// The digest of everything that decides a trial's course: task, scaffold, model, sampling, seed,
/// epoch, limits, fault plan. Never of paths or times.
std::string trial_id(const RunSpec& spec, const Task& task, const std::string& model_digest,
                     int epoch);

/// The seed of one trial's draws: depends on the run's seed, the task and the epoch alone, so that
/// two models or scaffolds face the same draws.
std::uint64_t trial_seed(std::uint64_t run_seed, const Task& task, int epoch);

/// The planned trials' tasks, by id. Errors: Invalid if one is missing from `tasks` or has changed
/// since the plan was made.
Result<std::map<std::string, const Task*>> match_tasks(std::span<const PlannedTrial> trials,
                                                       std::span<const Task> tasks);

/// Errors: Invalid if a trial, made now, would be another one than was planned: with another model,
/// or by a version of the program that tells agents something else.
Result<void> check_identities(std::span<const PlannedTrial> trials,
                              const std::map<std::string, const Task*>& tasks, const RunSpec& spec,
                              const std::string& model_digest);

}  // namespace trialwright
