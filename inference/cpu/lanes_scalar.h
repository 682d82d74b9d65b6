#pragma once

#include <cstdint>
#include <cstring>

#include "inference/cpu/quant.h"

namespace trialwright {

/// Sixteen numbers side by side, in plain C++: the reference for the other instruction sets, whose
/// functions mean the same and round the same. The functions stay functions: unrolled like the
/// others, the kernels would take the compiler minutes.
struct ScalarLanes {
  /// Rows of activations that a kernel handles at once.
  static constexpr int kBatch = 2;
  /// Up to so many rows, quants are unpacked while they are used.
  template <int kBits>
  static constexpr int direct_rows() {
    return 8;
  }

  struct F {
    float v[16];
  };
  struct I {
    std::int32_t v[16];
  };
  /// Sixteen groups of four bytes.
  struct B {
    std::uint8_t v[64];
  };

  template <typename Operation>
  static F each(const Operation& operation) {
    F out;
    for (int i = 0; i < 16; ++i) {
      out.v[i] = operation(i);
    }
    return out;
  }

  [[gnu::noinline]] static F set1(float x) {
    return each([&](int) { return x; });
  }
  [[gnu::noinline]] static F zero() { return set1(0); }
  [[gnu::noinline]] static F load(const float* p) {
    return each([&](int i) { return p[i]; });
  }
  /// The first n (0 to 16); the others are zero.
  [[gnu::noinline]] static F load_some(const float* p, int n) {
    return each([&](int i) { return i < n ? p[i] : 0.0F; });
  }
  [[gnu::noinline]] static void store(float* p, const F& a) { std::memcpy(p, a.v, sizeof(a.v)); }
  [[gnu::noinline]] static void store_some(float* p, const F& a, int n) {
    for (int i = 0; i < n; ++i) {
      p[i] = a.v[i];
    }
  }
  [[gnu::noinline]] static F load_f16(const std::uint16_t* p) {
    return each([&](int i) { return f16_to_f32(p[i]); });
  }
  [[gnu::noinline]] static F load_bf16(const std::uint16_t* p) {
    return each([&](int i) { return bf16_to_f32(p[i]); });
  }
  [[gnu::noinline]] static void store_f16(std::uint16_t* p, const F& a) {
    for (int i = 0; i < 16; ++i) {
      p[i] = f32_to_f16(a.v[i]);
    }
  }
  [[gnu::noinline]] static F load_u8(const std::uint8_t* p) {
    return each([&](int i) { return static_cast<float>(p[i]); });
  }
  [[gnu::noinline]] static F load_i8(const std::uint8_t* p) {
    return each([&](int i) { return static_cast<float>(static_cast<std::int8_t>(p[i])); });
  }

