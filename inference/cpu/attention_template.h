#pragma once

// Attention, written once for all instruction sets. Included only by the files that are compiled
// for one.

#include <cstddef>
#include <cstdint>

#include "inference/cpu/attention_kernels.h"
#include "inference/cpu/unroll.h"
#include "inference/cpu/vector_template.h"

namespace trialwright {

constexpr int kKeyPanels = kAttentionTile / kPageTokens;

/// What a block of queries has gathered so far. A query is a row.
struct AttentionState {
  alignas(64) float queries[kAttentionRows * kHeadDimMax];
  alignas(64) float sums[kAttentionRows * kHeadDimMax];        ///< Weighted values.
  alignas(64) float weights[kAttentionRows * kAttentionTile];  ///< Of the current tile's keys.
  alignas(64) float tile[kAttentionTile * kHeadDimMax];        ///< Its keys, then its values.
  float largest[kAttentionRows];                               ///< Score so far.
  float total[kAttentionRows];                                 ///< Of weights.
  float correction[kAttentionRows];  ///< What the gathered sums are worth after this tile.
  int first_key[kAttentionRows];     ///< That the row may see.
  int last_key[kAttentionRows];
};

/// Scores of kRows rows against a tile's keys: scores[row][key] = q · k, over the dimensions in
/// order.
template <class L, int kRows>
void score_keys(AttentionState& state, int row, int head_dim, int key_panels) {
  typename L::F scores[std::size_t{kRows}];
  for (int panel = 0; panel < key_panels; ++panel) {
    const float* keys = state.tile + panel * head_dim * 16;
    const float* queries = state.queries + row * head_dim;
    unroll<kRows>([&](auto i) TRIALWRIGHT_INLINE_LAMBDA { scores[i] = L::zero(); });
    for (int d = 0; d < head_dim; ++d) {
      const typename L::F k = L::load(keys + d * 16);
      unroll<kRows>([&](auto i) TRIALWRIGHT_INLINE_LAMBDA {
        scores[i] = L::fma(k, L::set1(queries[i * head_dim + d]), scores[i]);
      });
    }
    unroll<kRows>([&](auto i) TRIALWRIGHT_INLINE_LAMBDA {
      L::store(state.weights + (row + i) * kAttentionTile + panel * 16, scores[i]);
    });
  }
}

/// Turns a row's scores into weights relative to the largest score so far, and notes what the sums
/// gathered before are worth now. Keys before the row's first and after its last weigh exactly
/// nothing.
template <class L>
void weigh_keys(AttentionState& state, int row, int tile, float scale, float softcap) {
  float* weights = state.weights + row * kAttentionTile;
  const int hidden = state.first_key[row] - tile;
  const int visible = state.last_key[row] + 1 - tile;
  if (visible <= 0 || hidden >= kAttentionTile) {
    for (int i = 0; i < kAttentionTile; ++i) {
      weights[i] = 0;
    }
    state.correction[row] = 1;
    return;
  }
  const typename L::F minus_infinity = L::set1(-__builtin_inff());
  typename L::F scores[kKeyPanels];
  unroll<kKeyPanels>([&](auto panel) TRIALWRIGHT_INLINE_LAMBDA {
    const int left = visible - panel * 16;
    typename L::F scaled = L::mul(L::load(weights + panel * 16), L::set1(scale));
    if (softcap > 0) {
      scaled = capped<L>(scaled, softcap);
    }
    scores[panel] = left >= 16  ? scaled
                    : left <= 0 ? minus_infinity
                                : L::first(scaled, minus_infinity, left);
    const int before = hidden - panel * 16;
    if (before > 0) {
      scores[panel] = L::first(minus_infinity, scores[panel], before < 16 ? before : 16);
    }
  });
  const typename L::F most = L::max(L::max(scores[0], scores[1]), L::max(scores[2], scores[3]));
  const float tile_largest = L::reduce_max(most);
  const float before = state.largest[row];
  const float largest = before > tile_largest ? before : tile_largest;
  unroll<kKeyPanels>([&](auto panel) TRIALWRIGHT_INLINE_LAMBDA {
    scores[panel] = exponential<L>(L::sub(scores[panel], L::set1(largest)));
    L::store(weights + panel * 16, scores[panel]);
  });
  const float sum =
      L::reduce_add(L::add(L::add(scores[0], scores[1]), L::add(scores[2], scores[3])));
  float correction[16];
  L::store(correction, exponential<L>(L::set1(before - largest)));
  state.largest[row] = largest;
  state.correction[row] = correction[0];
  state.total[row] = state.total[row] * correction[0] + sum;
}

/// Keys of a tile.
struct KeyRange {
  int begin = 0;
  int end = 0;
};

/// sums[row] = sums[row] × correction + weights · values, over the keys in order, for kRows rows
/// and kParts × 16 dimensions.
template <class L, int kRows, int kParts>
void gather_values(AttentionState& state, int row, int dimension, int head_dim, KeyRange keys) {
  typename L::F sums[std::size_t{kRows * kParts}];
  unroll<kRows>([&](auto i) TRIALWRIGHT_INLINE_LAMBDA {
    unroll<kParts>([&](auto part) TRIALWRIGHT_INLINE_LAMBDA {
      sums[i * kParts + part] =
          L::mul(L::load(state.sums + (row + i) * head_dim + dimension + part * 16),
                 L::set1(state.correction[row + i]));
    });
  });
  for (int key = keys.begin; key < keys.end; ++key) {
    typename L::F values[std::size_t{kParts}];
    unroll<kParts>([&](auto part) TRIALWRIGHT_INLINE_LAMBDA {
      values[part] = L::load(state.tile + key * head_dim + dimension + part * 16);
    });
    unroll<kRows>([&](auto i) TRIALWRIGHT_INLINE_LAMBDA {
      const typename L::F weight = L::set1(state.weights[(row + i) * kAttentionTile + key]);
      unroll<kParts>([&](auto part) TRIALWRIGHT_INLINE_LAMBDA {
        sums[i * kParts + part] = L::fma(weight, values[part], sums[i * kParts + part]);
      });
    });
  }
  unroll<kRows>([&](auto i) TRIALWRIGHT_INLINE_LAMBDA {
    unroll<kParts>([&](auto part) TRIALWRIGHT_INLINE_LAMBDA {
      L::store(state.sums + (row + i) * head_dim + dimension + part * 16, sums[i * kParts + part]);
    });
  });
}

template <class L, int kRows>
void gather_rows(AttentionState& state, int row, int head_dim, KeyRange keys) {
  int dimension = 0;
  for (; dimension + 64 <= head_dim; dimension += 64) {
    gather_values<L, kRows, 4>(state, row, dimension, head_dim, keys);
  }
  for (; dimension < head_dim; dimension += 16) {
    gather_values<L, kRows, 1>(state, row, dimension, head_dim, keys);
  }
}

template <class L>
void convert_halves(const std::uint16_t* halves, int count, float* out) {
  for (int i = 0; i < count; i += 16) {
    L::store(out + i, L::load_f16(halves + i));
  }
}

/// A tile's keys: whole pages, since those after the last one that is seen are masked out.
template <class L>
void load_keys(const AttentionBlock& block, int first_key, int key_panels, float* tile) {
  const int halves = block.head_dim * kPageTokens;
  for (int panel = 0; panel < key_panels; ++panel) {
    convert_halves<L>(block.pages[first_key / kPageTokens + panel] + block.keys, halves,
                      tile + panel * halves);
  }
}

/// The values of a tile's first `keys` positions, page by page: step(halves, count, offset) for
/// each.
template <class L, typename Step>
void for_value_pages(const AttentionBlock& block, int first_key, int keys, const Step& step) {
  for (int done = 0; done < keys; done += kPageTokens) {
    const int left = keys - done;
    step(block.pages[(first_key + done) / kPageTokens] + block.values,
         (left < kPageTokens ? left : kPageTokens) * block.head_dim, done * block.head_dim);
  }
}

/// True if one of the halves is infinite or not a number. A template because its code, like all of
/// this file, is for one instruction set.
template <class L>
bool any_not_finite(const std::uint16_t* halves, int count) {
  unsigned found = 0;
  for (int i = 0; i < count; ++i) {
    found |= (halves[i] & 0x7c00U) == 0x7c00U ? 1U : 0U;
  }
  return found != 0;
}

template <class L>
void attend(const AttentionBlock& block) {
  // Rows handled together: enough to hide the latency of a multiplication in each instruction set.
  constexpr int kTogether = L::kBatch >= 8 ? 4 : L::kBatch >= 4 ? 2 : 1;
  static_assert(kKeyPanels == 4, "the reductions over a tile are written out");
  AttentionState state;
  const int head_dim = block.head_dim;
  for (int row = 0; row < block.rows; ++row) {
    for (int d = 0; d < head_dim; ++d) {
      state.queries[row * head_dim + d] = block.queries[row][d];
      state.sums[row * head_dim + d] = 0;
    }
    state.largest[row] = -__builtin_inff();
    state.total[row] = 0;
    state.first_key[row] = block.first_key[row];
    state.last_key[row] = block.last_key[row];
  }
  // Rows come in the order of their positions: the first one's window begins first, the last one's
  // ends last.
  const int keys_total = block.last_key[block.rows - 1] + 1;
  const int first_tile = block.first_key[0] / kAttentionTile * kAttentionTile;
  for (int tile = first_tile; tile < keys_total; tile += kAttentionTile) {
    const int left = keys_total - tile;
    const int keys = left < kAttentionTile ? left : kAttentionTile;
    const int key_panels = (keys + 15) / 16;
    load_keys<L>(block, tile, key_panels, state.tile);
    int row = 0;
    for (; row + kTogether <= block.rows; row += kTogether) {
      score_keys<L, kTogether>(state, row, head_dim, key_panels);
    }
    for (; row < block.rows; ++row) {
      score_keys<L, 1>(state, row, head_dim, key_panels);
    }
    for (row = 0; row < block.rows; ++row) {
      weigh_keys<L>(state, row, tile, block.scale, block.softcap);
    }
    for_value_pages<L>(block, tile, keys, [&](const std::uint16_t* halves, int count, int at) {
      convert_halves<L>(halves, count, state.tile + at);
    });
    // Keys that a row may not see weigh nothing, but nothing times infinity is no number. Then rows
    // go one by one, each over its own keys, so that no token changes one that does not see it.
    bool one_by_one = false;
    if (tile + keys - 1 > block.last_key[0] || tile < block.first_key[block.rows - 1]) {
      for_value_pages<L>(block, tile, keys, [&](const std::uint16_t* halves, int count, int) {
        one_by_one = one_by_one || any_not_finite<L>(halves, count);
      });
    }
    row = 0;
    for (; !one_by_one && row + kTogether <= block.rows; row += kTogether) {
      gather_rows<L, kTogether>(state, row, head_dim, {0, keys});
    }
    for (; row < block.rows; ++row) {
      const int hidden = block.first_key[row] - tile;
      const int visible = block.last_key[row] + 1 - tile;
      const KeyRange own = {hidden > 0 ? hidden : 0, visible < keys ? visible : keys};
      gather_rows<L, 1>(state, row, head_dim, one_by_one ? own : KeyRange{0, keys});
    }
  }
  for (int row = 0; row < block.rows; ++row) {
    const typename L::F inverse = L::set1(1.0F / state.total[row]);
    for (int d = 0; d < head_dim; d += 16) {
      L::store(block.out[row] + d, L::mul(L::load(state.sums + row * head_dim + d), inverse));
    }
  }
}

/// The table of one instruction set.
template <class L>
constexpr VectorKernels make_vector_kernels() {
  return {&rms_norm<L>, &silu_mul<L>,      &gelu_tanh_mul<L>, &softcap<L>, &add<L>,
          &scale<L>,    &rope_adjacent<L>, &rope_halves<L>,   &to_f16<L>,  &attend<L>};
}

}  // namespace trialwright
