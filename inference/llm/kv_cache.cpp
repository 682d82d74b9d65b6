#include "inference/llm/kv_cache.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace trialwright {
namespace {

int whole_tiles(int capacity) {
  return (capacity + kAttentionTile - 1) / kAttentionTile * kAttentionTile;
}

int common_prefix(std::span<const std::int32_t> a, std::span<const std::int32_t> b) {
  const auto [end, ignored] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  return static_cast<int>(end - a.begin());
}

}  // namespace

std::size_t KvSequence::bytes_for(const ModelConfig& config, int capacity) {
  return std::size_t{2} * sizeof(std::uint16_t) * static_cast<std::size_t>(config.layers) *
         static_cast<std::size_t>(config.kv_size()) *
         static_cast<std::size_t>(whole_tiles(capacity));
}

Result<KvSequence> KvSequence::make(const ModelConfig& config, int capacity) {
  KvSequence sequence;
  auto memory = sequence.arena_.allocate(bytes_for(config, capacity));
  if (!memory) {
    return memory.error().during("making room for the keys and values of " +
                                 std::to_string(capacity) + " tokens");
  }
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): zeroed memory made into halves
  auto* next = reinterpret_cast<std::uint16_t*>(*memory);
  for (int i = 0; i < config.layers; ++i) {
    KvLayer layer{.kv_heads = config.kv_heads,
                  .head_dim = config.head_dim,
                  .capacity = whole_tiles(capacity)};
    layer.keys = next;
    layer.values = next + layer.elements();
    next += 2 * layer.elements();
    sequence.layers_.push_back(layer);
  }
  return sequence;
}

void KvSequence::append(std::span<const std::int32_t> ids) {
  CHECK(size() + static_cast<int>(ids.size()) <= capacity(),
        "the engine takes a sequence with room for the whole request");
  ids_.insert(ids_.end(), ids.begin(), ids.end());
}

void KvSequence::truncate(int size) { ids_.resize(static_cast<std::size_t>(size)); }

void KvSequence::copy_prefix(const KvSequence& other, int count) {
  CHECK(ids_.empty() && count <= other.size() && count <= capacity(),
        "only a held prefix is copied, and into a new sequence");
  const int key_positions = (count + kKeyPanel - 1) / kKeyPanel * kKeyPanel;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const KvLayer& to = layers_[i];
    const KvLayer& from = other.layers_[i];
    const auto head_dim = static_cast<std::size_t>(to.head_dim);
    for (int head = 0; head < to.kv_heads; ++head) {
      const std::size_t to_head =
          static_cast<std::size_t>(head) * head_dim * static_cast<std::size_t>(to.capacity);
      const std::size_t from_head =
          static_cast<std::size_t>(head) * head_dim * static_cast<std::size_t>(from.capacity);
      std::memcpy(to.keys + to_head, from.keys + from_head,
                  static_cast<std::size_t>(key_positions) * head_dim * sizeof(std::uint16_t));
      std::memcpy(to.values + to_head, from.values + from_head,
                  static_cast<std::size_t>(count) * head_dim * sizeof(std::uint16_t));
    }
  }
  ids_.assign(other.ids_.begin(), other.ids_.begin() + count);
}

void KvSequence::count_in(std::shared_ptr<std::atomic<std::size_t>> sum) {
  const std::size_t counted = bytes();
  *sum += counted;
  counted_ =
      std::shared_ptr<void>(nullptr, [sum = std::move(sum), counted](void*) { *sum -= counted; });
}

Result<std::unique_ptr<KvSequence>> KvCache::take(std::span<const std::int32_t> ids, int capacity) {
  std::size_t best = kept_.size();
  int shared = 0;
  for (std::size_t i = 0; i < kept_.size(); ++i) {
    const int prefix = common_prefix(kept_[i]->ids(), ids.first(ids.size() - 1));
    if (prefix > 0 && prefix >= shared) {
      best = i;
      shared = prefix;
    }
  }
  const bool continues = shared > 0 && shared == kept_[best]->size();
  const bool fits = shared > 0 && kept_[best]->capacity() >= capacity;
  const std::size_t bytes = KvSequence::bytes_for(config_, capacity);
  const bool room_for_both = shared == 0 || kept_[best]->bytes() + bytes <= bytes_max_;
  if (fits && (continues || !room_for_both)) {
    auto taken = std::move(kept_[best]);
    kept_.erase(kept_.begin() + static_cast<std::ptrdiff_t>(best));
    taken->truncate(shared);
    return taken;
  }
  const KvSequence* source = shared > 0 ? kept_[best].get() : nullptr;
  make_room(bytes, source);
  auto made = KvSequence::make(config_, capacity);
  if (!made) {
    return made.error();
  }
  auto sequence = std::make_unique<KvSequence>(std::move(*made));
  sequence->count_in(bytes_);
  if (source != nullptr) {
    sequence->copy_prefix(*source, shared);
    if (continues || !room_for_both || this->bytes() > bytes_max_) {
      std::erase_if(kept_, [&](const auto& kept) { return kept.get() == source; });
    }
  }
  return sequence;
}

void KvCache::make_room(std::size_t bytes, const KvSequence* spare) {
  for (auto oldest = kept_.begin(); oldest != kept_.end() && this->bytes() + bytes > bytes_max_;) {
    oldest = oldest->get() == spare ? oldest + 1 : kept_.erase(oldest);
  }
}

void KvCache::give_back(std::unique_ptr<KvSequence> sequence) {
  kept_.push_back(std::move(sequence));
  make_room(0, kept_.back().get());
}

}  // namespace trialwright
