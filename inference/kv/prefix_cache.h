#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "inference/kv/kv_sequence.h"

namespace trialwright {

/// How many tokens two texts have in common from the start.
int common_prefix(std::span<const std::int32_t> a, std::span<const std::int32_t> b);

/// The sequences that were computed of late, as a tree of their pages: what two of them have in
/// common from the start is held once (RadixAttention; Zheng et al., 2023, arXiv 2312.07104,
/// section 3). A request goes on from the longest prefix that is known, and copies nothing but the
/// page in which it parts from others.
///
/// One thread at a time. What is reused never changes a bit of a result, because keys and values do
/// not depend on how they were computed.
class PrefixCache {
 public:
  /// The pool must outlive this.
  explicit PrefixCache(KvPagePool& pool);
  ~PrefixCache();
  PrefixCache(const PrefixCache&) = delete;
  PrefixCache& operator=(const PrefixCache&) = delete;

  /// How many tokens from the start of `ids` are known.
  [[nodiscard]] int known(std::span<const std::int32_t> ids) const;
  /// The longest known prefix of `ids`, as a sequence of its own.
  KvSequence take(std::span<const std::int32_t> ids);
  /// Remembers a sequence, which may go on; its pages are shared from now on.
  void keep(const KvSequence& sequence) { keep(sequence, sequence.size()); }
  /// Remembers its whole pages only: those are written to no more while the sequence grows.
  void keep_whole_pages(const KvSequence& sequence) {
    keep(sequence, sequence.size() / kPageTokens * kPageTokens);
  }

  /// Forgets what was least recently used until `count` pages have gone back to the pool or nothing
  /// is left that nobody else holds. Returns how many went back.
  int drop(int count);

  /// Pages in the tree.
  [[nodiscard]] int pages() const { return pages_; }
  /// One sequence for each end of the tree, least recently used first: all that is known.
  [[nodiscard]] std::vector<KvSequence> sequences() const;

 private:
  /// A page and the tokens in it. Only a node with a whole page has children.
  struct Node {
    Node* parent = nullptr;
    std::array<std::int32_t, kPageTokens> ids{};
    int count = 0;
    KvPage page;
    std::uint64_t last_used = 0;
    std::vector<std::unique_ptr<Node>> children;
  };
  /// Where a search ended: in `node`, of whose page the first `shared` tokens are wanted.
  struct Place {
    Node* node;
    int shared;
  };

  void keep(const KvSequence& sequence, int size);
  [[nodiscard]] Place next(const Node& node, std::span<const std::int32_t> ids) const;
  [[nodiscard]] std::vector<Node*> leaves() const;

  KvPagePool& pool_;
  std::unique_ptr<Node> root_;  ///< Holds no page.
  std::uint64_t clock_ = 0;     ///< Counts uses.
  int pages_ = 0;
};

}  // namespace trialwright
