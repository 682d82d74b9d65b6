#include "inference/server/tokenizer_api.h"

#include "base/text.h"
#include "inference/server/field_reader.h"

namespace trialwright {

std::variant<Json, ApiError> tokenize(const Json& body, const TokenModel& tokens) {
  Refusal refusal;
  FieldReader fields(body, "", refusal);
  const std::string text = fields.needed_text("prompt");
  const bool adds_special = fields.flag("add_special_tokens", true);
  fields.ignore({"model"});
  fields.refuse_others();
  if (refusal.error()) return *refusal.error();
  EncodedText encoded = tokens.encode_text(text);
  if (encoded.has_added_bos && !adds_special) encoded.ids.erase(encoded.ids.begin());
  return Json{{"count", encoded.ids.size()}, {"tokens", std::move(encoded.ids)}};
}

std::variant<Json, ApiError> detokenize(const Json& body, const TokenModel& tokens) {
  Refusal refusal;
  FieldReader fields(body, "", refusal);
  const Json* given = fields.find("tokens");
  std::string bytes;
  if (given == nullptr || !given->is_array()) {
    fields.refuse("tokens", "must be a list of token ids");
  } else {
    for (const Json& token : *given) {
      const bool is_id = token.is_number_unsigned() &&
                         token.get<std::uint64_t>() <= static_cast<std::uint64_t>(INT32_MAX);
      if (!is_id) fields.refuse("tokens", "must be a list of token ids");
      if (is_id) bytes += tokens.token_bytes(token.get<std::int32_t>());
    }
  }
  fields.ignore({"model"});
  fields.refuse_others();
  if (refusal.error()) return *refusal.error();
  return Json{{"prompt", to_valid_utf8(bytes)}};
}

Json tokenizer_info(const TokenModel& tokens) {
  const auto text_or_null = [&](std::int32_t id) {
    return id < 0 ? Json() : Json(to_valid_utf8(tokens.token_bytes(id)));
  };
  return {{"bos_token", text_or_null(tokens.bos_id())},
          {"eos_token", text_or_null(tokens.eos_id())}};
}

}  // namespace trialwright
