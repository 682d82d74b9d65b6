#include "graders/choice_grader.h"

#include <algorithm>
#include <cmath>

namespace trialwright {

std::string choice_label(std::size_t index) {
  CHECK(index < 26, "questions have at most 26 choices");
  return std::string(1, static_cast<char>('A' + index));
}

std::string choice_prompt(const QaTask& question, const ChoiceAnswer& answer) {
  std::string prompt = question.prompt + "\n";
  for (std::size_t i = 0; i < answer.choices.size(); ++i)
    prompt += "\n" + choice_label(i) + ". " + answer.choices[i];
  return prompt + "\n\nAnswer with the letter of the right choice, and nothing else.";
}

std::string plain_question(std::string_view prompt) {
  return "Question: " + std::string(prompt) + "\nAnswer:";
}

ChoiceGrader::ChoiceGrader(Model& model) : model_(model) {
  identity_.name = "choice";
  identity_.version = "1";
  identity_.digest = Hasher().field(identity_.name).field(identity_.version).finish();
}

Result<Grade> ChoiceGrader::grade(const Task& task, const Trace& /*trace*/,
                                  VerifierWorkspace* /*workspace*/, std::stop_token stop) {
  const auto* question = std::get_if<QaTask>(&task.content);
  const auto* answer = question == nullptr ? nullptr : std::get_if<ChoiceAnswer>(&question->answer);
  if (answer == nullptr) return invalid("task " + task.id + " is no multiple choice");
  if (answer->choices.empty() || answer->choices.size() > 26 ||
      answer->correct >= answer->choices.size())
    return invalid("task " + task.id + " has choices that cannot be told apart by a letter");

  ScoreRequest request;
  Message user;
  request.plain = !model_.identity().can_chat;
  user.content = choice_prompt(*question, *answer);
  if (request.plain) user.content = plain_question(user.content);
  request.messages.push_back(std::move(user));
  Json labels = Json::array();
  for (std::size_t i = 0; i < answer->choices.size(); ++i) {
    labels.push_back(choice_label(i));
    // In a text a space stands before the answer, which most vocabularies have in its token.
    request.continuations.push_back((request.plain ? " " : "") + choice_label(i));
  }
  const auto scores = model_.score(request, std::move(stop));
  if (!scores) return scores.error().during("scoring the choices");
  if (scores->size() != request.continuations.size())
    return unavailable("the model gave " + std::to_string(scores->size()) + " scores for " +
                       std::to_string(request.continuations.size()) + " choices");
  if (std::any_of(scores->begin(), scores->end(),
                  [](const ContinuationScore& score) { return std::isnan(score.logprob); })) {
    return unavailable("the model gave a score that is no number");
  }

  const auto best = std::max_element(
      scores->begin(), scores->end(),
      [](const ContinuationScore& a, const ContinuationScore& b) { return a.logprob < b.logprob; });
  const auto chosen = static_cast<std::size_t>(best - scores->begin());
  double total = 0;
  for (const ContinuationScore& score : *scores) total += std::exp(score.logprob - best->logprob);
  const double probability = std::exp(scores->at(answer->correct).logprob - best->logprob) / total;

  Grade grade;
  grade.grader = identity_.name;
  grade.version = identity_.version;
  grade.digest = identity_.digest.hex();
  grade.score = chosen == answer->correct ? 1 : 0;
  grade.explanation =
      "the model prefers " + choice_label(chosen) + ", right is " + choice_label(answer->correct);
  Json logprobs = Json::array();
  for (const ContinuationScore& score : *scores) logprobs.push_back(score.logprob);
  grade.evidence["labels"] = std::move(labels);
  grade.evidence["logprobs"] = std::move(logprobs);
  grade.evidence["chosen"] = chosen;
  grade.evidence["correct"] = answer->correct;
  grade.evidence["probability"] = std::isfinite(probability) ? Json(probability) : Json(nullptr);
  return grade;
}

}  // namespace trialwright
