#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "inference/token_model.h"

namespace trialwright {

/// One answer of the model, and what was found out about its prompt on the way.
struct Answer {
  Completion completion;
  EncodedText prompt{};  ///< Of a text prompt.
  /// One for each of the prompt's tokens; empty unless they were asked for.
  std::vector<GeneratedToken> prompt_tokens{};
};

/// What every part of one reply repeats.
struct ReplyStamp {
  std::string id;
  std::int64_t created = 0;  ///< Seconds since 1970-01-01 UTC.
  std::string model;
  std::string fingerprint;  ///< Changes when answers may.
};

/// {"prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details"}.
Json usage_to_json(const Usage& usage);

/// A log-probability that JSON can hold: OpenAI writes -9999 for what is all but impossible.
double shown_logprob(double logprob);

}  // namespace trialwright
