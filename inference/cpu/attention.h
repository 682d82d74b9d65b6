#pragma once

#include <cstddef>
#include <cstdint>

#include "inference/cpu/cpu.h"

namespace trialwright {

/// One layer's keys and values in half precision; a view of the cache's memory.
///
/// keys    [kv_heads][capacity / 16][head_dim][16]: sixteen positions side by side.
/// values  [kv_heads][capacity][head_dim]
/// Both must start as zeros; capacity is a multiple of kAttentionTile, head_dim one of 16. To
/// forget positions, or to store them again, just store over them. The first n positions of one
/// head are the first n × head_dim halves of its part (keys: n rounded up to 16).
struct KvLayer {
  std::uint16_t* keys = nullptr;
  std::uint16_t* values = nullptr;
  int kv_heads = 0;
  int head_dim = 0;
  int capacity = 0;

  /// Halves that `keys`, and as many that `values`, must have.
  [[nodiscard]] std::size_t elements() const {
    return static_cast<std::size_t>(kv_heads) * static_cast<std::size_t>(head_dim) *
           static_cast<std::size_t>(capacity);
  }
};

/// True for head sizes that the kernels handle: multiples of 16 up to 256.
bool attention_supports(int head_dim);

/// Puts one position's keys and values (kv_heads × head_dim numbers each, keys after rope) into the
/// cache. Different positions may be stored from different threads.
void store_kv(const Cpu& cpu, const KvLayer& layer, int position, const float* keys,
              const float* values);

/// A batch of neighbouring positions that ask.
struct AttentionQueries {
  const float* queries = nullptr;  ///< [rows][heads][head_dim] after rope, rows `stride` apart.
  std::int64_t stride = 0;
  int rows = 0;
  int heads = 0;  ///< A multiple of kv_heads; heads h share kv head h / (heads / kv_heads).
  int first_position = 0;  ///< Row i asks at first_position + i and sees all positions up to it.
  int window = 0;          ///< If not 0, a row sees only the last so many of them, its own too.
  float scale = 1;         ///< Multiplies the dot products: 1 / sqrt(head_dim).
  float softcap = 0;       ///< If not 0, scores s become cap × tanh(s / cap).
};

/// softmax(scale × q · Kᵀ) · V, causal, with an online softmax over tiles (Dao et al., 2022).
/// With a window, tiles before it are not looked at.
///
/// out: [rows][heads][head_dim], rows `out_stride` apart. The keys and values of all positions up
/// to the last row's must have been stored. A row's bits do not depend on the other rows, the
/// instruction set or the number of threads.
void attention(Cpu& cpu, const KvLayer& layer, const AttentionQueries& queries, float* out,
               std::int64_t out_stride);

}  // namespace trialwright
