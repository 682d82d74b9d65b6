#include "harness/run/plan.h"

#include <bit>

namespace trialwright {

namespace {

void add_sampling(Hasher& hasher, const Sampling& sampling) {
  for (const double number :
       {sampling.temperature, sampling.top_p, sampling.min_p, sampling.repetition_penalty}) {
    hasher.field(std::bit_cast<std::int64_t>(number));
  }
  hasher.field(sampling.top_k).field(sampling.repetition_window);
}

}  // namespace

std::string trial_id(const RunSpec& spec, const Task& task, const std::string& model_digest,
                     int epoch) {
  Hasher hasher;
  hasher.field("trial 1").field(task.digest.hex()).field(agent_name(spec.agent));
  hasher.field(scaffold_digest(spec.scaffold).hex()).field(model_digest);
  add_sampling(hasher, spec.scaffold.sampling);
  hasher.field(std::bit_cast<std::int64_t>(spec.seed)).field(epoch);
  hasher.field(agent_timeout(spec, task).count());
  // One that is set holds for all steps together, also where steps have their own; so setting it to
  // what the task has anyway is not the same as not setting it.
  if (spec.trial_timeout) hasher.field("trial timeout");
  // Only where it was set, so that the ids of all other trials stay what they were.
  if (spec.context_tokens_max) hasher.field("context").field(*spec.context_tokens_max);
  hasher.field("no faults");
  return hasher.finish().hex();
}

std::uint64_t trial_seed(std::uint64_t run_seed, const Task& task, int epoch) {
  Hasher hasher;
  hasher.field("seed 1").field(std::bit_cast<std::int64_t>(run_seed));
  const Digest digest = hasher.field(task.digest.hex()).field(epoch).finish();
  std::uint64_t seed = 0;
  for (std::size_t i = 0; i < 8; ++i) seed = (seed << 8U) | digest.bytes[i];
  // SQLite and JSON hold signed 64-bit numbers; 63 bits are enough.
  return seed >> 1U;
}

std::vector<PlannedTrial> plan_trials(const RunSpec& spec, std::span<const Task> tasks,
                                      const std::string& model_digest) {
  std::vector<PlannedTrial> trials;
  for (int epoch = 1; epoch <= spec.epochs; ++epoch) {
    for (const Task& task : tasks) {
      trials.push_back({trial_id(spec, task, model_digest, epoch), task.id, task.digest, epoch,
                        trial_seed(spec.seed, task, epoch), task.tags});
    }
  }
  return trials;
}

Result<std::map<std::string, const Task*>> match_tasks(std::span<const PlannedTrial> trials,
                                                       std::span<const Task> tasks) {
  std::map<std::string, const Task*> by_id;
  for (const Task& task : tasks) by_id[task.id] = &task;
  std::map<std::string, const Task*> matched;
  for (const PlannedTrial& trial : trials) {
    const auto found = by_id.find(trial.task);
    if (found == by_id.end()) return invalid("task \"" + trial.task + "\" is not in the suite");
    if (found->second->digest != trial.task_digest) {
      return invalid("task \"" + trial.task + "\" has changed since the run was planned");
    }
    matched[trial.task] = found->second;
  }
  return matched;
}

Result<void> check_identities(std::span<const PlannedTrial> trials,
                              const std::map<std::string, const Task*>& tasks, const RunSpec& spec,
                              const std::string& model_digest) {
  for (const PlannedTrial& trial : trials) {
    const Task& task = *tasks.at(trial.task);
    if (trial_id(spec, task, model_digest, trial.epoch) != trial.id) {
      return invalid("trial " + trial.id.substr(0, 10) + " of " + trial.task +
                     " would be another one today: what agents are told has changed since the run "
                     "began, so begin a new run");
    }
  }
  return {};
}

}  // namespace trialwright
