#include "harness/run/stored_answers.h"

#include <iterator>
#include <utility>

namespace trialwright {

std::string draft_key(const Digest& task_digest) { return "task " + task_digest.hex(); }

std::vector<std::int32_t> answer_ids(const Completion& completion) {
  std::vector<std::int32_t> ids;
  ids.reserve(completion.tokens.size());
  for (const GeneratedToken& token : completion.tokens) {
    ids.push_back(token.chosen.id);
  }
  return ids;
}

Result<std::vector<std::vector<std::int32_t>>> stored_answers(RunReader& reader,
                                                              const std::string& trial_id) {
  auto trace = reader.trace(trial_id);
  if (!trace) return trace.error();
  std::vector<std::vector<std::int32_t>> answers;
  for (const Turn& turn : trace->turns) {
    auto ids = answer_ids(turn.completion);
    if (!ids.empty()) answers.push_back(std::move(ids));
  }
  return answers;
}

Result<std::vector<std::vector<std::int32_t>>> stored_answers_to(RunReader& reader,
                                                                 const Digest& task_digest) {
  auto trials = reader.trials();
  if (!trials) return trials.error();
  std::vector<std::vector<std::int32_t>> answers;
  for (const TrialSummary& summary : *trials) {
    if (!summary.outcome || summary.trial.task_digest != task_digest) continue;
    auto of_trial = stored_answers(reader, summary.trial.id);
    if (!of_trial) return of_trial.error();
    std::move(of_trial->begin(), of_trial->end(), std::back_inserter(answers));
  }
  return answers;
}

}  // namespace trialwright
