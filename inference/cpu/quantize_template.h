#pragma once

// Activations in 8 bits, as llama.cpp makes them (quantize_row_q8_0, _q8_1 and _q8_K for x86), so
// that the products round alike. Included only by the files that are compiled for one instruction
// set.

#include <cstdint>
#include <cstring>

#include "inference/cpu/matmul_kernels.h"
#include "inference/cpu/quant.h"

namespace trialwright {

/// Stores 16 numbers of one row in the interleaved order; column is a multiple of 16.
template <class L>
void store_values(const GroupSource& source, int row, int column, typename L::I numbers,
                  std::int8_t* values) {
  std::int8_t bytes[16];
  L::store_i8(bytes, numbers);
  for (int i = 0; i < 4; ++i) {
    std::memcpy(values + (column + i * 4) * source.rows + row * 4, bytes + i * 4, 4);
  }
}

/// For each 32 numbers: scale = largest magnitude / 127, kept as a half; number = round to even of
/// x × (127 / largest).
template <class L>
void quantize_q8(const GroupSource& source, const QuantizedGroup& group) {
  for (int row = 0; row < source.rows; ++row) {
    const float* x = source.row(row);
    for (int column = 0; column < source.cols; column += 32) {
      const typename L::F first = L::load(x + column);
      const typename L::F second = L::load(x + column + 16);
      const float most = L::reduce_max(L::max(L::abs(first), L::abs(second)));
      const float scale = most / 127.0F;
      const typename L::F inverse = L::set1(most > 0.0F ? 127.0F / most : 0.0F);
      const typename L::I first_numbers = L::round(L::mul(first, inverse));
      const typename L::I second_numbers = L::round(L::mul(second, inverse));
      store_values<L>(source, row, column, first_numbers, group.values);
      store_values<L>(source, row, column + 16, second_numbers, group.values);
      const std::int32_t sum = L::ireduce_add(L::iadd(first_numbers, second_numbers));
      const int at = column / 32 * source.rows + row;
      group.scales[at] = f16_to_f32(f32_to_f16(scale));
      group.scaled_sums[at] = f16_to_f32(f32_to_f16(scale * static_cast<float>(sum)));
      group.negated_sums[at] = -sum;
    }
  }
}

/// The number of largest magnitude among 256, the first of them if there are several.
template <class L>
float extreme(const float* x) {
  typename L::F most = L::load(x);
  typename L::F least = most;
  for (int i = 16; i < 256; i += 16) {
    most = L::max(most, L::load(x + i));
    least = L::min(least, L::load(x + i));
  }
  const float top = L::reduce_max(most);
  const float bottom = -L::reduce_max(L::sub(L::zero(), least));
  if (top != -bottom) {
    return top > -bottom ? top : bottom;
  }
  for (int i = 0; i < 256; ++i) {
    if (x[i] == top || x[i] == bottom) {
      return x[i];
    }
  }
  return top;
}

/// For each 256 numbers: the extreme one becomes -127, the others follow.
template <class L>
void quantize_q8k(const GroupSource& source, const QuantizedGroup& group) {
  for (int row = 0; row < source.rows; ++row) {
    const float* x = source.row(row);
    for (int column = 0; column < source.cols; column += 256) {
      const float most = extreme<L>(x + column);
      const float inverse = most != 0.0F ? -127.0F / most : 0.0F;
      group.scales[column / 256 * source.rows + row] = most != 0.0F ? 1.0F / inverse : 0.0F;
      std::int32_t previous_sum = 0;
      for (int i = column; i < column + 256; i += 16) {
        const typename L::I numbers = L::round(L::mul(L::load(x + i), L::set1(inverse)));
        store_values<L>(source, row, i, numbers, group.values);
        const std::int32_t sum = L::ireduce_add(numbers);
        group.negated_sums[i / 16 * source.rows + row] = -sum;
        if (i % 32 != 0) {
          group.sums32[(i / 64 * source.rows + row) * 2 + i % 64 / 32] =
              static_cast<std::int16_t>(previous_sum + sum);
        }
        previous_sum = sum;
      }
    }
  }
}

}  // namespace trialwright
