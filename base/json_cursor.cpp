#include "base/json_cursor.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace trialwright {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::optional<char32_t> four_hex_digits(std::string_view text) {
  unsigned value = 0;
  if (text.size() < 4) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + 4, value, 16);
  if (error != std::errc() || end != text.data() + 4) return std::nullopt;
  return static_cast<char32_t>(value);
}

bool is_high_surrogate(char32_t value) { return value >= 0xD800 && value < 0xDC00; }
bool is_low_surrogate(char32_t value) { return value >= 0xDC00 && value < 0xE000; }

/// Reads the escape that begins with the backslash at `at`, and moves on behind it. False, with
/// `at` somewhere in the escape, if JSON (RFC 8259, section 7) has no such escape.
bool read_escape(std::string_view text, std::size_t& at, std::string* out) {
  constexpr std::string_view kNames = "\"\\/bfnrt";
  constexpr std::string_view kValues = "\"\\/\b\f\n\r\t";
  ++at;
  if (at >= text.size()) return false;
  if (const std::size_t found = kNames.find(text[at]); found != std::string_view::npos) {
    if (out != nullptr) *out += kValues[found];
    ++at;
    return true;
  }
  if (text[at] != 'u') return false;
  auto value = four_hex_digits(text.substr(at + 1));
  if (!value || is_low_surrogate(*value)) return false;
  at += 5;
  if (is_high_surrogate(*value)) {
    if (!text.substr(at).starts_with("\\u")) return false;
    const auto low = four_hex_digits(text.substr(at + 2));
    if (!low || !is_low_surrogate(*low)) return false;
    at += 6;
    value = 0x10000 + ((*value - 0xD800) << 10U) + (*low - 0xDC00);
  }
  if (out != nullptr) append_utf8(*out, *value);
  return true;
}

}  // namespace

const Error& JsonCursor::error() const {
  CHECK(error_, "asked a walk that went well for its error");
  return *error_;
}

void JsonCursor::fail(std::string_view what) {
  if (error_) return;
  const auto end = text_.begin() + static_cast<std::ptrdiff_t>(std::min(at_, text_.size()));
  error_ = invalid(std::string(what) + " at line " +
                   std::to_string(1 + std::count(text_.begin(), end, '\n')) + ", byte " +
                   std::to_string(at_ + 1));
}

