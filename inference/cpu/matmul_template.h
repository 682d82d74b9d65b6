#pragma once

// The matrix product, written once for all instruction sets. Included only by the files that are
// compiled for one: every template here depends on that file's Lanes, and what they share is always
// inlined, so the linker cannot mix them.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "inference/cpu/matmul_kernels.h"
#include "inference/cpu/packed_layout.h"
#include "inference/cpu/quantize_template.h"
#include "inference/cpu/roof_template.h"
#include "inference/cpu/unroll.h"

namespace trialwright {

/// What a tile of columns needs of a group of activations, from the first of its columns and of the
/// rows in question on. `rows` is the group's: the distance between neighbours.
struct TileInputs {
  const std::int8_t* values;
  const float* scales;
  const float* scaled_sums;
  const std::int32_t* negated_sums;
  const std::int16_t* sums32;
  int rows;
};

constexpr int kPrefetchBytes = 4096;

/// A tile whose quants are unpacked while they are used: best for few rows.
template <class L, PackedFormat kFormat>
struct DirectTile {
  const std::uint8_t* tile;
  TileLayout layout;

  DirectTile(const std::uint8_t* at, int blocks) : tile(at), layout(tile_layout(kFormat, blocks)) {}

  /// Columns 4 × kChunk to 4 × kChunk + 3 of a block, and those 16 further on.
  template <int kChunk>
  TRIALWRIGHT_INLINE void load(int block, typename L::B& low, typename L::B& high) const {
    if constexpr (quant_bits(kFormat) == 8) {
      low = L::load_bytes(tile + block * 512 + kChunk * 64);
      high = L::load_bytes(tile + block * 512 + kChunk * 64 + 256);
      return;
    }
    const typename L::B nibbles = L::load_bytes(tile + block * 256 + kChunk * 64);
    low = L::low_nibbles(nibbles);
    high = L::high_nibbles(nibbles);
    if constexpr (quant_bits(kFormat) == 5) {
      const typename L::B bits = L::load_bytes(tile + layout.high + block * 64);
      low = L::template with_fifth_bit<kChunk>(low, bits);
      high = L::template with_fifth_bit<kChunk + 4>(high, bits);
    }
    if constexpr (quant_bits(kFormat) == 6) {
      const std::uint8_t* bits = tile + layout.high + block * 128;
      low = L::template with_two_bits<kChunk * 2>(low, L::load_bytes(bits));
      high = L::template with_two_bits<kChunk * 2>(high, L::load_bytes(bits + 64));
    }
  }
  /// Asks for an eighth of what lies kPrefetchBytes further on. The processor's own prefetching
  /// ends at each page of 4 KiB, and with few rows the arithmetic leaves it too little time.
  TRIALWRIGHT_INLINE void prefetch(int block) const {
    constexpr int kEighth = static_cast<int>(tile_layout(kFormat, 8).bytes / 8);
    unroll<(kEighth + 63) / 64>([&](auto line) TRIALWRIGHT_INLINE_LAMBDA {
      L::prefetch(tile + block * kEighth + kPrefetchBytes + line * 64);
    });
  }
  TRIALWRIGHT_INLINE typename L::F scale(int block) const {
    return L::load_f16(halves(layout.scales) + block * kPanelRows);
  }
  TRIALWRIGHT_INLINE typename L::F minimum(int block) const {
    return L::load_f16(halves(layout.minimums) + block * kPanelRows);
  }
  TRIALWRIGHT_INLINE typename L::F factor(int part) const {
    const std::uint8_t* at = tile + layout.factors + part * kPanelRows;
    return kFormat == PackedFormat::U6K ? L::load_i8(at) : L::load_u8(at);
  }
  TRIALWRIGHT_INLINE const std::uint8_t* minimum_factors(int pair) const {
    return tile + layout.minimum_factors + pair * 2 * kPanelRows;
  }

