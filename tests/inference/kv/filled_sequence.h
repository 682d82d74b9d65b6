#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "inference/kv/kv_sequence.h"

namespace trialwright {

/// Pages of two layers in which every half of a position is its token, or its negative in the
/// second layer.
inline KvPageLayout small_layout() { return KvPageLayout::make(2, 1, 16); }

/// Appends tokens and stores what stands for their keys and values.
inline void fill(KvSequence& sequence, std::span<const std::int32_t> ids) {
  ASSERT_TRUE(sequence.make_room(static_cast<int>(ids.size())));
  const KvPageLayout layout = small_layout();
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const int position = sequence.size() + static_cast<int>(i);
    for (const KvLayer& layer : layout.layers) {
      for (int d = 0; d < layer.head_dim; ++d) {
        const int slot = position % kPageTokens;
        std::uint16_t* page = sequence.page_at(position);
        const auto token = static_cast<std::uint16_t>(ids[i]);
        page[layer.keys + static_cast<std::size_t>(d * kPageTokens + slot)] = token;
        page[layer.values + static_cast<std::size_t>(slot * layer.head_dim + d)] = token;
      }
    }
  }
  sequence.append(ids);
}

/// The tokens that the pages' keys and values stand for, which must be the sequence's own.
inline std::vector<std::int32_t> stored(const KvSequence& sequence) {
  std::vector<std::int32_t> ids;
  const KvPageLayout layout = small_layout();
  for (int position = 0; position < sequence.size(); ++position) {
    const std::uint16_t* page =
        sequence.addresses()[static_cast<std::size_t>(position / kPageTokens)];
    const int slot = position % kPageTokens;
    std::vector<std::uint16_t> halves;
    for (const KvLayer& layer : layout.layers) {
      for (int d = 0; d < layer.head_dim; ++d) {
        halves.push_back(page[layer.keys + static_cast<std::size_t>(d * kPageTokens + slot)]);
        halves.push_back(page[layer.values + static_cast<std::size_t>(slot * layer.head_dim + d)]);
      }
    }
    const bool all_equal = std::all_of(halves.begin(), halves.end(),
                                       [&](std::uint16_t half) { return half == halves[0]; });
    ids.push_back(all_equal ? halves[0] : -1);
  }
  return ids;
}

/// `count` tokens from `first` on, each one more than the one before.
inline std::vector<std::int32_t> counting(std::int32_t first, int count) {
  std::vector<std::int32_t> ids;
  for (int i = 0; i < count; ++i) {
    ids.push_back(first + i);
  }
  return ids;
}

}  // namespace trialwright
