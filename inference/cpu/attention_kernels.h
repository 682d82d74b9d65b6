#pragma once

#include <cstdint>

namespace trialwright {

constexpr int kKeyPanel = 16;  ///< Positions whose keys lie side by side.
/// Keys that are weighed together. Tiles lie at absolute positions, so a position's result does not
/// depend on how a prompt was cut into batches.
constexpr int kAttentionTile = 64;

constexpr int kAttentionRows = 64;  ///< Queries of one key and value head that go together.
constexpr int kHeadDimMax = 256;

/// Queries of one key and value head, ordered by position.
struct AttentionBlock {
  const std::uint16_t* keys = nullptr;    ///< Of this head: [position / 16][head_dim][16]
  const std::uint16_t* values = nullptr;  ///< Of this head: [position][head_dim]
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
