#pragma once

// What a processor can do at most, written once for all instruction sets. Included only by the
// files that are compiled for one.

#include <cstddef>
#include <cstdint>

#include "inference/cpu/unroll.h"

namespace trialwright {

/// Sums in registers that the loop of `multiply_bytes` keeps busy.
template <class L>
constexpr int roof_sums() {
  return L::kBatch >= 8 ? 8 : 4;
}

/// The products of 4-bit numbers with bytes, as the matrix products make them, from what lies in
/// the first-level cache: `rounds` times eight steps of roof_sums() × 64 multiplications and
/// additions. values: 512 bytes. Gives a number that needs all of them.
template <class L>
std::int32_t multiply_bytes(const std::uint8_t* bytes, const std::int8_t* values, int rounds) {
  constexpr int kSums = roof_sums<L>();
  typename L::I sums[std::size_t{kSums}];
  unroll<kSums>([&](auto i) TRIALWRIGHT_INLINE_LAMBDA { sums[i] = L::izero(); });
  const typename L::B factors = L::low_nibbles(L::load_bytes(bytes));
  for (int round = 0; round < rounds; ++round) {
    // Other values each time, so that no product can be kept from the round before.
    const std::int8_t* at = values + round % 8 * 8;
    typename L::template Gathered<4> gathered[std::size_t{kSums}];
    unroll<kSums>([&](auto i)
                      TRIALWRIGHT_INLINE_LAMBDA { L::start_gathering(gathered[i], sums[i]); });
    unroll<8>([&](auto step) TRIALWRIGHT_INLINE_LAMBDA {
      unroll<kSums>([&](auto i) TRIALWRIGHT_INLINE_LAMBDA {
        // No two of a round are the same product, which compilers would make only once.
        L::template gather4<4>(gathered[i], factors, at + (step * kSums + i) * 4);
      });
    });
    unroll<kSums>([&](auto i)
                      TRIALWRIGHT_INLINE_LAMBDA { sums[i] = L::gathered(sums[i], gathered[i]); });
  }
  typename L::I all = sums[0];
  unroll<kSums - 1>([&](auto i) TRIALWRIGHT_INLINE_LAMBDA { all = L::iadd(all, sums[i + 1]); });
  return L::ireduce_add(all);
}

/// Reads `count` bytes, a multiple of 256, once from the first to the last. Gives a number that
/// needs all of them.
template <class L>
std::int32_t read_bytes(const std::uint8_t* bytes, std::size_t count) {
  typename L::B first = L::load_bytes(bytes);
  typename L::B second = first;
  for (std::size_t at = 0; at < count; at += 256) {
    unroll<2>([&](auto i) TRIALWRIGHT_INLINE_LAMBDA {
      first = L::mix(first, L::load_bytes(bytes + at + i * 128));
      second = L::mix(second, L::load_bytes(bytes + at + i * 128 + 64));
      L::prefetch(bytes + at + i * 128 + 4096);
      L::prefetch(bytes + at + i * 128 + 4160);
    });
  }
  std::uint8_t mixed[64];
  L::store_bytes(mixed, L::mix(first, second));
  std::int32_t all = 0;
  for (const std::uint8_t byte : mixed) {
    all += byte;
  }
  return all;
}

}  // namespace trialwright
