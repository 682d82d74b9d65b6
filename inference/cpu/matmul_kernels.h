#pragma once

#include <cstddef>
#include <cstdint>

#include "inference/cpu/isa.h"
#include "inference/cpu/packed_matrix.h"
#include "inference/cpu/unroll.h"

namespace trialwright {

/// A group of up to eight rows of activations in 8 bits. See Activations::Quantized.
struct QuantizedGroup {
  std::int8_t* values = nullptr;
  float* scales = nullptr;
  float* scaled_sums = nullptr;          ///< Q8 only.
  std::int32_t* negated_sums = nullptr;  ///< Of 32 values (Q8) or 16 (Q8K).
  std::int16_t* sums32 = nullptr;        ///< Q8K only.
};

/// Some panels of a matrix times all rows of activations.
struct PanelTask {
  PackedFormat format = PackedFormat::F32;
  const std::uint8_t* panels = nullptr;
  std::size_t panel_bytes = 0;
  int outputs = 0;  ///< Matrix rows in these panels; the last panel may be partly filled.
  int cols = 0;
  int rows = 0;                ///< Of activations, those that only fill up among them.
  int rows_wanted = 0;         ///< The first rows; the others' products are not stored.
  QuantizedGroup activations;  ///< Of the first group; the others follow.
  const float* floats = nullptr;
  float* out = nullptr;  ///< Of the first panel's first row, for the first row of activations.
  std::int64_t stride = 0;
};

/// Rows of one group of activations to be stored: rows `stride` apart, `rows` <= 8.
struct GroupSource {
  const float* x = nullptr;
  std::int64_t stride = 0;
  int rows = 0;
  int rows_given = 0;  ///< The last of these also stands for the rows that only fill up.
  int cols = 0;

  /// Always inlined, as all that the kernels of several instruction sets share.
  [[nodiscard]] TRIALWRIGHT_INLINE const float* row(int index) const {
    return x + (index < rows_given ? index : rows_given - 1) * stride;
  }
};

struct MatmulKernels {
  /// Rows that are multiplied fastest together. More than two are filled up to a multiple of it,
  /// because what is left over takes longer than a full set.
  int rows_together = 1;
  void (*multiply)(const PanelTask& task);
  void (*quantize_q8)(const GroupSource& source, const QuantizedGroup& group);
  void (*quantize_q8k)(const GroupSource& source, const QuantizedGroup& group);

  // What `measure_roof` times; see roof_template.h.
  int roof_operations = 0;  ///< Multiplications and additions of one round of `multiply_bytes`.
  std::int32_t (*multiply_bytes)(const std::uint8_t* bytes, const std::int8_t* values, int rounds);
  std::int32_t (*read_bytes)(const std::uint8_t* bytes, std::size_t count);
};

/// isa must be available.
const MatmulKernels& matmul_kernels(Isa isa);

// One a file that is compiled for its instruction set.
const MatmulKernels& matmul_kernels_scalar();
const MatmulKernels& matmul_kernels_avx2();
const MatmulKernels& matmul_kernels_avx512();

}  // namespace trialwright