 private:
  TRIALWRIGHT_INLINE const std::uint16_t* halves(std::size_t offset) const {
    return reinterpret_cast<const std::uint16_t*>(tile + offset);
  }
};

/// A tile unpacked beforehand, to be used for many rows while it lies in the first-level cache.
template <class L>
struct UnpackedTile {
  alignas(64) std::uint8_t bytes[kTileColumns * kPanelRows];
  alignas(64) float scales[8 * kPanelRows];
  alignas(64) float minimums[8 * kPanelRows];
  alignas(64) float factors[16 * kPanelRows];
  const std::uint8_t* quants;  ///< `bytes`, or the packed tile itself where that has whole bytes.
  const std::uint8_t* packed_minimum_factors;

  template <PackedFormat kFormat>
  void unpack(const std::uint8_t* packed, int blocks) {
    const DirectTile<L, kFormat> tile(packed, blocks);
    quants = quant_bits(kFormat) == 8 ? packed : bytes;
    packed_minimum_factors = tile.minimum_factors(0);
    for (int block = 0; block < blocks; ++block) {
      tile.prefetch(block);
      if constexpr (quant_bits(kFormat) != 8) {
        unroll<4>([&](auto chunk) TRIALWRIGHT_INLINE_LAMBDA {
          typename L::B low, high;
          tile.template load<chunk>(block, low, high);
          L::store_bytes(bytes + block * 512 + chunk * 64, low);
          L::store_bytes(bytes + block * 512 + chunk * 64 + 256, high);
        });
      }
      if constexpr (!is_k(kFormat)) {
        L::store(scales + block * kPanelRows, tile.scale(block));
        if constexpr (has_minimum(kFormat)) {
          L::store(minimums + block * kPanelRows, tile.minimum(block));
        }
      }
    }
    if constexpr (is_k(kFormat)) {
      L::store(scales, tile.scale(0));
      if constexpr (has_minimum(kFormat)) {
        L::store(minimums, tile.minimum(0));
      }
      for (int part = 0; part < (kFormat == PackedFormat::U6K ? 16 : 8); ++part) {
        L::store(factors + part * kPanelRows, tile.factor(part));
      }
    }
  }

