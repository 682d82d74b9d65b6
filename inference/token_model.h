#pragma once

#include <cstdint>
#include <span>
#include <stop_token>
#include <string_view>
#include <vector>

#include "inference/model.h"

namespace trialwright {

/// A text as a model reads it.
struct EncodedText {
  std::vector<std::int32_t> ids;
  bool has_added_bos = false;  ///< The first id is a BOS that the text does not hold.
};

/// A model that goes on from any text, and whose tokens can be seen. Any thread.
class TokenModel {
 public:
  virtual ~TokenModel() = default;

  /// The ids of a text that stands alone; control tokens are read from it.
  [[nodiscard]] virtual EncodedText encode_text(std::string_view text) const = 0;
  /// The bytes a token stands for; control tokens give their text. Not always whole code points,
  /// and none for an id outside the vocabulary.
  [[nodiscard]] virtual std::string_view token_bytes(std::int32_t id) const = 0;

  /// The tokens that begin and end everything; -1 if the vocabulary has none.
  [[nodiscard]] virtual std::int32_t bos_id() const = 0;
  [[nodiscard]] virtual std::int32_t eos_id() const = 0;
  /// Whether what a token stands for is part of a completion's text: not so for most control
  /// tokens.
  [[nodiscard]] virtual bool is_shown(std::int32_t id) const = 0;

  /// Goes on from a prompt as it stands. The request's messages and tools are not looked at.
  /// Errors: as Model::complete.
  virtual Result<Completion> continue_ids(std::span<const std::int32_t> prompt,
                                          const CompletionRequest& request,
                                          std::stop_token stop) = 0;

  /// One token each of `ids`, with its log-probability after those before it and so many likely
  /// others; the first has 0 and no others. Errors: as Model::complete; Cancelled.
  virtual Result<std::vector<GeneratedToken>> prompt_logprobs(std::span<const std::int32_t> ids,
                                                              int alternatives,
                                                              std::stop_token stop) = 0;
};

}  // namespace trialwright
