#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/text.h"
#include "inference/token/tokenizer.h"
#include "tests/inference/token/small_vocabulary.h"

namespace {

using trialwright::SmallVocabulary;
using trialwright::TokenId;
using trialwright::Tokenizer;
using trialwright::TokenKind;

Tokenizer load(const char* pre) {
  SmallVocabulary vocabulary;
  vocabulary.pre(pre);
  vocabulary.merge("a", "a").merge("aa", "aa").merge("Ġ", "a").merge("Ġ", "Ġ").merge("Ã", "©");
  vocabulary.token("<|end|>", TokenKind::Control);
  vocabulary.token("<|", TokenKind::UserDefined);
  vocabulary.token("  ", TokenKind::UserDefined);
  const std::string bytes = vocabulary.file();
  auto file = trialwright::GgufFile::parse(trialwright::as_bytes(bytes), "small.gguf");
  CHECK(file, "the writer writes files that the reader reads");
  auto tokenizer = Tokenizer::load(*file);
  CHECK(tokenizer, "the small vocabulary is right");
  return *std::move(tokenizer);
}

}  // namespace

/// The input is a list of pieces, each with a byte in front: its low bit is trust, the rest a
/// length.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<Tokenizer>& tokenizers = *[] {
    auto* all = new std::vector<Tokenizer>;  // Never freed: the process ends with it.
    for (const char* pre : {"gpt-2", "smollm", "qwen2", "llama-bpe", "deepseek-coder"}) {
      all->push_back(load(pre));
    }
    return all;
  }();
  std::vector<trialwright::TextPiece> pieces;
  std::string trusted_only;
  for (std::size_t at = 0; at < size;) {
    const std::uint8_t head = data[at++];
    const std::size_t length = std::min<std::size_t>(head >> 1U, size - at);
    pieces.push_back({std::string(data + at, data + at + length), (head & 1U) != 0});
    // A place that is not trusted parts what stands on either side of it; no token has this byte.
    if (pieces.back().trusted) {
      trusted_only += pieces.back().text;
    } else if (length > 0) {
      trusted_only += '\x01';
    }
    at += length;
  }
  std::string text;
  for (const auto& piece : pieces) text += piece.text;
  for (const Tokenizer& tokenizer : tokenizers) {
    const std::vector<TokenId> ids = tokenizer.encode(pieces);
    const std::string back = tokenizer.decode(ids);
    CHECK(back == trialwright::to_valid_utf8(text), "the vocabulary has every byte");
    const auto controls = [&](const std::vector<TokenId>& all) {
      return std::count_if(all.begin(), all.end(),
                           [&](TokenId id) { return tokenizer.is_control(id); });
    };
    CHECK(controls(ids) <= controls(tokenizer.encode(trusted_only, true)),
          "control tokens come out of trusted text alone");
  }
  return 0;
}
