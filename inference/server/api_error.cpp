#include "inference/server/api_error.h"

namespace trialwright {

Json error_to_json(const ApiError& error) {
  const auto text_or_null = [](const std::string& text) {
    return text.empty() ? Json() : Json(text);
  };
  return {{"error",
           {{"message", error.message},
            {"type", error.type},
            {"param", text_or_null(error.param)},
            {"code", text_or_null(error.code)}}}};
}

ApiError api_error_of(const Error& error) {
  switch (error.kind) {
    case ErrorKind::Invalid:
      return {.status = 400, .message = error.message};
    case ErrorKind::NotFound:
      return {.status = 404, .message = error.message};
    case ErrorKind::Unavailable:
    case ErrorKind::Cancelled:
      return {.status = 503, .message = error.message, .type = "server_error"};
    case ErrorKind::Integrity:
      return {.status = 500, .message = error.message, .type = "server_error"};
  }
  CHECK(false, "every kind has a status");
}

}  // namespace trialwright
