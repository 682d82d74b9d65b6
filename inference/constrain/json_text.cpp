#include "inference/constrain/json_text.h"

#include <algorithm>
#include <limits>

#include "base/check.h"

namespace trialwright {

namespace {

constexpr std::int64_t kIntegerMax = 999'999'999'999'999'999;  // kIntegerDigitsMax nines.

std::uint8_t byte_of(char c) { return static_cast<std::uint8_t>(c); }

/// Appends the numbers of as many digits as `min` and `max` have, between the two.
StateId append_between(AutomatonBuilder& builder, StateId from, std::string_view min,
                       std::string_view max, StateId to) {
  enum Bound : unsigned { kLow = 1, kHigh = 2 };
  // While all digits so far are those of a limit, the next one must keep to it.
  std::array<StateId, 4> at = {0, 0, 0, from};
  std::array<bool, 4> used = {false, false, false, true};
  for (std::size_t i = 0; i < min.size(); ++i) {
    const bool is_last = i + 1 == min.size();
    std::array<StateId, 4> next = {0, 0, 0, 0};
    std::array<bool, 4> next_used = {false, false, false, false};
    for (unsigned bounds = 0; bounds < 4; ++bounds) {
      if (!used[bounds]) continue;
      const char low = (bounds & kLow) != 0 ? min[i] : '0';
      const char high = (bounds & kHigh) != 0 ? max[i] : '9';
      for (char digit = low; digit <= high; ++digit) {
        const unsigned still = ((bounds & kLow) != 0 && digit == low ? kLow : 0U) |
                               ((bounds & kHigh) != 0 && digit == high ? kHigh : 0U);
        if (is_last) {
          builder.bytes(at[bounds], byte_of(digit), byte_of(digit), to);
          continue;
        }
        if (!next_used[still]) {
          next[still] = builder.state();
          next_used[still] = true;
        }
        builder.bytes(at[bounds], byte_of(digit), byte_of(digit), next[still]);
      }
    }
    at = next;
    used = next_used;
  }
  return to;
}

Expression one_of(std::initializer_list<CodePointRange> ranges) {
  return Expression::one_of(CharSet::of(ranges));
}

/// What a string may hold: characters, short escapes, and numbered ones in which surrogates come in
/// pairs only. Source: RFC 8259, section 7.
StateId append_any_content(AutomatonBuilder& builder, StateId from) {
  const StateId loop = builder.state();
  builder.epsilon(from, loop);
  CharSet plain = CharSet::of({{0, 0x1F}, {'"', '"'}, {'\\', '\\'}, {0x7F, 0x7F}}).inverted();
  builder.epsilon(append_char(builder, loop, plain, Spelling::Plain), loop);
  const StateId escape = builder.literal(loop, "\\");
  for (const char c : std::string_view("\"\\/bfnrt")) {
    builder.bytes(escape, byte_of(c), byte_of(c), loop);
  }
  const Expression hex = one_of({{'0', '9'}, {'A', 'F'}, {'a', 'f'}});
  const auto add = [&](StateId at, std::vector<Expression> digits) {
    return append(builder, at, Expression::sequence(std::move(digits)), Spelling::Plain);
  };
  const StateId number = builder.literal(escape, "u");
  const Expression d = one_of({{'D', 'D'}, {'d', 'd'}});
  const Expression not_d = one_of({{'0', '9'}, {'A', 'C'}, {'E', 'F'}, {'a', 'c'}, {'e', 'f'}});
  const Expression high = one_of({{'8', '9'}, {'A', 'B'}, {'a', 'b'}});
  const Expression low = one_of({{'C', 'F'}, {'c', 'f'}});
  builder.epsilon(add(number, {not_d, hex, hex, hex}), loop);
  builder.epsilon(add(number, {d, one_of({{'0', '7'}}), hex, hex}), loop);
  const StateId pair = builder.literal(add(number, {d, high, hex, hex}), "\\u");
  builder.epsilon(add(pair, {d, low, hex, hex}), loop);
  return loop;
}

}  // namespace

StateId JsonText::optional_space(StateId from) {
  const StateId to = builder_.state();
  builder_.epsilon(from, to);
  builder_.bytes(from, ' ', ' ', to);
  return to;
}

StateId JsonText::colon(StateId from) { return optional_space(builder_.literal(from, ":")); }
StateId JsonText::comma(StateId from) { return optional_space(builder_.literal(from, ",")); }

StateId JsonText::key(StateId from, std::string_view name) {
  return colon(builder_.literal(from, to_text(Json(name))));
}

StateId JsonText::value(StateId from) { return builder_.call(from, any_value_rule()); }

/// Objects and arrays are within the rule of values, so that depth counts once a level.
RuleId JsonText::any_value_rule() {
  if (value_) return *value_;
  value_ = builder_.declare("JSON value");
  const StateId start = builder_.state();
  const StateId end = builder_.state();
  builder_.epsilon(object(start), end);
  builder_.epsilon(array(start), end);
  builder_.epsilon(string(start), end);
  builder_.epsilon(number(start), end);
  for (const std::string_view word : {"true", "false", "null"}) {
    builder_.epsilon(builder_.literal(start, word), end);
  }
  builder_.define(*value_, start, end);
  return *value_;
}

StateId JsonText::object(StateId from) {
  const StateId open = builder_.literal(from, "{");
  const StateId first = builder_.state();
  builder_.epsilon(open, first);
  const StateId member = value(colon(string(first)));
  builder_.epsilon(comma(member), first);
  const StateId close = builder_.literal(member, "}");
  builder_.bytes(open, '}', '}', close);
  return close;
}

StateId JsonText::array(StateId from) {
  const StateId open = builder_.literal(from, "[");
  const StateId first = builder_.state();
  builder_.epsilon(open, first);
  const StateId item = value(first);
  builder_.epsilon(comma(item), first);
  const StateId close = builder_.literal(item, "]");
  builder_.bytes(open, ']', ']', close);
  return close;
}

StateId JsonText::string(StateId from) {
  if (!string_) {
    string_ = builder_.declare("JSON string");
    const StateId start = builder_.state();
    const StateId content = append_any_content(builder_, builder_.literal(start, "\""));
    builder_.define(*string_, start, builder_.literal(content, "\""));
  }
  return builder_.call(from, *string_);
}

StateId JsonText::string(StateId from, const Expression& content) {
  const StateId open = builder_.literal(from, "\"");
  return builder_.literal(append(builder_, open, content, Spelling::InJsonString), "\"");
}

StateId JsonText::digits(StateId from, std::uint32_t min, std::uint32_t max) {
  return append(builder_, from, Expression::repeat(one_of({{'0', '9'}}), min, max),
                Spelling::Plain);
}

StateId JsonText::integer(StateId from) {
  if (!integer_) {
    integer_ = builder_.declare("JSON integer");
    const StateId start = builder_.state();
    builder_.define(*integer_, start, integer(start, {}));
  }
  return builder_.call(from, *integer_);
}

/// The numbers from `min` to `max`, neither of them negative.
StateId JsonText::natural(StateId from, std::int64_t min, std::int64_t max) {
  const StateId to = builder_.state();
  if (max < min) return to;
  // Length by length.
  const std::string last = std::to_string(max);
  for (std::string low = std::to_string(min); low.size() <= last.size();
       low = "1" + std::string(low.size(), '0')) {
    const std::string high = low.size() == last.size() ? last : std::string(low.size(), '9');
    append_between(builder_, from, low, high, to);
  }
  return to;
}

StateId JsonText::integer(StateId from, const IntegerRange& range) {
  const std::int64_t min = std::max(range.min.value_or(-kIntegerMax), -kIntegerMax);
  const std::int64_t max = std::min(range.max.value_or(kIntegerMax), kIntegerMax);
  const StateId to = builder_.state();
  if (max >= 0) builder_.epsilon(natural(from, std::max<std::int64_t>(min, 0), max), to);
  if (min < 0 && min <= max) {
    const StateId minus = builder_.literal(from, "-");
    builder_.epsilon(natural(minus, max < 0 ? -max : 1, -min), to);
  }
  return to;
}

void JsonText::fraction(StateId from, StateId to) {
  builder_.epsilon(digits(builder_.literal(from, "."), 1, kFractionDigitsMax), to);
}

StateId JsonText::number(StateId from) {
  if (number_) return builder_.call(from, *number_);
  number_ = builder_.declare("JSON number");
  const StateId start = builder_.state();
  const StateId whole = builder_.state();
  builder_.epsilon(natural(start, 0, kIntegerMax), whole);
  builder_.epsilon(natural(builder_.literal(start, "-"), 0, kIntegerMax), whole);
  const StateId decimal = builder_.state();
  builder_.epsilon(whole, decimal);
  fraction(whole, decimal);
  const StateId end = builder_.state();
  builder_.epsilon(decimal, end);
  const StateId exponent = builder_.state();
  builder_.bytes(decimal, 'E', 'E', exponent);
  builder_.bytes(decimal, 'e', 'e', exponent);
  const StateId sign = builder_.state();
  builder_.epsilon(exponent, sign);
  builder_.bytes(exponent, '+', '+', sign);
  builder_.bytes(exponent, '-', '-', sign);
  builder_.epsilon(digits(sign, 1, kExponentDigitsMax), end);
  builder_.define(*number_, start, end);
  return builder_.call(from, *number_);
}

/// A number between whole limits is a limit itself, perhaps with zeros behind it, or has a whole
/// part between them and any fraction.
StateId JsonText::number(StateId from, const IntegerRange& range) {
  if (!range.min && !range.max) return number(from);
  const std::int64_t min = std::max(range.min.value_or(-kIntegerMax), -kIntegerMax);
  const std::int64_t max = std::min(range.max.value_or(kIntegerMax), kIntegerMax);
  const StateId to = builder_.state();
  if (max < min) return to;
  const auto up_to = [&](StateId at, std::int64_t low, std::int64_t high) {
    if (high > low) {
      const StateId whole = natural(at, low, high - 1);
      builder_.epsilon(whole, to);
      fraction(whole, to);
    }
    const StateId limit = builder_.literal(at, std::to_string(high));
    builder_.epsilon(limit, to);
    const Expression zeros = Expression::repeat(one_of({{'0', '0'}}), 1, kFractionDigitsMax);
    builder_.epsilon(append(builder_, builder_.literal(limit, "."), zeros, Spelling::Plain), to);
  };
  if (max >= 0) up_to(from, std::max<std::int64_t>(min, 0), max);
  if (min < 0) up_to(builder_.literal(from, "-"), max < 0 ? -max : 0, -min);
  return to;
}

StateId JsonText::constant(StateId from, const Json& value) {
  if (value.is_object()) {
    StateId at = builder_.literal(from, "{");
    bool is_first = true;
    for (const auto& [name, inner] : value.items()) {
      if (!is_first) at = comma(at);
      is_first = false;
      at = constant(key(at, name), inner);
    }
    return builder_.literal(at, "}");
  }
  if (value.is_array()) {
    StateId at = builder_.literal(from, "[");
    bool is_first = true;
    for (const Json& inner : value) {
      if (!is_first) at = comma(at);
      is_first = false;
      at = constant(at, inner);
    }
    return builder_.literal(at, "]");
  }
  return builder_.literal(from, to_text(value));
}

}  // namespace trialwright
