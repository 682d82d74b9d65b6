#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "inference/constrain/grammar_constraint.h"

namespace trialwright {

using GrammarResult = Result<std::shared_ptr<const Grammar>>;

/// Whether the grammar describes the text, byte by byte.
bool matches(const std::shared_ptr<const Grammar>& grammar, std::string_view text);

/// The sentence that the grammar was refused with; empty if it was not.
std::string error_of(const GrammarResult& grammar);

/// A vocabulary of the 256 bytes, some words and pieces of JSON, the tags of tool calls as
/// special tokens, and an end; its tokenizer takes the longest token each time.
class WordVocabulary {
 public:
  explicit WordVocabulary(std::vector<std::string> words = {});

  [[nodiscard]] const std::shared_ptr<const TokenTrie>& trie() const { return trie_; }
  [[nodiscard]] TokenId end() const { return end_; }
  [[nodiscard]] TokenId id_of(std::string_view text) const;
  [[nodiscard]] std::vector<TokenId> encode(std::string_view text) const;

  /// A match of the grammar over this vocabulary, which must outlive it.
  [[nodiscard]] GrammarConstraint match(const std::shared_ptr<const Grammar>& grammar) const;

 private:
  std::vector<TrieToken> tokens_;
  std::shared_ptr<const TokenTrie> trie_;
  TokenId end_ = -1;
};

/// What comes of a walk over random tokens that are allowed.
struct Walked {
  std::string text;
  int tokens = 0;
  bool ended = false;  ///< By the end token, within a few thousand tokens.
  std::string wrong;   ///< What does not hold; empty if all is well.
};

/// Takes allowed tokens until the end; the longer it takes, the more it likes what closes
/// something. At every step the mask, its count and forced tokens are held against each other and
/// against the grammar's own steps.
Walked random_walk(const WordVocabulary& vocabulary, const std::shared_ptr<const Grammar>& grammar,
                   RandomStream& random);

}  // namespace trialwright
