#pragma once

#include <string>
#include <string_view>

#include "inference/model.h"

namespace trialwright {

/// The request body of the OpenAI chat-completions API.
///
/// Sampling fields that other servers added to the API (top_k, min_p, repetition_penalty) are sent
/// only where they differ from "off". The API has one seed, so seed and stream become one number.
Json chat_request_to_json(const CompletionRequest& request, std::string_view model);

/// Reads a response body. Arguments of tool calls that are not a JSON object are the model's
/// mistake and become `tool_call_errors`. With log-probabilities come tokens of id -1: the API
/// tells their text only. Calls without an id are numbered from `first_call_number`.
/// Errors: Invalid, naming the field.
Result<Completion> completion_from_json(const Json& json, std::size_t first_call_number = 0);

}  // namespace trialwright
