#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/result.h"
#include "inference/gguf/gguf_metadata.h"
#include "inference/token/token_id.h"

namespace trialwright {

/// What of a tokenizer.json readers of other files of the folder need.
struct FolderVocabulary {
  std::unordered_map<std::string, TokenId> ids;  ///< By text as the file has it.
  std::optional<std::string> leading_token;      ///< What stands in front of every text.

  [[nodiscard]] std::optional<TokenId> id_of(const std::string& token) const {
    const auto found = ids.find(token);
    return found == ids.end() ? std::nullopt : std::optional(found->second);
  }
};

/// Reads a tokenizer.json and adds what it says to `metadata` under the names of llama.cpp's
/// converter (`get_vocab_base`): tokens and their kinds, the pre-tokenizer, merges or scores.
///
/// vocabulary  tokens of the model, at least 1. Ids without a token become unused ones, and added
///             tokens beyond them, which the model cannot see, are left out.
/// Errors: Invalid, naming the field; a kind of tokenizer that we do not have is named.
Result<FolderVocabulary> read_tokenizer_json(std::string_view json, std::int64_t vocabulary,
                                             GgufMetadata& metadata);

}  // namespace trialwright
