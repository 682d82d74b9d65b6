#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "base/result.h"
#include "inference/kv/page_pool.h"

namespace trialwright {

/// A sequence of tokens whose keys and values are computed, in pages that others may share.
///
/// A page that somebody else holds too is copied before it is written to, so sequences never see
/// each other's tokens. One thread at a time; sequences that share pages may be on different
/// threads.
class KvSequence {
 public:
  /// An empty one. The pool must outlive it.
  explicit KvSequence(KvPagePool& pool) : pool_(&pool) {}
  /// The first ids.size() positions of these pages.
  KvSequence(KvPagePool& pool, std::vector<KvPage> pages, std::vector<std::int32_t> ids);

  KvSequence(KvSequence&&) = default;
  KvSequence& operator=(KvSequence&&) = default;

  /// Another sequence with the same tokens, which shares all pages: nothing is computed or copied.
  [[nodiscard]] KvSequence fork() const;

  /// The tokens, in order of position.
  [[nodiscard]] const std::vector<std::int32_t>& ids() const { return ids_; }
  [[nodiscard]] int size() const { return static_cast<int>(ids_.size()); }
  [[nodiscard]] const std::vector<KvPage>& pages() const { return pages_; }
  /// The same as `pages`, as the kernels want them; valid until the next change.
  [[nodiscard]] std::span<const std::uint16_t* const> addresses() const { return addresses_; }
  /// The page that `position` lies in, to be written to: `make_room` made it this sequence's own.
  [[nodiscard]] std::uint16_t* page_at(int position) {
    return pages_[static_cast<std::size_t>(position / kPageTokens)].get();
  }

  /// Pages that `make_room(count)` would take from the pool.
  [[nodiscard]] int pages_wanted(int count) const;
  /// Makes the next `count` positions writable. Errors: Unavailable; then nothing has changed that
  /// matters.
  Result<void> make_room(int count);
  /// Says that the tokens' keys and values have been stored; there must be room for them.
  void append(std::span<const std::int32_t> ids);
  /// Forgets all tokens from `size` on.
  void truncate(int size);

 private:
  [[nodiscard]] bool last_page_is_shared() const;
  void set_page(std::size_t index, KvPage page);

  KvPagePool* pool_;
  std::vector<KvPage> pages_;
  std::vector<const std::uint16_t*> addresses_;
  std::vector<std::int32_t> ids_;
};

}  // namespace trialwright
