#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"
#include "inference/llm/engine.h"
#include "inference/spec/drafter.h"
#include "inference/token/tokenizer.h"

namespace trialwright {

/// Whether ids mean the same to both: only then can one model guess for the other.
/// Errors: Invalid, naming the first token that differs.
Result<void> check_same_vocabulary(const Tokenizer& target, const Tokenizer& small);

/// Guesses what a small model with the same vocabulary would say.
///
/// The small model chooses greedily, and the probability that it gives a token is the confidence.
/// Its engine keeps the keys and values of the context, so that a call computes only what is new
/// and the guesses. Several requests may share one engine, each with a drafter of its own: they are
/// asked one after the other. Where the small model cannot go on, for example because the context
/// is longer than its own, nothing is guessed.
class DraftModel final : public Drafter {
 public:
  /// A draft ends before the product of its confidences falls below this.
  static constexpr double kSurvivalMin = 0.2;

  /// `small` outlives this; its vocabulary was found to be the same.
  explicit DraftModel(Engine& small) : small_(small) {}

  void draft(std::span<const std::int32_t> context, int tokens_max, Draft& draft) override;

 private:
  Engine& small_;
};

}  // namespace trialwright
