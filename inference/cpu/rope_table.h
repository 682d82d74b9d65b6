#pragma once

#include <vector>

namespace trialwright {

/// Cosines and sines of the rotary embedding (Su et al., 2021).
///
/// Computed as far as they are asked for: a context of a million positions takes half a gigabyte,
/// and few conversations come near its end. One thread at a time in `reach`.
class RopeTable {
 public:
  /// n_rot     numbers turned in each head; even.
  /// base      rope.freq_base; angles are position × base^(-2i / n_rot), multiplied up in single
  ///           precision as llama.cpp does, so that both round alike.
  /// factors   empty, or n_rot / 2 divisors of the angles (Llama 3's rope_freqs.weight).
  /// scale     multiplies positions (linear scaling); usually 1.
  RopeTable(int n_rot, float base, std::vector<float> factors = {}, float scale = 1);

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
  float base_;
  std::vector<float> factors_;
  float scale_;
  int positions_ = 0;
  std::vector<float> cosines_;
  std::vector<float> sines_;
};

}  // namespace trialwright
