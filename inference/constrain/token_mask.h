#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "inference/token/token_id.h"

namespace trialwright {

/// A set of token ids: bit i % 64 of word i / 64 is set if token i is in it.
class TokenMask {
 public:
  TokenMask() = default;
  explicit TokenMask(int vocabulary_size)
      : words_((static_cast<std::size_t>(vocabulary_size) + 63) / 64, 0) {}

  void add(TokenId id) {
    words_[static_cast<std::size_t>(id) / 64] |= std::uint64_t{1}
                                                 << (static_cast<std::size_t>(id) % 64);
  }
  /// Of the same vocabulary.
  void add(const TokenMask& other) {
    for (std::size_t i = 0; i < words_.size(); ++i) words_[i] |= other.words_[i];
  }
  [[nodiscard]] bool has(TokenId id) const {
    const auto place = static_cast<std::size_t>(id);
    return place / 64 < words_.size() && ((words_[place / 64] >> (place % 64)) & 1U) != 0;
  }
  [[nodiscard]] int count() const {
    int all = 0;
    for (const std::uint64_t word : words_) all += std::popcount(word);
    return all;
  }
  [[nodiscard]] std::span<const std::uint64_t> words() const { return words_; }

 private:
  std::vector<std::uint64_t> words_;
};

}  // namespace trialwright
