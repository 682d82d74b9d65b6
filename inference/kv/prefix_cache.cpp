#include "inference/kv/prefix_cache.h"

#include <algorithm>
#include <utility>

namespace trialwright {

int common_prefix(std::span<const std::int32_t> a, std::span<const std::int32_t> b) {
  const auto [end, ignored] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  return static_cast<int>(end - a.begin());
}

PrefixCache::PrefixCache(KvPagePool& pool) : pool_(pool), root_(std::make_unique<Node>()) {
  root_->count = kPageTokens;
}

PrefixCache::~PrefixCache() {
  // A long sequence is a deep tree, which must not be destroyed by recursion.
  std::vector<std::unique_ptr<Node>> nodes = std::move(root_->children);
  while (!nodes.empty()) {
    auto node = std::move(nodes.back());
    nodes.pop_back();
    std::move(node->children.begin(), node->children.end(), std::back_inserter(nodes));
  }
}

PrefixCache::Place PrefixCache::next(const Node& node, std::span<const std::int32_t> ids) const {
  Place best{nullptr, 0};
  for (const auto& child : node.children) {
    const auto held = std::span(child->ids).first(static_cast<std::size_t>(child->count));
    const int shared = common_prefix(held, ids);
    if (shared > best.shared) {
      best = {child.get(), shared};
    }
  }
  return best;
}

int PrefixCache::known(std::span<const std::int32_t> ids) const {
  int found = 0;
  for (const Node* node = root_.get(); node->count == kPageTokens;) {
    const Place place = next(*node, ids.subspan(static_cast<std::size_t>(found)));
    found += place.shared;
    if (place.shared < kPageTokens) {
      break;
    }
    node = place.node;
  }
  return found;
}

KvSequence PrefixCache::take(std::span<const std::int32_t> ids) {
  ++clock_;
  std::vector<KvPage> pages;
  std::size_t found = 0;
  for (const Node* node = root_.get(); node->count == kPageTokens;) {
    const Place place = next(*node, ids.subspan(found));
    if (place.shared == 0) {
      break;
    }
    place.node->last_used = clock_;
    pages.push_back(place.node->page);
    found += static_cast<std::size_t>(place.shared);
    if (place.shared < kPageTokens) {
      break;
    }
    node = place.node;
  }
  return {pool_, std::move(pages), {ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(found)}};
}

void PrefixCache::keep(const KvSequence& sequence, int size) {
  ++clock_;
  Node* node = root_.get();
  for (int at = 0; at < size; at += kPageTokens) {
    const int count = std::min(kPageTokens, size - at);
    const auto ids = std::span(sequence.ids())
                         .subspan(static_cast<std::size_t>(at), static_cast<std::size_t>(count));
    const KvPage& page = sequence.pages()[static_cast<std::size_t>(at / kPageTokens)];
    const Place place = next(*node, ids);
    Node* held = place.node;
    if (held != nullptr && place.shared == held->count && held->count < count) {
      // What was an end goes on.
      std::copy(ids.begin(), ids.end(), held->ids.begin());
      held->count = count;
      held->page = page;
    } else if (held == nullptr || place.shared < count) {
      auto made = std::make_unique<Node>();
      made->parent = node;
      std::copy(ids.begin(), ids.end(), made->ids.begin());
      made->count = count;
      made->page = page;
      held = made.get();
      node->children.push_back(std::move(made));
      ++pages_;
    }
    held->last_used = clock_;
    node = held;
  }
}

std::vector<PrefixCache::Node*> PrefixCache::leaves() const {
  std::vector<Node*> found;
  std::vector<Node*> nodes = {root_.get()};
  while (!nodes.empty()) {
    Node* node = nodes.back();
    nodes.pop_back();
    if (node->children.empty() && node != root_.get()) {
      found.push_back(node);
    }
    for (const auto& child : node->children) {
      nodes.push_back(child.get());
    }
  }
  return found;
}

int PrefixCache::drop(int count) {
  // A page that a running request holds would not become free.
  const auto can_go = [](const Node* node) { return node->page.use_count() == 1; };
  std::vector<Node*> ends = leaves();
  std::erase_if(ends, [&](const Node* node) { return !can_go(node); });
  const auto later = [](const Node* a, const Node* b) { return a->last_used > b->last_used; };
  std::make_heap(ends.begin(), ends.end(), later);  // The least recently used is at the front.
  int dropped = 0;
  while (dropped < count && !ends.empty()) {
    std::pop_heap(ends.begin(), ends.end(), later);
    Node* end = ends.back();
    ends.pop_back();
    Node* parent = end->parent;
    std::erase_if(parent->children, [end](const auto& node) { return node.get() == end; });
    --pages_;
    ++dropped;
    if (parent != root_.get() && parent->children.empty() && can_go(parent)) {
      ends.push_back(parent);
      std::push_heap(ends.begin(), ends.end(), later);
    }
  }
  return dropped;
}

std::vector<KvSequence> PrefixCache::sequences() const {
  std::vector<Node*> ends = leaves();
  std::stable_sort(ends.begin(), ends.end(),
                   [](const Node* a, const Node* b) { return a->last_used < b->last_used; });
  std::vector<KvSequence> all;
  for (const Node* leaf : ends) {
    std::vector<KvPage> pages;
    std::vector<std::int32_t> ids;
    for (const Node* node = leaf; node != root_.get(); node = node->parent) {
      pages.push_back(node->page);
      ids.insert(ids.begin(), node->ids.begin(), node->ids.begin() + node->count);
    }
    std::reverse(pages.begin(), pages.end());
    all.emplace_back(pool_, std::move(pages), std::move(ids));
  }
  return all;
}

}  // namespace trialwright
