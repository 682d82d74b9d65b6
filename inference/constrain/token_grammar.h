#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "inference/constrain/mask_table.h"

namespace trialwright {

/// A grammar over the tokens of one vocabulary, with all that has been worked out about them so
/// far. Keep one for all matches of the same grammar: what one has met, the next ones know.
///
/// Any thread; one at a time works something out.
class TokenGrammar {
 public:
  /// end_ids  the tokens that end a turn; they may come exactly where the text may end.
  /// Errors: Invalid if there is no end id, if one is not in the vocabulary, or if the vocabulary
  /// has no single-byte token for a byte that the grammar cannot do without.
  static Result<std::shared_ptr<TokenGrammar>> create(std::shared_ptr<const Grammar> grammar,
                                                      std::shared_ptr<const TokenTrie> trie,
                                                      std::vector<TokenId> end_ids);

  [[nodiscard]] const TokenTrie& trie() const { return *vocabulary_.trie; }
  [[nodiscard]] const TokenVocabulary& vocabulary() const { return vocabulary_; }

  /// Held by who uses a table.
  std::mutex& mutex() { return mutex_; }
  /// The table that new matches begin in, with room for more. Call it with the mutex held.
  std::shared_ptr<MaskTable> table();

 private:
  TokenGrammar(std::shared_ptr<const Grammar> grammar, TokenVocabulary vocabulary);

  std::shared_ptr<const Grammar> grammar_;
  TokenVocabulary vocabulary_;
  std::mutex mutex_;
  std::shared_ptr<MaskTable> table_;
};

}  // namespace trialwright
