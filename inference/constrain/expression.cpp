#include "inference/constrain/expression.h"

#include <algorithm>
#include <array>
#include <map>
#include <tuple>

namespace trialwright {

namespace {

/// Appends UTF-8 sequences from one state to another, sharing what they end with.
class Utf8Writer {
 public:
  Utf8Writer(AutomatonBuilder& builder, StateId from, StateId to)
      : builder_(builder), from_(from), to_(to) {}

  void add(std::span<const ByteRange> sequence) {
    StateId to = to_;
    for (std::size_t i = sequence.size() - 1; i > 0; --i) to = before(sequence[i], to);
    builder_.bytes(from_, sequence[0].first, sequence[0].last, to);
  }

 private:
  StateId before(ByteRange range, StateId to) {
    const auto [known, is_new] = states_.try_emplace({range.first, range.last, to}, 0);
    if (is_new) {
      known->second = builder_.state();
      builder_.bytes(known->second, range.first, range.last, to);
    }
    return known->second;
  }

  AutomatonBuilder& builder_;
  StateId from_;
  StateId to_;
  std::map<std::tuple<std::uint8_t, std::uint8_t, StateId>, StateId> states_;
};

/// Source: RFC 8259, section 7.
constexpr std::array<std::pair<char32_t, char>, 7> kShortEscapes = {
    {{'"', '"'}, {'\\', '\\'}, {'\b', 'b'}, {'\f', 'f'}, {'\n', 'n'}, {'\r', 'r'}, {'\t', 't'}}};

const CharSet& escaped_in_json() {
  static const CharSet escaped = CharSet::of({{0, 0x1F}, {'"', '"'}, {'\\', '\\'}, {0x7F, 0x7F}});
  return escaped;
}

bool has_short_escape(char32_t value) {
  return std::ranges::any_of(kShortEscapes,
                             [value](const auto& escape) { return escape.first == value; });
}

void append_json_escapes(AutomatonBuilder& builder, StateId from, const CharSet& chars,
                         StateId to) {
  StateId after_backslash = 0;
  const auto backslash = [&]() {
    if (after_backslash == 0) after_backslash = builder.literal(from, "\\");
    return after_backslash;
  };
  for (const auto& [value, letter] : kShortEscapes) {
    if (!chars.contains(value)) continue;
    const auto byte = static_cast<std::uint8_t>(letter);
    builder.bytes(backslash(), byte, byte, to);
  }
  StateId number = 0;
  std::map<char32_t, StateId> after_first_digit;
  for (const CodePointRange& range : escaped_in_json().ranges()) {
    for (char32_t value = range.first; value <= range.last; ++value) {
      if (has_short_escape(value) || !chars.contains(value)) continue;
      constexpr std::string_view kHex = "0123456789abcdef";
      if (number == 0) number = builder.literal(backslash(), "u00");
      const auto [digit, is_new] = after_first_digit.try_emplace(value / 16, 0);
      if (is_new) digit->second = builder.literal(number, kHex.substr(value / 16, 1));
      const auto last = static_cast<std::uint8_t>(kHex[value % 16]);
      builder.bytes(digit->second, last, last, to);
    }
  }
}

}  // namespace

Expression Expression::one_of(CharSet chars) {
  return {Kind::Chars, std::move(chars), {}, 0, 0, 0};
}
Expression Expression::sequence(std::vector<Expression> parts) {
  if (parts.size() == 1) return std::move(parts.front());
  return {Kind::Sequence, {}, std::move(parts), 0, 0, 0};
}
Expression Expression::choice(std::vector<Expression> parts) {
  const auto is_char = [](const Expression& part) { return part.kind == Kind::Chars; };
  if (!parts.empty() && std::ranges::all_of(parts, is_char)) {
    CharSet chars;
    for (const Expression& part : parts) chars.add(part.chars);
    return one_of(std::move(chars));
  }
  return {Kind::Choice, {}, std::move(parts), 0, 0, 0};
}
Expression Expression::repeat(Expression part, std::uint32_t min, std::uint32_t max) {
  std::vector<Expression> parts;
  parts.push_back(std::move(part));
  return {Kind::Repeat, {}, std::move(parts), min, max, 0};
}
Expression Expression::call(RuleId rule) { return {Kind::Call, {}, {}, 0, 0, rule}; }

StateId append_char(AutomatonBuilder& builder, StateId from, const CharSet& chars,
                    Spelling spelling) {
  const StateId to = builder.state();
  CharSet written = chars;
  if (spelling == Spelling::InJsonString) {
    append_json_escapes(builder, from, chars, to);
    written = chars.without(escaped_in_json());
  }
  Utf8Writer writer(builder, from, to);
  for (const CodePointRange& range : written.ranges()) {
    for_each_utf8_sequence(range,
                           [&](std::span<const ByteRange> sequence) { writer.add(sequence); });
  }
  return to;
}

StateId append(AutomatonBuilder& builder, StateId from, const Expression& expression,
               Spelling spelling) {
  switch (expression.kind) {
    case Expression::Kind::Chars:
      return append_char(builder, from, expression.chars, spelling);
    case Expression::Kind::Sequence:
      for (const Expression& part : expression.parts) from = append(builder, from, part, spelling);
      return from;
    case Expression::Kind::Choice: {
      const StateId end = builder.state();
      for (const Expression& part : expression.parts) {
        builder.epsilon(append(builder, from, part, spelling), end);
      }
      return end;
    }
    case Expression::Kind::Repeat: {
      const Expression& part = expression.parts.front();
      for (std::uint32_t i = 0; i < expression.min && !builder.full(); ++i) {
        const StateId next = append(builder, from, part, spelling);
        if (next == from) break;  // The empty text, as often as one likes.
        from = next;
      }
      const StateId end = builder.state();
      builder.epsilon(from, end);
      if (expression.max == Expression::kUnbounded) {
        builder.epsilon(append(builder, end, part, spelling), end);
        return end;
      }
      for (std::uint32_t i = expression.min; i < expression.max && !builder.full(); ++i) {
        const StateId next = append(builder, from, part, spelling);
        if (next == from) break;
        from = next;
        builder.epsilon(from, end);
      }
      return end;
    }
    case Expression::Kind::Call:
      return builder.call(from, expression.rule);
  }
  return from;
}

}  // namespace trialwright
