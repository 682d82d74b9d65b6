#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "inference/cpu/attention_kernels.h"
#include "inference/cpu/cpu.h"

namespace trialwright {

/// Where a page of kPageTokens positions has one layer's keys and values, in halves from its start.
///
/// keys    [kv_heads][head_dim][kPageTokens]: sixteen positions side by side.
/// values  [kv_heads][kPageTokens][head_dim]
/// head_dim is a multiple of 16. To forget positions, or to store them again, just store over them.
struct KvLayer {
  std::size_t keys = 0;
  std::size_t values = 0;
  int kv_heads = 0;
  int head_dim = 0;

  /// Halves that one head's keys take in a page, and as many its values.
  [[nodiscard]] std::size_t head_halves() const {
    return static_cast<std::size_t>(head_dim) * kPageTokens;
  }
  /// Halves that all keys and values of this layer take in a page.
  [[nodiscard]] std::size_t halves() const {
    return 2 * static_cast<std::size_t>(kv_heads) * head_halves();
  }
};

/// True for head sizes that the kernels handle: multiples of 16 up to 256.
bool attention_supports(int head_dim);

/// Puts the keys and values (kv_heads × head_dim numbers each, keys after rope) of the position
/// `slot` of a page into it. Different positions may be stored from different threads.
void store_kv(const Cpu& cpu, const KvLayer& layer, std::uint16_t* page, int slot,
              const float* keys, const float* values);

/// Neighbouring positions of one sequence that ask.
struct AttentionQueries {
  const float* queries = nullptr;  ///< [rows][heads][head_dim] after rope, rows `stride` apart.
  std::int64_t stride = 0;
  int rows = 0;   ///< At least one.
  int heads = 0;  ///< A multiple of kv_heads; heads h share kv head h / (heads / kv_heads).
  int first_position = 0;  ///< Row i asks at first_position + i and sees all positions up to it.
  int window = 0;          ///< If not 0, a row sees only the last so many of them, its own too.
  float scale = 1;         ///< Multiplies the dot products: 1 / sqrt(head_dim).
  float softcap = 0;       ///< If not 0, scores s become cap × tanh(s / cap).
  std::span<const std::uint16_t* const> pages;  ///< The sequence's, up to the last row's position.
  float* out = nullptr;  ///< [rows][heads][head_dim], rows `out_stride` apart.
  std::int64_t out_stride = 0;
};

/// softmax(scale × q · Kᵀ) · V, causal, with an online softmax over tiles (Dao et al., 2022), for
/// several sequences in one parallel region. With a window, tiles before it are not looked at.
///
/// The keys and values of all positions up to the last row's must have been stored. A row's bits do
/// not depend on the other rows and sequences, the instruction set or the number of threads.
void attention(Cpu& cpu, const KvLayer& layer, std::span<const AttentionQueries> queries);

}  // namespace trialwright
