#include "inference/spec/draft_depth.h"

#include <algorithm>
#include <numeric>

#include "base/check.h"

namespace trialwright {

namespace {

/// A guess that may be checked.
struct Guess {
  double survival = 0;
  std::size_t request = 0;
  std::size_t position = 0;
};

std::vector<Guess> likeliest_first(std::span<const std::span<const double>> confidence) {
  std::vector<Guess> guesses;
  for (std::size_t request = 0; request < confidence.size(); ++request) {
    double survival = 1;
    for (std::size_t position = 0; position < confidence[request].size(); ++position) {
      survival *= std::clamp(confidence[request][position], 0.0, 1.0);
      guesses.push_back({survival, request, position});
    }
  }
  // Of equally likely guesses the earlier one comes first, so that each draft is taken from its
  // beginning.
  std::sort(guesses.begin(), guesses.end(), [](const Guess& a, const Guess& b) {
    if (a.survival != b.survival) {
      return a.survival > b.survival;
    }
    return a.position != b.position ? a.position < b.position : a.request < b.request;
  });
  return guesses;
}

}  // namespace

std::vector<int> best_depths(std::span<const std::span<const double>> confidence, int rows_beside,
                             const RowCost& cost) {
  const std::vector<Guess> guesses = likeliest_first(confidence);
  int rows = rows_beside + static_cast<int>(confidence.size());
  std::vector<int> depths(confidence.size(), 0);
  if (guesses.empty()) {
    return depths;
  }
  double useful = rows;
  double best = useful / cost(rows);
  std::size_t checked = 0;
  for (std::size_t i = 0; i < guesses.size(); ++i) {
    useful += guesses[i].survival;
    const double gained = useful / cost(++rows);
    if (gained > best) {
      best = gained;
      checked = i + 1;
    }
  }
  for (std::size_t i = 0; i < checked; ++i) {
    ++depths[guesses[i].request];
  }
  return depths;
}

int depth_worth_guessing(double acceptance, double guess_cost, int rows_beside, int tokens_max,
                         const RowCost& cost) {
  double useful = rows_beside + 1.0;
  double best = useful / cost(rows_beside + 1);
  int depth = 0;
  double survival = 1;
  for (int k = 1; k <= tokens_max; ++k) {
    survival *= acceptance;
    useful += survival;
    const double gained = useful / (cost(rows_beside + 1 + k) + guess_cost * k);
    if (gained > best) {
      best = gained;
      depth = k;
    }
  }
  return depth;
}

DraftDepth::DraftDepth(const DraftDepthOptions& options) : options_(options) {
  CHECK(options.tokens_max >= 0 && options.fixed.value_or(0) >= 0, "nobody guesses less than none");
}

int DraftDepth::tokens_max() const {
  return std::min(options_.tokens_max, options_.fixed.value_or(options_.tokens_max));
}

std::vector<int> DraftDepth::choose(std::span<const std::span<const double>> confidence,
                                    int rows_beside) {
  CHECK(rows_beside >= 0, "rows are counted");
  const auto most = static_cast<std::size_t>(tokens_max());
  std::vector<std::span<const double>> offered;
  for (const auto& draft : confidence) {
    offered.push_back(draft.first(std::min(draft.size(), most)));
  }
  if (options_.fixed) {
    std::vector<int> depths;
    for (const auto& draft : offered) {
      depths.push_back(static_cast<int>(draft.size()));
    }
    return depths;
  }
  const std::scoped_lock lock(mutex_);
  auto depths = best_depths(offered, rows_beside, [this](int rows) { return cost_.cost(rows); });
  const auto none = [](const std::vector<int>& chosen) {
    return std::accumulate(chosen.begin(), chosen.end(), 0) == 0;
  };
  if (!measured_ || !none(depths)) {
    return depths;
  }
  auto unmeasured = best_depths(offered, rows_beside, StepCost::prior_cost);
  if (none(unmeasured) || ++refused_ % kRetriedEvery != 0) {
    return depths;
  }
  return unmeasured;
}

int DraftDepth::choose(std::span<const double> confidence, int rows_beside) {
  return choose(std::span(&confidence, 1), rows_beside).front();
}

int DraftDepth::worth_guessing(double acceptance, std::chrono::nanoseconds guess_time,
                               int rows_beside, int tokens_max) {
  const int most = std::min(tokens_max, this->tokens_max());
  if (options_.fixed) {
    return most;
  }
  const std::scoped_lock lock(mutex_);
  if (!measured_) {
    return most;  // Nothing to compare the time with yet.
  }
  const int depth =
      depth_worth_guessing(acceptance, std::chrono::duration<double>(guess_time).count(),
                           rows_beside, most, [this](int rows) { return cost_.cost(rows); });
  const bool retried = depth == 0 && ++unasked_ % kRetriedEvery == 0;
  return retried ? std::min(most, kRetriedDepth) : depth;
}

void DraftDepth::step_took(int rows, std::chrono::nanoseconds time) {
  const std::scoped_lock lock(mutex_);
  cost_.took(rows, time);
  measured_ = true;
}

}  // namespace trialwright
