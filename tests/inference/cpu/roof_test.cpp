#include "inference/cpu/roof.h"

#include <gtest/gtest.h>

#include <vector>

#include "inference/cpu/matmul_kernels.h"

namespace trialwright {
namespace {

TEST(Roof, IsMeasuredWithEveryInstructionSet) {
  const SystemClock clock;
  const RoofOptions little{.read_bytes = 1, .time_each = std::chrono::milliseconds(1)};
  for (const Isa isa : available_isas()) {
    Cpu cpu(2, isa);

    const auto roof = measure_roof(cpu, clock, little);

    ASSERT_TRUE(roof) << roof.error().message;
    EXPECT_GT(roof->read_bytes_per_second, 0) << isa_name(isa);
    EXPECT_GT(roof->operations_per_second, 0) << isa_name(isa);
  }
}

TEST(Roof, CountsTheProductsThatAreMade) {
  // Ones times ones, so that the sum is the number of products; every operation is one of two.
  const std::vector<std::uint8_t> ones(64, 1);
  const std::vector<std::int8_t> values(512, 1);
  for (const Isa isa : available_isas()) {
    const MatmulKernels& kernels = matmul_kernels(isa);
    for (const int rounds : {1, 3, 100}) {
      EXPECT_EQ(kernels.multiply_bytes(ones.data(), values.data(), rounds) * 2,
                kernels.roof_operations * rounds)
          << isa_name(isa);
    }
  }
}

TEST(Roof, ReadsEveryByte) {
  for (const Isa isa : available_isas()) {
    const MatmulKernels& kernels = matmul_kernels(isa);
    std::vector<std::uint8_t> bytes(1024, 0);
    const std::int32_t before = kernels.read_bytes(bytes.data(), bytes.size());
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      bytes[i] = 1;
      EXPECT_NE(kernels.read_bytes(bytes.data(), bytes.size()), before)
          << isa_name(isa) << " " << i;
      bytes[i] = 0;
    }
  }
}

}  // namespace
}  // namespace trialwright
