#include "inference/cpu/vector_kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "inference/cpu/quant.h"
#include "inference/cpu/rope_table.h"
#include "tests/inference/cpu/random_weights.h"

namespace trialwright {
namespace {

constexpr std::size_t kLengths[] = {1, 15, 16, 17, 64, 576, 1001};

TEST(RmsNorm, AgreesWithDoublePrecision) {
  for (const std::size_t n : kLengths) {
    const auto x = random_numbers(n, 1);
    const auto weight = random_numbers(n, 2);
    double squares = 0;
    for (const float value : x) {
      squares += static_cast<double>(value) * value;
    }
    const double scale = 1 / std::sqrt(squares / static_cast<double>(n) + 1e-5);
    for (const Isa isa : available_isas()) {
      std::vector<float> out(n);
      vector_kernels(isa).rms_norm(x.data(), weight.data(), 1e-5F, n, out.data());
      for (std::size_t i = 0; i < n; ++i) {
        EXPECT_NEAR(out[i], x[i] * scale * weight[i], 1e-5);
      }
    }
  }
}

TEST(SiluMul, AgreesWithDoublePrecisionFarOutToo) {
  std::vector<float> gate = random_numbers(200, 3);
  gate.insert(gate.end(), {-1000.0F, -100.0F, -87.5F, -50.0F, 0.0F, 50.0F, 100.0F, 1000.0F});
  const std::vector<float> up(gate.size(), 2.0F);
  for (const Isa isa : available_isas()) {
    std::vector<float> out(gate.size());
    vector_kernels(isa).silu_mul(gate.data(), up.data(), gate.size(), out.data());
    for (std::size_t i = 0; i < gate.size(); ++i) {
      const double z = gate[i];
      const double expected = z / (1 + std::exp(-z)) * 2;
      EXPECT_NEAR(out[i], expected, 1e-6 * std::fabs(expected) + 1e-30) << z;
    }
  }
}

TEST(GeluTanhMul, AgreesWithDoublePrecisionFarOutToo) {
  std::vector<float> gate = random_numbers(200, 3);
  gate.insert(gate.end(), {-1000.0F, -10.0F, -5.0F, -1e-3F, 0.0F, 1e-3F, 5.0F, 100.0F, 1e30F});
  const std::vector<float> up(gate.size(), 2.0F);
  for (const Isa isa : available_isas()) {
    std::vector<float> out(gate.size());
    vector_kernels(isa).gelu_tanh_mul(gate.data(), up.data(), gate.size(), out.data());
    for (std::size_t i = 0; i < gate.size(); ++i) {
      const double z = gate[i];
      const double u = std::sqrt(2 / std::acos(-1.0)) * (z + 0.044715 * z * z * z);
      const double expected = z / (1 + std::exp(-2 * u)) * 2;
      // What rounding does to u is seen in e^-2u.
      EXPECT_NEAR(out[i], expected,
                  (1e-6 + 2e-7 * std::min(std::fabs(u), 90.0)) * std::fabs(expected) + 1e-30)
          << z;
    }
  }
}

TEST(Softcap, AgreesWithDoublePrecisionAndKeepsWhatIsNoNumber) {
  std::vector<float> x = random_numbers(200, 3);
  x.insert(x.end(), {-1000.0F, -30.0F, -1e-3F, 0.0F, 30.0F, 1000.0F});
  for (const Isa isa : available_isas()) {
    auto out = x;
    vector_kernels(isa).softcap(out.data(), 30, out.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      EXPECT_NEAR(out[i], 30 * std::tanh(x[i] / 30.0), 1e-5) << x[i];
    }
    std::vector<float> none = {std::numeric_limits<float>::quiet_NaN(),
                               std::numeric_limits<float>::infinity()};
    vector_kernels(isa).softcap(none.data(), 30, none.size());
    EXPECT_TRUE(std::isnan(none[0]) && std::isnan(none[1])) << isa_name(isa);
  }
}

TEST(RowKernels, GiveTheSameBitsOnEveryInstructionSet) {
  for (const std::size_t n : kLengths) {
    const auto x = random_numbers(n, 1);
    const auto y = random_numbers(n, 2);
    const auto all = [&](Isa isa) {
      const VectorKernels& kernels = vector_kernels(isa);
      std::vector<float> out(n * 6);
      kernels.rms_norm(x.data(), y.data(), 1e-5F, n, out.data());
      kernels.silu_mul(x.data(), y.data(), n, out.data() + n);
      std::vector<std::uint16_t> halves(n);
      kernels.to_f16(x.data(), n, halves.data());
      std::transform(halves.begin(), halves.end(), out.begin() + static_cast<std::ptrdiff_t>(2 * n),
                     f16_to_f32);
      std::copy(x.begin(), x.end(), out.begin() + static_cast<std::ptrdiff_t>(3 * n));
      kernels.add(out.data() + 3 * n, y.data(), n);
      kernels.gelu_tanh_mul(x.data(), y.data(), n, out.data() + 4 * n);
      std::copy(x.begin(), x.end(), out.begin() + static_cast<std::ptrdiff_t>(5 * n));
      kernels.scale(out.data() + 5 * n, 25.298221F, n);
      kernels.softcap(out.data() + 5 * n, 30, n);
      return out;
    };
    const auto expected = all(Isa::Scalar);
    for (const Isa isa : available_isas()) {
      EXPECT_EQ(all(isa), expected) << isa_name(isa) << " " << n;
    }
  }
}

TEST(HalfPrecisionRows, RoundLikeTheScalarCodec) {
  const auto x = random_numbers(77, 5);
  for (const Isa isa : available_isas()) {
    std::vector<std::uint16_t> halves(77);
    vector_kernels(isa).to_f16(x.data(), 77, halves.data());
    for (std::size_t i = 0; i < 77; ++i) {
      EXPECT_EQ(halves[i], f32_to_f16(x[i]));
    }
  }
}

TEST(Rope, TurnsPairsOfNeighboursOrOfHalves) {
  RopeTable table(8, {});
  table.reach(20);
  table.reach(50);  // Going on gives what going there at once does.
  const int position = 42;
  for (const Isa isa : available_isas()) {
    for (const bool adjacent : {true, false}) {
      const auto before = random_numbers(12, 6);  // The last four are not turned.
      auto head = before;
      const VectorKernels& kernels = vector_kernels(isa);
      (adjacent ? kernels.rope_adjacent : kernels.rope_halves)(head.data(), table.cosines(position),
                                                               table.sines(position), 8);
      for (std::size_t i = 0; i < 4; ++i) {
        const std::size_t first = adjacent ? 2 * i : i;
        const std::size_t second = adjacent ? 2 * i + 1 : i + 4;
        const double angle = position * std::pow(10000.0, -2.0 * static_cast<double>(i) / 8);
        EXPECT_NEAR(head[first], before[first] * std::cos(angle) - before[second] * std::sin(angle),
                    1e-5);
        EXPECT_NEAR(head[second],
                    before[first] * std::sin(angle) + before[second] * std::cos(angle), 1e-5);
      }
      EXPECT_EQ(std::vector<float>(head.begin() + 8, head.end()),
                std::vector<float>(before.begin() + 8, before.end()));
    }
  }
}

TEST(Rope, DividesAnglesByTheFactors) {
  RopeTable table(4, {.base = 100.0F, .divisors = {1, 8}});
  table.reach(10);

  EXPECT_NEAR(table.cosines(5)[0], std::cos(5.0), 1e-6);
  EXPECT_NEAR(table.sines(5)[1], std::sin(5.0 * 0.1 / 8), 1e-6);
}

TEST(Rope, YarnStretchesSlowAnglesOnly) {
  // Of 32 angles at base 10000 within 4096 positions, the tenth turns 37 times and the eleventh 28
  // times, the twenty-third 0.87 times.
  const RopeScaling scaling = yarn_scaling(64, 10000.0F, 4, 4096);
  ASSERT_EQ(scaling.divisors.size(), 32U);
  EXPECT_EQ(scaling.divisors[0], 1);
  EXPECT_EQ(scaling.divisors[10], 1);
  EXPECT_GT(scaling.divisors[11], 1);
  EXPECT_LT(scaling.divisors[22], 4);
  EXPECT_EQ(scaling.divisors[23], 4);
  EXPECT_EQ(scaling.divisors[31], 4);
  EXPECT_FLOAT_EQ(scaling.magnitude, 1 + 0.1F * std::log(4.0F));
  EXPECT_EQ(scaling.scale, 1);
  // A stretch by nothing changes nothing.
  EXPECT_EQ(yarn_scaling(64, 10000.0F, 1, 4096).divisors, std::vector<float>(32, 1));
  EXPECT_EQ(yarn_scaling(64, 10000.0F, 1, 4096).magnitude, 1);
}

}  // namespace
}  // namespace trialwright
