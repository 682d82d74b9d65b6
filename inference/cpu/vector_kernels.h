#pragma once

#include <cstddef>
#include <cstdint>

#include "inference/cpu/attention_kernels.h"
#include "inference/cpu/isa.h"

namespace trialwright {

/// Kernels over one row. All instruction sets give the same bits; call them for different rows from
/// different threads as you like. Lengths need not be multiples of anything.
struct VectorKernels {
  /// out[i] = x[i] / sqrt(mean(x²) + epsilon) × weight[i]. `out` may be `x`. (Zhang and Sennrich,
  /// 2019.) The sum runs over 16 interleaved lanes, added up as a tree.
  void (*rms_norm)(const float* x, const float* weight, float epsilon, std::size_t n, float* out);

  /// out[i] = silu(gate[i]) × up[i], silu(z) = z / (1 + e^-z). `out` may be either input.
  void (*silu_mul)(const float* gate, const float* up, std::size_t n, float* out);

  /// out[i] = gelu(gate[i]) × up[i], by the tanh approximation. `out` may be either input.
  void (*gelu_tanh_mul)(const float* gate, const float* up, std::size_t n, float* out);

  /// x[i] = cap × tanh(x[i] / cap); cap > 0. What is not finite becomes no number.
  void (*softcap)(float* x, float cap, std::size_t n);

  /// x[i] += y[i].
  void (*add)(float* x, const float* y, std::size_t n);

  /// x[i] *= factor.
  void (*scale)(float* x, float factor, std::size_t n);

  /// Rotary embedding of one head in place. n_rot numbers are turned, the rest stay; cosines and
  /// sines hold n_rot / 2 values for this position. Pairs are (2i, 2i + 1): llama.
  void (*rope_adjacent)(float* head, const float* cosines, const float* sines, std::size_t n_rot);
  /// The same with pairs (i, i + n_rot / 2): qwen2, "NEOX".
  void (*rope_halves)(float* head, const float* cosines, const float* sines, std::size_t n_rot);

  void (*to_f16)(const float* x, std::size_t n, std::uint16_t* out);

  /// See `attention`, which cuts the work into such blocks.
  void (*attend)(const AttentionBlock& block);
};

/// isa must be available.
const VectorKernels& vector_kernels(Isa isa);

// One a file that is compiled for its instruction set.
const VectorKernels& vector_kernels_scalar();
const VectorKernels& vector_kernels_avx2();
const VectorKernels& vector_kernels_avx512();

}  // namespace trialwright
