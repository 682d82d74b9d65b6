#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "results/run_reader.h"
#include "tasks/task.h"

namespace trialwright {

/// What the answers to a task are guessed from: CompletionRequest::draft_key of all its trials.
///
/// It is the task's digest alone. Trials of other scaffolds share it too: they are answered much
/// alike, and a wrong guess costs a little time and changes nothing.
std::string draft_key(const Digest& task_digest);

/// The token ids of one answer, as Model::expect_answers takes them.
std::vector<std::int32_t> answer_ids(const Completion& completion);

/// The answers of a stored trial, turn by turn, as token ids; of the attempt that counts, or else
/// the latest. Turns without token ids are left out. Errors: as RunReader::trace.
Result<std::vector<std::vector<std::int32_t>>> stored_answers(RunReader& reader,
                                                              const std::string& trial_id);

/// The same of all trials of a task that have an outcome, in the order of the plan.
Result<std::vector<std::vector<std::int32_t>>> stored_answers_to(RunReader& reader,
                                                                 const Digest& task_digest);

}  // namespace trialwright
