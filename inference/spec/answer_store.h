#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inference/spec/suffix_index.h"

namespace trialwright {

/// Stands where an answer begins, so that beginnings are found among beginnings. Never a token.
inline constexpr std::int32_t kAnswerBegin = -1;

/// How much of the text before a guess is looked for.
inline constexpr int kMatchedTokensMax = 32;

/// One answer as the store keeps it: the end of its prompt if that is known, kAnswerBegin, and the
/// answer's tokens with the one that ended the turn.
std::vector<std::int32_t> stored_answer(std::span<const std::int32_t> prompt,
                                        std::span<const std::int32_t> answer);

/// The answers to requests that are likely to be answered alike, such as all trials of one task.
///
/// Any thread. Readers work on a snapshot, which an addition replaces and never changes.
class AnswerStore {
 public:
  /// tokens_max  of all answers together; the oldest ones make room.
  explicit AnswerStore(std::size_t tokens_max = std::size_t{1} << 17U) : tokens_max_(tokens_max) {}

  /// Adds an answer as a whole; an empty one tells nothing.
  void add(std::span<const std::int32_t> prompt, std::span<const std::int32_t> answer);
  /// The same for many at once, oldest first, each as `stored_answer` gives it.
  void add_all(std::span<const std::vector<std::int32_t>> answers);

  /// What was added so far. Never null.
  [[nodiscard]] std::shared_ptr<const SuffixIndex> index() const;

 private:
  const std::size_t tokens_max_;
  std::mutex writing_;        ///< One addition at a time: each builds on the one before.
  mutable std::mutex mutex_;  ///< Of `index_`, held only to copy or replace the pointer.
  std::shared_ptr<const SuffixIndex> index_ = std::make_shared<const SuffixIndex>();
};

/// The stores of all draft keys (CompletionRequest::draft_key).
///
/// Any thread. The key that was asked for longest ago makes room for a new one; a store that
/// somebody still holds lives on until they let go.
class AnswerLibrary {
 public:
  /// keys_max >= 1; tokens_max of each key's store.
  explicit AnswerLibrary(std::size_t keys_max = 64, std::size_t tokens_max = std::size_t{1} << 17U);

  /// The key's store, empty if it is new. Never null.
  std::shared_ptr<AnswerStore> of(std::string_view key);

  [[nodiscard]] std::size_t keys() const;

 private:
  struct Shelf {
    std::shared_ptr<AnswerStore> store;
    std::list<std::string>::iterator use;  ///< In `used_`.
  };

  const std::size_t keys_max_;
  const std::size_t tokens_max_;
  mutable std::mutex mutex_;
  std::list<std::string> used_;  ///< The keys, the latest one first.
  std::map<std::string, Shelf, std::less<>> shelves_;
};

}  // namespace trialwright
