#include "inference/cpu/rope_table.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/check.h"

namespace trialwright {

RopeScaling yarn_scaling(int n_rot, float base, float factor, int trained_context) {
  // The dimension whose angle turns round so many times within the context.
  const auto dimension = [&](double turns) {
    constexpr double kTwoPi = 6.283185307179586;
    return n_rot * std::log(trained_context / (turns * kTwoPi)) / (2 * std::log(double{base}));
  };
  const double low = std::max(0.0, std::floor(dimension(32)));
  const double high = std::min(n_rot - 1.0, std::ceil(dimension(1)));
  RopeScaling scaling{.base = base};
  for (int i = 0; i < n_rot / 2; ++i) {
    const double stretched = std::clamp((i - low) / std::max(0.001, high - low), 0.0, 1.0);
    scaling.divisors.push_back(
        static_cast<float>(1 / (stretched / double{factor} + (1 - stretched))));
  }
  scaling.magnitude = factor > 1 ? 1 + 0.1F * std::log(factor) : 1;
  return scaling;
}

RopeTable::RopeTable(int n_rot, RopeScaling scaling) : n_rot_(n_rot), scaling_(std::move(scaling)) {
  CHECK(n_rot >= 2 && n_rot % 2 == 0, "the model's shape is checked on loading");
  CHECK(
      scaling_.divisors.empty() || scaling_.divisors.size() == static_cast<std::size_t>(n_rot / 2),
      "the model's shape is checked on loading");
}

void RopeTable::reach(int positions) {
  if (positions <= positions_) {
    return;
  }
  cosines_.resize(at(positions));
  sines_.resize(at(positions));
  const auto half = static_cast<std::size_t>(n_rot_ / 2);
  const float step = std::pow(scaling_.base, -2.0F / static_cast<float>(n_rot_));
  for (int position = positions_; position < positions; ++position) {
    float angle = static_cast<float>(position) * scaling_.scale;
    for (std::size_t i = 0; i < half; ++i) {
      const float divided = scaling_.divisors.empty() ? angle : angle / scaling_.divisors[i];
      cosines_[at(position) + i] = std::cos(divided) * scaling_.magnitude;
      sines_[at(position) + i] = std::sin(divided) * scaling_.magnitude;
      angle *= step;
    }
  }
  positions_ = positions;
}

}  // namespace trialwright
