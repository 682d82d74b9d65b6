#pragma once

#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "inference/spec/step_cost.h"

namespace trialwright {

/// What a step of so many rows costs, in any unit. Not for zero rows; never falls as rows grow.
using RowCost = std::function<double(int rows)>;

/// How many guesses of each request to check in one step: the numbers for which the step's useful
/// rows per cost are most, the fewest of those that are equal.
///
/// Source: confidence-scheduled verification of DSpark (DeepSeek-AI and Peking University, 2026):
/// the probability that a guess survives is the product of the confidences up to it, and the length
/// is set by these and by the engine's own curve of cost, so that checking shrinks where the batch
/// is full already. A row is useful if it yields a token: of each request the one that it has
/// anyhow, and a guess as often as it survives. Rows of prompts that are read in the same step are
/// work that is wanted too.
///
/// confidence   of each request's guesses, each given that those before it were taken.
/// rows_beside  computed in the same step for others.
/// Since survival only falls along a draft, the best guesses of each number are the likeliest ones
/// of all drafts, and trying every number finds the best: O(guesses · log(guesses)).
std::vector<int> best_depths(std::span<const std::span<const double>> confidence, int rows_beside,
                             const RowCost& cost);

/// How many tokens to ask a drafter for that takes its time: the number of guesses for which tokens
/// per time are most, 0 where guessing does not pay.
///
/// acceptance  of each guess, given that those before it were taken.
/// guess_cost  of one guess, in the unit of `cost`.
int depth_worth_guessing(double acceptance, double guess_cost, int rows_beside, int tokens_max,
                         const RowCost& cost);

struct DraftDepthOptions {
  int tokens_max = 32;  ///< A draft is never longer.
  /// Checks always so many guesses where there are so many, 0 for none: for tests, and for
  /// measurements that are to be the same twice.
  std::optional<int> fixed{};
};

/// Decides how many guesses to check, and learns what steps cost.
///
/// The decision rests on measured times and so may differ from run to run; results do not, because
/// a guess is kept only where the model chooses the same token. Any thread.
class DraftDepth {
 public:
  /// Where the measurements forbid guessing what an engine unmeasured would try, every so often it
  /// is tried all the same: they may have been taken in a bad moment.
  static constexpr int kRetriedEvery = 64;
  static constexpr int kRetriedDepth = 4;  ///< Of a drafter that takes its time.

  explicit DraftDepth(const DraftDepthOptions& options = {});

  /// How many guesses to ask a drafter for. 0 switches guessing off.
  [[nodiscard]] int tokens_max() const;

  /// How many guesses of each of the requests to check in one step, as `best_depths`.
  std::vector<int> choose(std::span<const std::span<const double>> confidence, int rows_beside);
  /// The same for one request.
  int choose(std::span<const double> confidence, int rows_beside);

  /// `depth_worth_guessing` with what was learnt. guess_time: of one token.
  int worth_guessing(double acceptance, std::chrono::nanoseconds guess_time, int rows_beside,
                     int tokens_max);

  /// A step of `rows` rows, of all requests together, took so long.
  void step_took(int rows, std::chrono::nanoseconds time);

 private:
  const DraftDepthOptions options_;
  std::mutex mutex_;
  StepCost cost_;
  bool measured_ = false;
  int refused_ = 0;  ///< Decisions against guessing that an engine unmeasured would not make.
  int unasked_ = 0;  ///< Decisions against a drafter that takes its time.
};

}  // namespace trialwright
