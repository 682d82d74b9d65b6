#pragma once

#include <variant>

#include "inference/server/api_error.h"
#include "inference/token_model.h"

namespace trialwright {

// The tokenizer's addresses as vLLM has them: lm-evaluation-harness looks for them, and needs no
// other tokenizer then.

/// POST /tokenize: {"prompt", "add_special_tokens"} gives {"tokens", "count"}.
std::variant<Json, ApiError> tokenize(const Json& body, const TokenModel& tokens);
/// POST /detokenize: {"tokens"} gives {"prompt"}; ill-formed UTF-8 becomes U+FFFD.
std::variant<Json, ApiError> detokenize(const Json& body, const TokenModel& tokens);
/// GET /tokenizer_info: {"bos_token", "eos_token"}, null where the vocabulary has none.
Json tokenizer_info(const TokenModel& tokens);

}  // namespace trialwright
