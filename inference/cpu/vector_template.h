#pragma once

// Row kernels, written once for all instruction sets. Included only by the files that are compiled
// for one.

#include <cstddef>
#include <cstdint>

#include "inference/cpu/vector_kernels.h"

namespace trialwright {

/// Exact 0 below this, which keeps results of `exponential` normal numbers.
constexpr float kExponentialFloor = -87.0F;

/// e^x for each lane; 0 below -87 (-infinity included), e^88 above 88. Relative error below 2e-7.
///
/// x = n ln 2 + r with |r| <= ln 2 / 2; e^r by its Taylor polynomial of degree 7, whose remainder
/// there is below 6e-9; then times 2^n. ln 2 is split in two so that r loses no bits (Cody and
/// Waite, 1980).
template <class L>
typename L::F exponential(typename L::F x) {
  using F = typename L::F;
  const F clamped = L::min(L::max(x, L::set1(kExponentialFloor)), L::set1(88.0F));
  const auto n = L::round(L::mul(clamped, L::set1(1.44269504088896341F)));
  const F whole = L::to_f(n);
  F r = L::fnma(whole, L::set1(0.693359375F), clamped);
  r = L::fnma(whole, L::set1(-2.12194440e-4F), r);
  F sum = L::set1(1.0F / 5040.0F);
  sum = L::fma(sum, r, L::set1(1.0F / 720.0F));
  sum = L::fma(sum, r, L::set1(1.0F / 120.0F));
  sum = L::fma(sum, r, L::set1(1.0F / 24.0F));
  sum = L::fma(sum, r, L::set1(1.0F / 6.0F));
  sum = L::fma(sum, r, L::set1(0.5F));
  sum = L::fma(sum, r, L::set1(1.0F));
  sum = L::fma(sum, r, L::set1(1.0F));
  return L::zero_where_less(x, L::set1(kExponentialFloor), L::mul(sum, L::power_of_two(n)));
}

/// Calls step(index, count) for each run of up to 16 neighbours.
template <typename Step>
void for_lanes(std::size_t n, const Step& step) {
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    step(i, 16);
  }
  if (i < n) {
    step(i, static_cast<int>(n - i));
  }
}

template <class L>
typename L::F load_up_to(const float* p, int count) {
  return count == 16 ? L::load(p) : L::load_some(p, count);
}

template <class L>
void store_up_to(float* p, typename L::F a, int count) {
  count == 16 ? L::store(p, a) : L::store_some(p, a, count);
}

template <class L>
void rms_norm(const float* x, const float* weight, float epsilon, std::size_t n, float* out) {
  typename L::F squares = L::zero();
  for_lanes(n, [&](std::size_t i, int count) {
    const typename L::F a = load_up_to<L>(x + i, count);
    squares = L::fma(a, a, squares);
  });
  const float mean = L::reduce_add(squares) / static_cast<float>(n);
  const typename L::F scale = L::set1(1.0F / __builtin_sqrtf(mean + epsilon));
  for_lanes(n, [&](std::size_t i, int count) {
    const typename L::F a = L::mul(load_up_to<L>(x + i, count), scale);
    store_up_to<L>(out + i, L::mul(a, load_up_to<L>(weight + i, count)), count);
  });
}

template <class L>
void silu_mul(const float* gate, const float* up, std::size_t n, float* out) {
  for_lanes(n, [&](std::size_t i, int count) {
    const typename L::F z = load_up_to<L>(gate + i, count);
    const typename L::F power = exponential<L>(L::sub(L::zero(), z));
    const typename L::F silu = L::div(z, L::add(L::set1(1.0F), power));
    store_up_to<L>(out + i, L::mul(silu, load_up_to<L>(up + i, count)), count);
  });
}

/// z × Φ(z) by the tanh approximation (Hendrycks and Gimpel, 2016, section 2), which is the
/// logistic function of twice the angle: (1 + tanh u) / 2 = 1 / (1 + e^-2u), u = √(2/π) (z +
/// 0.044715 z³).
template <class L>
void gelu_tanh_mul(const float* gate, const float* up, std::size_t n, float* out) {
  for_lanes(n, [&](std::size_t i, int count) {
    const typename L::F z = load_up_to<L>(gate + i, count);
    const typename L::F cubic = L::mul(L::mul(z, z), L::set1(0.044715F));
    const typename L::F u = L::mul(L::fma(cubic, z, z), L::set1(-1.5957691216057308F));
    const typename L::F gelu = L::div(z, L::add(L::set1(1.0F), exponential<L>(u)));
    store_up_to<L>(out + i, L::mul(gelu, load_up_to<L>(up + i, count)), count);
  });
}

/// cap × tanh(x / cap), with tanh y = 1 - 2 / (1 + e^2y), off by less than 3e-7 × cap. What is no
/// number stays none, infinities included.
template <class L>
typename L::F capped(typename L::F x, float cap) {
  const typename L::F twice = L::div(x, L::set1(cap / 2));
  const typename L::F power = L::add(exponential<L>(twice), L::set1(1.0F));
  const typename L::F bent = L::sub(L::set1(1.0F), L::div(L::set1(2.0F), power));
  return L::fma(x, L::zero(), L::mul(bent, L::set1(cap)));
}

template <class L>
void softcap(float* x, float cap, std::size_t n) {
  for_lanes(n, [&](std::size_t i, int count) {
    store_up_to<L>(x + i, capped<L>(load_up_to<L>(x + i, count), cap), count);
  });
}

template <class L>
void scale(float* x, float factor, std::size_t n) {
  for_lanes(n, [&](std::size_t i, int count) {
    store_up_to<L>(x + i, L::mul(load_up_to<L>(x + i, count), L::set1(factor)), count);
  });
}

template <class L>
void add(float* x, const float* y, std::size_t n) {
  for_lanes(n, [&](std::size_t i, int count) {
    store_up_to<L>(x + i, L::add(load_up_to<L>(x + i, count), load_up_to<L>(y + i, count)), count);
  });
}

/// Neighbours are a pair, which suits no lanes; the whole is a hundredth of a token's work.
template <class L>
void rope_adjacent(float* head, const float* cosines, const float* sines, std::size_t n_rot) {
  for (std::size_t i = 0; i < n_rot / 2; ++i) {
    const float a = head[2 * i];
    const float b = head[2 * i + 1];
    head[2 * i] = a * cosines[i] - b * sines[i];
    head[2 * i + 1] = a * sines[i] + b * cosines[i];
  }
}

template <class L>
void rope_halves(float* head, const float* cosines, const float* sines, std::size_t n_rot) {
  float* other = head + n_rot / 2;
  for_lanes(n_rot / 2, [&](std::size_t i, int count) {
    const typename L::F a = load_up_to<L>(head + i, count);
    const typename L::F b = load_up_to<L>(other + i, count);
    const typename L::F c = load_up_to<L>(cosines + i, count);
    const typename L::F s = load_up_to<L>(sines + i, count);
    store_up_to<L>(head + i, L::sub(L::mul(a, c), L::mul(b, s)), count);
    store_up_to<L>(other + i, L::add(L::mul(a, s), L::mul(b, c)), count);
  });
}

template <class L>
void to_f16(const float* x, std::size_t n, std::uint16_t* out) {
  for_lanes(n, [&](std::size_t i, int count) {
    if (count == 16) {
      L::store_f16(out + i, L::load(x + i));
      return;
    }
    std::uint16_t halves[16];
    L::store_f16(halves, L::load_some(x + i, count));
    for (int j = 0; j < count; ++j) {
      out[i + static_cast<std::size_t>(j)] = halves[j];
    }
  });
}

}  // namespace trialwright
