#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace trialwright::jinja {

/// A stretch of a text that has one origin. It starts where the run before it ends.
struct Run {
  std::size_t end = 0;
  bool from_input = false;  ///< It came out of messages, tools or variables.
};

/// How many runs a text may have. A conversation of a million messages has as many.
constexpr std::size_t kRunsMax = 2'000'000;

/// UTF-8 text that remembers which of its bytes came from input.
///
/// Immutable and cheap to copy. Positions are bytes and lie on code point boundaries.
class Text {
 public:
  Text() = default;
  Text(std::string bytes, bool from_input);

  [[nodiscard]] std::string_view bytes() const;
  [[nodiscard]] std::size_t size() const { return bytes().size(); }
  [[nodiscard]] bool empty() const { return bytes().empty(); }
  /// The runs cover the whole text, and neighbours differ in origin.
  [[nodiscard]] std::span<const Run> runs() const;
  [[nodiscard]] bool any_from_input() const;
  [[nodiscard]] Text slice(std::size_t begin, std::size_t end) const;

 private:
  friend class TextBuilder;
  struct Content {
    std::string bytes;
    std::vector<Run> runs;
  };
  explicit Text(std::shared_ptr<const Content> content) : content_(std::move(content)) {}
  std::shared_ptr<const Content> content_;  ///< Null for the empty text.
};

/// Puts texts together and keeps their marks.
///
/// Takes no more than `bytes_max` and `kRunsMax`: what would exceed them is left out and `full` is
/// true from then on.
class TextBuilder {
 public:
  explicit TextBuilder(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  void append(std::string_view bytes, bool from_input);
  void append(const Text& text) { append(text, 0, text.size()); }
  /// The bytes [begin, end) of `text`.
  void append(const Text& text, std::size_t begin, std::size_t end);

  [[nodiscard]] bool full() const { return full_; }
  /// What the text takes up in memory. A run is larger than a byte, so a text that changes its
  /// origin at every byte takes up many times its size.
  [[nodiscard]] std::size_t bytes_held() const {
    return content_.bytes.size() + content_.runs.size() * sizeof(Run);
  }
  /// What was put together; the builder is then empty.
  [[nodiscard]] Text take();

 private:
  Text::Content content_;
  std::size_t bytes_max_;
  bool full_ = false;
};

}  // namespace trialwright::jinja
