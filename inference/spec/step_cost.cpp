#include "inference/spec/step_cost.h"

#include <algorithm>

#include "base/check.h"

namespace trialwright {

namespace {

double median_of(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

double StepCost::prior_cost(int rows) { return 1 + kPriorRowShare * (rows - 1); }

void StepCost::took(int rows, std::chrono::nanoseconds time) {
  CHECK(rows >= 1, "a step computes something");
  if (rows > kRowsMax) {
    return;
  }
  auto found = std::lower_bound(measured_.begin(), measured_.end(), rows,
                                [](const Measured& m, int wanted) { return m.rows < wanted; });
  if (found == measured_.end() || found->rows != rows) {
    found = measured_.insert(found, Measured{.rows = rows, .seconds = {}});
  }
  const double seconds = std::chrono::duration<double>(time).count();
  if (found->seconds.size() < kKept) {
    found->seconds.push_back(seconds);
  } else {
    found->seconds[found->next] = seconds;
    found->next = (found->next + 1) % kKept;
  }
  found->median = median_of(found->seconds);
  make_monotone();
}

/// Pools neighbours that are out of order into their mean, until none are.
void StepCost::make_monotone() {
  struct Pool {
    double sum = 0;
    std::size_t size = 0;
    [[nodiscard]] double mean() const { return sum / static_cast<double>(size); }
  };
  std::vector<Pool> pools;
  for (const Measured& m : measured_) {
    pools.push_back({m.median, 1});
    while (pools.size() > 1 && pools[pools.size() - 2].mean() > pools.back().mean()) {
      const Pool last = pools.back();
      pools.pop_back();
      pools.back().sum += last.sum;
      pools.back().size += last.size;
    }
  }
  auto next = measured_.begin();
  for (const Pool& pool : pools) {
    for (std::size_t i = 0; i < pool.size; ++i) {
      (next++)->cost = pool.mean();
    }
  }
}

double StepCost::cost(int rows) const {
  CHECK(rows >= 1, "a step computes something");
  if (measured_.empty()) {
    return prior_cost(rows);
  }
  const Measured& first = measured_.front();
  const Measured& last = measured_.back();
  if (rows <= first.rows) {
    return first.cost * prior_cost(rows) / prior_cost(first.rows);
  }
  if (rows >= last.rows) {
    const double slope = first.rows < last.rows
                             ? (last.cost - first.cost) / (last.rows - first.rows)
                             : first.cost / prior_cost(first.rows) * kPriorRowShare;
    return last.cost + slope * (rows - last.rows);
  }
  const auto above =
      std::lower_bound(measured_.begin(), measured_.end(), rows,
                       [](const Measured& m, int wanted) { return m.rows < wanted; });
  const Measured& below = *(above - 1);
  return below.cost + (above->cost - below.cost) * (rows - below.rows) / (above->rows - below.rows);
}

std::size_t StepCost::measured(int rows) const {
  const auto found = std::find_if(measured_.begin(), measured_.end(),
                                  [&](const Measured& m) { return m.rows == rows; });
  return found == measured_.end() ? 0 : found->seconds.size();
}

}  // namespace trialwright
