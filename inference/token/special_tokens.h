#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "inference/token/token_id.h"
#include "inference/token/vocabulary.h"

namespace trialwright {

/// A stretch of text between two offsets: one token, or ordinary text where `id` is -1.
struct TextSpan {
  std::size_t begin = 0;
  std::size_t end = 0;
  TokenId id = -1;
};

/// Where user-defined tokens are found. Files type as user-defined what a model takes for a command
/// too: `<tool_call>` in Qwen2.5, `<|im_start|>` in some conversions.
enum class UserDefined {
  Everywhere,  ///< As llama.cpp does, whoever wrote the text.
  /// Like control tokens; but blanks, such as Gemma's lines of nothing, command nothing and are
  /// found everywhere.
  WhereTrusted,
};

/// Finds the special tokens of a vocabulary in text.
///
/// A control token (or the unknown token) is found only where all of its text may be trusted. As in
/// llama.cpp, longer tokens take their places before shorter ones and the lower id before the
/// higher; places of one token go left to right.
class SpecialTokens {
 public:
  /// `vocabulary` must outlive this.
  explicit SpecialTokens(const Vocabulary& vocabulary);

  /// Cuts `text` into tokens and the ordinary text between them, in order; spans are not empty.
  /// `trusted` holds the stretches that may be trusted, ascending and apart from each other.
  [[nodiscard]] std::vector<TextSpan> split(std::string_view text,
                                            std::span<const TextSpan> trusted,
                                            UserDefined user_defined) const;

 private:
  struct Node {
    std::vector<std::pair<char, std::size_t>> next;  ///< Sorted.
    std::size_t token = 0;                           ///< Place in order_ plus 1; 0 if none.
  };

  [[nodiscard]] std::vector<bool> present_in(std::string_view text) const;

  const Vocabulary& vocabulary_;
  std::vector<TokenId> order_;  ///< Longest first, then lowest id.
  std::vector<Node> nodes_;     ///< A trie of the texts; nodes_[0] is its root.
};

}  // namespace trialwright
