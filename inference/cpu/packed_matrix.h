#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/result.h"
#include "inference/cpu/arena.h"
#include "inference/cpu/thread_pool.h"
#include "inference/gguf/tensor_type.h"

namespace trialwright {

/// How the inputs of a matrix product are stored. Which one a matrix wants follows from its type,
/// as in llama.cpp, so that both round in the same places.
enum class ActivationFormat : unsigned {
  F32 = 1,   ///< As they are: F32 weights.
  F16 = 2,   ///< Rounded to half precision: F16 weights.
  BF16 = 4,  ///< Rounded to bfloat16: BF16 weights.
  Q8 = 8,    ///< 8 bits, one scale for 32 (llama.cpp's Q8_0 and Q8_1): weights with 32-blocks.
  Q8K = 16,  ///< 8 bits, one scale for 256 (llama.cpp's Q8_K): Q4_K, Q5_K, Q6_K weights.
};

/// How the weights lie in memory: 16 rows side by side ("a panel"), in tiles of up to 256 columns.
enum class PackedFormat {
  F32,    ///< [cols][16] floats.
  F16,    ///< [cols][16] halves.
  BF16,   ///< [cols][16] bfloat16.
  U4,     ///< 4-bit quants, a scale for 32, offset 8 (Q4_0).
  U4Min,  ///< 4-bit quants, a scale and a minimum for 32 (Q4_1).
  U5,     ///< 5-bit quants, a scale for 32, offset 16 (Q5_0).
  U5Min,  ///< 5-bit quants, a scale and a minimum for 32 (Q5_1).
  U8,     ///< 8-bit quants, a scale for 32, offset 128 (Q8_0).
  U4K,    ///< 4-bit quants, scale and minimum for 256 with 6-bit factors for 32 (Q4_K).
  U5K,    ///< 5-bit quants, the same (Q5_K).
  U6K,    ///< 6-bit quants, a scale for 256 with 8-bit factors for 16, offset 32 (Q6_K).
};

constexpr int kPanelRows = 16;  ///< Rows that lie side by side.
constexpr int kTileColumns =
    256;  ///< Columns of a whole tile; the last of a panel may be narrower.

/// A weight matrix of `rows` outputs by `cols` inputs, repacked for the kernels. The memory belongs
/// to the arena. Cheap to copy; any thread may read it.
///
/// Nothing is lost: every row stands for the very numbers that the file's row stands for.
class PackedMatrix {
 public:
  PackedMatrix() = default;

  /// Repacks a tensor. data: rows × tensor_row_bytes(type, cols) bytes; it is not needed
  /// afterwards.
  ///
  /// Errors: Invalid if the type is unknown, the shape is empty or does not fit the type's blocks,
  /// or `data` has another size; Unavailable if memory runs out. The messages do not name the
  /// tensor: the caller does.
  static Result<PackedMatrix> pack(ThreadPool& pool, Arena& arena, TensorType type,
                                   std::int64_t rows, std::int64_t cols,
                                   std::span<const std::byte> data);

  [[nodiscard]] int rows() const { return rows_; }
  [[nodiscard]] int cols() const { return cols_; }
  [[nodiscard]] TensorType type() const { return type_; }
  [[nodiscard]] PackedFormat format() const { return format_; }
  [[nodiscard]] ActivationFormat activation_format() const;
  [[nodiscard]] bool empty() const { return rows_ == 0; }
  /// Bytes held, padding included.
  [[nodiscard]] std::size_t bytes() const {
    return panel_bytes_ * static_cast<std::size_t>(panels());
  }

  /// Panels of 16 rows; rows beyond the last are zero.
  [[nodiscard]] int panels() const { return (rows_ + kPanelRows - 1) / kPanelRows; }
  [[nodiscard]] const std::byte* panel(int index) const {
    return data_ + panel_bytes_ * static_cast<std::size_t>(index);
  }

 private:
  const std::byte* data_ = nullptr;
  std::size_t panel_bytes_ = 0;
  int rows_ = 0;
  int cols_ = 0;
  TensorType type_ = TensorType::F32;
  PackedFormat format_ = PackedFormat::F32;
};

}  // namespace trialwright
