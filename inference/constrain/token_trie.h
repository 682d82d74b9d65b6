#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inference/constrain/grammar.h"
#include "inference/constrain/token_mask.h"
#include "inference/token/tokenizer.h"

namespace trialwright {

/// What a grammar must know of a token.
struct TrieToken {
  enum class Kind {
    Text,     ///< Stands for its bytes wherever they fit.
    Special,  ///< Stands for itself, where the grammar names its text: a control token.
    Unused,   ///< Never comes.
  };
  std::string bytes;
  Kind kind = Kind::Text;
};

/// One tree of tokens as a flat array in the order of a depth-first walk.
///
/// A node is followed by what goes on from it; who does not want that skips `size` nodes.
struct TrieNode {
  std::uint32_t size = 1;   ///< Nodes of the subtree, this one included.
  TokenId token = -1;       ///< That ends here. Two tokens with equal bytes have two nodes.
  std::uint16_t depth = 0;  ///< How many bytes lead here, at least 1.
  std::uint8_t byte = 0;
};

/// Tokens that are alike: all made of certain characters, so that one look at a grammar often
/// tells that all of them may come.
struct TokenSlice {
  /// What all tokens of the slice match as a whole; null for the slice of what is left.
  std::shared_ptr<const Grammar> texts;
  std::size_t within = 0;  ///< A later slice whose texts hold all of these too, or its own place.
  std::vector<TrieNode> nodes;
  /// Nodes [begins[b], begins[b + 1]) are those of tokens that begin with byte b.
  std::array<std::uint32_t, 257> begins{};
  TokenMask mask;  ///< The tokens of the slice.
  int tokens = 0;  ///< How many there are.
};

/// The tokens of a vocabulary by their bytes, built once for all grammars.
///
/// Immutable; any thread.
class TokenTrie {
 public:
  /// The token's id is its place.
  static std::shared_ptr<const TokenTrie> build(std::span<const TrieToken> tokens);
  static std::shared_ptr<const TokenTrie> build(const Tokenizer& tokenizer);

  /// Every token with bytes is in exactly one of them.
  [[nodiscard]] std::span<const TokenSlice> slices() const { return slices_; }
  [[nodiscard]] int vocabulary_size() const { return static_cast<int>(offsets_.size()) - 1; }
  [[nodiscard]] std::string_view bytes(TokenId id) const {
    return std::string_view(bytes_).substr(
        offsets_[static_cast<std::size_t>(id)],
        offsets_[static_cast<std::size_t>(id) + 1] - offsets_[static_cast<std::size_t>(id)]);
  }
  /// False for special and unused tokens, which have no place in the slices.
  [[nodiscard]] bool is_text(TokenId id) const;
  /// The token that stands for a special text as a whole: a special one or, if there is none, a
  /// text token (vocabularies have `<tool_call>` as either).
  [[nodiscard]] std::optional<TokenId> special(std::string_view text) const;
  /// How many bytes the longest token has.
  [[nodiscard]] std::size_t bytes_max() const { return bytes_max_; }
  /// Whether each byte is a token of its own. Only then can every text be written.
  [[nodiscard]] bool has_byte(std::uint8_t byte) const { return has_byte_[byte]; }

 private:
  explicit TokenTrie(std::span<const TrieToken> tokens);

  std::string bytes_;
  std::vector<std::size_t> offsets_;
  std::vector<TrieToken::Kind> kinds_;
  std::vector<TokenSlice> slices_;
  std::array<bool, 256> has_byte_{};
  std::size_t bytes_max_ = 0;
};

}  // namespace trialwright