  TRIALWRIGHT_INLINE void prefetch(int) const {}
  template <int kChunk>
  TRIALWRIGHT_INLINE void load(int block, typename L::B& low, typename L::B& high) const {
    low = L::load_bytes(quants + block * 512 + kChunk * 64);
    high = L::load_bytes(quants + block * 512 + kChunk * 64 + 256);
  }
  TRIALWRIGHT_INLINE typename L::F scale(int block) const {
    return L::load(scales + block * kPanelRows);
  }
  TRIALWRIGHT_INLINE typename L::F minimum(int block) const {
    return L::load(minimums + block * kPanelRows);
  }
  TRIALWRIGHT_INLINE typename L::F factor(int part) const {
    return L::load(factors + part * kPanelRows);
  }
  TRIALWRIGHT_INLINE const std::uint8_t* minimum_factors(int pair) const {
    return packed_minimum_factors + pair * 2 * kPanelRows;
  }
};

/// Adds a 32-column block's products to `first` (its first 16 columns) and `second` (the others);
/// with kParts = 1 only `first` is used, for all. Exact integers, so their order is free.
///
/// Here and below, kPanels tiles (one a panel, side by side) are multiplied with kRows rows; the
/// sum of panel p and row m is number p × kRows + m.
template <class L, PackedFormat kFormat, int kParts, int kPanels, int kRows, class Tile>
TRIALWRIGHT_INLINE void add_block(const Tile* tiles, int block, const TileInputs& in,
                                  typename L::I* first, typename L::I* second) {
  constexpr int kBits = quant_bits(kFormat);
  using Gathered = typename L::template Gathered<kBits>;
  // A step of so many chunks fills what a sum can gather before it is spread out.
  constexpr int kGathers = L::template gathers<kBits>() * kParts / 2;
  constexpr int kChunks = kGathers < 1 ? 1 : kGathers > 4 ? 4 : kGathers;
  const std::int8_t* values = in.values + block * 32 * in.rows;
  unroll<kPanels>([&](auto p) TRIALWRIGHT_INLINE_LAMBDA { tiles[p].prefetch(block); });
  unroll<4 / kChunks>([&](auto step) TRIALWRIGHT_INLINE_LAMBDA {
    Gathered low_sums[std::size_t{kPanels * kRows}];
    Gathered high_sums[std::size_t{kPanels * kRows}];
    unroll<kPanels * kRows>([&](auto i) TRIALWRIGHT_INLINE_LAMBDA {
      L::start_gathering(low_sums[i], first[i]);
      if constexpr (kParts == 2) {
        L::start_gathering(high_sums[i], second[i]);
      }
    });
    unroll<kChunks>([&](auto chunk_of_step) TRIALWRIGHT_INLINE_LAMBDA {
      constexpr int kChunk = step * kChunks + chunk_of_step;
      typename L::B low[std::size_t{kPanels}];
      typename L::B high[std::size_t{kPanels}];
      unroll<kPanels>([&](auto p) TRIALWRIGHT_INLINE_LAMBDA {
        tiles[p].template load<kChunk>(block, low[p], high[p]);
      });
      const std::int8_t* low_values = values + kChunk * 4 * in.rows;
      const std::int8_t* high_values = low_values + 16 * in.rows;
      unroll<kRows>([&](auto m) TRIALWRIGHT_INLINE_LAMBDA {
        unroll<kPanels>([&](auto p) TRIALWRIGHT_INLINE_LAMBDA {
          L::template gather4<kBits>(low_sums[p * kRows + m], low[p], low_values + m * 4);
        });
      });
      unroll<kRows>([&](auto m) TRIALWRIGHT_INLINE_LAMBDA {
        unroll<kPanels>([&](auto p) TRIALWRIGHT_INLINE_LAMBDA {
          constexpr int kSum = p * kRows + m;
          L::template gather4<kBits>(kParts == 2 ? high_sums[kSum] : low_sums[kSum], high[p],
                                     high_values + m * 4);
        });
      });
    });
    unroll<kPanels * kRows>([&](auto i) TRIALWRIGHT_INLINE_LAMBDA {
      first[i] = L::gathered(first[i], low_sums[i]);
      if constexpr (kParts == 2) {
        second[i] = L::gathered(second[i], high_sums[i]);
      }
    });
  });
}

/// Where the integer sums start: unsigned quants are too large by the offset, and this takes it
/// off.
template <class L, PackedFormat kFormat, int kPanels, int kRows>
TRIALWRIGHT_INLINE void start_sums(const std::int32_t* negated_sums, typename L::I* sums) {
  unroll<kRows>([&](auto m) TRIALWRIGHT_INLINE_LAMBDA {
    typename L::I start = L::izero();
    if constexpr (offset_shift(kFormat) >= 0) {
      start = L::template shift_left<offset_shift(kFormat)>(L::iset1(negated_sums[m]));
    }
    unroll<kPanels>([&](auto p) TRIALWRIGHT_INLINE_LAMBDA { sums[p * kRows + m] = start; });
  });
}

/// Types with one scale for 32: sum += dot × (scale of weights × scale of activations), block by
/// block; then the minimum times the activations' scaled sum.
template <class L, PackedFormat kFormat, int kPanels, int kRows, class Tile>
TRIALWRIGHT_INLINE void add_tile_32(const Tile* tiles, int blocks, const TileInputs& in,
                                    typename L::F* sums) {
  using F = typename L::F;
  for (int block = 0; block < blocks; ++block) {
    typename L::I dots[std::size_t{kPanels * kRows}];
    start_sums<L, kFormat, kPanels, kRows>(in.negated_sums + block * in.rows, dots);
    add_block<L, kFormat, 1, kPanels, kRows>(tiles, block, in, dots, nullptr);
    unroll<kPanels>([&](auto p) TRIALWRIGHT_INLINE_LAMBDA {
      const F scale = tiles[p].scale(block);
      unroll<kRows>([&](auto m) TRIALWRIGHT_INLINE_LAMBDA {
        const F both = L::mul(scale, L::set1(in.scales[block * in.rows + m]));
        F& sum = sums[p * kRows + m];
        sum = L::fma(L::to_f(dots[p * kRows + m]), both, sum);
      });
      if constexpr (has_minimum(kFormat)) {
        const F minimum = tiles[p].minimum(block);
        unroll<kRows>([&](auto m) TRIALWRIGHT_INLINE_LAMBDA {
          F& sum = sums[p * kRows + m];
          sum = L::fma(minimum, L::set1(in.scaled_sums[block * in.rows + m]), sum);
        });
      }
    });
  }
}

/// Q4_K and Q5_K: the parts' dots times their factors add up to a number that is still whole (and
/// exact below 2^24), which is scaled once for 256 columns.
template <class L, PackedFormat kFormat, int kPanels, int kRows, class Tile>
TRIALWRIGHT_INLINE void add_tile_k(const Tile* tiles, const TileInputs& in, typename L::F* sums) {
  using F = typename L::F;
  constexpr int kSums = kPanels * kRows;
  F whole[std::size_t{kSums}];
  unroll<kSums>([&](auto i) TRIALWRIGHT_INLINE_LAMBDA { whole[i] = L::zero(); });
  for (int part = 0; part < 8; ++part) {
    typename L::I dots[std::size_t{kSums}];
    start_sums<L, kFormat, kPanels, kRows>(nullptr, dots);
    add_block<L, kFormat, 1, kPanels, kRows>(tiles, part, in, dots, nullptr);
    unroll<kPanels>([&](auto p) TRIALWRIGHT_INLINE_LAMBDA {
      const F factor = tiles[p].factor(part);
      unroll<kRows>([&](auto m) TRIALWRIGHT_INLINE_LAMBDA {
        F& sum = whole[p * kRows + m];
        sum = L::fma(L::to_f(dots[p * kRows + m]), factor, sum);
      });
    });
  }
  unroll<kPanels>([&](auto p) TRIALWRIGHT_INLINE_LAMBDA {
    typename L::I minimums[std::size_t{kRows}];
    start_sums<L, kFormat, 1, kRows>(nullptr, minimums);
    for (int pair = 0; pair < 4; ++pair) {
      unroll<kRows>([&](auto m) TRIALWRIGHT_INLINE_LAMBDA {
        minimums[m] = L::dot2(minimums[m], tiles[p].minimum_factors(pair),
                              in.sums32 + (pair * in.rows + m) * 2);
      });
    }
    const F scale = tiles[p].scale(0);
    const F minimum = tiles[p].minimum(0);
    unroll<kRows>([&](auto m) TRIALWRIGHT_INLINE_LAMBDA {
      const F activation_scale = L::set1(in.scales[m]);
      F& sum = sums[p * kRows + m];
      sum = L::fma(L::mul(scale, activation_scale), whole[p * kRows + m], sum);
      sum = L::fnma(L::mul(minimum, activation_scale), L::to_f(minimums[m]), sum);
    });
  });
}

/// Q6_K: the same with parts of 16 and without minimums.
template <class L, PackedFormat kFormat, int kPanels, int kRows, class Tile>
TRIALWRIGHT_INLINE void add_tile_k16(const Tile* tiles, const TileInputs& in, typename L::F* sums) {
  using F = typename L::F;
  constexpr int kSums = kPanels * kRows;
  F whole[std::size_t{kSums}];
  unroll<kSums>([&](auto i) TRIALWRIGHT_INLINE_LAMBDA { whole[i] = L::zero(); });
  for (int block = 0; block < 8; ++block) {
    typename L::I first[std::size_t{kSums}];
    typename L::I second[std::size_t{kSums}];
    const std::int32_t* negated_sums = in.negated_sums + block * 2 * in.rows;
    start_sums<L, kFormat, kPanels, kRows>(negated_sums, first);
    start_sums<L, kFormat, kPanels, kRows>(negated_sums + in.rows, second);
    add_block<L, kFormat, 2, kPanels, kRows>(tiles, block, in, first, second);
    unroll<kPanels>([&](auto p) TRIALWRIGHT_INLINE_LAMBDA {
      const F first_factor = tiles[p].factor(block * 2);
      const F second_factor = tiles[p].factor(block * 2 + 1);
      unroll<kRows>([&](auto m) TRIALWRIGHT_INLINE_LAMBDA {
        F& sum = whole[p * kRows + m];
        sum = L::fma(L::to_f(first[p * kRows + m]), first_factor, sum);
        sum = L::fma(L::to_f(second[p * kRows + m]), second_factor, sum);
      });
    });
  }
  unroll<kPanels>([&](auto p) TRIALWRIGHT_INLINE_LAMBDA {
    const F scale = tiles[p].scale(0);
    unroll<kRows>([&](auto m) TRIALWRIGHT_INLINE_LAMBDA {
      F& sum = sums[p * kRows + m];
      sum = L::fma(L::mul(scale, L::set1(in.scales[m])), whole[p * kRows + m], sum);
    });
  });
}

template <class L, PackedFormat kFormat, int kPanels, int kRows, class Tile>
TRIALWRIGHT_INLINE void add_tile(const Tile* tiles, int blocks, const TileInputs& in,
                                 typename L::F* sums) {
  if constexpr (kFormat == PackedFormat::U6K) {
    add_tile_k16<L, kFormat, kPanels, kRows>(tiles, in, sums);
  } else if constexpr (is_k(kFormat)) {
    add_tile_k<L, kFormat, kPanels, kRows>(tiles, in, sums);
  } else {
    add_tile_32<L, kFormat, kPanels, kRows>(tiles, blocks, in, sums);
  }
}

/// The inputs of rows first_row and following, of the tile that begins at `column`.
template <PackedFormat kFormat>
TRIALWRIGHT_INLINE TileInputs tile_inputs(const PanelTask& task, int first_row, int column) {
  const int group_start = first_row / 8 * 8;
  const int group_rows = task.rows - group_start < 8 ? task.rows - group_start : 8;
  const int m = first_row - group_start;
  // Offsets of `per_column` th columns: whole groups before this one, then this one's up to here.
  const auto at = [&](int columns_each) TRIALWRIGHT_INLINE_LAMBDA {
    return static_cast<std::ptrdiff_t>(group_start) * (task.cols / columns_each) +
           static_cast<std::ptrdiff_t>(column / columns_each) * group_rows + m;
  };
  constexpr int kScaleColumns = is_k(kFormat) ? 256 : 32;
  constexpr int kSumColumns = is_k(kFormat) ? 16 : 32;
  const QuantizedGroup& a = task.activations;
  TileInputs in;
  in.values = a.values + at(4) * 4;
  in.scales = a.scales + at(kScaleColumns);
  in.scaled_sums = is_k(kFormat) ? nullptr : a.scaled_sums + at(32);
  in.negated_sums = a.negated_sums + at(kSumColumns);
  in.sums32 = is_k(kFormat) ? a.sums32 + at(64) * 2 : nullptr;
  in.rows = group_rows;
  return in;
}

template <class L>
TRIALWRIGHT_INLINE void store_outputs(const PanelTask& task, int panel, int row,
                                      typename L::F sums) {
  if (row >= task.rows_wanted) {
    return;
  }
  float* out = task.out + row * task.stride + panel * kPanelRows;
  const int outputs = task.outputs - panel * kPanelRows;
  if (outputs >= kPanelRows) {
    L::store(out, sums);
  } else {
    L::store_some(out, sums, outputs);
  }
}

/// One panel times kRows rows, without a detour through memory.
template <class L, PackedFormat kFormat, int kRows>
void multiply_direct(const PanelTask& task, int panel, int first_row) {
  typename L::F sums[std::size_t{kRows}];
  unroll<kRows>([&](auto m) TRIALWRIGHT_INLINE_LAMBDA { sums[m] = L::zero(); });
  const std::uint8_t* at = task.panels + static_cast<std::size_t>(panel) * task.panel_bytes;
  for (int column = 0; column < task.cols; column += kTileColumns) {
    const int rest = task.cols - column;
    const TileInputs in = tile_inputs<kFormat>(task, first_row, column);
    if (rest >= kTileColumns) {
      const DirectTile<L, kFormat> tile(at, 8);
      add_tile<L, kFormat, 1, kRows>(&tile, 8, in, sums);
      at += tile.layout.bytes;
    } else if constexpr (!is_k(kFormat)) {
      const DirectTile<L, kFormat> tile(at, rest / 32);
      add_tile<L, kFormat, 1, kRows>(&tile, rest / 32, in, sums);
    }
  }
  unroll<kRows>([&](auto m) TRIALWRIGHT_INLINE_LAMBDA {
    store_outputs<L>(task, panel, first_row + m, sums[m]);
  });
}

constexpr int kBlockRows = 128;  ///< Rows of activations that use a tile in turn.

/// Adds tiles' products to the sums of rows first_row and following, kept in memory between tiles:
/// [panel][row of the block][16].
template <class L, PackedFormat kFormat, int kPanels, int kRows, class Tile>
void add_to_memory(const Tile* tiles, int blocks, const TileInputs& in, float* memory) {
  typename L::F sums[std::size_t{kPanels * kRows}];
  unroll<kPanels * kRows>([&](auto i) TRIALWRIGHT_INLINE_LAMBDA {
    sums[i] = L::load(memory + (i / kRows * kBlockRows + i % kRows) * kPanelRows);
  });
  add_tile<L, kFormat, kPanels, kRows>(tiles, blocks, in, sums);
  unroll<kPanels * kRows>([&](auto i) TRIALWRIGHT_INLINE_LAMBDA {
    L::store(memory + (i / kRows * kBlockRows + i % kRows) * kPanelRows, sums[i]);
  });
}

/// The same for as many rows as there are, with those side by side that keep the registers full.
template <class L, PackedFormat kFormat, int kPanels, class Tile>
void add_rows(const PanelTask& task, const Tile* tiles, int blocks, int column, int first_row,
              int rows, float* sums) {
  // As many sums in registers as fit, and as many rows as that leaves for each panel.
  constexpr int kMost = L::kBatch / kPanels < 1 ? 1 : L::kBatch / kPanels;
  for (int row = 0; row < rows;) {
    const TileInputs in = tile_inputs<kFormat>(task, first_row + row, column);
    float* memory = sums + row * kPanelRows;
    // Rows of one group only: groups begin at multiples of eight.
    const int together = rows - row < 8 - row % 8 ? rows - row : 8 - row % 8;
    if (together >= kMost) {
      add_to_memory<L, kFormat, kPanels, kMost>(tiles, blocks, in, memory);
      row += kMost;
    } else if (kMost >= 4 && together >= 2) {
      add_to_memory<L, kFormat, kPanels, kMost >= 4 ? 2 : 1>(tiles, blocks, in, memory);
      row += 2;
    } else {
      add_to_memory<L, kFormat, kPanels, 1>(tiles, blocks, in, memory);
      row += 1;
    }
  }
}

/// kPanels panels times `rows` rows (up to kBlockRows) from first_row on. Whether tiles are
/// unpacked beforehand or once for each few rows is a matter of how many rows share the work.
template <class L, PackedFormat kFormat, int kPanels, bool kUnpack>
void multiply_blocked(const PanelTask& task, int panel, int first_row, int rows) {
  alignas(64) float sums[static_cast<std::size_t>(kPanels) * kBlockRows * kPanelRows];
  for (int p = 0; p < kPanels; ++p) {
    std::memset(sums + p * kBlockRows * kPanelRows, 0,
                static_cast<std::size_t>(rows) * kPanelRows * sizeof(float));
  }
  const std::uint8_t* at = task.panels + static_cast<std::size_t>(panel) * task.panel_bytes;
  for (int column = 0; column < task.cols; column += kTileColumns) {
    const int rest = task.cols - column;
    const int blocks = rest < kTileColumns ? rest / 32 : 8;
    if constexpr (kUnpack) {
      UnpackedTile<L> tiles[static_cast<std::size_t>(kPanels)];
      for (int p = 0; p < kPanels; ++p) {
        tiles[p].template unpack<kFormat>(at + static_cast<std::size_t>(p) * task.panel_bytes,
                                          blocks);
      }
      add_rows<L, kFormat, kPanels>(task, tiles, blocks, column, first_row, rows, sums);
    } else {
      static_assert(kPanels == 1, "tiles side by side pay only where there are many rows");
      const DirectTile<L, kFormat> tile(at, blocks);
      add_rows<L, kFormat, 1>(task, &tile, blocks, column, first_row, rows, sums);
    }
    at += tile_layout(kFormat, blocks).bytes;
  }
  for (int p = 0; p < kPanels; ++p) {
    for (int row = 0; row < rows; ++row) {
      store_outputs<L>(task, panel + p, first_row + row,
                       L::load(sums + (p * kBlockRows + row) * kPanelRows));
    }
  }
}

template <class L, PackedFormat kFormat>
void multiply_quantized(const PanelTask& task) {
  const int panels = (task.outputs + kPanelRows - 1) / kPanelRows;
  if (task.rows <= 4) {
    for (int panel = 0; panel < panels; ++panel) {
      // What the second pass reads of the panel is still in the cache.
      for (int row = 0; row < task.rows;) {
        if (L::kBatch >= 4 && task.rows == 4) {
          multiply_direct<L, kFormat, L::kBatch >= 4 ? 4 : 1>(task, panel, row);
          row += 4;
        } else if (task.rows - row >= 2) {
          multiply_direct<L, kFormat, 2>(task, panel, row);
          row += 2;
        } else {
          multiply_direct<L, kFormat, 1>(task, panel, row);
          row += 1;
        }
      }
    }
    return;
  }
  if (task.rows <= L::template direct_rows<quant_bits(kFormat)>()) {
    for (int panel = 0; panel < panels; ++panel) {
      multiply_blocked<L, kFormat, 1, false>(task, panel, 0, task.rows);
    }
    return;
  }
  for (int row = 0; row < task.rows; row += kBlockRows) {
    const int rows = task.rows - row < kBlockRows ? task.rows - row : kBlockRows;
    int panel = 0;
    // Two panels share what is loaded of the activations.
    for (; L::kBatch >= 8 && panel + 2 <= panels; panel += 2) {
      multiply_blocked<L, kFormat, L::kBatch >= 8 ? 2 : 1, true>(task, panel, row, rows);
    }
    for (; panel < panels; ++panel) {
      multiply_blocked<L, kFormat, 1, true>(task, panel, row, rows);
    }
  }
}

template <class L, PackedFormat kFormat>
TRIALWRIGHT_INLINE typename L::F load_weights(const std::uint8_t* panel, std::ptrdiff_t column) {
  if constexpr (kFormat == PackedFormat::F32) {
    return L::load(reinterpret_cast<const float*>(panel) + column * kPanelRows);
  } else {
    const auto* at = reinterpret_cast<const std::uint16_t*>(panel) + column * kPanelRows;
    return kFormat == PackedFormat::F16 ? L::load_f16(at) : L::load_bf16(at);
  }
}

/// kPanels panels times kRows rows: one sum a pair, over the columns in order.
template <class L, PackedFormat kFormat, int kPanels, int kRows>
void multiply_dense_part(const PanelTask& task, int first_panel, int first_row) {
  const int group_start = first_row / 8 * 8;
  const std::ptrdiff_t group_rows = task.rows - group_start < 8 ? task.rows - group_start : 8;
  const float* x = task.floats + static_cast<std::ptrdiff_t>(group_start) * task.cols +
                   (first_row - group_start);
  const std::uint8_t* panels =
      task.panels + static_cast<std::size_t>(first_panel) * task.panel_bytes;
  typename L::F sums[std::size_t{kPanels * kRows}];
  unroll<kPanels * kRows>([&](auto i) TRIALWRIGHT_INLINE_LAMBDA { sums[i] = L::zero(); });
  for (std::ptrdiff_t column = 0; column < task.cols; ++column) {
    unroll<kPanels>([&](auto p) TRIALWRIGHT_INLINE_LAMBDA {
      const typename L::F weights =
          load_weights<L, kFormat>(panels + static_cast<std::size_t>(p) * task.panel_bytes, column);
      unroll<kRows>([&](auto m) TRIALWRIGHT_INLINE_LAMBDA {
        sums[p * kRows + m] =
            L::fma(weights, L::set1(x[column * group_rows + m]), sums[p * kRows + m]);
      });
    });
  }
  unroll<kPanels>([&](auto p) TRIALWRIGHT_INLINE_LAMBDA {
    unroll<kRows>([&](auto m) TRIALWRIGHT_INLINE_LAMBDA {
      store_outputs<L>(task, first_panel + p, first_row + m, sums[p * kRows + m]);
    });
  });
}

template <class L, PackedFormat kFormat, int kPanels>
void multiply_dense_panels(const PanelTask& task, int panel) {
  // Rows together and panels together need one register for each pair.
  constexpr int kRows = L::kBatch >= 4 ? 4 : 1;
  constexpr int kPanelsOfRows = L::kBatch >= 8 ? kPanels : 1;
  for (int row = 0; row < task.rows;) {
    const int group_left = 8 - row % 8;
    const int together = task.rows - row < group_left ? task.rows - row : group_left;
    if (kRows > 1 && together >= kRows) {
      for (int p = 0; p < kPanels; p += kPanelsOfRows) {
        multiply_dense_part<L, kFormat, kPanelsOfRows, kRows>(task, panel + p, row);
      }
      row += kRows;
    } else {
      multiply_dense_part<L, kFormat, kPanels, 1>(task, panel, row);
      row += 1;
    }
  }
}

template <class L, PackedFormat kFormat>
void multiply_dense(const PanelTask& task) {
  // More streams at once than processors can foresee cost more than they save.
  constexpr int kTogether = L::kBatch >= 8 ? 4 : 2;
  const int panels = (task.outputs + kPanelRows - 1) / kPanelRows;
  int panel = 0;
  for (; panel + kTogether <= panels; panel += kTogether) {
    multiply_dense_panels<L, kFormat, kTogether>(task, panel);
  }
  for (; panel < panels; ++panel) {
    multiply_dense_panels<L, kFormat, 1>(task, panel);
  }
}

template <class L>
void multiply(const PanelTask& task) {
  switch (task.format) {
    case PackedFormat::F32:
      return multiply_dense<L, PackedFormat::F32>(task);
    case PackedFormat::F16:
      return multiply_dense<L, PackedFormat::F16>(task);
    case PackedFormat::BF16:
      return multiply_dense<L, PackedFormat::BF16>(task);
    case PackedFormat::U4:
      return multiply_quantized<L, PackedFormat::U4>(task);
    case PackedFormat::U4Min:
      return multiply_quantized<L, PackedFormat::U4Min>(task);
    case PackedFormat::U5:
      return multiply_quantized<L, PackedFormat::U5>(task);
    case PackedFormat::U5Min:
      return multiply_quantized<L, PackedFormat::U5Min>(task);
    case PackedFormat::U8:
      return multiply_quantized<L, PackedFormat::U8>(task);
    case PackedFormat::U4K:
      return multiply_quantized<L, PackedFormat::U4K>(task);
    case PackedFormat::U5K:
      return multiply_quantized<L, PackedFormat::U5K>(task);
    case PackedFormat::U6K:
      return multiply_quantized<L, PackedFormat::U6K>(task);
  }
}

/// The table of one instruction set.
template <class L>
constexpr MatmulKernels make_matmul_kernels() {
  return {L::kBatch >= 8 ? 4 : 1,      &multiply<L>,       &quantize_q8<L>, &quantize_q8k<L>,
          roof_sums<L>() * 8 * 64 * 2, &multiply_bytes<L>, &read_bytes<L>};
}

}  // namespace trialwright
