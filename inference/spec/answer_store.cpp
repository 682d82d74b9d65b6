#include "inference/spec/answer_store.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace trialwright {

std::vector<std::int32_t> stored_answer(std::span<const std::int32_t> prompt,
                                        std::span<const std::int32_t> answer) {
  const auto tail = prompt.last(std::min<std::size_t>(prompt.size(), kMatchedTokensMax));
  std::vector<std::int32_t> stored(tail.begin(), tail.end());
  stored.push_back(kAnswerBegin);
  stored.insert(stored.end(), answer.begin(), answer.end());
  return stored;
}

void AnswerStore::add(std::span<const std::int32_t> prompt, std::span<const std::int32_t> answer) {
  if (answer.empty()) {
    return;
  }
  const std::vector<std::int32_t> stored = stored_answer(prompt, answer);
  add_all(std::span(&stored, 1));
}

void AnswerStore::add_all(std::span<const std::vector<std::int32_t>> answers) {
  if (answers.empty()) {
    return;
  }
  const std::scoped_lock writing(writing_);
  auto made = std::make_shared<const SuffixIndex>(index()->with(answers, tokens_max_));
  const std::scoped_lock lock(mutex_);
  std::swap(index_, made);
}

std::shared_ptr<const SuffixIndex> AnswerStore::index() const {
  const std::scoped_lock lock(mutex_);
  return index_;
}

AnswerLibrary::AnswerLibrary(std::size_t keys_max, std::size_t tokens_max)
    : keys_max_(keys_max), tokens_max_(tokens_max) {
  CHECK(keys_max >= 1, "the key that is asked for needs a place");
}

std::shared_ptr<AnswerStore> AnswerLibrary::of(std::string_view key) {
  const std::scoped_lock lock(mutex_);
  if (const auto found = shelves_.find(key); found != shelves_.end()) {
    used_.splice(used_.begin(), used_, found->second.use);
    return found->second.store;
  }
  if (shelves_.size() == keys_max_) {
    shelves_.erase(used_.back());
    used_.pop_back();
  }
  used_.emplace_front(key);
  return shelves_.emplace(key, Shelf{std::make_shared<AnswerStore>(tokens_max_), used_.begin()})
      .first->second.store;
}

std::size_t AnswerLibrary::keys() const {
  const std::scoped_lock lock(mutex_);
  return shelves_.size();
}

}  // namespace trialwright
