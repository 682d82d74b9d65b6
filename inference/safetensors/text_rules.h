#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace trialwright {

/// How a tokenizer.json prepares text for merging, in the terms of a GGUF file.
struct TextRules {
  /// The name for `tokenizer.ggml.pre` of byte-level BPE; empty for the BPE of SentencePiece.
  std::string_view pre_tokenizer;
  bool adds_space_prefix =
      false;  ///< Of SentencePiece: text begins with a space that is not there.

  [[nodiscard]] bool is_byte_level() const { return !pre_tokenizer.empty(); }
};

/// Recognises the fields "normalizer" and "pre_tokenizer", given as JSON or empty where absent, and
/// "ignore_merges" of the model, by which pre-tokenizers with one rule are told apart.
///
/// Composition of accents (NFC) is passed over, as in llama.cpp. A space that goes in front of the
/// first text only is put in front of every text, as llama.cpp has it.
/// Errors: Invalid, naming the field and the step in it that we do not have.
Result<TextRules> recognise_text_rules(std::string_view normalizer, std::string_view pre_tokenizer,
                                       bool ignores_merges);

/// The token that the field "post_processor" puts in front of a text that stands alone; nothing if
/// it puts none there. Errors: Invalid.
Result<std::optional<std::string>> leading_token(std::string_view post_processor);

}  // namespace trialwright
