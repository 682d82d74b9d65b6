#include "inference/cpu/quant.h"

#include <cstring>

#include "base/check.h"

namespace trialwright {
namespace {

std::uint32_t bits_of(float value) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

float float_of(std::uint32_t bits) {
  float value = 0;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

std::uint32_t read_u32(const std::uint8_t* at) {
  std::uint32_t value = 0;
  std::memcpy(&value, at, sizeof(value));
  return value;
}

float read_f16(const std::uint8_t* at) { return f16_to_f32(read_u16(at)); }

void dequantize_q4_0(const std::uint8_t* block, float* out) {
  const float scale = read_f16(block);
  for (int i = 0; i < 16; ++i) {
    const int byte = block[2 + i];
    out[i] = scale * static_cast<float>((byte & 15) - 8);
    out[i + 16] = scale * static_cast<float>((byte >> 4) - 8);
  }
}

void dequantize_q4_1(const std::uint8_t* block, float* out) {
  const float scale = read_f16(block);
  const float minimum = read_f16(block + 2);
  for (int i = 0; i < 16; ++i) {
    const int byte = block[4 + i];
    out[i] = scale * static_cast<float>(byte & 15) + minimum;
    out[i + 16] = scale * static_cast<float>(byte >> 4) + minimum;
  }
}

void dequantize_q5_0(const std::uint8_t* block, float* out) {
  const float scale = read_f16(block);
  const std::uint32_t high = read_u32(block + 2);
  for (unsigned i = 0; i < 16; ++i) {
    const unsigned byte = block[6 + i];
    const unsigned low_half = (byte & 15U) | ((high >> i & 1U) << 4U);
    const unsigned high_half = (byte >> 4U) | ((high >> (i + 16) & 1U) << 4U);
    out[i] = scale * static_cast<float>(static_cast<int>(low_half) - 16);
    out[i + 16] = scale * static_cast<float>(static_cast<int>(high_half) - 16);
  }
}

void dequantize_q5_1(const std::uint8_t* block, float* out) {
  const float scale = read_f16(block);
  const float minimum = read_f16(block + 2);
  const std::uint32_t high = read_u32(block + 4);
  for (unsigned i = 0; i < 16; ++i) {
    const unsigned byte = block[8 + i];
    const unsigned low_half = (byte & 15U) | ((high >> i & 1U) << 4U);
    const unsigned high_half = (byte >> 4U) | ((high >> (i + 16) & 1U) << 4U);
    out[i] = scale * static_cast<float>(low_half) + minimum;
    out[i + 16] = scale * static_cast<float>(high_half) + minimum;
  }
}

void dequantize_q8_0(const std::uint8_t* block, float* out) {
  const float scale = read_f16(block);
  for (int i = 0; i < 32; ++i) {
    out[i] = scale * static_cast<float>(static_cast<std::int8_t>(block[2 + i]));
  }
}

void dequantize_q4_k(const std::uint8_t* block, float* out) {
  const float scale = read_f16(block);
  const float minimum = read_f16(block + 2);
  const std::uint8_t* quants = block + 16;
  for (int part = 0; part < 8; ++part) {
    const KScale k = unpack_k_scale(block + 4, part);
    const float part_scale = scale * static_cast<float>(k.scale);
    const float part_minimum = minimum * static_cast<float>(k.minimum);
    for (int i = 0; i < 32; ++i) {
      const int byte = quants[part / 2 * 32 + i];
      const int quant = part % 2 == 0 ? byte & 15 : byte >> 4;
      out[part * 32 + i] = part_scale * static_cast<float>(quant) - part_minimum;
    }
  }
}

void dequantize_q5_k(const std::uint8_t* block, float* out) {
  const float scale = read_f16(block);
  const float minimum = read_f16(block + 2);
  const std::uint8_t* high = block + 16;
  const std::uint8_t* quants = block + 48;
  for (int part = 0; part < 8; ++part) {
    const KScale k = unpack_k_scale(block + 4, part);
    const float part_scale = scale * static_cast<float>(k.scale);
    const float part_minimum = minimum * static_cast<float>(k.minimum);
    for (int i = 0; i < 32; ++i) {
      const int byte = quants[part / 2 * 32 + i];
      const int low = part % 2 == 0 ? byte & 15 : byte >> 4;
      const int quant = low | ((high[i] >> part & 1) << 4);
      out[part * 32 + i] = part_scale * static_cast<float>(quant) - part_minimum;
    }
  }
}

void dequantize_q6_k(const std::uint8_t* block, float* out) {
  const std::uint8_t* scales = block + 192;
  const float scale = read_f16(block + 208);
  for (int i = 0; i < 256; ++i) {
    // Each half of the block holds four rows of 32: two in low and two in high nibbles.
    const int half = i / 128;
    const int quarter = i % 128 / 32;
    const int column = i % 32;
    const int low_byte = block[half * 64 + quarter % 2 * 32 + column];
    const int low = quarter < 2 ? low_byte & 15 : low_byte >> 4;
    const int high = block[128 + half * 32 + column] >> (2 * quarter) & 3;
    const auto factor = static_cast<std::int8_t>(scales[i / 16]);
    out[i] = scale * static_cast<float>(factor) * static_cast<float>((low | (high << 4)) - 32);
  }
}

void dequantize_block(TensorType type, const std::uint8_t* block, float* out) {
  switch (type) {
    case TensorType::F32:
      *out = float_of(read_u32(block));
      return;
    case TensorType::F16:
      *out = read_f16(block);
      return;
    case TensorType::BF16:
      *out = bf16_to_f32(read_u16(block));
      return;
    case TensorType::Q4_0:
      return dequantize_q4_0(block, out);
    case TensorType::Q4_1:
      return dequantize_q4_1(block, out);
    case TensorType::Q5_0:
      return dequantize_q5_0(block, out);
    case TensorType::Q5_1:
      return dequantize_q5_1(block, out);
    case TensorType::Q8_0:
      return dequantize_q8_0(block, out);
    case TensorType::Q4_K:
      return dequantize_q4_k(block, out);
    case TensorType::Q5_K:
      return dequantize_q5_k(block, out);
    case TensorType::Q6_K:
      return dequantize_q6_k(block, out);
  }
}

}  // namespace

std::uint16_t read_u16(const std::uint8_t* at) {
  std::uint16_t value = 0;
  std::memcpy(&value, at, sizeof(value));
  return value;
}

float f16_to_f32(std::uint16_t half) {
  const std::uint32_t sign = (half & 0x8000U) << 16U;
  const std::uint32_t magnitude = half & 0x7fffU;
  if (magnitude >= 0x7c00U) {  // Infinity or NaN; a signalling NaN becomes quiet, as in hardware.
    const std::uint32_t fraction = (magnitude & 0x3ffU) << 13U;
    return float_of(sign | 0x7f800000U | fraction | (fraction != 0 ? 0x400000U : 0U));
  }
  if (magnitude < 0x400U) {  // Zero or subnormal: a whole multiple of 2^-24.
    const float value = static_cast<float>(magnitude) * 0x1p-24F;
    return float_of(sign | bits_of(value));
  }
  return float_of(sign | ((magnitude << 13U) + (112U << 23U)));
}

std::uint16_t f32_to_f16(float value) {
  const std::uint32_t bits = bits_of(value);
  const std::uint32_t sign = bits >> 16U & 0x8000U;
  const std::uint32_t magnitude = bits & 0x7fffffffU;
  std::uint32_t half = 0;
  if (magnitude > 0x7f800000U) {
    half = 0x7e00U | (magnitude >> 13U & 0x3ffU);
  } else if (magnitude >= 0x477ff000U) {  // 65520 and more round to infinity.
    half = 0x7c00U;
  } else if (magnitude < 0x38800000U) {
    // Below 2^-14 the spacing is 2^-24. Adding 2^-1 puts the last bit there and rounds as wanted.
    half = bits_of(float_of(magnitude) + 0.5F) - bits_of(0.5F);
  } else {
    const std::uint32_t odd = magnitude >> 13U & 1U;
    half = (magnitude - (112U << 23U) + 0xfffU + odd) >> 13U;
  }
  return static_cast<std::uint16_t>(sign | half);
}

float bf16_to_f32(std::uint16_t half) { return float_of(std::uint32_t{half} << 16U); }

std::uint16_t f32_to_bf16(float value) {
  const std::uint32_t bits = bits_of(value);
  if ((bits & 0x7fffffffU) > 0x7f800000U) {
    return static_cast<std::uint16_t>(bits >> 16U | 64U);
  }
  return static_cast<std::uint16_t>((bits + 0x7fffU + (bits >> 16U & 1U)) >> 16U);
}

KScale unpack_k_scale(const std::uint8_t* packed, int part) {
  const auto at = [&](int i) { return unsigned{packed[i]}; };
  if (part < 4) {
    return {static_cast<std::uint8_t>(at(part) & 63U),
            static_cast<std::uint8_t>(at(part + 4) & 63U)};
  }
  return {static_cast<std::uint8_t>((at(part + 4) & 15U) | (at(part - 4) >> 6U << 4U)),
          static_cast<std::uint8_t>((at(part + 4) >> 4U) | (at(part) >> 6U << 4U))};
}

void dequantize_row(TensorType type, std::span<const std::byte> row, std::span<float> out) {
  const auto traits = tensor_type_traits(type);
  CHECK(traits, "types are checked when a file is opened");
  CHECK(tensor_row_bytes(type, static_cast<std::int64_t>(out.size())) == row.size(),
        "sizes are checked when a file is opened");
  const auto* block = reinterpret_cast<const std::uint8_t*>(row.data());
  const auto block_elements = static_cast<std::size_t>(traits->block_elements);
  for (std::size_t i = 0; i < out.size(); i += block_elements) {
    dequantize_block(type, block, out.data() + i);
    block += traits->block_bytes;
  }
}

}  // namespace trialwright
