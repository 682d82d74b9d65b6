#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "inference/kv/kv_sequence.h"

namespace trialwright {

/// One sequence on its way through the model, as the scheduler sees it.
///
/// The scheduler calls all of it on its own thread, `choose` on one of the pool's.
class Job {
 public:
  /// What to compute next.
  struct Step {
    std::span<const std::int32_t> ids;  ///< Not empty; valid until the next call of `next`.
    int logit_rows = 0;                 ///< How many of the last ids' logits are wanted.
    /// If not empty, only the logits of these tokens are (bit id % 64 of word id / 64), and of one
    /// row; valid until `choose`.
    std::span<const std::uint64_t> narrow{};
  };

  /// What a step still has room for.
  struct Room {
    int rows = 1;         ///< At least 1; a bound, except where nothing smaller can be computed.
    int logit_rows = 1;   ///< The same of rows whose logits are wanted.
    int rows_beside = 0;  ///< About how many rows are computed for others in the step.
  };

  virtual ~Job() = default;

  /// The tokens that are known before anything is computed.
  [[nodiscard]] virtual std::span<const std::int32_t> prompt() const = 0;
  /// How many of them may be taken from what was computed before, and whether to remember them.
  [[nodiscard]] virtual int reusable() const = 0;
  /// Positions that the sequence may come to have.
  [[nodiscard]] virtual int positions_max() const = 0;

  /// The sequence is there, and the job's turn has come.
  virtual void begin() {}
  /// False ends the job with what there is, because nobody wants more.
  virtual bool goes_on() = 0;
  /// True while most of what is to be computed was known beforehand.
  [[nodiscard]] virtual bool reading() const = 0;
  virtual Step next(const Room& room) = 0;
  /// What came of the step, [logit_rows][vocabulary]; may be empty.
  virtual void choose(std::span<const float> logits) = 0;
  /// Passes on what was chosen. False ends the job.
  virtual bool deliver() = 0;

  std::optional<KvSequence> sequence;  ///< Set by the scheduler unless it is there from the start.
  bool keeps_sequence = false;         ///< When it has ended; otherwise its pages are let go.
  std::optional<Error> error;          ///< Set by whoever could not go on; ends the job.
};

}  // namespace trialwright
