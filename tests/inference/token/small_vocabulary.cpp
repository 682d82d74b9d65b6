#include "tests/inference/token/small_vocabulary.h"

#include <algorithm>

#include "base/text.h"

namespace trialwright {

SmallVocabulary::SmallVocabulary() {
  // Written out a second time here, so that the tests do not lean on the table they test.
  char32_t next = 0x100;
  for (char32_t byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte != 0xAD);
    std::string text;
    append_utf8(text, printable ? byte : next++);
    token(text, TokenKind::Normal);
  }
}

SmallVocabulary& SmallVocabulary::merge(const std::string& left, const std::string& right) {
  merges_.push_back(left + " " + right);
  if (std::find(tokens_.begin(), tokens_.end(), left + right) == tokens_.end()) {
    token(left + right, TokenKind::Normal);
  }
  return *this;
}

TokenId SmallVocabulary::token(const std::string& text, TokenKind kind) {
  tokens_.push_back(text);
  kinds_.push_back(static_cast<std::int32_t>(kind));
  return static_cast<TokenId>(tokens_.size() - 1);
}

void SmallVocabulary::kind(TokenId id, TokenKind kind) {
  kinds_[static_cast<std::size_t>(id)] = static_cast<std::int32_t>(kind);
}

TokenId SmallVocabulary::id_of(std::string_view text) const {
  const auto found = std::find(tokens_.begin(), tokens_.end(), text);
  CHECK(found != tokens_.end(), "tests ask for tokens that they added");
  return static_cast<TokenId>(found - tokens_.begin());
}

void SmallVocabulary::write_to(GgufWriter& writer) const {
  writer.text("tokenizer.ggml.model", model_)
      .text("tokenizer.ggml.pre", pre_)
      .texts("tokenizer.ggml.tokens", tokens_)
      .i32s("tokenizer.ggml.token_type", kinds_)
      .texts("tokenizer.ggml.merges", merges_);
}

std::string SmallVocabulary::file() const {
  GgufWriter writer = more_;
  writer.text("general.architecture", "llama");
  write_to(writer);
  return writer.bytes();
}

}  // namespace trialwright
