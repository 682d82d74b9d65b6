#pragma once

#include <string>

#include "base/json.h"
#include "base/result.h"

namespace trialwright {

/// A refusal as the OpenAI API words it.
struct ApiError {
  int status = 400;
  std::string message;
  std::string type = "invalid_request_error";
  std::string param{};  ///< The field that is wrong, such as "messages[0].role"; empty: none.
  std::string code{};   ///< For programs, such as "model_not_found"; empty: none.
};

/// {"error": {"message", "type", "param", "code"}}.
Json error_to_json(const ApiError& error);

/// What a failure of the model is to a client: its own mistake (400) or ours.
ApiError api_error_of(const Error& error);

}  // namespace trialwright
