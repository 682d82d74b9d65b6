#include "inference/server/answer.h"

#include <algorithm>
#include <cmath>

namespace trialwright {

Json usage_to_json(const Usage& usage) {
  return {{"prompt_tokens", usage.prompt_tokens},
          {"completion_tokens", usage.completion_tokens},
          {"total_tokens", usage.prompt_tokens + usage.completion_tokens},
          {"prompt_tokens_details", {{"cached_tokens", usage.cached_tokens}}}};
}

double shown_logprob(double logprob) {
  constexpr double kLeast = -9999;
  return std::isfinite(logprob) ? std::max(logprob, kLeast) : kLeast;
}

}  // namespace trialwright
