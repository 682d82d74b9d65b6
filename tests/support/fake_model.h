#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "inference/model.h"

namespace trialwright {

/// A model that answers as a function says. Any thread, if the function may be called from any.
class FakeModel final : public Model {
 public:
  using Answer = std::function<Result<Completion>(const CompletionRequest&)>;

  explicit FakeModel(Answer answer) : answer_(std::move(answer)) {
    identity_.name = "fake";
    identity_.digest = "fake-digest";
    identity_.provider = "fake";
    identity_.native_tools = true;
  }

  [[nodiscard]] const ModelIdentity& identity() const override { return identity_; }

  Result<Completion> complete(const CompletionRequest& request, std::stop_token) override {
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
    }
    return answer_(request);
  }

  void expect_answers(std::string_view draft_key,
                      std::span<const std::vector<std::int32_t>> answers) override {
    const std::lock_guard lock(mutex_);
    auto& of_key = expected_answers_[std::string(draft_key)];
    of_key.insert(of_key.end(), answers.begin(), answers.end());
  }

  Result<std::vector<ContinuationScore>> score(const ScoreRequest& request,
                                               std::stop_token) override {
    if (!identity_.can_score) return invalid("this model cannot score");
    // The first continuation is always the likeliest.
    std::vector<ContinuationScore> scores;
    for (std::size_t i = 0; i < request.continuations.size(); ++i) {
      scores.push_back({-static_cast<double>(i) - 0.5, 1});
    }
    return scores;
  }

  /// From now on it is like an endpoint, which only completes.
  void refuse_to_score() { identity_.can_score = false; }

  /// By draft key.
  [[nodiscard]] std::map<std::string, std::vector<std::vector<std::int32_t>>> expected_answers()
      const {
    const std::lock_guard lock(mutex_);
    return expected_answers_;
  }

  [[nodiscard]] std::vector<CompletionRequest> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  Answer answer_;
  ModelIdentity identity_;
  mutable std::mutex mutex_;
  std::vector<CompletionRequest> requests_;
  std::map<std::string, std::vector<std::vector<std::int32_t>>> expected_answers_;
};

/// A completion that says `text`, one token a word.
inline Completion saying(std::string text) {
  Completion completion;
  completion.text = std::move(text);
  completion.usage.completion_tokens = 3;
  completion.usage.prompt_tokens = 10;
  completion.tokens = {{{1, -0.1}, {}}, {{2, -0.2}, {}}, {{3, -0.3}, {}}};
  return completion;
}

/// A completion that calls one tool.
inline Completion calling(std::string tool, Json arguments) {
  Completion completion = saying("");
  completion.tool_calls.push_back({"call_0", std::move(tool), std::move(arguments)});
  return completion;
}

/// An answer function that goes through a list and repeats its last entry.
inline FakeModel::Answer in_turn(std::vector<Completion> completions) {
  auto next = std::make_shared<std::size_t>(0);
  auto list = std::make_shared<std::vector<Completion>>(std::move(completions));
  return [next, list](const CompletionRequest&) -> Result<Completion> {
    const std::size_t at = std::min(*next, list->size() - 1);
    ++*next;
    return (*list)[at];
  };
}

}  // namespace trialwright
