#include "tests/inference/cpu/read_row.h"

#include <algorithm>
#include <cstdint>

#include "base/check.h"
#include "inference/cpu/packed_layout.h"
#include "inference/cpu/quant.h"

namespace trialwright {
namespace {

unsigned quant_at(PackedFormat format, const TileLayout& layout, const std::uint8_t* tile, int row,
                  int column) {
  const int block = column / 32;
  const int group = column % 32 / 4;
  const int byte = row * 4 + column % 4;
  if (quant_bits(format) == 8) {
    return tile[block * 512 + group * 64 + byte];
  }
  const unsigned nibbles = tile[block * 256 + group % 4 * 64 + byte];
  const unsigned low = group < 4 ? nibbles & 15U : nibbles >> 4U;
  if (quant_bits(format) == 5) {
    const unsigned high = tile[layout.high + static_cast<std::size_t>(block * 64 + byte)];
    return low | (high >> group & 1U) << 4U;
  }
  if (quant_bits(format) == 6) {
    const unsigned high =
        tile[layout.high + static_cast<std::size_t>(block * 128 + group / 4 * 64 + byte)];
    return low | (high >> (group % 4 * 2) & 3U) << 4U;
  }
  return low;
}

/// One row's numbers of a tile, by the formulas (and in the rounding) of `dequantize_row`.
void read_tile_row(PackedFormat format, const std::uint8_t* tile, int blocks, int row, float* out) {
  const TileLayout layout = tile_layout(format, blocks);
  const auto half_at = [&](std::size_t offset, int block) {
    return f16_to_f32(read_u16(tile + offset + (block * kPanelRows + row) * 2));
  };
  const int offset = offset_shift(format) < 0 ? 0 : 1 << offset_shift(format);
  for (int column = 0; column < blocks * 32; ++column) {
    const int block = column / 32;
    const int quant = static_cast<int>(quant_at(format, layout, tile, row, column)) - offset;
    const auto value = static_cast<float>(quant);
    if (format == PackedFormat::U6K) {
      const auto factor = static_cast<std::int8_t>(
          tile[layout.factors + static_cast<std::size_t>(column / 16 * kPanelRows + row)]);
      out[column] = half_at(layout.scales, 0) * static_cast<float>(factor) * value;
    } else if (is_k(format)) {
      const std::uint8_t factor =
          tile[layout.factors + static_cast<std::size_t>(block * kPanelRows + row)];
      const std::uint8_t minimum_factor =
          tile[layout.minimum_factors +
               static_cast<std::size_t>(block / 2 * 32 + row * 2 + block % 2)];
      const float scale = half_at(layout.scales, 0) * static_cast<float>(factor);
      const float minimum = half_at(layout.minimums, 0) * static_cast<float>(minimum_factor);
      out[column] = scale * value - minimum;
    } else if (has_minimum(format)) {
      out[column] = half_at(layout.scales, block) * value + half_at(layout.minimums, block);
    } else {
      out[column] = half_at(layout.scales, block) * value;
    }
  }
}

}  // namespace

void read_row(const PackedMatrix& matrix, int row, std::span<float> out) {
  CHECK(row >= 0 && row < matrix.rows(), "a test asks for rows that there are");
  CHECK(out.size() == static_cast<std::size_t>(matrix.cols()),
        "a row has as many numbers as the matrix columns");
  const auto* tile = reinterpret_cast<const std::uint8_t*>(matrix.panel(row / kPanelRows));
  const int lane = row % kPanelRows;
  if (is_dense(matrix.format())) {
    const auto element_bytes = static_cast<std::size_t>(dense_element_bytes(matrix.format()));
    for (std::size_t column = 0; column < out.size(); ++column) {
      const std::uint8_t* at =
          tile + (column * kPanelRows + static_cast<std::size_t>(lane)) * element_bytes;
      dequantize_row(matrix.type(), {reinterpret_cast<const std::byte*>(at), element_bytes},
                     out.subspan(column, 1));
    }
    return;
  }
  for (int column = 0; column < matrix.cols(); column += kTileColumns) {
    const int blocks = std::min(matrix.cols() - column, kTileColumns) / 32;
    read_tile_row(matrix.format(), tile, blocks, lane, out.data() + column);
    tile += tile_layout(matrix.format(), blocks).bytes;
  }
}

}  // namespace trialwright
