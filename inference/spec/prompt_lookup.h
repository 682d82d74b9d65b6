#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "inference/spec/drafter.h"

namespace trialwright {

struct PromptLookupOptions {
  int ngram = 2;            ///< So many tokens must have stood side by side before. At least 1.
  int match_max = 32;       ///< Longer matches are not told apart.
  int candidates_max = 64;  ///< So many places are looked at, the latest first.
};

/// Guesses that the text goes on as it did where its last tokens stood before: of the latest
/// `candidates_max` places where the last `ngram` tokens ended, the one where most tokens before
/// agree, and of several the latest. A guess may reach beyond the context's end, into itself.
///
/// Source: prompt lookup decoding (Saxena, 2023) and llama.cpp's ngram-simple
/// (docs/speculative.md). After a match of m tokens the next one has the confidence m / (m + 4),
/// the one after it that of m + 1, and so on; how often that is right is for a calibration to find
/// out. A call takes O(new tokens + candidates_max · match_max) however the text repeats itself.
class PromptLookup final : public Drafter {
 public:
  explicit PromptLookup(const PromptLookupOptions& options = {});

  void draft(std::span<const std::int32_t> context, int tokens_max, Draft& draft) override;

 private:
  /// A slot of the table, from an n-gram's hash to where one ended last.
  struct Slot {
    std::uint64_t hash = 0;
    std::int32_t end = -1;  ///< -1: empty.
  };

  void follow(std::span<const std::int32_t> context);
  [[nodiscard]] std::uint64_t hash_before(std::span<const std::int32_t> context,
                                          std::size_t end) const;
  Slot& slot(std::uint64_t hash);
  void grow();

  PromptLookupOptions options_;
  std::vector<Slot> slots_;  ///< Open addressing; a power of two, at most half full.
  std::size_t used_ = 0;
  /// [end] where an n-gram with the same hash ended before, or -1; filled up to `followed_`.
  std::vector<std::int32_t> earlier_;
  std::size_t followed_ = 0;  ///< n-grams that end up to here are in the table.
};

}  // namespace trialwright
