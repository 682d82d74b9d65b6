#include "inference/spec/suffix_index.h"

#include <algorithm>
#include <limits>

#include "base/check.h"

namespace trialwright {

bool SuffixIndex::before(std::uint32_t left, std::uint32_t right) const {
  for (std::uint32_t i = 0; i < kOrderedTokens; ++i) {
    const std::int32_t a = text_[left + i];
    const std::int32_t b = text_[right + i];
    if (a != b) {
      return a < b;
    }
    if (a == kSequenceEnd) {
      break;
    }
  }
  return left < right;
}

void SuffixIndex::append(std::span<const std::int32_t> sequence) {
  starts_.push_back(static_cast<std::uint32_t>(text_.size()));
  text_.insert(text_.end(), sequence.begin(), sequence.end());
  text_.push_back(kSequenceEnd);
}

/// Both in order; few are added to many, so each one's place is searched for.
std::vector<std::uint32_t> SuffixIndex::merged(const std::vector<std::uint32_t>& kept,
                                               const std::vector<std::uint32_t>& added) const {
  std::vector<std::uint32_t> all;
  all.reserve(kept.size() + added.size());
  auto rest = kept.begin();
  for (const std::uint32_t suffix : added) {
    const auto place =
        std::upper_bound(rest, kept.end(), suffix,
                         [this](std::uint32_t a, std::uint32_t b) { return before(a, b); });
    all.insert(all.end(), rest, place);
    all.push_back(suffix);
    rest = place;
  }
  all.insert(all.end(), rest, kept.end());
  return all;
}

/// The first one that stays of the sequences held and the added ones behind them: as many of the
/// latest as fit, and the very latest in any case.
std::size_t SuffixIndex::first_kept(std::span<const std::vector<std::int32_t>> added,
                                    std::size_t tokens_max) const {
  const std::size_t all = starts_.size() + added.size();
  const auto length = [&](std::size_t i) -> std::size_t {
    if (i >= starts_.size()) {
      return added[i - starts_.size()].size();
    }
    const std::size_t end = i + 1 < starts_.size() ? starts_[i + 1] : text_.size();
    return end - 1 - starts_[i];
  };
  std::size_t first = all;
  std::size_t kept = 0;
  while (first > 0 && (first == all || kept + length(first - 1) <= tokens_max)) {
    kept += length(--first);
  }
  return first;
}

SuffixIndex SuffixIndex::with(std::span<const std::vector<std::int32_t>> sequences,
                              std::size_t tokens_max) const {
  CHECK(tokens_max <= std::numeric_limits<std::uint32_t>::max() / 4,
        "places in the text are 32 bits wide, and every sequence adds its end");
  const std::size_t first = first_kept(sequences, tokens_max);
  const std::size_t first_old = std::min(first, starts_.size());
  const std::size_t first_new = first - first_old;

  SuffixIndex made;
  const std::uint32_t dropped =
      first_old < starts_.size() ? starts_[first_old] : static_cast<std::uint32_t>(text_.size());
  made.text_.assign(text_.begin() + dropped, text_.end());
  for (std::size_t i = first_old; i < starts_.size(); ++i) {
    made.starts_.push_back(starts_[i] - dropped);
  }
  std::vector<std::uint32_t> kept;
  for (const std::uint32_t suffix : order_) {
    if (suffix >= dropped) {
      kept.push_back(suffix - dropped);
    }
  }
  std::vector<std::uint32_t> added;
  for (const auto& sequence : sequences.subspan(first_new)) {
    CHECK(std::find(sequence.begin(), sequence.end(), kSequenceEnd) == sequence.end(),
          "no token has the id that ends sequences");
    const std::size_t length = std::min(sequence.size(), tokens_max);
    if (length == 0) {
      continue;
    }
    made.append(std::span(sequence).last(length));
    for (std::uint32_t at = made.starts_.back(); at + 1 < made.text_.size(); ++at) {
      added.push_back(at);
    }
  }
  std::sort(added.begin(), added.end(),
            [&made](std::uint32_t a, std::uint32_t b) { return made.before(a, b); });
  made.order_ = made.merged(kept, added);
  return made;
}

std::size_t SuffixIndex::bytes() const {
  return text_.capacity() * sizeof(std::int32_t) + starts_.capacity() * sizeof(std::uint32_t) +
         order_.capacity() * sizeof(std::uint32_t);
}

SuffixIndex::Node SuffixIndex::find(std::span<const std::int32_t> pattern) const {
  CHECK(pattern.size() <= static_cast<std::size_t>(kOrderedTokens),
        "suffixes are in order for their first tokens only");
  /// Below 0, 0 or above 0 as the suffix lies before the pattern, begins with it or lies behind it.
  const auto compared = [&](std::uint32_t suffix) {
    for (std::size_t i = 0; i < pattern.size(); ++i) {
      const std::int32_t id = text_[suffix + i];
      if (id != pattern[i]) {
        return id < pattern[i] ? -1 : 1;
      }
    }
    return 0;
  };
  const auto first = std::partition_point(order_.begin(), order_.end(),
                                          [&](std::uint32_t s) { return compared(s) < 0; });
  const auto last = first == order_.end() || compared(*first) != 0
                        ? first
                        : std::partition_point(first, order_.end(),
                                               [&](std::uint32_t s) { return compared(s) == 0; });
  return {.first = static_cast<std::uint32_t>(first - order_.begin()),
          .last = static_cast<std::uint32_t>(last - order_.begin()),
          .depth = static_cast<int>(pattern.size())};
}

SuffixIndex::Node SuffixIndex::longest_match(std::span<const std::int32_t> text,
                                             int length_max) const {
  Node longest{.first = 0, .last = static_cast<std::uint32_t>(order_.size()), .depth = 0};
  int too_long = std::min(length_max, static_cast<int>(text.size())) + 1;
  // If an end of the text occurs, so do all shorter ones. Mostly the longest one does: a guess came
  // true, and the match has grown by it.
  int length = too_long - 1;
  while (longest.depth + 1 < too_long) {
    const Node found = find(text.last(static_cast<std::size_t>(length)));
    if (found.count() > 0) {
      longest = found;
    } else {
      too_long = length;
    }
    length = longest.depth + (too_long - longest.depth) / 2;
  }
  return longest;
}

void SuffixIndex::frequent_children(const Node& node, std::size_t count_min,
                                    std::vector<Child>& children) const {
  CHECK(count_min >= 1, "a child that does not occur is none");
  CHECK(node.depth < kOrderedTokens, "deeper down the order says nothing");
  const auto depth = static_cast<std::size_t>(node.depth);
  const auto id_at = [&](std::uint32_t suffix) { return text_[suffix + depth]; };
  const auto begin = order_.begin() + node.first;
  const auto end = order_.begin() + node.last;
  // Suffixes that go on alike lie side by side: so many of them reach one of the places that are so
  // far from each other.
  auto from = begin;
  for (std::size_t probe = count_min - 1; probe < node.count(); probe += count_min) {
    const auto at = begin + static_cast<std::ptrdiff_t>(probe);
    if (at < from) {
      continue;
    }
    const std::int32_t id = id_at(*at);
    const auto first =
        std::partition_point(from, at, [&](std::uint32_t s) { return id_at(s) < id; });
    const auto last =
        std::partition_point(at, end, [&](std::uint32_t s) { return id_at(s) <= id; });
    from = last;
    if (id != kSequenceEnd && static_cast<std::size_t>(last - first) >= count_min) {
      children.push_back({.id = id,
                          .node = {.first = static_cast<std::uint32_t>(first - order_.begin()),
                                   .last = static_cast<std::uint32_t>(last - order_.begin()),
                                   .depth = node.depth + 1}});
    }
  }
}

}  // namespace trialwright
