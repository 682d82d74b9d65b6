#pragma once

#include <stop_token>
#include <string_view>

#include "harness/run/trial.h"
#include "tasks/task.h"

namespace trialwright {

/// Makes one trial of a question: the model answers in one turn, or its probabilities of the
/// choices are compared.
Result<TrialResult> make_question_trial(const PlannedTrial& planned, const Task& task,
                                        const TrialContext& context, TrialRecorder& recorder,
                                        TurnObserver& turns, std::stop_token stop);

/// Grades the reply of an agent that was asked for the letter of a choice. The letter may stand in
/// brackets, quotes or asterisks, and text may follow it after a full stop, bracket or colon:
/// "B", "**b**", "(B)", "B. the second". Any other reply chooses nothing.
Grade grade_named_choice(const ChoiceAnswer& choice, std::string_view reply);

}  // namespace trialwright
