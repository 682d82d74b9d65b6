#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

#include "inference/cpu/cpu.h"
#include "inference/cpu/matmul_kernels.h"
#include "inference/cpu/packed_matrix.h"

namespace trialwright {

/// The inputs of matrix products: `rows` vectors (one a token) of `cols` numbers, stored in each
/// format that the matrices want. Made once and used for several matrices (q, k and v; gate and
/// up).
///
/// Keep one object and assign to it again and again: its memory is reused.
class Activations {
 public:
  /// Takes the numbers over. x: rows × cols, successive rows `stride` apart; not needed afterwards.
  /// All matrices must have `cols` columns.
  void assign(Cpu& cpu, const float* x, std::int64_t stride, int rows, int cols,
              std::initializer_list<const PackedMatrix*> matrices);

  [[nodiscard]] int rows() const { return rows_; }
  [[nodiscard]] int cols() const { return cols_; }

  /// Rows of a group (the last one may be smaller) lie interleaved, four columns of each in turn.
  static constexpr int kGroupRows = 8;

  [[nodiscard]] bool holds(ActivationFormat format) const {
    return (formats_ & static_cast<unsigned>(format)) != 0;
  }
  /// The activations' part of a piece of work, for `matmul`.
  [[nodiscard]] PanelTask task_for(ActivationFormat format) const;

 private:
  /// Numbers of 8 bits and what the products need beside them. A group's part begins at its first
  /// row times the columns (or blocks) of one row.
  struct Quantized {
    std::vector<std::int8_t> values;         ///< [group][cols / 4][row of group][4]
    std::vector<float> scales;               ///< [group][blocks][row]
    std::vector<float> scaled_sums;          ///< Q8: f16(scale × sum of 32). [group][blocks][row]
    std::vector<std::int32_t> negated_sums;  ///< Of 32 (Q8) or 16 (Q8K). [group][parts][row]
    std::vector<std::int16_t> sums32;        ///< Q8K. [group][cols / 64][row][2]
  };

  QuantizedGroup group_of(Quantized& q, int first_row, int scale_columns, int sum_columns) const;
  [[nodiscard]] const std::vector<float>& floats(ActivationFormat format) const;

  int rows_ = 0;
  int filled_rows_ = 0;  ///< With those that only fill up the last group.
  int cols_ = 0;
  unsigned formats_ = 0;
  Quantized q8_;
  Quantized q8k_;
  // [group][cols][row], as they are or rounded to the weights' format.
  std::vector<float> f32_;
  std::vector<float> f16_;
  std::vector<float> bf16_;
};

/// Where the product with one matrix goes: out[row × stride + i] for each of the weights' rows i.
struct MatmulOutput {
  const PackedMatrix* weights = nullptr;
  float* out = nullptr;
  std::int64_t stride = 0;  ///< At least weights->rows().
  /// If not empty, only these panels are multiplied, ascending; the rest of `out` stays as it is.
  std::span<const int> panels{};
};

/// x · Wᵀ for each matrix, all in one parallel region.
///
/// A row's bits depend on that row and the matrix alone: not on how many rows there are, where it
/// stands among them, the instruction set or the number of threads, because every product is summed
/// over the columns in one order and never split.
///
/// `x` must have been assigned for these matrices.
void matmul(Cpu& cpu, const Activations& x, std::span<const MatmulOutput> outputs);

}  // namespace trialwright
