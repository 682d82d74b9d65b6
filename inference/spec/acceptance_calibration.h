#pragma once

#include <array>
#include <cstddef>
#include <mutex>

namespace trialwright {

/// What a drafter's confidences are worth: how often guesses of about that confidence were what the
/// model took.
///
/// A rate starts at the confidence itself, as if `kPriorGuesses` guesses had been seen that came
/// true so often, and old outcomes fade: where kRemembered were counted, all count half from then
/// on. Any thread.
class AcceptanceCalibration {
 public:
  static constexpr int kBuckets = 20;  ///< Of equal width.
  static constexpr double kPriorGuesses = 8;
  static constexpr double kRemembered = 512;

  /// What became of a guess whose predecessors were all taken. confidence in [0, 1].
  void saw(double confidence, bool taken);

  /// The probability that a guess of this confidence is taken, in [0, 1].
  [[nodiscard]] double rate(double confidence) const;

  /// The same over guesses of all confidences; `otherwise` is what is believed before any was seen.
  [[nodiscard]] double overall_rate(double otherwise) const;

 private:
  struct Bucket {
    double seen = 0;
    double taken = 0;
  };
  static std::size_t bucket_of(double confidence);

  mutable std::mutex mutex_;
  std::array<Bucket, kBuckets> buckets_{};
};

}  // namespace trialwright