  [[gnu::noinline]] static F add(const F& a, const F& b) {
    return each([&](int i) { return a.v[i] + b.v[i]; });
  }
  [[gnu::noinline]] static F sub(const F& a, const F& b) {
    return each([&](int i) { return a.v[i] - b.v[i]; });
  }
  [[gnu::noinline]] static F mul(const F& a, const F& b) {
    return each([&](int i) { return a.v[i] * b.v[i]; });
  }
  [[gnu::noinline]] static F div(const F& a, const F& b) {
    return each([&](int i) { return a.v[i] / b.v[i]; });
  }
  /// a × b + c, rounded once.
  [[gnu::noinline]] static F fma(const F& a, const F& b, const F& c) {
    return each([&](int i) { return __builtin_fmaf(a.v[i], b.v[i], c.v[i]); });
  }
  /// c − a × b, rounded once.
  [[gnu::noinline]] static F fnma(const F& a, const F& b, const F& c) {
    return each([&](int i) { return __builtin_fmaf(-a.v[i], b.v[i], c.v[i]); });
  }
  [[gnu::noinline]] static F max(const F& a, const F& b) {
    return each([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
  }
  [[gnu::noinline]] static F min(const F& a, const F& b) {
    return each([&](int i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; });
  }
  [[gnu::noinline]] static F abs(const F& a) {
    return each([&](int i) { return __builtin_fabsf(a.v[i]); });
  }
  /// value where x < limit, else zero; the other way round where `x` is not below.
  [[gnu::noinline]] static F zero_where_less(const F& x, const F& limit, const F& value) {
    return each([&](int i) { return x.v[i] < limit.v[i] ? 0.0F : value.v[i]; });
  }
  /// The first n lanes of a, the others of b.
  [[gnu::noinline]] static F first(const F& a, const F& b, int n) {
    return each([&](int i) { return i < n ? a.v[i] : b.v[i]; });
  }
  /// Folds halves onto each other: lanes 8 apart, then 4, 2, 1.
  [[gnu::noinline]] static float reduce_add(const F& a) {
    float v[16];
    std::memcpy(v, a.v, sizeof(v));
    for (int half = 8; half > 0; half /= 2) {
      for (int i = 0; i < half; ++i) {
        v[i] += v[i + half];
      }
    }
    return v[0];
  }
  [[gnu::noinline]] static float reduce_max(const F& a) {
    float most = a.v[0];
    for (int i = 1; i < 16; ++i) {
      most = a.v[i] > most ? a.v[i] : most;
    }
    return most;
  }

  [[gnu::noinline]] static I izero() { return iset1(0); }
  [[gnu::noinline]] static I iset1(std::int32_t x) {
    I out;
    for (std::int32_t& lane : out.v) {
      lane = x;
    }
    return out;
  }
  template <int kShift>
  [[gnu::noinline]] static I shift_left(const I& a) {
    I out;
    for (int i = 0; i < 16; ++i) {
      out.v[i] = a.v[i] * (1 << kShift);
    }
    return out;
  }
  [[gnu::noinline]] static F to_f(const I& a) {
    return each([&](int i) { return static_cast<float>(a.v[i]); });
  }
  /// To the nearest integer, ties to even; |a| < 2^22. What lies beyond all integers, and what is
  /// not a number, gives the smallest, as the processor's instruction does.
  [[gnu::noinline]] static I round(const F& a) {
    I out;
    for (int i = 0; i < 16; ++i) {
      const float nearest = (a.v[i] + 12582912.0F) - 12582912.0F;
      const bool fits = nearest >= -2147483648.0F && nearest < 2147483648.0F;
      out.v[i] = fits ? static_cast<std::int32_t>(nearest) : INT32_MIN;
    }
    return out;
  }
  /// Towards zero; |a| < 2^31.
  [[gnu::noinline]] static I truncate(const F& a) {
    I out;
    for (int i = 0; i < 16; ++i) {
      out.v[i] = static_cast<std::int32_t>(a.v[i]);
    }
    return out;
  }
  /// 2^n for -126 <= n <= 127.
  [[gnu::noinline]] static F power_of_two(const I& n) {
    return each([&](int i) {
      const auto bits = static_cast<std::uint32_t>(n.v[i] + 127) << 23U;
      float value = 0;
      std::memcpy(&value, &bits, sizeof(value));
      return value;
    });
  }
  [[gnu::noinline]] static I iadd(const I& a, const I& b) {
    I out;
    for (int i = 0; i < 16; ++i) {
      out.v[i] = a.v[i] + b.v[i];
    }
    return out;
  }
  [[gnu::noinline]] static std::int32_t ireduce_add(const I& a) {
    std::int32_t sum = 0;
    for (const std::int32_t lane : a.v) {
      sum += lane;
    }
    return sum;
  }
  /// Lanes within -128 to 127.
  [[gnu::noinline]] static void store_i8(std::int8_t* p, const I& a) {
    for (int i = 0; i < 16; ++i) {
      p[i] = static_cast<std::int8_t>(a.v[i]);
    }
  }

  /// What sums of products of four bytes gather in, to be started with a sum of 32 bits and turned
  /// into one after at most gathers() products. Exact. kBits: how many bits of the unsigned bytes
  /// are in use. The signed bytes may be -128 too, which the quantizer gives for what is no number.
  template <int kBits>
  using Gathered = I;
  template <int kBits>
  static constexpr int gathers() {
    return 8;
  }
  static void start_gathering(I& sums, const I& start) { sums = start; }
  /// Adds the dot product of each lane's four unsigned bytes with the four signed ones at `four`.
  template <int kBits>
  [[gnu::noinline]] static void gather4(I& gathered, const B& bytes, const std::int8_t* four) {
    for (int i = 0; i < 16; ++i) {
      gathered.v[i] += bytes.v[i * 4] * four[0] + bytes.v[i * 4 + 1] * four[1] +
                       bytes.v[i * 4 + 2] * four[2] + bytes.v[i * 4 + 3] * four[3];
    }
  }
  /// The sum that the gathering was started with and all that was gathered.
  static I gathered(const I&, const I& sums) { return sums; }
  /// acc + the dot product of each lane's two unsigned bytes with the two signed numbers at `two`.
  [[gnu::noinline]] static I dot2(const I& acc, const std::uint8_t* bytes,
                                  const std::int16_t* two) {
    I out;
    for (int i = 0; i < 16; ++i) {
      out.v[i] = acc.v[i] + bytes[i * 2] * two[0] + bytes[i * 2 + 1] * two[1];
    }
    return out;
  }

  [[gnu::noinline]] static B load_bytes(const std::uint8_t* p) {
    B out;
    std::memcpy(out.v, p, sizeof(out.v));
    return out;
  }
  [[gnu::noinline]] static void store_bytes(std::uint8_t* p, const B& a) {
    std::memcpy(p, a.v, sizeof(a.v));
  }
  /// Exclusive or.
  [[gnu::noinline]] static B mix(const B& a, const B& b) {
    B out;
    for (int i = 0; i < 64; ++i) {
      out.v[i] = a.v[i] ^ b.v[i];
    }
    return out;
  }
  [[gnu::noinline]] static B low_nibbles(const B& a) {
    B out;
    for (int i = 0; i < 64; ++i) {
      out.v[i] = a.v[i] & 15U;
    }
    return out;
  }
  [[gnu::noinline]] static B high_nibbles(const B& a) {
    B out;
    for (int i = 0; i < 64; ++i) {
      out.v[i] = static_cast<std::uint8_t>(a.v[i] >> 4U);
    }
    return out;
  }
  /// low | (bit kBit of high) << 4.
  template <int kBit>
  [[gnu::noinline]] static B with_fifth_bit(const B& low, const B& high) {
    B out;
    for (int i = 0; i < 64; ++i) {
      out.v[i] = static_cast<std::uint8_t>(low.v[i] | (high.v[i] >> kBit & 1U) << 4U);
    }
    return out;
  }
  /// low | (bits kBit and kBit + 1 of high) << 4.
  template <int kBit>
  [[gnu::noinline]] static B with_two_bits(const B& low, const B& high) {
    B out;
    for (int i = 0; i < 64; ++i) {
      out.v[i] = static_cast<std::uint8_t>(low.v[i] | (high.v[i] >> kBit & 3U) << 4U);
    }
    return out;
  }
  static void prefetch(const void*) {}
};

}  // namespace trialwright
