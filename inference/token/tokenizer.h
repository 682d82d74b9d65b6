#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "inference/gguf/gguf_file.h"
#include "inference/token/token_id.h"

namespace trialwright {

/// A stretch of text and whether special tokens may be read from it.
///
/// Text from users, tools and files never may: what looks like `<|im_end|>` there is ordinary text.
struct TextPiece {
  std::string text;
  bool trusted = false;
};

/// Text to token ids and back, by the rules of one vocabulary.
///
/// Const after loading; any thread.
class Tokenizer {
 public:
  /// Reads the vocabulary from a model or a vocabulary-only file.
  /// Errors: Invalid, naming file and key; a tokenizer or pre-tokenizer we do not have is named.
  static Result<Tokenizer> load(const GgufFile& file);

  ~Tokenizer();
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;

  /// The ids of the pieces of a conversation read as one text: words may span pieces, and special
  /// tokens, user-defined ones too unless they are blank, are found in trusted pieces only. No BOS
  /// or EOS is added. A byte that is not well-formed UTF-8 is read as U+FFFD by byte-level BPE and
  /// as itself by SentencePiece; the latter puts a space in front of text at the beginning and
  /// after special tokens where the vocabulary asks for it, and reads U+2581 as a space.
  [[nodiscard]] std::vector<TokenId> encode(std::span<const TextPiece> pieces) const;
  /// The ids of a text that stands alone, read as llama.cpp reads it: user-defined tokens are found
  /// even where the text is not trusted.
  [[nodiscard]] std::vector<TokenId> encode(std::string_view text, bool trusted) const;

  /// The bytes a token stands for; control tokens give their text. Not always whole code points.
  /// No bytes for an unused token and for an id that is not in the vocabulary.
  [[nodiscard]] std::string_view bytes(TokenId id) const;
  /// The bytes of all tokens, one after the other.
  [[nodiscard]] std::string decode(std::span<const TokenId> ids) const;
  [[nodiscard]] bool is_control(TokenId id) const;
  /// True for the tokens that end a turn: EOS, EOT and those llama.cpp takes for such by their
  /// text.
  [[nodiscard]] bool ends_turn(TokenId id) const;

  [[nodiscard]] int size() const;
  /// Whether the model expects a BOS before everything. Then bos() is not -1.
  [[nodiscard]] bool adds_bos() const;
  /// -1 if the vocabulary has none.
  [[nodiscard]] TokenId bos() const;
  [[nodiscard]] TokenId eos() const;

 private:
  struct Content;
  explicit Tokenizer(std::unique_ptr<Content> content);
  std::unique_ptr<Content> content_;
};

}  // namespace trialwright
