#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "inference/token/vocabulary.h"
#include "tests/support/gguf_writer.h"

namespace trialwright {

/// A byte-level vocabulary for tests: the 256 bytes, and what a test adds.
class SmallVocabulary {
 public:
  SmallVocabulary();

  /// Adds a merge and the token it gives. Texts are in GPT-2's byte alphabet.
  SmallVocabulary& merge(const std::string& left, const std::string& right);
  /// Adds a token; its id.
  TokenId token(const std::string& text, TokenKind kind);
  void kind(TokenId id, TokenKind kind);
  void forget_last_kind() { kinds_.pop_back(); }
  void model(std::string name) { model_ = std::move(name); }
  void pre(std::string name) { pre_ = std::move(name); }
  void u32(std::string_view key, std::uint32_t value) { more_.u32(key, value); }
  void boolean(std::string_view key, bool value) { more_.boolean(key, value); }
  [[nodiscard]] TokenId id_of(std::string_view text) const;

  [[nodiscard]] int size() const { return static_cast<int>(tokens_.size()); }

  /// Adds the vocabulary's keys to a file that has its architecture already.
  void write_to(GgufWriter& writer) const;
  /// A GGUF file with this vocabulary and no tensors.
  [[nodiscard]] std::string file() const;

 private:
  std::string model_ = "gpt2";
  std::string pre_ = "gpt-2";
  std::vector<std::string> tokens_;
  std::vector<std::int32_t> kinds_;
  std::vector<std::string> merges_;
  GgufWriter more_;
};

}  // namespace trialwright
