#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

namespace trialwright {

/// Sixteen numbers in two AVX2 registers. See ScalarLanes for what the functions mean.
struct Avx2Lanes {
  static constexpr int kBatch = 4;
  /// Putting fifth and sixth bits in their place is dear enough to be done once for all rows.
  template <int kBits>
  static constexpr int direct_rows() {
    return kBits == 5 || kBits == 6 ? 7 : 16;
  }

  struct F {
    __m256 lo, hi;
  };
  struct I {
    __m256i lo, hi;
  };
  using B = I;

  static __m256i load256(const void* p) {
    return _mm256_loadu_si256(static_cast<const __m256i*>(p));
  }
  static __m128i load128(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
  /// All bits set in the first n of eight lanes.
  static __m256i mask(int n) {
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), lane);
  }

  static F set1(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
  static F zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
  static F load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
  static F load_some(const float* p, int n) {
    return {_mm256_maskload_ps(p, mask(n)), _mm256_maskload_ps(p + 8, mask(n - 8))};
  }
  static void store(float* p, F a) {
    _mm256_storeu_ps(p, a.lo);
    _mm256_storeu_ps(p + 8, a.hi);
  }
  static void store_some(float* p, F a, int n) {
    _mm256_maskstore_ps(p, mask(n), a.lo);
    _mm256_maskstore_ps(p + 8, mask(n - 8), a.hi);
  }
  static F load_f16(const std::uint16_t* p) {
    return {_mm256_cvtph_ps(load128(p)), _mm256_cvtph_ps(load128(p + 8))};
  }
  static F load_bf16(const std::uint16_t* p) {
    const auto widen = [](__m128i a) {
      return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(a), 16));
    };
    return {widen(load128(p)), widen(load128(p + 8))};
  }
  static void store_f16(std::uint16_t* p, F a) {
    constexpr int kNearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(a.lo, kNearest));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p + 8), _mm256_cvtps_ph(a.hi, kNearest));
  }
  static F load_u8(const std::uint8_t* p) {
    const __m128i bytes = load128(p);
    return {_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes)),
            _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_srli_si128(bytes, 8)))};
  }
  static F load_i8(const std::uint8_t* p) {
    const __m128i bytes = load128(p);
    return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes)),
            _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(bytes, 8)))};
  }

  static F add(F a, F b) { return {_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)}; }
  static F sub(F a, F b) { return {_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi)}; }
  static F mul(F a, F b) { return {_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)}; }
  static F div(F a, F b) { return {_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)}; }
  static F fma(F a, F b, F c) {
    return {_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
  }
  static F fnma(F a, F b, F c) {
    return {_mm256_fnmadd_ps(a.lo, b.lo, c.lo), _mm256_fnmadd_ps(a.hi, b.hi, c.hi)};
  }
  static F max(F a, F b) { return {_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)}; }
  static F min(F a, F b) { return {_mm256_min_ps(a.lo, b.lo), _mm256_min_ps(a.hi, b.hi)}; }
  static F abs(F a) {
    const __m256 sign = _mm256_set1_ps(-0.0F);
    return {_mm256_andnot_ps(sign, a.lo), _mm256_andnot_ps(sign, a.hi)};
  }
  static F zero_where_less(F x, F limit, F value) {
    return {_mm256_and_ps(_mm256_cmp_ps(x.lo, limit.lo, _CMP_NLT_UQ), value.lo),
            _mm256_and_ps(_mm256_cmp_ps(x.hi, limit.hi, _CMP_NLT_UQ), value.hi)};
  }
  static F first(F a, F b, int n) {
    return {_mm256_blendv_ps(b.lo, a.lo, _mm256_castsi256_ps(mask(n))),
            _mm256_blendv_ps(b.hi, a.hi, _mm256_castsi256_ps(mask(n - 8)))};
  }
  static float reduce_add(F a) {
    const __m256 eight = _mm256_add_ps(a.lo, a.hi);
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
  }
  static float reduce_max(F a) {
    const __m256 eight = _mm256_max_ps(a.lo, a.hi);
    const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps(two, two, 1)));
  }

  static I izero() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
  static I iset1(std::int32_t x) { return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)}; }
  template <int kShift>
  static I shift_left(I a) {
    return {_mm256_slli_epi32(a.lo, kShift), _mm256_slli_epi32(a.hi, kShift)};
  }
  static F to_f(I a) { return {_mm256_cvtepi32_ps(a.lo), _mm256_cvtepi32_ps(a.hi)}; }
  static I round(F a) {
    constexpr int kNearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
    return {_mm256_cvtps_epi32(_mm256_round_ps(a.lo, kNearest)),
            _mm256_cvtps_epi32(_mm256_round_ps(a.hi, kNearest))};
  }
  static I truncate(F a) { return {_mm256_cvttps_epi32(a.lo), _mm256_cvttps_epi32(a.hi)}; }
  static F power_of_two(I n) {
    const __m256i bias = _mm256_set1_epi32(127);
    return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n.lo, bias), 23)),
            _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n.hi, bias), 23))};
  }
  static I iadd(I a, I b) { return {_mm256_add_epi32(a.lo, b.lo), _mm256_add_epi32(a.hi, b.hi)}; }
  static std::int32_t ireduce_add(I a) {
    const __m256i eight = _mm256_add_epi32(a.lo, a.hi);
    const __m128i four =
        _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
    const __m128i two = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 1)));
  }
  static void store_i8(std::int8_t* p, I a) {
    // Packing works within halves of 128 bits, so the quarters come out as 0 2 1 3.
    const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(a.lo, a.hi), 0xd8);
    const __m128i bytes =
        _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
  }

  /// Products of bytes of less than eight bits are summed up in 16 bits, as often as the largest
  /// fit, before they are spread to 32: half the work of spreading each pair. Full bytes are cut
  /// in two halves of four bits.
  template <int kBits>
  struct Gathered {
    I sums;
  };
  /// Products of four that can be gathered: n × 2 × 128 × (2^bits - 1) must stay below 2^15.
  template <int kBits>
  static constexpr int gathers() {
    return kBits == 4 || kBits == 8 ? 8 : kBits == 5 ? 4 : 2;
  }
  template <int kBits>
  static void start_gathering(Gathered<kBits>& gathered, I) {
    gathered.sums = izero();
    if constexpr (kBits == 8) {
      gathered.high = izero();
    }
  }
  /// Whole numbers may be added in any order, and g++ makes a tree of a row of sums: all products
  /// first, far more than there are registers. It cannot look through this.
  static void keep_order(I& sums) { asm("" : "+x"(sums.lo), "+x"(sums.hi)); }
  template <int kBits>
  static void gather4(Gathered<kBits>& gathered, B bytes, const std::int8_t* four) {
    std::int32_t word = 0;
    std::memcpy(&word, four, sizeof(word));
    const __m256i broadcast = _mm256_set1_epi32(word);
    const auto add = [&](I& sums, B factors) {
      sums.lo = _mm256_add_epi16(sums.lo, _mm256_maddubs_epi16(factors.lo, broadcast));
      sums.hi = _mm256_add_epi16(sums.hi, _mm256_maddubs_epi16(factors.hi, broadcast));
      keep_order(sums);
    };
    if constexpr (kBits == 8) {
      add(gathered.sums, low_nibbles(bytes));
      add(gathered.high, high_nibbles(bytes));
    } else {
      add(gathered.sums, bytes);
    }
  }
  template <int kBits>
  static I gathered(I acc, const Gathered<kBits>& gathered) {
    const auto add = [&](I sums, std::int16_t factor) {
      const __m256i factors = _mm256_set1_epi16(factor);
      acc.lo = _mm256_add_epi32(acc.lo, _mm256_madd_epi16(sums.lo, factors));
      acc.hi = _mm256_add_epi32(acc.hi, _mm256_madd_epi16(sums.hi, factors));
    };
    add(gathered.sums, 1);
    if constexpr (kBits == 8) {
      add(gathered.high, 16);
    }
    return acc;
  }
  static I dot2(I acc, const std::uint8_t* bytes, const std::int16_t* two) {
    std::int32_t word = 0;
    std::memcpy(&word, two, sizeof(word));
    const __m256i broadcast = _mm256_set1_epi32(word);
    const __m256i lo = _mm256_madd_epi16(_mm256_cvtepu8_epi16(load128(bytes)), broadcast);
    const __m256i hi = _mm256_madd_epi16(_mm256_cvtepu8_epi16(load128(bytes + 16)), broadcast);
    return {_mm256_add_epi32(acc.lo, lo), _mm256_add_epi32(acc.hi, hi)};
  }

  static B load_bytes(const std::uint8_t* p) { return {load256(p), load256(p + 32)}; }
  static void store_bytes(std::uint8_t* p, B a) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), a.lo);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 32), a.hi);
  }
  static B mix(B a, B b) { return {_mm256_xor_si256(a.lo, b.lo), _mm256_xor_si256(a.hi, b.hi)}; }
  static __m256i nibbles(__m256i a) { return _mm256_and_si256(a, _mm256_set1_epi8(15)); }
  static B low_nibbles(B a) { return {nibbles(a.lo), nibbles(a.hi)}; }
  static B high_nibbles(B a) {
    return {nibbles(_mm256_srli_epi16(a.lo, 4)), nibbles(_mm256_srli_epi16(a.hi, 4))};
  }
  template <int kBit>
  static __m256i to_bit_four(__m256i a) {
    if constexpr (kBit < 4) {
      return _mm256_slli_epi16(a, 4 - kBit);
    } else {
      return _mm256_srli_epi16(a, kBit - 4);
    }
  }
  template <int kBit>
  static B merge(B low, B high, __m256i mask_bits) {
    return {_mm256_or_si256(low.lo, _mm256_and_si256(to_bit_four<kBit>(high.lo), mask_bits)),
            _mm256_or_si256(low.hi, _mm256_and_si256(to_bit_four<kBit>(high.hi), mask_bits))};
  }
  template <int kBit>
  static B with_fifth_bit(B low, B high) {
    return merge<kBit>(low, high, _mm256_set1_epi8(0x10));
  }
  template <int kBit>
  static B with_two_bits(B low, B high) {
    return merge<kBit>(low, high, _mm256_set1_epi8(0x30));
  }
  // Inlined by force: g++ drops calls of functions that only prefetch, as without effect.
  static inline __attribute__((always_inline)) void prefetch(const void* p) {
    _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0);
  }
};

/// Of the low and of the high halves of full bytes.
template <>
struct Avx2Lanes::Gathered<8> {
  I sums;
  I high;
};

}  // namespace trialwright
