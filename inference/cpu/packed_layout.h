#pragma once

#include <cstddef>

#include "inference/cpu/packed_matrix.h"
#include "inference/cpu/unroll.h"

namespace trialwright {

/// Where things lie in a tile of 16 rows by up to 256 columns, in bytes from its start. A panel is
/// its tiles one after the other, so that reading it is one stream.
///
/// quants   4-, 5- and 6-bit: 256 bytes for 32 columns. Chunk c (of 4) of 64 bytes has the columns
///          4c to 4c + 3 in its low nibbles and 4c + 16 to 4c + 19 in its high ones. Within a
///          chunk: [row][4 columns]. 8-bit: 512 bytes for 32 columns, [4 columns of 32 in
///          turn][row][4].
/// high     5-bit: 64 bytes for 32 columns; bit g of byte [row][i] belongs to column 4g + i.
///          6-bit: 128 bytes; chunk j, bits 2g and 2g + 1, belong to column 16j + 4g + i.
/// scales   32-blocks: [block][row] halves. K types: [row] halves, for the whole tile.
/// minimums the same again, where there are minimums.
/// factors  K types: one byte each. [part of 32 or 16][row] for the scales.
/// minimum_factors  [part / 2][row][part % 2].
struct TileLayout {
  std::size_t quants = 0;
  std::size_t high = 0;
  std::size_t scales = 0;
  std::size_t minimums = 0;
  std::size_t factors = 0;
  std::size_t minimum_factors = 0;
  std::size_t bytes = 0;  ///< A multiple of 64.
};

// Kernels of every instruction set use these. They are always inlined, because a function of its
// own would be compiled for each set, and the linker would keep any one of them for all.

TRIALWRIGHT_INLINE constexpr bool is_dense(PackedFormat format) {
  return format == PackedFormat::F32 || format == PackedFormat::F16 || format == PackedFormat::BF16;
}

TRIALWRIGHT_INLINE constexpr int dense_element_bytes(PackedFormat format) {
  return format == PackedFormat::F32 ? 4 : 2;
}

TRIALWRIGHT_INLINE constexpr bool is_k(PackedFormat format) {
  return format == PackedFormat::U4K || format == PackedFormat::U5K || format == PackedFormat::U6K;
}

TRIALWRIGHT_INLINE constexpr bool has_minimum(PackedFormat format) {
  return format == PackedFormat::U4Min || format == PackedFormat::U5Min ||
         format == PackedFormat::U4K || format == PackedFormat::U5K;
}

TRIALWRIGHT_INLINE constexpr int quant_bits(PackedFormat format) {
  switch (format) {
    case PackedFormat::U4:
    case PackedFormat::U4Min:
    case PackedFormat::U4K:
      return 4;
    case PackedFormat::U5:
    case PackedFormat::U5Min:
    case PackedFormat::U5K:
      return 5;
    case PackedFormat::U6K:
      return 6;
    default:
      return 8;
  }
}

/// What was added to signed quants to make them unsigned, as a power of two; -1 for none.
TRIALWRIGHT_INLINE constexpr int offset_shift(PackedFormat format) {
  switch (format) {
    case PackedFormat::U4:
      return 3;
    case PackedFormat::U5:
      return 4;
    case PackedFormat::U6K:
      return 5;
    case PackedFormat::U8:
      return 7;
    default:
      return -1;
  }
}

/// blocks: 32-column blocks in the tile, 1 to 8; always 8 for K types.
TRIALWRIGHT_INLINE constexpr TileLayout tile_layout(PackedFormat format, int blocks) {
  const auto n = static_cast<std::size_t>(blocks);
  const int bits = quant_bits(format);
  TileLayout layout;
  layout.high = n * (bits == 8 ? 512U : 256U);
  layout.scales = layout.high + n * (bits == 5 ? 64U : bits == 6 ? 128U : 0U);
  const std::size_t scale_bytes = (is_k(format) ? 1U : n) * 32U;
  layout.minimums = layout.scales + scale_bytes;
  layout.factors = layout.minimums + (has_minimum(format) || is_k(format) ? scale_bytes : 0U);
  layout.minimum_factors =
      layout.factors + (is_k(format) ? (format == PackedFormat::U6K ? 256U : 128U) : 0U);
  const std::size_t end =
      layout.minimum_factors + (is_k(format) && has_minimum(format) ? 128U : 0U);
  layout.bytes = (end + 63U) / 64U * 64U;
  return layout;
}

}  // namespace trialwright
