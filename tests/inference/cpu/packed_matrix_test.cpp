#include "inference/cpu/packed_matrix.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "inference/cpu/quant.h"
#include "tests/inference/cpu/random_weights.h"
#include "tests/inference/cpu/read_row.h"

namespace trialwright {
namespace {

TEST(PackedMatrix, KeepsEveryNumberOfEveryType) {
  ThreadPool pool(2);
  for (const TensorType type : kTensorTypes) {
    for (const int rows : {1, 16, 37}) {
      for (const int cols : {256, 768}) {
        SCOPED_TRACE(tensor_type_name(type) + " " + std::to_string(rows));
        Arena arena;
        const auto data = random_weights(type, rows, cols, 7);
        const auto matrix = PackedMatrix::pack(pool, arena, type, rows, cols, data);
        ASSERT_TRUE(matrix);

        const std::size_t row_bytes = *tensor_row_bytes(type, cols);
        std::vector<float> expected(static_cast<std::size_t>(cols));
        std::vector<float> got(expected.size());
        for (int row = 0; row < rows; ++row) {
          dequantize_row(
              type, std::span(data).subspan(static_cast<std::size_t>(row) * row_bytes, row_bytes),
              expected);
          read_row(*matrix, row, got);
          ASSERT_EQ(std::memcmp(expected.data(), got.data(), expected.size() * 4), 0);
        }
      }
    }
  }
}

TEST(PackedMatrix, KeepsNarrowTilesOfTypesWithSmallBlocks) {
  ThreadPool pool(1);
  for (const TensorType type :
       {TensorType::Q4_0, TensorType::Q4_1, TensorType::Q5_0, TensorType::Q5_1, TensorType::Q8_0}) {
    for (const int cols : {32, 96, 576}) {
      Arena arena;
      const auto data = random_weights(type, 17, cols, 3);
      const auto matrix = PackedMatrix::pack(pool, arena, type, 17, cols, data);
      ASSERT_TRUE(matrix);

      const std::size_t row_bytes = *tensor_row_bytes(type, cols);
      std::vector<float> expected(static_cast<std::size_t>(cols));
      std::vector<float> got(expected.size());
      dequantize_row(type, std::span(data).subspan(16 * row_bytes, row_bytes), expected);
      read_row(*matrix, 16, got);
      EXPECT_EQ(expected, got);
    }
  }
}

TEST(PackedMatrix, RefusesShapesThatDoNotFit) {
  ThreadPool pool(1);
  Arena arena;
  const std::vector<std::byte> bytes(144);

  EXPECT_EQ(PackedMatrix::pack(pool, arena, TensorType::Q4_K, 1, 128, bytes).error().message,
            "rows of 128 numbers cannot be stored as Q4_K");
  EXPECT_EQ(PackedMatrix::pack(pool, arena, TensorType::Q4_K, 2, 256, bytes).error().message,
            "the matrix has 144 bytes instead of 288");
  EXPECT_EQ(PackedMatrix::pack(pool, arena, TensorType::Q4_K, 0, 256, {}).error().message,
            "a matrix of 0 rows and 256 columns is out of range");
  EXPECT_EQ(PackedMatrix::pack(pool, arena, static_cast<TensorType>(99), 1, 32, bytes).error().kind,
            ErrorKind::Invalid);
}

}  // namespace
}  // namespace trialwright
