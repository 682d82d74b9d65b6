#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "inference/cpu/arena.h"
#include "inference/cpu/attention.h"
#include "inference/llm/model_config.h"

namespace trialwright {

/// The keys and values of one token sequence in all layers, in half precision.
class KvSequence {
 public:
  /// Room for `capacity` tokens, rounded up to whole attention tiles. Errors: Unavailable.
  static Result<KvSequence> make(const ModelConfig& config, int capacity);

  /// Bytes that a sequence of this capacity takes.
  static std::size_t bytes_for(const ModelConfig& config, int capacity);

  [[nodiscard]] const KvLayer& layer(int index) const {
    return layers_[static_cast<std::size_t>(index)];
  }
  [[nodiscard]] int capacity() const { return layers_.front().capacity; }
  [[nodiscard]] std::size_t bytes() const { return arena_.bytes(); }

  /// The tokens whose keys and values are held, in order of position.
  [[nodiscard]] const std::vector<std::int32_t>& ids() const { return ids_; }
  [[nodiscard]] int size() const { return static_cast<int>(ids_.size()); }
  /// Says that the tokens' keys and values have been stored. They must fit the capacity.
  void append(std::span<const std::int32_t> ids);
  /// Forgets all tokens from `size` on.
  void truncate(int size);
  /// Copies the first `count` tokens with their keys and values; this must be empty and the other
  /// must hold at least so many.
  void copy_prefix(const KvSequence& other, int count);
  /// Adds this sequence's bytes to `sum`, until it is destroyed.
  void count_in(std::shared_ptr<std::atomic<std::size_t>> sum);

 private:
  KvSequence() = default;

  Arena arena_;
  std::shared_ptr<void> counted_;  ///< Takes the bytes off the sum when it goes.
  std::vector<KvLayer> layers_;
  std::vector<std::int32_t> ids_;
};

/// The sequences that were computed of late. A request continues the one that shares the longest
/// prefix with it, so the common start of two conversations is computed once.
///
/// One thread at a time. What is reused never changes a bit of a result, because keys and values do
/// not depend on how they were computed.
class KvCache {
 public:
  /// bytes_max  bound on all sequences together, those that are taken too: what is taken is always
  ///            granted, so it is the kept ones that are dropped for it. What was given back last
  ///            is kept whatever its size.
  KvCache(const ModelConfig& config, std::size_t bytes_max)
      : config_(config), bytes_max_(bytes_max) {}

  /// A sequence with room for `capacity` tokens that holds the longest known prefix of `ids`, but
  /// never all of them, because the last one's logits are wanted. It is the caller's until
  /// `give_back`; if it is dropped instead, its content is lost.
  ///
  /// A sequence that ends within `ids` is continued where it lies; one that goes on differently is
  /// kept, and its common part copied. Least recently used sequences are dropped to make room.
  /// Errors: Unavailable if memory runs out.
  Result<std::unique_ptr<KvSequence>> take(std::span<const std::int32_t> ids, int capacity);
  void give_back(std::unique_ptr<KvSequence> sequence);

  /// Of all sequences, those that are taken too.
  [[nodiscard]] std::size_t bytes() const { return *bytes_; }
  [[nodiscard]] std::size_t sequences() const { return kept_.size(); }

 private:
  void make_room(std::size_t bytes, const KvSequence* spare);

  ModelConfig config_;
  std::size_t bytes_max_;
  /// Shared with the sequences, which may be dropped wherever they were taken to.
  std::shared_ptr<std::atomic<std::size_t>> bytes_ = std::make_shared<std::atomic<std::size_t>>(0);
  std::vector<std::unique_ptr<KvSequence>> kept_;  ///< Least recently used first.
};

}  // namespace trialwright
