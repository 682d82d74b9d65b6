#pragma once

#include "graders/grader.h"
#include "inference/model.h"

namespace trialwright {

/// The prompt of a multiple choice: the question, then "A. first", "B. second", …, then a line that
/// asks for the letter.
std::string choice_prompt(const QaTask& question, const ChoiceAnswer& answer);

/// A question as a text that a base model can go on with: "Question: …", then a line "Answer:".
std::string plain_question(std::string_view prompt);

/// "A" to "Z". `index` < 26.
std::string choice_label(std::size_t index);

/// Grades a multiple choice by the model's log-probabilities of the labels after the prompt: the
/// most probable one is the answer, and the score is 1 if it is the right one. No text is
/// generated, so the trace stays without turns. A model that cannot chat gets `plain_question`.
///
/// Evidence: {"labels", "logprobs", "chosen", "correct", "probability" of the correct label among
/// all}. A tie goes to the label that comes first.
class ChoiceGrader final : public Grader {
 public:
  /// The model must outlive the grader.
  explicit ChoiceGrader(Model& model);

  [[nodiscard]] const GraderIdentity& identity() const override { return identity_; }

  /// Errors: Invalid for other tasks; as Model::score.
  Result<Grade> grade(const Task& task, const Trace& trace, VerifierWorkspace* workspace,
                      std::stop_token stop) override;

 private:
  Model& model_;
  GraderIdentity identity_;
};

}  // namespace trialwright
