#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "inference/gguf/gguf_file.h"

namespace trialwright {

/// The logits at every position, [ids.size()][vocabulary], computed in double precision straight
/// from the definition of llama, qwen2, qwen3 and gemma3: no batches, cache, kernels or rounding of
/// activations. Slow; the second way to the engine's answer.
std::vector<double> plain_logits(const GgufFile& file, std::span<const std::int32_t> ids);

}  // namespace trialwright
