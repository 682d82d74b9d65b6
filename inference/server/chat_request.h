#pragma once

#include <variant>

#include "inference/server/answer_options.h"

namespace trialwright {

/// The body of a request to /v1/chat/completions.
struct ChatRequest {
  AnswerOptions options;
  CompletionRequest completion;  ///< Without deadline and callbacks.
  bool has_logprobs = false;
};

/// Reads a body. The error names the first field that is wrong, or that asks for something we do
/// not have.
std::variant<ChatRequest, ApiError> read_chat_request(const Json& body);

}  // namespace trialwright