void JsonCursor::skip_space() {
  while (at_ < text_.size() &&
         (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t')) {
    ++at_;
  }
}

bool JsonCursor::comes(char first) {
  if (error_) return false;
  skip_space();
  return peek() == first;
}

bool JsonCursor::enter(char open) {
  if (!comes(open)) {
    fail(open == '{' ? "an object was expected" : "a list was expected");
    return false;
  }
  if (open_.size() >= static_cast<std::size_t>(kJsonDepthMax)) {
    fail("JSON is nested too deeply");
    return false;
  }
  ++at_;
  open_ += open == '{' ? '}' : ']';
  first_ = true;
  return true;
}

bool JsonCursor::enter_object() { return enter('{'); }
bool JsonCursor::enter_array() { return enter('['); }

/// True if another member or element of the innermost object or array comes.
bool JsonCursor::next(char close) {
  if (error_) return false;
  CHECK(!open_.empty() && open_.back() == close, "only what was entered is walked through");
  const bool comma_first = !first_;
  first_ = false;
  if (comes(close)) {
    ++at_;
    open_.pop_back();
    return false;
  }
  if (!comma_first) return true;
  if (!comes(',')) {
    fail("not valid JSON");
    return false;
  }
  ++at_;
  return true;
}

std::optional<std::string> JsonCursor::next_key() {
  if (!next('}')) return std::nullopt;
  if (!at_text()) fail("not valid JSON");
  auto key = text();
  if (!key) return std::nullopt;
  if (!comes(':')) {
    fail("not valid JSON");
    return std::nullopt;
  }
  ++at_;
  return key;
}

bool JsonCursor::next_element() {
  if (!next(']')) return false;
  // "[1,]" ends here, where a value is missing.
  if (comes(']')) fail("not valid JSON");
  return !failed();
}

bool JsonCursor::skip_string() {
  const std::size_t begin = at_;
  bool right = true;
  for (++at_; right && at_ < text_.size() && text_[at_] != '"';) {
    if (text_[at_] == '\\') {
      right = read_escape(text_, at_, nullptr);
    } else {
      right = static_cast<unsigned char>(text_[at_]) >= 0x20;
      ++at_;
    }
  }
  if (!right || at_ >= text_.size() || !is_utf8(text_.substr(begin, at_ - begin))) {
    fail("not valid JSON");
    return false;
  }
  ++at_;
  return true;
}

std::optional<std::string> JsonCursor::text() {
  if (!comes('"')) {
    fail("a text was expected");
    return std::nullopt;
  }
  const std::size_t begin = at_ + 1;
  if (!skip_string()) return std::nullopt;
  const std::string_view inside = text_.substr(begin, at_ - 1 - begin);
  std::string value;
  value.reserve(inside.size());
  for (std::size_t at = 0; at < inside.size();) {
    if (inside[at] == '\\') {
      CHECK(read_escape(inside, at, &value), "the string was gone over before");
    } else {
      value += inside[at++];
    }
  }
  return value;
}

bool JsonCursor::skip_number() {
  const auto digits = [this] {
    const std::size_t begin = at_;
    while (is_digit(peek())) ++at_;
    return at_ > begin;
  };
  if (peek() == '-') ++at_;
  bool right = peek() == '0' ? (++at_, true) : digits();
  if (right && peek() == '.') {
    ++at_;
    right = digits();
  }
  if (right && (peek() == 'e' || peek() == 'E')) {
    ++at_;
    if (peek() == '+' || peek() == '-') ++at_;
    right = digits();
  }
  if (!right) fail("not valid JSON");
  return right;
}

std::optional<std::int64_t> JsonCursor::integer() {
  if (error_) return std::nullopt;
  skip_space();
  const std::size_t begin = at_;
  if (peek() != '-' && !is_digit(peek())) {
    fail("a whole number was expected");
    return std::nullopt;
  }
  if (!skip_number()) return std::nullopt;
  std::int64_t value = 0;
  const char* const from = text_.data() + begin;
  const char* const to = text_.data() + at_;
  if (const auto [end, error] = std::from_chars(from, to, value);
      error != std::errc() || end != to) {
    at_ = begin;
    fail("a whole number of 64 bits was expected");
    return std::nullopt;
  }
  return value;
}

bool JsonCursor::skip_word(std::string_view word) {
  if (!text_.substr(at_).starts_with(word)) {
    fail("not valid JSON");
    return false;
  }
  at_ += word.size();
  return true;
}

std::optional<bool> JsonCursor::boolean() {
  const bool value = comes('t');
  if (!value && !comes('f')) {
    fail("true or false was expected");
    return std::nullopt;
  }
  if (!skip_word(value ? "true" : "false")) return std::nullopt;
  return value;
}

std::string_view JsonCursor::skip() {
  if (error_) return {};
  skip_space();
  const std::size_t begin = at_;
  // Walks over nested values by going into them, up to where this one ends.
  const std::size_t depth = open_.size();
  do {
    if (open_.size() > depth) {
      const bool more = open_.back() == '}' ? next_key().has_value() : next_element();
      if (!more) continue;
    }
    if (at_object() || at_array()) {
      enter(peek());
    } else if (at_text()) {
      skip_string();
    } else if (comes('t')) {
      skip_word("true");
    } else if (comes('f')) {
      skip_word("false");
    } else if (at_null()) {
      skip_word("null");
    } else {
      skip_number();
    }
  } while (!error_ && open_.size() > depth);
  return error_ ? std::string_view() : text_.substr(begin, at_ - begin);
}

bool JsonCursor::finish() {
  if (error_) return false;
  skip_space();
  if (!open_.empty() || at_ != text_.size()) fail("not valid JSON");
  return !failed();
}

Result<std::map<std::string, std::string_view>> json_members(std::string_view text) {
  JsonCursor cursor(text);
  std::map<std::string, std::string_view> members;
  cursor.enter_object();
  while (!cursor.failed()) {
    const auto key = cursor.next_key();
    if (!key) break;
    const std::string_view value = cursor.skip();
    if (!members.emplace(*key, value).second) cursor.fail("a key that occurs twice ends");
  }
  if (!cursor.finish()) return cursor.error();
  return members;
}

}  // namespace trialwright
