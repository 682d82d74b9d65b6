#include "inference/server/text_request.h"

#include <algorithm>

namespace trialwright {

namespace {

bool is_token(const Json& json) {
  return json.is_number_unsigned() &&
         json.get<std::uint64_t>() <= static_cast<std::uint64_t>(INT32_MAX);
}

bool is_token_list(const Json& json) {
  return json.is_array() && !json.empty() && std::ranges::all_of(json, is_token);
}

/// A text, tokens, or a list of either.
void read_prompts(FieldReader& fields, std::vector<TextPrompt>& prompts) {
  const Json* given = fields.find("prompt");
  if (given == nullptr) return fields.refuse("prompt", "is missing", "missing_required_parameter");
  const bool is_one = given->is_string() || is_token_list(*given);
  const Json list = is_one ? Json::array({*given}) : *given;
  if (!list.is_array() || list.empty() || list.size() > kPromptsMax) {
    return fields.refuse("prompt", "must be a text, token ids, or up to " +
                                       std::to_string(kPromptsMax) + " of one of them");
  }
  for (const Json& prompt : list) {
    if (prompt.is_string()) {
      prompts.emplace_back(prompt.get<std::string>());
    } else if (is_token_list(prompt)) {
      prompts.emplace_back(prompt.get<std::vector<std::int32_t>>());
    } else {
      return fields.refuse("prompt", "must hold texts, or lists of token ids that are not empty");
    }
  }
}

}  // namespace

std::variant<TextRequest, ApiError> read_text_request(const Json& body) {
  Refusal refusal;
  TextRequest request;
  FieldReader fields(body, "", refusal);
  read_common_fields(fields, request.options, request.completion, refusal);
  read_prompts(fields, request.prompts);
  request.completion.tokens_max = static_cast<int>(fields.integer("max_tokens", 16, 0, 1 << 24));
  request.echoes = fields.flag("echo", false);
  request.has_logprobs = fields.find("logprobs") != nullptr;
  request.completion.alternatives =
      static_cast<int>(fields.integer("logprobs", 0, 0, kAlternativesMax));
  fields.only("best_of", request.options.choices);
  fields.only("suffix", "");
  if (request.echoes && request.options.streams) {
    fields.refuse("echo", "cannot be combined with \"stream\": true", "unsupported_value");
  }
  if (request.prompts.size() * static_cast<std::size_t>(request.options.choices) > kPromptsMax) {
    fields.refuse("n", "asks for more than " + std::to_string(kPromptsMax) + " answers");
  }
  fields.refuse_others();
  if (refusal.error()) return *refusal.error();
  return request;
}

}  // namespace trialwright
