#include "inference/constrain/token_grammar.h"

#include <algorithm>

namespace trialwright {

namespace {

/// A byte of the edge that is a token, so that wherever a text can go on, a token can.
Result<void> check_spellable(const Automaton& automaton, const TokenTrie& trie) {
  for (const Automaton::ByteEdge& edge : automaton.byte_edges) {
    bool any = false;
    for (unsigned byte = edge.first; byte <= edge.last && !any; ++byte) {
      any = trie.has_byte(static_cast<std::uint8_t>(byte));
    }
    if (!any) {
      return invalid("the vocabulary has no token for the single byte " +
                     std::to_string(edge.first) + ", which the grammar needs");
    }
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<TokenGrammar>> TokenGrammar::create(std::shared_ptr<const Grammar> grammar,
                                                           std::shared_ptr<const TokenTrie> trie,
                                                           std::vector<TokenId> end_ids) {
  if (end_ids.empty()) return invalid("the vocabulary has no token that ends a turn");
  for (const TokenId id : end_ids) {
    if (id < 0 || id >= trie->vocabulary_size()) {
      return invalid("the token " + std::to_string(id) + " is not in the vocabulary");
    }
  }
  if (auto spellable = check_spellable(grammar->automaton(), *trie); !spellable) {
    return spellable.error();
  }
  std::vector<TokenId> specials;
  for (const std::string& text : grammar->automaton().special_texts) {
    specials.push_back(trie->special(text).value_or(-1));
  }
  return std::shared_ptr<TokenGrammar>(new TokenGrammar(
      std::move(grammar), {std::move(trie), std::move(specials), std::move(end_ids)}));
}

TokenGrammar::TokenGrammar(std::shared_ptr<const Grammar> grammar, TokenVocabulary vocabulary)
    : grammar_(std::move(grammar)), vocabulary_(std::move(vocabulary)) {}

std::shared_ptr<MaskTable> TokenGrammar::table() {
  if (!table_ || table_->is_large()) table_ = std::make_shared<MaskTable>(grammar_, vocabulary_);
  return table_;
}

}  // namespace trialwright
