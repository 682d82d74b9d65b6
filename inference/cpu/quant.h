#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "inference/gguf/tensor_type.h"

namespace trialwright {

/// IEEE half precision to single; exact.
float f16_to_f32(std::uint16_t half);
/// Rounds to nearest, ties to even; overflow becomes infinity, NaN stays NaN.
std::uint16_t f32_to_f16(float value);

/// Upper half of a single; exact.
float bf16_to_f32(std::uint16_t half);
/// Rounds to nearest, ties to even; NaN stays NaN.
std::uint16_t f32_to_bf16(float value);

/// Two bytes of a stored block, at any address.
std::uint16_t read_u16(const std::uint8_t* at);

/// Turns one stored row into numbers: the definition of what each type means, and the reference for
/// all kernels. Formulas: ggml-quants.c of llama.cpp.
///
/// row  exactly tensor_row_bytes(type, out.size()) bytes of a known type.
void dequantize_row(TensorType type, std::span<const std::byte> row, std::span<float> out);

/// The scale and the minimum of 32-element part `part` (0 to 7) of a Q4_K or Q5_K block, six bits
/// each, from its twelve bytes of packed scales.
struct KScale {
  std::uint8_t scale = 0;
  std::uint8_t minimum = 0;
};
KScale unpack_k_scale(const std::uint8_t* packed, int part);

}  // namespace trialwright
