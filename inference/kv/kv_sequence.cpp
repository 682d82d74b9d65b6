#include "inference/kv/kv_sequence.h"

#include <cstring>

#include "base/check.h"

namespace trialwright {

KvSequence::KvSequence(KvPagePool& pool, std::vector<KvPage> pages, std::vector<std::int32_t> ids)
    : pool_(&pool), pages_(std::move(pages)), ids_(std::move(ids)) {
  CHECK(static_cast<std::size_t>(pages_for(size())) == pages_.size(),
        "pages and tokens come from another sequence or the cache");
  for (const KvPage& page : pages_) {
    addresses_.push_back(page.get());
  }
}

KvSequence KvSequence::fork() const {
  return {*pool_, {pages_.begin(), pages_.begin() + pages_for(size())}, ids_};
}

bool KvSequence::last_page_is_shared() const {
  const auto last = static_cast<std::size_t>(size() / kPageTokens);
  return size() % kPageTokens != 0 && pages_[last].use_count() > 1;
}

int KvSequence::pages_wanted(int count) const {
  const int more = pages_for(size() + count) - static_cast<int>(pages_.size());
  return more + (count > 0 && last_page_is_shared() ? 1 : 0);
}

void KvSequence::set_page(std::size_t index, KvPage page) {
  if (index == pages_.size()) {
    pages_.emplace_back();
    addresses_.emplace_back();
  }
  addresses_[index] = page.get();
  pages_[index] = std::move(page);
}

Result<void> KvSequence::make_room(int count) {
  if (count > 0 && last_page_is_shared()) {
    auto own = pool_->take();
    if (!own) {
      return own.error();
    }
    const auto last = static_cast<std::size_t>(size() / kPageTokens);
    std::memcpy(own->get(), pages_[last].get(), pool_->layout().bytes());
    set_page(last, std::move(*own));
  }
  while (static_cast<int>(pages_.size()) < pages_for(size() + count)) {
    auto page = pool_->take();
    if (!page) {
      return page.error();
    }
    set_page(pages_.size(), std::move(*page));
  }
  return {};
}

void KvSequence::append(std::span<const std::int32_t> ids) {
  CHECK(pages_for(size() + static_cast<int>(ids.size())) <= static_cast<int>(pages_.size()),
        "room is made before tokens are computed");
  ids_.insert(ids_.end(), ids.begin(), ids.end());
}

void KvSequence::truncate(int size) {
  ids_.resize(static_cast<std::size_t>(size));
  pages_.resize(static_cast<std::size_t>(pages_for(size)));
  addresses_.resize(pages_.size());
}

}  // namespace trialwright
