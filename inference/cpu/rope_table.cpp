#include "inference/cpu/rope_table.h"

#include <cmath>
#include <utility>

#include "base/check.h"

namespace trialwright {

RopeTable::RopeTable(int n_rot, float base, std::vector<float> factors, float scale)
    : n_rot_(n_rot), base_(base), factors_(std::move(factors)), scale_(scale) {
  CHECK(n_rot >= 2 && n_rot % 2 == 0, "the model's shape is checked on loading");
  CHECK(factors_.empty() || factors_.size() == static_cast<std::size_t>(n_rot / 2),
        "the model's shape is checked on loading");
}

void RopeTable::reach(int positions) {
  if (positions <= positions_) {
    return;
  }
  cosines_.resize(at(positions));
  sines_.resize(at(positions));
  const auto half = static_cast<std::size_t>(n_rot_ / 2);
  const float step = std::pow(base_, -2.0F / static_cast<float>(n_rot_));
  for (int position = positions_; position < positions; ++position) {
    float angle = static_cast<float>(position) * scale_;
    for (std::size_t i = 0; i < half; ++i) {
      const float divided = factors_.empty() ? angle : angle / factors_[i];
      cosines_[at(position) + i] = std::cos(divided);
      sines_[at(position) + i] = std::sin(divided);
      angle *= step;
    }
  }
  positions_ = positions;
}

}  // namespace trialwright
