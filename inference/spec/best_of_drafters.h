#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "base/clock.h"
#include "inference/spec/acceptance_calibration.h"
#include "inference/spec/draft_depth.h"
#include "inference/spec/drafter.h"

namespace trialwright {

/// What is known of one kind of drafter from all requests that it guessed for. Any thread.
class DrafterRecord {
 public:
  AcceptanceCalibration calibration;

  /// A call took so long for so many guesses; the first one of a request may have to read a whole
  /// prompt.
  void guessed(bool first, std::chrono::nanoseconds time, std::size_t tokens);

  /// The time of one guess; with `first_calls` its share of the first calls is counted in. None
  /// where nothing was measured.
  [[nodiscard]] std::optional<std::chrono::nanoseconds> guess_time(bool first_calls) const;

 private:
  /// Old times fade: where so many guesses were counted, all count half from then on.
  static constexpr double kRemembered = 2048;

  struct Times {
    double nanoseconds = 0;
    double tokens = 0;
  };

  mutable std::mutex mutex_;
  Times first_;
  Times later_;
};

/// One of several drafters of a request.
struct DraftSource {
  std::unique_ptr<Drafter> drafter;
  DrafterRecord& record;  ///< Of its kind; outlives the request.
  /// Guessing itself takes a notable part of a step's time, as a model's does.
  bool takes_time = false;
};

/// Asks several drafters and takes the draft from which most tokens can be expected.
///
/// Confidences are turned into the rates at which guesses of that confidence came true, for each
/// kind of drafter: a guess that the context has meanwhile confirmed or refuted counts, whether it
/// was checked or not, so what a drafter is worth is learnt while guessing is off as well. Drafters
/// that take time are asked only where the others have little to offer, and only if their rate pays
/// for their time.
class BestOfDrafters final : public Drafter {
 public:
  /// With so many tokens to be expected from one that costs nothing, no other is asked.
  static constexpr double kEnoughExpected = 1;
  /// What is believed of guesses that take time before any was seen.
  static constexpr double kRateAtFirst = 0.7;

  /// sources  on a tie the first one's draft is taken. `depth` and `clock` outlive this.
  BestOfDrafters(std::vector<DraftSource> sources, DraftDepth& depth, const Clock& clock);

  void expect_rows_beside(int rows) override { rows_beside_ = rows; }

  void draft(std::span<const std::int32_t> context, int tokens_max, Draft& draft) override;

 private:
  enum class Use { Undecided, Asked, Declined };
  struct Asked {
    DraftSource source;
    Draft draft;           ///< Its latest one, with its own confidences.
    std::size_t size = 0;  ///< Of the context that it follows.
    Use use = Use::Undecided;
  };

  static void learn(std::span<const std::int32_t> context, Asked& asked);
  int worth_asking(Asked& asked, int tokens_max);
  void ask(std::span<const std::int32_t> context, int tokens_max, Asked& asked);

  std::vector<Asked> all_;
  DraftDepth& depth_;
  const Clock& clock_;
  int rows_beside_ = 0;
};

/// How many guesses of a draft will be taken, on average: the sum over its guesses of the
/// probability that all up to it are.
double expected_tokens(std::span<const double> confidence);

}  // namespace trialwright
