#pragma once

#include <stop_token>
#include <string_view>

#include "harness/run/trial.h"
#include "inference/model.h"
#include "tasks/task.h"

namespace trialwright {

/// Makes one trial of a question: the model answers in one turn, or its probabilities of the
/// choices are compared. A model that cannot chat goes on with a text, and its answer is the line
/// that it adds.
Result<TrialResult> make_question_trial(const PlannedTrial& planned, const Task& task,
                                        const TrialContext& context, TrialRecorder& recorder,
                                        TurnObserver& turns, std::stop_token stop);

/// Makes a request for a model that cannot chat: plain, and over at the line's end.
void make_plain(CompletionRequest& request);

/// Grades the reply of an agent that was asked for the letter of a choice. The letter may stand in
/// brackets, quotes or asterisks, and text may follow it after a full stop, bracket or colon:
/// "B", "**b**", "(B)", "B. the second". Any other reply chooses nothing.
Grade grade_named_choice(const ChoiceAnswer& choice, std::string_view reply);

}  // namespace trialwright
