#pragma once

#include <cstddef>
#include <cstdint>

namespace trialwright {

/// Positions that share a page; their keys lie side by side.
constexpr int kPageTokens = 16;
/// Keys that are weighed together. Tiles lie at absolute positions, so a position's result does not
/// depend on how a prompt was cut into batches.
constexpr int kAttentionTile = 64;

constexpr int kAttentionRows = 64;  ///< Queries of one key and value head that go together.
constexpr int kHeadDimMax = 256;

/// Queries of one key and value head, ordered by position.
struct AttentionBlock {
  const std::uint16_t* const* pages = nullptr;  ///< [position / kPageTokens]
  std::size_t keys = 0;    ///< Where a page has this head's keys, [head_dim][kPageTokens],
  std::size_t values = 0;  ///< and values, [kPageTokens][head_dim]; in halves.
  int head_dim = 0;
  float scale = 1;
  float softcap = 0;  ///< If not 0, scores s become cap × tanh(s / cap).
  int rows = 0;
  const float* queries[kAttentionRows] = {};
  float* out[kAttentionRows] = {};
  int first_key[kAttentionRows] = {};  ///< The first position that each query sees; ascending.
  int last_key[kAttentionRows] = {};   ///< The last; ascending.
};

}  // namespace trialwright
