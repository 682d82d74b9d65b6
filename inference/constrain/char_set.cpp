#include "inference/constrain/char_set.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/text.h"

namespace trialwright {

namespace {

constexpr char32_t kLast = 0x10FFFF;
constexpr CodePointRange kSurrogates = {0xD800, 0xDFFF};

/// All code points of `range` have UTF-8 of one length; cuts it until in each part every byte runs
/// through a range of its own whatever the others are.
void cut(CodePointRange range, const std::function<void(std::span<const ByteRange>)>& take) {
  for (unsigned bits = 6; bits <= 18; bits += 6) {
    const char32_t low = (char32_t{1} << bits) - 1;  // What the last bytes tell.
    if ((range.first & ~low) == (range.last & ~low)) continue;
    if ((range.first & low) != 0) {
      cut({range.first, range.first | low}, take);
      cut({(range.first | low) + 1, range.last}, take);
      return;
    }
    if ((range.last & low) != low) {
      cut({range.first, (range.last & ~low) - 1}, take);
      cut({range.last & ~low, range.last}, take);
      return;
    }
  }
  std::string first;
  std::string last;
  append_utf8(first, range.first);
  append_utf8(last, range.last);
  std::array<ByteRange, 4> sequence;
  for (std::size_t i = 0; i < first.size(); ++i) {
    sequence[i] = {static_cast<std::uint8_t>(first[i]), static_cast<std::uint8_t>(last[i])};
  }
  take(std::span<const ByteRange>(sequence).first(first.size()));
}

}  // namespace

CharSet CharSet::all() { return of({{0, kLast}}); }

CharSet CharSet::of(std::initializer_list<CodePointRange> ranges) {
  CharSet set;
  for (const CodePointRange& range : ranges) set.add(range.first, range.last);
  return set;
}

void CharSet::add(char32_t first, char32_t last) {
  if (first < kSurrogates.first && last > kSurrogates.last) {
    add(first, kSurrogates.first - 1);
    first = kSurrogates.last + 1;
  }
  if (first >= kSurrogates.first && first <= kSurrogates.last) first = kSurrogates.last + 1;
  if (last >= kSurrogates.first && last <= kSurrogates.last) last = kSurrogates.first - 1;
  last = std::min(last, kLast);
  if (first > last) return;
  // What touches the new range becomes part of it.
  const auto begin = std::ranges::find_if(
      ranges_, [&](const CodePointRange& range) { return range.last + 1 >= first; });
  auto end = begin;
  while (end != ranges_.end() && end->first <= last + 1) {
    first = std::min(first, end->first);
    last = std::max(last, end->last);
    ++end;
  }
  ranges_.insert(ranges_.erase(begin, end), {first, last});
}

void CharSet::add(const CharSet& other) {
  for (const CodePointRange& range : other.ranges_) add(range.first, range.last);
}

CharSet CharSet::inverted() const {
  CharSet others;
  char32_t next = 0;
  for (const CodePointRange& range : ranges_) {
    if (range.first > next) others.add(next, range.first - 1);
    next = range.last + 1;
  }
  if (next <= kLast) others.add(next, kLast);
  return others;
}

CharSet CharSet::without(const CharSet& other) const {
  CharSet kept = inverted();
  kept.add(other);
  return kept.inverted();
}

bool CharSet::contains(char32_t value) const {
  return std::ranges::any_of(ranges_, [value](const CodePointRange& range) {
    return range.first <= value && value <= range.last;
  });
}

void for_each_utf8_sequence(CodePointRange range,
                            const std::function<void(std::span<const ByteRange>)>& take) {
  constexpr std::array<CodePointRange, 5> kSameLength = {
      {{0, 0x7F}, {0x80, 0x7FF}, {0x800, 0xD7FF}, {0xE000, 0xFFFF}, {0x10000, kLast}}};
  for (const CodePointRange& part : kSameLength) {
    const CodePointRange common = {std::max(range.first, part.first),
                                   std::min(range.last, part.last)};
    if (common.first <= common.last) cut(common, take);
  }
}

}  // namespace trialwright
