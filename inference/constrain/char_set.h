#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace trialwright {

/// Code points from `first` to `last`, both of them included.
struct CodePointRange {
  char32_t first = 0;
  char32_t last = 0;

  friend bool operator==(const CodePointRange&, const CodePointRange&) = default;
};

/// A set of Unicode scalar values (code points without the surrogates).
class CharSet {
 public:
  static CharSet all();
  static CharSet of(std::initializer_list<CodePointRange> ranges);

  void add(char32_t first, char32_t last);
  void add(const CharSet& other);
  /// All the others.
  [[nodiscard]] CharSet inverted() const;
  [[nodiscard]] CharSet without(const CharSet& other) const;
  [[nodiscard]] bool contains(char32_t value) const;
  [[nodiscard]] bool empty() const { return ranges_.empty(); }
  /// Ascending and apart from each other.
  [[nodiscard]] std::span<const CodePointRange> ranges() const { return ranges_; }

 private:
  std::vector<CodePointRange> ranges_;
};

struct ByteRange {
  std::uint8_t first = 0;
  std::uint8_t last = 0;
};

/// Calls `take` with sequences of up to four byte ranges that together match exactly the UTF-8 of
/// the range's scalar values, each once.
void for_each_utf8_sequence(CodePointRange range,
                            const std::function<void(std::span<const ByteRange>)>& take);

}  // namespace trialwright
