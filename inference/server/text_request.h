#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "inference/server/answer_options.h"

namespace trialwright {

/// A text, or the tokens it is made of.
using TextPrompt = std::variant<std::string, std::vector<std::int32_t>>;

/// The body of a request to /v1/completions.
struct TextRequest {
  AnswerOptions options;
  std::vector<TextPrompt> prompts;  ///< At least one.
  CompletionRequest completion;     ///< Without messages, deadline and callbacks.
  bool echoes = false;              ///< The answer begins with the prompt.
  bool has_logprobs = false;
};

inline constexpr std::size_t kPromptsMax = 1024;

/// Reads a body. The error names the first field that is wrong, or that asks for something we do
/// not have.
std::variant<TextRequest, ApiError> read_text_request(const Json& body);

}  // namespace trialwright
