#pragma once

#include <chrono>
#include <stop_token>
#include <string>
#include <vector>

#include "inference/llm/engine.h"
#include "inference/llm/job.h"
#include "inference/llm/sampler.h"
#include "inference/spec/draft_depth.h"
#include "inference/spec/drafter.h"

namespace trialwright {

/// Reads a prompt and goes on from it, a token a step; or several where guesses come true.
///
/// Every token is chosen from the model's own logits at its place. A guess only lets the model
/// compute the logits after it in the same step: where the guess turns out to be the token that is
/// chosen, those logits are right and the next token is chosen at once.
class GenerateJob final : public Job {
 public:
  /// request      there until the job has ended.
  /// tokens_max   >= 0; with the prompt it fits the context.
  /// model_name   for messages.
  /// depth        decides how many guesses are checked; outlives the job.
  GenerateJob(const GenerateRequest& request, int tokens_max, const std::string& model_name,
              int vocabulary, DraftDepth& depth, std::stop_token stop);

  [[nodiscard]] std::span<const std::int32_t> prompt() const override { return request_.ids; }
  [[nodiscard]] int reusable() const override { return prompt_size() - 1; }
  [[nodiscard]] int positions_max() const override;
  void begin() override;
  bool goes_on() override;
  [[nodiscard]] bool reading() const override;
  Step next(const Room& room) override;
  void choose(std::span<const float> logits) override;
  bool deliver() override;

  /// What came of it; once.
  Generation result();

 private:
  using Clock = std::chrono::steady_clock;
  /// Where one token in so many may come at most, the output head is computed for these alone.
  static constexpr int kNarrowShare = 64;

  [[nodiscard]] int prompt_size() const { return static_cast<int>(request_.ids.size()); }
  /// Tokens of the context whose keys and values are not there yet.
  [[nodiscard]] int pending() const;
  [[nodiscard]] bool full() const;
  /// The constraint says that nothing more may come.
  [[nodiscard]] bool ended() const;
  void take(const GeneratedToken& token);
  void guess(int guesses_max, int rows_beside);
  std::span<const std::uint64_t> few_allowed();
  /// Chooses one token after all others; false if that cannot be done.
  bool choose_one(std::span<const float> logits);
  /// Notes what would have been chosen without the constraint.
  void audit(std::span<const float> logits, const Allowed& allowed, const Choice& choice);
  /// Tokens that follow without a choice. They are chosen tokens as well.
  void follow_forced();

  const GenerateRequest& request_;
  int tokens_max_;
  const std::string& model_name_;
  int vocabulary_;
  DraftDepth& depth_;
  std::stop_token stop_;
  Sampler sampler_;
  Generation generation_;
  std::vector<std::int32_t> context_;  ///< The prompt and all that was chosen.
  std::vector<FormatAudit> audits_;    ///< After each chosen token, with a constraint.
  std::size_t delivered_ = 0;          ///< Of the chosen tokens.
  Draft draft_;
  int guesses_ = 0;                     ///< In the step that is being computed.
  std::vector<std::int32_t> step_ids_;  ///< Where there are guesses.
  int logit_rows_ = 0;
  Clock::time_point made_;
  Clock::time_point begun_;
  Clock::time_point read_;  ///< When the prompt was.
};

}  // namespace trialwright
