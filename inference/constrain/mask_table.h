#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "inference/constrain/parse_states.h"
#include "inference/constrain/token_mask.h"
#include "inference/constrain/token_trie.h"

namespace trialwright {

/// The tokens that a grammar is matched with.
struct TokenVocabulary {
  std::shared_ptr<const TokenTrie> trie;
  /// By place in the grammar's special_texts; -1 where the vocabulary has no such token.
  std::vector<TokenId> specials;
  std::vector<TokenId> end_ids;
};

struct AllowedTokens {
  TokenMask mask;
  int count = 0;
};

/// The parse states of one grammar, and which tokens may come in each.
///
/// A mask is worked out slice by slice. If all texts of a slice can go on from one of the state's
/// places, so can all of its tokens, which is found out once for each state of the automaton;
/// otherwise the slice's tree is walked, leaving out what no token can go on from.
/// One thread at a time.
class MaskTable {
 public:
  /// `vocabulary` must outlive this.
  MaskTable(std::shared_ptr<const Grammar> grammar, const TokenVocabulary& vocabulary);

  ParseStates& states() { return states_; }
  std::shared_ptr<const AllowedTokens> allowed(ParseStates::Id id);
  /// After the token, kDead if it may not come. An end id is not for here.
  ParseStates::Id step(ParseStates::Id id, TokenId token);
  /// True if a token that begins with `text`, and is longer, could come where the text would lead
  /// to `after`; one such token.
  std::optional<TokenId> longer_token(std::string_view text, ParseStates::Id after);

  /// So large that it is time for a new one.
  [[nodiscard]] bool is_large() const;

 private:
  enum class Inclusion : std::uint8_t { Unknown, Included, Not };

  bool includes(ParseStates::Id id, std::size_t slice);
  bool includes_alone(StateId state, std::size_t slice);
  int walk(const TokenSlice& slice, ParseStates::Id id, TokenMask& mask);

  const TokenVocabulary& vocabulary_;
  ParseStates states_;
  /// Of each slice but the last, which has no texts.
  struct SliceTexts {
    ParseStates states;
    std::uint8_t probe = 0;             ///< A byte that some of the texts begin with.
    std::vector<std::uint8_t> samples;  ///< One byte of each kind that texts or grammar tell apart.
    std::vector<Inclusion> included;    ///< By state of the grammar's automaton.
  };
  std::vector<SliceTexts> slices_;
  std::vector<ParseStates::Id> way_;  ///< By depth in a tree.
  std::unordered_map<ParseStates::Id, std::shared_ptr<const AllowedTokens>> masks_;
};

}  // namespace trialwright
