// The string functions that filters and methods share.

#include <algorithm>
#include <cstring>

#include "base/text.h"
#include "inference/chat/jinja/builtins.h"
#include "inference/chat/jinja/unicode.h"

namespace trialwright::jinja {

namespace {

/// The code points of a text, in order of their values.
std::vector<char32_t> sorted_code_points(std::string_view text) {
  std::vector<char32_t> values;
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint each = decode_utf8(text.substr(i));
    values.push_back(each.value);
    i += each.length;
  }
  std::ranges::sort(values);
  return values;
}

std::size_t start_of_last_code_point(std::string_view text) {
  std::size_t i = text.size() - 1;
  while (i > 0 && (static_cast<unsigned char>(text[i]) & 0xc0U) == 0x80U) --i;
  return i;
}

bool is_line_end(char32_t c) {
  return (c >= 0xa && c <= 0xd) || (c >= 0x1c && c <= 0x1e) || c == 0x85 || c == 0x2028 ||
         c == 0x2029;
}

}  // namespace

std::size_t find_text(std::string_view text, std::string_view part, std::size_t begin) {
  if (begin > text.size()) return std::string_view::npos;
  const void* const found =
      ::memmem(text.data() + begin, text.size() - begin, part.data(), part.size());
  if (found == nullptr) return std::string_view::npos;
  return static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
}

bool spend_for_search_from_right(Context& context, std::string_view text, std::string_view part) {
  return context.spend_steps(text.size() / 64 * part.size());
}

Text stripped(Context& context, const Text& text, const Text* characters, bool left, bool right) {
  const std::size_t set_size = characters == nullptr ? 0 : characters->size();
  if (!context.spend_steps(text.size() / 64 + set_size / 16)) return text;
  const std::vector<char32_t> set =
      sorted_code_points(characters == nullptr ? std::string_view() : characters->bytes());
  const auto goes = [&](char32_t c) {
    return characters == nullptr ? is_space(c) : std::ranges::binary_search(set, c);
  };
  const std::string_view bytes = text.bytes();
  std::size_t begin = 0;
  std::size_t end = bytes.size();
  while (left && begin < end) {
    const CodePoint c = decode_utf8(bytes.substr(begin));
    if (!goes(c.value)) break;
    begin += c.length;
  }
  while (right && begin < end) {
    const std::size_t last = start_of_last_code_point(bytes.substr(0, end));
    if (!goes(decode_utf8(bytes.substr(last)).value)) break;
    end = last;
  }
  return text.slice(begin, end);
}

Result<Value> replaced(Context& context, const Text& text, const Text& from, const Text& to,
                       Int count) {
  TextBuilder out = context.text_builder();
  const std::string_view bytes = text.bytes();
  if (!context.spend_steps(bytes.size() / 64)) return context.error("");
  std::size_t done = 0;
  Int made = 0;
  if (from.empty()) {
    // Python puts the new text before each code point and at the end.
    for (std::size_t i = 0; !out.full() && (count < 0 || made < count); ++made) {
      out.append(to);
      if (i >= bytes.size()) break;
      const std::size_t next = i + decode_utf8(bytes.substr(i)).length;
      out.append(text, i, next);
      done = i = next;
    }
    out.append(text, done, bytes.size());
    return context.finish_value(out);
  }
  while (!out.full() && (count < 0 || made < count)) {
    const std::size_t found = find_text(bytes, from.bytes(), done);
    if (found == std::string_view::npos) break;
    out.append(text, done, found);
    out.append(to);
    done = found + from.size();
    ++made;
  }
  out.append(text, done, bytes.size());
  return context.finish_value(out);
}

std::vector<Text> lines_of(const Text& text) {
  std::vector<Text> lines;
  const std::string_view bytes = text.bytes();
  std::size_t begin = 0;
  for (std::size_t i = 0; i < bytes.size();) {
    const CodePoint c = decode_utf8(bytes.substr(i));
    std::size_t next = i + c.length;
    if (is_line_end(c.value)) {
      if (c.value == '\r' && next < bytes.size() && bytes[next] == '\n') ++next;
      lines.push_back(text.slice(begin, i));
      begin = next;
    }
    i = next;
  }
  if (begin < bytes.size()) lines.push_back(text.slice(begin, bytes.size()));
  return lines;
}

namespace {

/// Appends the code points of the bytes [begin, end) through `change`, each with its mark.
void append_changed(TextBuilder& out, const Text& text, std::size_t begin, std::size_t end,
                    void (*change)(std::string& out, char32_t c)) {
  for (const Run& run : text.runs()) {
    const std::size_t stop = std::min(end, run.end);
    std::string part;
    for (std::size_t i = begin; i < stop;) {
      const CodePoint c = decode_utf8(text.bytes().substr(i));
      change(part, c.value);
      i += c.length;
    }
    out.append(part, run.from_input);
    begin = std::max(begin, stop);
  }
}

}  // namespace

Result<Value> changed_case(Context& context, const Text& text,
                           void (*change)(std::string& out, char32_t c)) {
  TextBuilder out = context.text_builder();
  append_changed(out, text, 0, text.size(), change);
  return context.finish_value(out);
}

Result<Value> capitalized(Context& context, const Text& text,
                          void (*first)(std::string& out, char32_t c)) {
  if (text.empty()) return Value(text);
  TextBuilder out = context.text_builder();
  const std::size_t second = decode_utf8(text.bytes()).length;
  append_changed(out, text, 0, second, first);
  append_changed(out, text, second, text.size(), append_lower);
  return context.finish_value(out);
}

}  // namespace trialwright::jinja
