#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

namespace trialwright {

/// Sixteen numbers in one AVX-512 register. See ScalarLanes for what the functions mean.
struct Avx512Lanes {
  static constexpr int kBatch = 8;
  template <int kBits>
  static constexpr int direct_rows() {
    return 4;
  }

  using F = __m512;
  using I = __m512i;
  using B = __m512i;

  static __mmask16 mask(int n) { return static_cast<__mmask16>((1U << n) - 1U); }

  static F set1(float x) { return _mm512_set1_ps(x); }
  static F zero() { return _mm512_setzero_ps(); }
  static F load(const float* p) { return _mm512_loadu_ps(p); }
  static F load_some(const float* p, int n) { return _mm512_maskz_loadu_ps(mask(n), p); }
  static void store(float* p, F a) { _mm512_storeu_ps(p, a); }
  static void store_some(float* p, F a, int n) { _mm512_mask_storeu_ps(p, mask(n), a); }
  static F load_f16(const std::uint16_t* p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static F load_bf16(const std::uint16_t* p) {
    const __m256i halves = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
  }
  static void store_f16(std::uint16_t* p, F a) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                        _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  }
  static F load_u8(const std::uint8_t* p) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes));
  }
  static F load_i8(const std::uint8_t* p) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes));
  }

  static F add(F a, F b) { return _mm512_add_ps(a, b); }
  static F sub(F a, F b) { return _mm512_sub_ps(a, b); }
  static F mul(F a, F b) { return _mm512_mul_ps(a, b); }
  static F div(F a, F b) { return _mm512_div_ps(a, b); }
  static F fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
  static F fnma(F a, F b, F c) { return _mm512_fnmadd_ps(a, b, c); }
  static F max(F a, F b) { return _mm512_max_ps(a, b); }
  static F min(F a, F b) { return _mm512_min_ps(a, b); }
  static F abs(F a) { return _mm512_abs_ps(a); }
  static F zero_where_less(F x, F limit, F value) {
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, limit, _CMP_NLT_UQ), value);
  }
  static F first(F a, F b, int n) { return _mm512_mask_mov_ps(b, mask(n), a); }
  static float reduce_add(F a) {
    const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
  }
  static float reduce_max(F a) {
    const __m256 eight = _mm256_max_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps(two, two, 1)));
  }

  static I izero() { return _mm512_setzero_si512(); }
  static I iset1(std::int32_t x) { return _mm512_set1_epi32(x); }
  template <int kShift>
  static I shift_left(I a) {
    return _mm512_slli_epi32(a, kShift);
  }
  static F to_f(I a) { return _mm512_cvtepi32_ps(a); }
  static I round(F a) {
    return _mm512_cvt_roundps_epi32(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  static I truncate(F a) { return _mm512_cvttps_epi32(a); }
  static F power_of_two(I n) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(n, _mm512_set1_epi32(127)), 23));
  }
  static I iadd(I a, I b) { return _mm512_add_epi32(a, b); }
  static std::int32_t ireduce_add(I a) { return _mm512_reduce_add_epi32(a); }
  static void store_i8(std::int8_t* p, I a) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(a));
  }

  template <int kBits>
  using Gathered = I;
  template <int kBits>
  static constexpr int gathers() {
    return 8;
  }
  static void start_gathering(I& sums, I start) { sums = start; }
  template <int kBits>
  static void gather4(I& gathered, B bytes, const std::int8_t* four) {
    std::int32_t word = 0;
    std::memcpy(&word, four, sizeof(word));
    gathered = _mm512_dpbusd_epi32(gathered, bytes, _mm512_set1_epi32(word));
  }
  static I gathered(I, I sums) { return sums; }
  static I dot2(I acc, const std::uint8_t* bytes, const std::int16_t* two) {
    std::int32_t word = 0;
    std::memcpy(&word, two, sizeof(word));
    const __m512i wide =
        _mm512_cvtepu8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes)));
    return _mm512_dpwssd_epi32(acc, wide, _mm512_set1_epi32(word));
  }

  static B load_bytes(const std::uint8_t* p) { return _mm512_loadu_si512(p); }
  static void store_bytes(std::uint8_t* p, B a) { _mm512_storeu_si512(p, a); }
  static B mix(B a, B b) { return _mm512_xor_si512(a, b); }
  static B low_nibbles(B a) { return _mm512_and_si512(a, _mm512_set1_epi8(15)); }
  static B high_nibbles(B a) {
    return _mm512_and_si512(_mm512_srli_epi16(a, 4), _mm512_set1_epi8(15));
  }
  /// low | (a & mask).
  static B merge(B low, B a, B mask_bits) {
    return _mm512_ternarylogic_epi32(low, a, mask_bits, 0xf8);
  }
  template <int kBit>
  static B to_bit_four(B a) {
    if constexpr (kBit < 4) {
      return _mm512_slli_epi16(a, 4 - kBit);
    } else {
      return _mm512_srli_epi16(a, kBit - 4);
    }
  }
  template <int kBit>
  static B with_fifth_bit(B low, B high) {
    return merge(low, to_bit_four<kBit>(high), _mm512_set1_epi8(0x10));
  }
  template <int kBit>
  static B with_two_bits(B low, B high) {
    return merge(low, to_bit_four<kBit>(high), _mm512_set1_epi8(0x30));
  }
  // Inlined by force: g++ drops calls of functions that only prefetch, as without effect.
  static inline __attribute__((always_inline)) void prefetch(const void* p) {
    _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0);
  }
};

}  // namespace trialwright
