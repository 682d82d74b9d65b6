#pragma once

#include <vector>

namespace trialwright {

/// How positions become angles.
struct RopeScaling {
  float base = 10000;  ///< Angles are position × base^(-2i / n_rot).
  float scale = 1;     ///< Multiplies positions.
  /// Empty, or n_rot / 2 divisors of the angles.
  std::vector<float> divisors{};
  float magnitude = 1;  ///< Multiplies cosines and sines.

  bool operator==(const RopeScaling&) const = default;
};

/// Stretches a context `factor` times by YaRN (Peng et al., 2023, section 3): angles that turn
/// round 32 times or more within the context that the model was trained for stay, those that turn
/// less than once are divided by the factor, those between by something between; cosines and sines
/// grow by 1 + ln(factor) / 10.
RopeScaling yarn_scaling(int n_rot, float base, float factor, int trained_context);

/// Cosines and sines of the rotary embedding (Su et al., 2021).
///
/// Computed as far as they are asked for: a context of a million positions takes half a gigabyte,
/// and few conversations come near its end. One thread at a time in `reach`.
class RopeTable {
 public:
  /// n_rot     numbers turned in each head; even. Angles are multiplied up in single precision as
  ///           llama.cpp does, so that both round alike.
  RopeTable(int n_rot, RopeScaling scaling);

  /// Makes sure of positions 0 to positions - 1. Pointers from before are void then.
  void reach(int positions);
  /// n_rot / 2 values, for a position that was reached.
  [[nodiscard]] const float* cosines(int position) const { return cosines_.data() + at(position); }
  [[nodiscard]] const float* sines(int position) const { return sines_.data() + at(position); }

 private:
  [[nodiscard]] std::size_t at(int position) const {
    return static_cast<std::size_t>(position) * static_cast<std::size_t>(n_rot_ / 2);
  }

  int n_rot_;
  RopeScaling scaling_;
  int positions_ = 0;
  std::vector<float> cosines_;
  std::vector<float> sines_;
};

}  // namespace trialwright
