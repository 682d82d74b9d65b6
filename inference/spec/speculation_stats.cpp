#include "inference/spec/speculation_stats.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <numeric>

#include "base/check.h"

namespace trialwright {

namespace {

/// A line has room for the first positions; `json` has them all.
constexpr std::size_t kPositionsShown = 8;

std::string percent(std::int64_t part, std::int64_t whole, int digits) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.*f", digits,
                100 * static_cast<double>(part) / static_cast<double>(whole));
  return text.data();
}

void add(std::vector<std::int64_t>& to, const std::vector<std::int64_t>& from) {
  to.resize(std::max(to.size(), from.size()), 0);
  for (std::size_t i = 0; i < from.size(); ++i) {
    to[i] += from[i];
  }
}

}  // namespace

void SpeculationStats::step(int offered_guesses, int accepted_guesses) {
  CHECK(accepted_guesses >= 0 && accepted_guesses <= offered_guesses,
        "only what was checked can be kept");
  ++steps;
  steps_guessed += offered_guesses > 0 ? 1 : 0;
  const auto checked = static_cast<std::size_t>(offered_guesses);
  offered.resize(std::max(offered.size(), checked), 0);
  accepted.resize(offered.size(), 0);
  for (std::size_t i = 0; i < checked; ++i) {
    ++offered[i];
    accepted[i] += static_cast<int>(i) < accepted_guesses ? 1 : 0;
  }
}

SpeculationStats& SpeculationStats::operator+=(const SpeculationStats& other) {
  steps += other.steps;
  steps_guessed += other.steps_guessed;
  add(offered, other.offered);
  add(accepted, other.accepted);
  return *this;
}

std::int64_t SpeculationStats::tokens_offered() const {
  return std::accumulate(offered.begin(), offered.end(), std::int64_t{0});
}

std::int64_t SpeculationStats::tokens_saved() const {
  return std::accumulate(accepted.begin(), accepted.end(), std::int64_t{0});
}

std::string SpeculationStats::line() const {
  const std::int64_t saved = tokens_saved();
  const std::int64_t guessed = tokens_offered();
  if (guessed == 0) {
    return "nothing was guessed";
  }
  std::string text = "saved " + std::to_string(saved) + " of " + std::to_string(steps + saved) +
                     " steps (" + percent(saved, steps + saved, 1) + " %); " +
                     std::to_string(saved) + " of " + std::to_string(guessed) +
                     " guesses kept; by position";
  const std::size_t shown = std::min(offered.size(), kPositionsShown);
  for (std::size_t i = 0; i < shown; ++i) {
    text += " " + percent(accepted[i], offered[i], 0);
  }
  return text + " %";
}

Json SpeculationStats::json() const {
  return {{"steps", steps},
          {"steps_guessed", steps_guessed},
          {"offered", offered},
          {"accepted", accepted}};
}

}  // namespace trialwright
