#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace trialwright {

/// All suffixes of some token sequences in lexicographic order: a suffix tree with counts.
///
/// The suffixes that begin with the same tokens lie side by side, so such an interval is a node of
/// the tree and its width tells how often those tokens occur. A sequence's suffixes end with it.
/// Eight bytes a token. Order holds for the first `kOrderedTokens` tokens of a suffix, which bounds
/// what a comparison costs whatever the text; suffixes alike so far follow each other by position.
///
/// Const after it is made; any thread.
class SuffixIndex {
 public:
  static constexpr int kOrderedTokens = 96;

  /// The suffixes [first, last) of the order, which have their first `depth` tokens in common.
  struct Node {
    std::uint32_t first = 0;
    std::uint32_t last = 0;
    int depth = 0;
    /// How often the node's tokens occur.
    [[nodiscard]] std::size_t count() const { return last - first; }
  };

  /// A node one token deeper.
  struct Child {
    std::int32_t id = 0;
    Node node;
  };

  /// This index and the given sequences, without those that were added first where there would be
  /// more than `tokens_max` tokens. Of a sequence longer than that its end is kept. No id may be
  /// `kSequenceEnd`.
  [[nodiscard]] SuffixIndex with(std::span<const std::vector<std::int32_t>> sequences,
                                 std::size_t tokens_max) const;

  [[nodiscard]] std::size_t sequences() const { return starts_.size(); }
  /// Of all sequences together.
  [[nodiscard]] std::size_t tokens() const { return order_.size(); }
  [[nodiscard]] std::size_t bytes() const;

  /// Where `pattern` occurs; a node of count 0 where it does not. pattern: at most kOrderedTokens.
  [[nodiscard]] Node find(std::span<const std::int32_t> pattern) const;

  /// The longest end of `text`, of at most `length_max` tokens, that occurs. Depth 0 if none does.
  [[nodiscard]] Node longest_match(std::span<const std::int32_t> text, int length_max) const;

  /// Appends to `children` the children of `node` that occur at least `count_min` times, in the
  /// order of their ids; the ends of sequences are no children. Takes O(count / count_min · log
  /// count). count_min >= 1.
  void frequent_children(const Node& node, std::size_t count_min,
                         std::vector<Child>& children) const;

  /// Stands behind each sequence in the text; no token has this id.
  static constexpr std::int32_t kSequenceEnd = -2;

 private:
  [[nodiscard]] std::size_t first_kept(std::span<const std::vector<std::int32_t>> added,
                                       std::size_t tokens_max) const;
  [[nodiscard]] bool before(std::uint32_t left, std::uint32_t right) const;
  void append(std::span<const std::int32_t> sequence);
  [[nodiscard]] std::vector<std::uint32_t> merged(const std::vector<std::uint32_t>& kept,
                                                  const std::vector<std::uint32_t>& added) const;

  std::vector<std::int32_t> text_;     ///< The sequences, each with kSequenceEnd behind it.
  std::vector<std::uint32_t> starts_;  ///< Of the sequences in `text_`, oldest first.
  std::vector<std::uint32_t> order_;   ///< Where each suffix begins in `text_`.
};

}  // namespace trialwright
