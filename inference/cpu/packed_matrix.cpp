#include "inference/cpu/packed_matrix.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>

#include "base/check.h"
#include "inference/cpu/packed_layout.h"
#include "inference/cpu/quant.h"

namespace trialwright {
namespace {

constexpr int kPanelsAtOnce = 4;  ///< Packed by one thread before it takes the next.

PackedFormat format_of(TensorType type) {
  switch (type) {
    case TensorType::F32:
      return PackedFormat::F32;
    case TensorType::F16:
      return PackedFormat::F16;
    case TensorType::BF16:
      return PackedFormat::BF16;
    case TensorType::Q4_0:
      return PackedFormat::U4;
    case TensorType::Q4_1:
      return PackedFormat::U4Min;
    case TensorType::Q5_0:
      return PackedFormat::U5;
    case TensorType::Q5_1:
      return PackedFormat::U5Min;
    case TensorType::Q8_0:
      return PackedFormat::U8;
    case TensorType::Q4_K:
      return PackedFormat::U4K;
    case TensorType::Q5_K:
      return PackedFormat::U5K;
    case TensorType::Q6_K:
      return PackedFormat::U6K;
  }
  return PackedFormat::F32;
}

/// A tile before its quants are squeezed: unsigned quants row by row, and what belongs to them.
struct LooseTile {
  alignas(64) std::uint8_t quants[kPanelRows][kTileColumns];
  alignas(64) std::uint16_t scales[8][kPanelRows];    ///< [block], or [0] alone for K types.
  alignas(64) std::uint16_t minimums[8][kPanelRows];  ///< The same.
  alignas(64) std::uint8_t factors[16][kPanelRows];
  alignas(64) std::uint8_t minimum_factors[8][kPanelRows];
};

/// Low nibbles are the first half of the columns, high nibbles the second.
void split_nibbles(const std::uint8_t* bytes, int count, std::uint8_t* out) {
  for (int i = 0; i < count; ++i) {
    out[i] = bytes[i] & 15U;
    out[i + count] = static_cast<std::uint8_t>(bytes[i] >> 4U);
  }
}

void add_fifth_bits(const std::uint8_t* bits, std::uint8_t* out) {
  std::uint32_t word = 0;
  std::memcpy(&word, bits, sizeof(word));
  for (unsigned i = 0; i < 32; ++i) {
    out[i] = static_cast<std::uint8_t>(out[i] | ((word >> i & 1U) << 4U));
  }
}

void loosen_block32(TensorType type, const std::uint8_t* block, int row, int index,
                    LooseTile& tile) {
  std::uint8_t* out = tile.quants[row] + index * 32;
  tile.scales[index][row] = read_u16(block);
  switch (type) {
    case TensorType::Q4_0:
      split_nibbles(block + 2, 16, out);
      return;
    case TensorType::Q4_1:
      tile.minimums[index][row] = read_u16(block + 2);
      split_nibbles(block + 4, 16, out);
      return;
    case TensorType::Q5_0:
      split_nibbles(block + 6, 16, out);
      add_fifth_bits(block + 2, out);
      return;
    case TensorType::Q5_1:
      tile.minimums[index][row] = read_u16(block + 2);
      split_nibbles(block + 8, 16, out);
      add_fifth_bits(block + 4, out);
      return;
    default:
      for (int i = 0; i < 32; ++i) {
        out[i] = block[2 + i] ^ 0x80U;  // Adds 128.
      }
  }
}

void loosen_block256(TensorType type, const std::uint8_t* block, int row, LooseTile& tile) {
  std::uint8_t* out = tile.quants[row];
  if (type == TensorType::Q6_K) {
    const std::uint8_t* high = block + 128;
    for (int half = 0; half < 2; ++half) {
      split_nibbles(block + half * 64, 64, out + half * 128);
      for (int i = 0; i < 128; ++i) {
        const unsigned bits = unsigned{high[half * 32 + i % 32]} >> (2 * (i / 32)) & 3U;
        out[half * 128 + i] = static_cast<std::uint8_t>(out[half * 128 + i] | bits << 4U);
      }
    }
    for (int part = 0; part < 16; ++part) {
      tile.factors[part][row] = block[192 + part];
    }
    tile.scales[0][row] = read_u16(block + 208);
    return;
  }
  tile.scales[0][row] = read_u16(block);
  tile.minimums[0][row] = read_u16(block + 2);
  for (int part = 0; part < 8; ++part) {
    const KScale k = unpack_k_scale(block + 4, part);
    tile.factors[part][row] = k.scale;
    tile.minimum_factors[part][row] = k.minimum;
  }
  const std::uint8_t* quants = block + (type == TensorType::Q5_K ? 48 : 16);
  for (int pair = 0; pair < 4; ++pair) {
    split_nibbles(quants + pair * 32, 32, out + pair * 64);
  }
  if (type == TensorType::Q5_K) {
    const std::uint8_t* high = block + 16;
    for (int i = 0; i < 256; ++i) {
      const unsigned bit = unsigned{high[i % 32]} >> (i / 32) & 1U;
      out[i] = static_cast<std::uint8_t>(out[i] | bit << 4U);
    }
  }
}

/// The byte order that the kernels multiply in: [4 columns in turn][row][4 columns].
using Groups = std::uint8_t[kTileColumns / 4][kPanelRows * 4];

void interleave(const LooseTile& tile, int blocks, Groups& groups) {
  for (int row = 0; row < kPanelRows; ++row) {
    for (int group = 0; group < blocks * 8; ++group) {
      std::memcpy(groups[group] + row * 4, tile.quants[row] + group * 4, 4);
    }
  }
}

void squeeze(const LooseTile& tile, PackedFormat format, int blocks, std::uint8_t* out) {
  const TileLayout layout = tile_layout(format, blocks);
  const int bits = quant_bits(format);
  alignas(64) Groups groups;
  interleave(tile, blocks, groups);
  for (int block = 0; block < blocks; ++block) {
    const auto* from = groups + block * 8;
    if (bits == 8) {
      std::memcpy(out + block * 512, from, 512);
      continue;
    }
    for (int chunk = 0; chunk < 4; ++chunk) {
      for (int i = 0; i < 64; ++i) {
        const unsigned low = from[chunk][i] & 15U;
        const unsigned high = from[chunk + 4][i] & 15U;
        out[block * 256 + chunk * 64 + i] = static_cast<std::uint8_t>(low | high << 4U);
      }
    }
    std::uint8_t* high = out + layout.high + block * (bits == 5 ? 64 : 128);
    for (int group = 0; group < 8 && bits == 5; ++group) {
      for (int i = 0; i < 64; ++i) {
        high[i] = static_cast<std::uint8_t>(high[i] | (from[group][i] >> 4U) << group);
      }
    }
    for (int group = 0; group < 8 && bits == 6; ++group) {
      for (int i = 0; i < 64; ++i) {
        std::uint8_t& byte = high[group / 4 * 64 + i];
        byte = static_cast<std::uint8_t>(byte | (from[group][i] >> 4U) << (group % 4 * 2));
      }
    }
  }
  const std::size_t scale_bytes = is_k(format) ? 32 : static_cast<std::size_t>(blocks) * 32;
  std::memcpy(out + layout.scales, tile.scales, scale_bytes);
  if (has_minimum(format)) {
    std::memcpy(out + layout.minimums, tile.minimums, scale_bytes);
  }
  if (is_k(format)) {
    std::memcpy(out + layout.factors, tile.factors, format == PackedFormat::U6K ? 256 : 128);
  }
  if (is_k(format) && has_minimum(format)) {
    std::uint8_t* factors = out + layout.minimum_factors;
    for (int part = 0; part < 8; ++part) {
      for (int row = 0; row < kPanelRows; ++row) {
        factors[part / 2 * 32 + row * 2 + part % 2] = tile.minimum_factors[part][row];
      }
    }
  }
}

/// Packs one panel: `rows` (up to 16) stored rows, `row_bytes` apart. `out` starts as zeros.
void pack_quantized_panel(TensorType type, PackedFormat format, const std::uint8_t* data,
                          std::size_t row_bytes, int rows, int cols, std::uint8_t* out) {
  const TensorTypeTraits traits = *tensor_type_traits(type);
  LooseTile tile;
  std::memset(&tile, 0, sizeof(tile));  // Rows that do not exist keep a scale of zero.
  for (int column = 0; column < cols; column += kTileColumns) {
    const int blocks = std::min(cols - column, kTileColumns) / 32;
    for (int row = 0; row < rows; ++row) {
      const std::uint8_t* block =
          data + static_cast<std::size_t>(row) * row_bytes +
          static_cast<std::size_t>(column / traits.block_elements * traits.block_bytes);
      if (is_k(format)) {
        loosen_block256(type, block, row, tile);
        continue;
      }
      for (int i = 0; i < blocks; ++i) {
        loosen_block32(type, block + i * traits.block_bytes, row, i, tile);
      }
    }
    squeeze(tile, format, blocks, out);
    out += tile_layout(format, blocks).bytes;
  }
}

void pack_dense_panel(std::size_t element_bytes, const std::uint8_t* data, std::size_t row_bytes,
                      int rows, int cols, std::uint8_t* out) {
  for (int row = 0; row < rows; ++row) {
    const std::uint8_t* from = data + static_cast<std::size_t>(row) * row_bytes;
    for (int column = 0; column < cols; ++column) {
      const auto at = static_cast<std::size_t>(column);
      std::memcpy(out + (at * kPanelRows + static_cast<std::size_t>(row)) * element_bytes,
                  from + at * element_bytes, element_bytes);
    }
  }
}

std::size_t panel_size(PackedFormat format, int cols) {
  const auto columns = static_cast<std::size_t>(cols);
  if (is_dense(format)) {
    return (columns * kPanelRows * static_cast<std::size_t>(dense_element_bytes(format)) + 63) /
           64 * 64;
  }
  const std::size_t whole = columns / kTileColumns;
  const int rest = cols % kTileColumns / 32;
  return whole * tile_layout(format, 8).bytes + (rest == 0 ? 0 : tile_layout(format, rest).bytes);
}

}  // namespace

ActivationFormat PackedMatrix::activation_format() const {
  switch (format_) {
    case PackedFormat::F32:
      return ActivationFormat::F32;
    case PackedFormat::F16:
      return ActivationFormat::F16;
    case PackedFormat::BF16:
      return ActivationFormat::BF16;
    case PackedFormat::U4K:
    case PackedFormat::U5K:
    case PackedFormat::U6K:
      return ActivationFormat::Q8K;
    default:
      return ActivationFormat::Q8;
  }
}

Result<PackedMatrix> PackedMatrix::pack(ThreadPool& pool, Arena& arena, TensorType type,
                                        std::int64_t rows, std::int64_t cols,
                                        std::span<const std::byte> data) {
  const auto row_bytes = tensor_row_bytes(type, cols);
  if (!row_bytes) {
    return invalid("rows of " + std::to_string(cols) + " numbers cannot be stored as " +
                   tensor_type_name(type));
  }
  constexpr std::int64_t kMost = std::int64_t{1} << 24U;
  if (rows <= 0 || cols <= 0 || rows > kMost || cols > kMost) {
    return invalid("a matrix of " + std::to_string(rows) + " rows and " + std::to_string(cols) +
                   " columns is out of range");
  }
  // Neither product can overflow: both factors are bounded above.
  if (data.size() != *row_bytes * static_cast<std::size_t>(rows)) {
    return invalid("the matrix has " + std::to_string(data.size()) + " bytes instead of " +
                   std::to_string(*row_bytes * static_cast<std::size_t>(rows)));
  }
  PackedMatrix matrix;
  matrix.rows_ = static_cast<int>(rows);
  matrix.cols_ = static_cast<int>(cols);
  matrix.type_ = type;
  matrix.format_ = format_of(type);
  matrix.panel_bytes_ = panel_size(matrix.format_, matrix.cols_);
  auto memory = arena.allocate(matrix.bytes());
  if (!memory) {
    return memory.error();
  }
  matrix.data_ = *memory;

  const auto* source = reinterpret_cast<const std::uint8_t*>(data.data());
  auto* out = reinterpret_cast<std::uint8_t*>(*memory);
  const int panels = matrix.panels();
  pool.parallel_for((panels + kPanelsAtOnce - 1) / kPanelsAtOnce, [&](int chunk) {
    const int end = std::min(panels, (chunk + 1) * kPanelsAtOnce);
    for (int panel = chunk * kPanelsAtOnce; panel < end; ++panel) {
      const int first_row = panel * kPanelRows;
      const int panel_rows = std::min(kPanelRows, matrix.rows_ - first_row);
      const std::uint8_t* from = source + static_cast<std::size_t>(first_row) * *row_bytes;
      std::uint8_t* to = out + static_cast<std::size_t>(panel) * matrix.panel_bytes_;
      if (is_dense(matrix.format_)) {
        pack_dense_panel(static_cast<std::size_t>(dense_element_bytes(matrix.format_)), from,
                         *row_bytes, panel_rows, matrix.cols_, to);
      } else {
        pack_quantized_panel(type, matrix.format_, from, *row_bytes, panel_rows, matrix.cols_, to);
      }
    }
  });
  return matrix;
}

}  // namespace trialwright
