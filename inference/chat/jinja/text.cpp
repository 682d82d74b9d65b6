#include "inference/chat/jinja/text.h"

#include <algorithm>
#include <utility>

namespace trialwright::jinja {

Text::Text(std::string bytes, bool from_input) {
  if (bytes.empty()) return;
  const std::size_t size = bytes.size();
  content_ = std::make_shared<const Content>(Content{std::move(bytes), {{size, from_input}}});
}

std::string_view Text::bytes() const {
  return content_ == nullptr ? std::string_view() : std::string_view(content_->bytes);
}

std::span<const Run> Text::runs() const {
  return content_ == nullptr ? std::span<const Run>() : std::span<const Run>(content_->runs);
}

bool Text::any_from_input() const {
  return std::ranges::any_of(runs(), [](const Run& run) { return run.from_input; });
}

Text Text::slice(std::size_t begin, std::size_t end) const {
  if (begin == 0 && end == size()) return *this;
  TextBuilder builder(end - begin);
  builder.append(*this, begin, end);
  return builder.take();
}

void TextBuilder::append(std::string_view bytes, bool from_input) {
  if (bytes.empty() || full_) return;
  const bool goes_on = !content_.runs.empty() && content_.runs.back().from_input == from_input;
  if (bytes.size() > bytes_max_ - content_.bytes.size() ||
      (!goes_on && content_.runs.size() >= kRunsMax)) {
    full_ = true;
    return;
  }
  content_.bytes += bytes;
  if (goes_on) {
    content_.runs.back().end = content_.bytes.size();
  } else {
    content_.runs.push_back({content_.bytes.size(), from_input});
  }
}

void TextBuilder::append(const Text& text, std::size_t begin, std::size_t end) {
  const std::span<const Run> runs = text.runs();
  auto run = std::ranges::upper_bound(runs, begin, {}, &Run::end);
  while (begin < end && run != runs.end()) {
    const std::size_t stop = std::min(end, run->end);
    append(text.bytes().substr(begin, stop - begin), run->from_input);
    begin = stop;
    ++run;
  }
}

Text TextBuilder::take() {
  if (content_.bytes.empty()) return {};
  return Text(std::make_shared<const Text::Content>(std::exchange(content_, {})));
}

}  // namespace trialwright::jinja
