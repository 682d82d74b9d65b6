#include "inference/cpu/matmul.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "inference/cpu/quant.h"
#include "tests/inference/cpu/random_weights.h"

namespace trialwright {
namespace {

/// A matrix with the stored rows that it was made of.
struct Weights {
  TensorType type;
  int rows;
  int cols;
  std::vector<std::byte> data;
  Arena arena;
  PackedMatrix packed;

  Weights(TensorType type_wanted, int rows_wanted, int cols_wanted, std::uint64_t seed = 11)
      : type(type_wanted),
        rows(rows_wanted),
        cols(cols_wanted),
        data(random_weights(type, rows, cols, seed)) {
    ThreadPool pool(1);
    auto result = PackedMatrix::pack(pool, arena, type, rows, cols, data);
    EXPECT_TRUE(result);
    packed = *result;
  }

  [[nodiscard]] std::vector<float> row(int index) const {
    const std::size_t bytes = *tensor_row_bytes(type, cols);
    std::vector<float> out(static_cast<std::size_t>(cols));
    dequantize_row(type, std::span(data).subspan(static_cast<std::size_t>(index) * bytes, bytes),
                   out);
    return out;
  }
};

std::vector<float> product(Cpu& cpu, const Weights& weights, const std::vector<float>& x,
                           int tokens) {
  Activations activations;
  activations.assign(cpu, x.data(), weights.cols, tokens, weights.cols, {&weights.packed});
  std::vector<float> out(static_cast<std::size_t>(tokens * weights.rows));
  const MatmulOutput output{&weights.packed, out.data(), weights.rows};
  matmul(cpu, activations, {&output, 1});
  return out;
}

/// What llama.cpp makes of the activations for this type of weights: the numbers that the stored
/// bits stand for, and the rounded sums that the minimums are multiplied with.
struct RoundedInput {
  std::vector<double> values;
  std::vector<double> scaled_sums;  ///< One a 32-block; only for Q4_1 and Q5_1.
};

RoundedInput rounded_input(ActivationFormat format, const float* x, int cols) {
  RoundedInput out;
  out.values.resize(static_cast<std::size_t>(cols));
  const int block = format == ActivationFormat::Q8 ? 32 : format == ActivationFormat::Q8K ? 256 : 1;
  for (int start = 0; start < cols; start += block) {
    float extreme = 0;
    for (int i = start; i < start + block; ++i) {
      extreme = std::fabs(x[i]) > std::fabs(extreme) ? x[i] : extreme;
    }
    double sum = 0;
    for (int i = start; i < start + block; ++i) {
      double& value = out.values[static_cast<std::size_t>(i)];
      if (format == ActivationFormat::F32) {
        value = x[i];
      } else if (format == ActivationFormat::F16) {
        value = f16_to_f32(f32_to_f16(x[i]));
      } else if (format == ActivationFormat::BF16) {
        value = bf16_to_f32(f32_to_bf16(x[i]));
      } else if (extreme == 0) {
        value = 0;
      } else if (format == ActivationFormat::Q8) {
        const float number = std::nearbyint(x[i] * (127.0F / std::fabs(extreme)));
        sum += number;
        value = number * f16_to_f32(f32_to_f16(std::fabs(extreme) / 127.0F));
      } else {
        const float inverse = -127.0F / extreme;
        value = std::nearbyint(x[i] * inverse) * (1.0F / inverse);
      }
    }
    if (format == ActivationFormat::Q8) {
      const float scale = std::fabs(extreme) / 127.0F;
      out.scaled_sums.push_back(f16_to_f32(f32_to_f16(scale * static_cast<float>(sum))));
    }
  }
  return out;
}

double expected_product(const Weights& weights, int row, const RoundedInput& input) {
  const std::vector<float> w = weights.row(row);
  const bool own_minimum = weights.type == TensorType::Q4_1 || weights.type == TensorType::Q5_1;
  double sum = 0;
  for (int start = 0; start < weights.cols; start += 32) {
    // Types with a minimum multiply it with the rounded sum, not with the rounded numbers.
    double minimum = 0;
    if (own_minimum) {
      const auto bytes = static_cast<std::size_t>(tensor_type_traits(weights.type)->block_bytes);
      const std::size_t at =
          static_cast<std::size_t>(row) * *tensor_row_bytes(weights.type, weights.cols) +
          static_cast<std::size_t>(start / 32) * bytes + 2;
      std::uint16_t half = 0;
      std::memcpy(&half, weights.data.data() + at, 2);
      minimum = f16_to_f32(half);
      sum += minimum * input.scaled_sums[static_cast<std::size_t>(start / 32)];
    }
    for (int i = start; i < std::min(start + 32, weights.cols); ++i) {
      sum += (static_cast<double>(w[static_cast<std::size_t>(i)]) - minimum) *
             input.values[static_cast<std::size_t>(i)];
    }
  }
  return sum;
}

std::vector<int> columns_for(TensorType type) {
  const int block = tensor_type_traits(type)->block_elements;
  return block == 1    ? std::vector<int>{1, 100, 576}
         : block == 32 ? std::vector<int>{32, 96, 576}
                       : std::vector<int>{256, 1536};
}

TEST(Matmul, AgreesWithDoublePrecisionOnTheRoundedInputs) {
  Cpu cpu(1);
  for (const TensorType type : kTensorTypes) {
    for (const int cols : columns_for(type)) {
      const Weights weights(type, 37, cols);
      const int tokens = 3;
      const auto x = random_numbers(static_cast<std::size_t>(tokens * cols), 5);

      const auto got = product(cpu, weights, x, tokens);

      for (int token = 0; token < tokens; ++token) {
        const RoundedInput input =
            rounded_input(weights.packed.activation_format(), x.data() + token * cols, cols);
        for (int row = 0; row < weights.rows; ++row) {
          const double expected = expected_product(weights, row, input);
          // A few hundred roundings of single precision, relative to the size of the terms.
          EXPECT_NEAR(got[static_cast<std::size_t>(token * weights.rows + row)], expected,
                      3e-6 * std::sqrt(cols) * 3)
              << tensor_type_name(type) << " " << cols << " " << row;
        }
      }
    }
  }
}

TEST(Matmul, IsExactWhereTheNumbersAreWhole) {
  // Scales of one and inputs whose largest magnitude is 127 leave only integers.
  for (const Isa isa : available_isas()) {
    Cpu cpu(1, isa);
    Weights weights(TensorType::Q8_0, 20, 320);
    for (std::size_t at = 0; at < weights.data.size(); at += 34) {
      const std::uint16_t one = 0x3c00;
      std::memcpy(weights.data.data() + at, &one, 2);
      weights.data[at + 5] = std::byte{0x80};  // -128, the number whose negative does not fit.
      weights.data[at + 6] = std::byte{0x7f};
    }
    auto packed = PackedMatrix::pack(cpu.pool(), weights.arena, weights.type, weights.rows,
                                     weights.cols, weights.data);
    ASSERT_TRUE(packed);
    weights.packed = *packed;
    std::vector<float> x(320);
    for (std::size_t i = 0; i < x.size(); ++i) {
      x[i] = i % 32 < 6 ? (i % 2 == 0 ? 127.0F : -127.0F)
                        : static_cast<float>(static_cast<int>(i * 37 % 255) - 127);
    }

    const auto got = product(cpu, weights, x, 1);

    for (int row = 0; row < weights.rows; ++row) {
      const auto w = weights.row(row);
      std::int64_t sum = 0;
      for (std::size_t i = 0; i < x.size(); ++i) {
        sum += static_cast<std::int64_t>(w[i]) * static_cast<std::int64_t>(x[i]);
      }
      EXPECT_EQ(got[static_cast<std::size_t>(row)], static_cast<float>(sum)) << isa_name(isa);
    }
  }
}

/// Sets all quants of all blocks to the bits of `byte`; what they are scaled with stays.
void fill_quants(Weights& weights, std::uint8_t byte) {
  const auto block_bytes = static_cast<std::size_t>(tensor_type_traits(weights.type)->block_bytes);
  const bool own_minimum = weights.type == TensorType::Q4_1 || weights.type == TensorType::Q5_1 ||
                           weights.type == TensorType::Q4_K || weights.type == TensorType::Q5_K;
  const bool scale_last = weights.type == TensorType::Q6_K;
  const std::size_t first = scale_last ? 0 : own_minimum ? 4 : 2;
  const std::size_t last = block_bytes - (scale_last ? 2 : 0);
  for (std::size_t block = 0; block < weights.data.size(); block += block_bytes) {
    for (std::size_t i = first; i < last; ++i) {
      weights.data[block + i] = std::byte{byte};
    }
  }
  ThreadPool pool(1);
  auto packed = PackedMatrix::pack(pool, weights.arena, weights.type, weights.rows, weights.cols,
                                   weights.data);
  ASSERT_TRUE(packed);
  weights.packed = *packed;
}

TEST(Matmul, HasRoomForTheLargestProductsEverywhere) {
  // All quants as large as they can be, all activations of the largest magnitude: sums that gather
  // in fewer bits are at their limit.
  for (const TensorType type :
       {TensorType::Q4_0, TensorType::Q4_1, TensorType::Q5_0, TensorType::Q5_1, TensorType::Q8_0,
        TensorType::Q4_K, TensorType::Q5_K, TensorType::Q6_K}) {
    Weights weights(type, 16, 512);
    for (const int byte : {0xff, 0x7f, 0x80, 0x00}) {
      fill_quants(weights, static_cast<std::uint8_t>(byte));
      for (const float sign : {1.0F, -1.0F}) {
        for (const int tokens : {1, 2, 4, 20}) {
          const std::vector<float> x(static_cast<std::size_t>(tokens * 512), sign);
          Cpu reference(1, Isa::Scalar);
          const auto expected = product(reference, weights, x, tokens);
          for (const Isa isa : available_isas()) {
            Cpu cpu(1, isa);
            ASSERT_EQ(product(cpu, weights, x, tokens), expected)
                << tensor_type_name(type) << " " << byte << " " << sign << " " << tokens << " "
                << isa_name(isa);
          }
        }
      }
    }
  }
}

TEST(Matmul, GivesTheSameBitsOnEveryInstructionSet) {
  for (const TensorType type : kTensorTypes) {
    for (const int cols : columns_for(type)) {
      for (const int rows : {1, 16, 53}) {
        const Weights weights(type, rows, cols);
        for (const int tokens : {1, 2, 3, 4, 5, 8, 13, 23}) {
          const auto x = random_numbers(static_cast<std::size_t>(tokens * cols), 9);
          Cpu reference(1, Isa::Scalar);
          const auto expected = product(reference, weights, x, tokens);
          for (const Isa isa : available_isas()) {
            Cpu cpu(1, isa);
            ASSERT_EQ(product(cpu, weights, x, tokens), expected)
                << tensor_type_name(type) << " " << rows << "x" << cols << " " << tokens << " "
                << isa_name(isa);
          }
        }
      }
    }
  }
}

TEST(Matmul, GivesARowTheSameBitsWhereverItStands) {
  for (const TensorType type : kTensorTypes) {
    const int cols = 512;
    const int tokens = 300;
    const Weights weights(type, 37, cols);
    const auto x = random_numbers(static_cast<std::size_t>(tokens * cols), 21);
    Cpu cpu(1);
    const auto all = product(cpu, weights, x, tokens);
    for (const int batch : {1, 2, 3, 4, 5, 7, 8, 13, 16, 17}) {
      for (const int first : {0, 3, 129, tokens - batch}) {
        const std::vector<float> part(x.begin() + first * cols, x.begin() + (first + batch) * cols);
        const auto got = product(cpu, weights, part, batch);
        ASSERT_EQ(std::memcmp(got.data(), all.data() + first * weights.rows, got.size() * 4), 0)
            << tensor_type_name(type) << " " << batch << " from " << first;
      }
    }
  }
}

TEST(Matmul, GivesTheSameBitsOnAnyNumberOfThreads) {
  for (const TensorType type : {TensorType::Q4_1, TensorType::Q6_K, TensorType::F16}) {
    const Weights weights(type, 1000, 512);
    for (const int tokens : {1, 70}) {
      const auto x = random_numbers(static_cast<std::size_t>(tokens * 512), 2);
      Cpu one(1);
      const auto expected = product(one, weights, x, tokens);
      for (const int threads : {2, 3}) {
        Cpu cpu(threads);
        EXPECT_EQ(product(cpu, weights, x, tokens), expected);
      }
    }
  }
}

TEST(Matmul, MultipliesSeveralMatricesOfDifferentTypesAtOnce) {
  Cpu cpu(2);
  const Weights q(TensorType::Q5_0, 64, 512, 1);
  const Weights k(TensorType::Q4_1, 20, 512, 2);
  const Weights v(TensorType::Q6_K, 33, 512, 3);
  const auto x = random_numbers(512 * 5, 4);
  Activations activations;
  activations.assign(cpu, x.data(), 512, 5, 512, {&q.packed, &k.packed, &v.packed});
  // All three go side by side into one row of 120.
  std::vector<float> out(5 * 120, -1);
  const MatmulOutput outputs[] = {{&q.packed, out.data(), 120},
                                  {&k.packed, out.data() + 64, 120},
                                  {&v.packed, out.data() + 84, 120}};

  matmul(cpu, activations, outputs);

  const auto alone_q = product(cpu, q, x, 5);
  const auto alone_k = product(cpu, k, x, 5);
  const auto alone_v = product(cpu, v, x, 5);
  for (int token = 0; token < 5; ++token) {
    const float* row = out.data() + token * 120;
    EXPECT_EQ(std::memcmp(row, alone_q.data() + token * 64, 64 * 4), 0);
    EXPECT_EQ(std::memcmp(row + 64, alone_k.data() + token * 20, 20 * 4), 0);
    EXPECT_EQ(std::memcmp(row + 84, alone_v.data() + token * 33, 33 * 4), 0);
    EXPECT_EQ(row[119], -1) << "nothing is written beyond the outputs";
  }
}

TEST(Matmul, TakesInputsThatAreAllZero) {
  for (const Isa isa : available_isas()) {
    Cpu cpu(1, isa);
    for (const TensorType type : kTensorTypes) {
      const Weights weights(type, 16, 256);
      const auto got = product(cpu, weights, std::vector<float>(256, 0.0F), 1);
      EXPECT_EQ(got, std::vector<float>(16, 0.0F)) << tensor_type_name(type);
    }
  }
}

}  // namespace
}  // namespace trialwright
