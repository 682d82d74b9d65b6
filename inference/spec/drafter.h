#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace trialwright {

/// Guesses of what comes next, to be checked by the model itself in one step.
struct Draft {
  std::vector<std::int32_t> ids;
  /// For each id the estimated probability, in [0, 1], that the model takes it, given that it took
  /// those before.
  std::vector<double> confidence;
};

/// Guesses tokens. What is guessed changes how fast an answer comes, never which: the engine
/// chooses every token from the model's own logits and keeps a guess only where it equals that
/// choice.
///
/// One thread at a time.
class Drafter {
 public:
  virtual ~Drafter() = default;

  /// About how many rows are computed for others in the step to come: what a guess may cost depends
  /// on it.
  virtual void expect_rows_beside(int /*rows*/) {}

  /// Guesses up to `tokens_max` tokens after `context` (prompt and all that was generated), which
  /// only grows from call to call. Nothing where there is nothing to guess from. `draft` is
  /// overwritten.
  virtual void draft(std::span<const std::int32_t> context, int tokens_max, Draft& draft) = 0;
};

}  // namespace trialwright
