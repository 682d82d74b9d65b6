#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"

namespace trialwright {

/// What guessing brought, for one request or, added up, for many.
struct SpeculationStats {
  std::int64_t steps = 0;          ///< Of requests that were decoding; each yields a token anyhow.
  std::int64_t steps_guessed = 0;  ///< Those in which guesses were checked.
  /// By position in the draft: how often a guess was checked there, and how often it was kept.
  std::vector<std::int64_t> offered;
  std::vector<std::int64_t> accepted;

  /// A step in which the first `accepted_guesses` of `offered_guesses` were kept.
  void step(int offered_guesses, int accepted_guesses);
  SpeculationStats& operator+=(const SpeculationStats& other);

  [[nodiscard]] std::int64_t tokens_offered() const;
  /// Guesses that were kept: each is a step that need not be made.
  [[nodiscard]] std::int64_t tokens_saved() const;

  /// "saved 120 of 320 steps (37.5 %); 120 of 160 guesses kept; by position 90 80 70 60 %", with
  /// the first eight positions; "nothing was guessed" where that is so.
  [[nodiscard]] std::string line() const;
  /// The numbers by their names, without derived ones.
  [[nodiscard]] Json json() const;
};

}  // namespace trialwright
