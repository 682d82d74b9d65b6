#include "inference/token/tokenizer.h"

#include <optional>

#include "base/text.h"
#include "inference/token/bpe.h"
#include "inference/token/pre_tokenizer.h"
#include "inference/token/sentence_piece.h"
#include "inference/token/special_tokens.h"
#include "inference/token/vocabulary.h"

namespace trialwright {

struct Tokenizer::Content {
  Content(Vocabulary read, std::span<const std::string_view> merges)
      : vocabulary(std::move(read)), specials(vocabulary) {
    if (vocabulary.model == TokenizerModel::SentencePiece) {
      sentence_piece.emplace(vocabulary, vocabulary.scores);
    } else {
      bpe.emplace(vocabulary, merges);
    }
  }

  [[nodiscard]] bool has(TokenId id) const { return id >= 0 && id < vocabulary.size(); }

  void encode_text(std::string_view text, std::vector<TokenId>& ids) const {
    if (sentence_piece) {
      sentence_piece->encode_text(text, vocabulary.adds_space_prefix, ids);
      return;
    }
    std::string mended;
    if (!is_utf8(text)) {
      mended = to_valid_utf8(text);
      text = mended;
    }
    std::size_t begin = 0;
    for (const std::size_t end : split_words(vocabulary.pre.rule, text)) {
      bpe->encode_word(text.substr(begin, end - begin), ids);
      begin = end;
    }
  }

  [[nodiscard]] std::vector<TokenId> encode(std::string_view text,
                                            std::span<const TextSpan> trusted,
                                            UserDefined user_defined) const {
    std::vector<TokenId> ids;
    for (const TextSpan& span : specials.split(text, trusted, user_defined)) {
      if (span.id >= 0) {
        ids.push_back(span.id);
      } else {
        // Spans of text never follow each other, so this one comes first or after a special token.
        encode_text(text.substr(span.begin, span.end - span.begin), ids);
      }
    }
    return ids;
  }

  // The others refer to the vocabulary, so it comes first and nothing here may move.
  const Vocabulary vocabulary;
  const SpecialTokens specials;
  std::optional<Bpe> bpe;  ///< This or the next, as the vocabulary's model says.
  std::optional<SentencePiece> sentence_piece;
};

Result<Tokenizer> Tokenizer::load(const GgufFile& file) {
  auto vocabulary = read_vocabulary(file);
  if (!vocabulary) return vocabulary.error();
  std::vector<std::string_view> merges;
  if (vocabulary->model == TokenizerModel::ByteLevelBpe) {
    auto read = file.texts("tokenizer.ggml.merges");
    if (!read) return read.error();
    merges = *std::move(read);
  }
  return Tokenizer(std::make_unique<Content>(*std::move(vocabulary), merges));
}

Tokenizer::Tokenizer(std::unique_ptr<Content> content) : content_(std::move(content)) {}
Tokenizer::~Tokenizer() = default;
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;

std::vector<TokenId> Tokenizer::encode(std::span<const TextPiece> pieces) const {
  std::string text;
  std::vector<TextSpan> trusted;
  for (const TextPiece& piece : pieces) {
    const std::size_t begin = text.size();
    text += piece.text;
    if (!piece.trusted) continue;
    if (!trusted.empty() && trusted.back().end == begin) {
      trusted.back().end = text.size();
    } else {
      trusted.push_back({begin, text.size(), -1});
    }
  }
  return content_->encode(text, trusted, UserDefined::WhereTrusted);
}

std::vector<TokenId> Tokenizer::encode(std::string_view text, bool trusted) const {
  const TextSpan all{0, text.size(), -1};
  return content_->encode(text, {&all, trusted ? std::size_t{1} : std::size_t{0}},
                          UserDefined::Everywhere);
}

std::string_view Tokenizer::bytes(TokenId id) const {
  if (!content_->has(id)) return {};
  // Padding of the embedding matrix has a name in the file but stands for nothing.
  if (content_->vocabulary.kind[static_cast<std::size_t>(id)] == TokenKind::Unused) return {};
  return content_->vocabulary.token(static_cast<std::size_t>(id));
}

std::string Tokenizer::decode(std::span<const TokenId> ids) const {
  std::string text;
  for (const TokenId id : ids) text += bytes(id);
  return text;
}

bool Tokenizer::is_control(TokenId id) const {
  return content_->has(id) &&
         content_->vocabulary.kind[static_cast<std::size_t>(id)] == TokenKind::Control;
}

bool Tokenizer::ends_turn(TokenId id) const {
  return content_->has(id) && content_->vocabulary.ends_turn[static_cast<std::size_t>(id)];
}

int Tokenizer::size() const { return content_->vocabulary.size(); }
bool Tokenizer::adds_bos() const { return content_->vocabulary.adds_bos; }
TokenId Tokenizer::bos() const { return content_->vocabulary.bos; }
TokenId Tokenizer::eos() const { return content_->vocabulary.eos; }

}  // namespace trialwright
