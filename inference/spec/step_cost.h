#pragma once

#include <chrono>
#include <cstddef>
#include <vector>

namespace trialwright {

/// What a step of the engine costs, by the number of rows computed in it, learnt from the steps
/// that were made.
///
/// The latest kKept times of each number of rows are kept and their median taken, so a step that
/// was interrupted once does not count and an old load is forgotten. Medians are made
/// non-decreasing (pool adjacent violators), since more rows never cost less. Between measured
/// numbers costs are interpolated, beyond them they go on at the mean slope; where nothing was
/// measured a further row costs kPriorRowShare of a step of one row. Not for several threads.
class StepCost {
 public:
  static constexpr int kRowsMax = 256;  ///< Steps of more rows are not learnt from.
  static constexpr std::size_t kKept = 9;
  /// Between what eight rows cost on a processor that is short of bandwidth and of arithmetic.
  static constexpr double kPriorRowShare = 0.15;

  /// A step of `rows` rows took so long. Others are computed beside: all rows of a step count.
  void took(int rows, std::chrono::nanoseconds time);

  /// Seconds; where nothing was measured, in units of one row's step. Grows with `rows` >= 1 or
  /// stays.
  [[nodiscard]] double cost(int rows) const;
  /// The same as if nothing had been measured.
  [[nodiscard]] static double prior_cost(int rows);

  /// Steps of so many rows that were learnt from, at most kKept.
  [[nodiscard]] std::size_t measured(int rows) const;

 private:
  struct Measured {
    int rows = 0;
    std::vector<double> seconds;  ///< The latest, as a ring.
    std::size_t next = 0;
    double median = 0;
    double cost = 0;  ///< The median, made non-decreasing.
  };

  void make_monotone();

  std::vector<Measured> measured_;  ///< In the order of rows.
};

}  // namespace trialwright
