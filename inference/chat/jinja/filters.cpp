// Jinja's filters: what stands after `|`.

#include <algorithm>
#include <array>
#include <cmath>

#include "base/text.h"
#include "inference/chat/jinja/arguments.h"
#include "inference/chat/jinja/builtins.h"
#include "inference/chat/jinja/format.h"
#include "inference/chat/jinja/operators.h"
#include "inference/chat/jinja/unicode.h"

namespace trialwright::jinja {

namespace {

Result<Value> length_filter(Context& context, const Value& input, const CallArguments& arguments) {
  BIND(bound, "filter");
  auto size = length(context, input);
  if (!size) return size.error();
  return Value(*size);
}

Result<Value> default_filter(Context& context, const Value& input, const CallArguments& arguments) {
  BIND(bound, "filter", "default_value", "boolean");
  const bool missing = input.is<Undefined>() || (flag_of((*bound)[1]) && !truthy(input));
  if (!missing) return input;
  return (*bound)[0] == nullptr ? Value(Text()) : *(*bound)[0];
}

Result<Value> trim(Context& context, const Value& input, const CallArguments& arguments) {
  BIND(bound, "filter", "chars");
  auto text = to_text(context, input);
  if (!text) return text.error();
  const Value* characters = (*bound)[0];
  if (characters != nullptr && characters->is<None>()) characters = nullptr;
  if (characters != nullptr && characters->text() == nullptr) {
    return context.error("\"trim\" needs its characters as a text");
  }
  const Text* set = characters == nullptr ? nullptr : characters->text();
  return Value(stripped(context, *text, set, true, true)).as_markup(input.is_markup());
}

Result<Value> string(Context& context, const Value& input, const CallArguments& arguments) {
  BIND(bound, "filter");
  auto text = to_text(context, input);
  if (!text) return text.error();
  return Value(*std::move(text)).as_markup(input.is_markup());
}

template <void (*change)(std::string&, char32_t)>
Result<Value> change_case(Context& context, const Value& input, const CallArguments& arguments) {
  BIND(bound, "filter");
  auto text = to_text(context, input);
  if (!text) return text.error();
  auto changed = changed_case(context, *text, change);
  return changed ? changed->as_markup(input.is_markup()) : changed;
}

Result<Value> capitalize(Context& context, const Value& input, const CallArguments& arguments) {
  BIND(bound, "filter");
  auto text = to_text(context, input);
  if (!text) return text.error();
  return capitalized(context, *text, append_title);
}

/// Jinja's own title: words start after white space, hyphens and opening brackets.
Result<Value> title(Context& context, const Value& input, const CallArguments& arguments) {
  BIND(bound, "filter");
  auto text = to_text(context, input);
  if (!text) return text.error();
  TextBuilder out = context.text_builder();
  bool starts = true;
  std::size_t begin = 0;
  for (const Run& run : text->runs()) {
    std::string part;
    while (begin < run.end) {
      const CodePoint c = decode_utf8(text->bytes().substr(begin));
      if (starts) {
        append_upper(part, c.value);
      } else {
        append_lower(part, c.value);
      }
      starts = is_space(c.value) || c.value == '-' || c.value == '(' || c.value == '{' ||
               c.value == '[' || c.value == '<';
      begin += c.length;
    }
    out.append(part, run.from_input);
  }
  return context.finish_value(out);
}

Result<Value> replace(Context& context, const Value& input, const CallArguments& arguments) {
  BIND(bound, "filter", "old", "new", "count");
  if ((*bound)[0] == nullptr || (*bound)[1] == nullptr) {
    return context.error("\"replace\" needs the old and the new text");
  }
  auto text = to_text(context, input);
  auto from = to_text(context, *(*bound)[0]);
  auto to = to_text(context, *(*bound)[1]);
  for (const auto* each : {&text, &from, &to}) {
    if (!*each) return each->error();
  }
  Int count = -1;
  const Value* limit = (*bound)[2];
  if (limit != nullptr && !limit->is<None>() && !as_int(*limit, &count)) {
    return context.error("\"replace\" needs its count as a whole number");
  }
  return replaced(context, *text, *from, *to, count);
}

/// What one level of indentation is, given as a text or as a number of spaces.
Result<Text> indentation(Context& context, const Value& width) {
  if (const Text* text = width.text()) return *text;
  Int spaces = 0;
  if (!as_int(width, &spaces)) return context.error("an indentation is a number or a text");
  if (spaces > 1000) return context.error("an indentation of more than 1000 is not supported");
  return Text(std::string(static_cast<std::size_t>(std::max<Int>(spaces, 0)), ' '), false);
}

Result<Value> indent(Context& context, const Value& input, const CallArguments& arguments) {
  BIND(bound, "filter", "width", "first", "blank");
  auto level = indentation(context, (*bound)[0] == nullptr ? Value(Int{4}) : *(*bound)[0]);
  if (!level) return level.error();
  auto text = to_text(context, input);
  if (!text) return text.error();
  // Jinja adds a line end first, so that one at the end of the text is kept.
  TextBuilder extended = context.text_builder();
  extended.append(*text);
  extended.append("\n", false);
  auto whole = context.finish(extended);
  if (!whole) return whole.error();
  const std::vector<Text> lines = lines_of(*whole);
  if (!context.spend_bytes(lines.size() * 96)) return context.error("");
  const bool blank = flag_of((*bound)[2]);
  TextBuilder out = context.text_builder();
  if (flag_of((*bound)[1])) out.append(*level);
  for (std::size_t i = 0; i < lines.size() && !out.full(); ++i) {
    if (i > 0) {
      out.append("\n", false);
      if (blank || !lines[i].empty()) out.append(*level);
    }
    out.append(lines[i]);
  }
  return context.finish_value(out);
}

Result<Value> tojson(Context& context, const Value& input, const CallArguments& arguments) {
  BIND(bound, "filter", "ensure_ascii", "indent", "separators", "sort_keys");
  JsonStyle style;
  style.ensure_ascii = flag_of((*bound)[0]);
  style.sort_keys = flag_of((*bound)[3]);
  if ((*bound)[1] != nullptr && !(*bound)[1]->is<None>()) {
    auto level = indentation(context, *(*bound)[1]);
    if (!level) return level.error();
    style.indent = *std::move(level);
    style.item_separator = Text(",", false);
  }
  if (const Value* separators = (*bound)[2]; separators != nullptr && !separators->is<None>()) {
    const Sequence* pair = separators->sequence();
    if (pair == nullptr || pair->items.size() != 2 || pair->items[0].text() == nullptr ||
        pair->items[1].text() == nullptr) {
      return context.error("\"separators\" must be two texts");
    }
    style.item_separator = *pair->items[0].text();
    style.key_separator = *pair->items[1].text();
  }
  auto text = to_json_text(context, input, style);
  if (!text) return text.error();
  return Value(*std::move(text));
}

Result<Value> safe(Context& context, const Value& input, const CallArguments& arguments) {
  auto text = string(context, input, arguments);
  return text ? text->as_markup() : text;
}

Result<Value> abs_filter(Context& context, const Value& input, const CallArguments& arguments) {
  BIND(bound, "filter");
  auto negative = in_order(context, Ordering::Less, input, Value(Int{0}));
  if (!negative) return negative.error();
  return *negative ? negate(context, input) : input;
}

Result<Value> int_filter(Context& context, const Value& input, const CallArguments& arguments) {
  BIND(bound, "filter", "default");
  const Value otherwise = (*bound)[0] == nullptr ? Value(Int{0}) : *(*bound)[0];
  Int number = 0;
  if (as_int(input, &number)) return Value(number, input.from_input());
  if (const auto* real = input.get_if<double>()) {
    if (!std::isfinite(*real)) return otherwise;
    if (std::abs(*real) > 1e18) return context.error("a whole number grows too large");
    return Value(static_cast<Int>(*real), input.from_input());
  }
  if (input.text() == nullptr) return otherwise;
  // Python reads more forms (1_000, other scripts' digits, "1.5"); plain digits are what is used.
  const Text text = stripped(context, *input.text(), nullptr, true, true);
  std::string_view digits = text.bytes();
  const bool negative = digits.starts_with('-');
  if (negative || digits.starts_with('+')) digits.remove_prefix(1);
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (!digits.empty() && std::ranges::all_of(digits, is_digit)) {
    if (digits.size() > 30) return context.error("a whole number grows too large");
    for (const char c : digits) number = number * 10 + (c - '0');
    return Value(negative ? -number : number, text.any_from_input());
  }
  if (std::ranges::any_of(digits, is_digit)) {
    return context.error("\"int\" of a text that is more than digits is not supported");
  }
  return otherwise;
}

struct NamedFilter {
  std::string_view name;
  Filter filter;
};

constexpr std::array kFilters = {
    NamedFilter{"abs", abs_filter},
    NamedFilter{"capitalize", capitalize},
    NamedFilter{"count", length_filter},
    NamedFilter{"d", default_filter},
    NamedFilter{"default", default_filter},
    NamedFilter{"indent", indent},
    NamedFilter{"int", int_filter},
    NamedFilter{"length", length_filter},
    NamedFilter{"lower", change_case<append_lower>},
    NamedFilter{"replace", replace},
    NamedFilter{"safe", safe},
    NamedFilter{"string", string},
    NamedFilter{"title", title},
    NamedFilter{"tojson", tojson},
    NamedFilter{"trim", trim},
    NamedFilter{"upper", change_case<append_upper>},
};

}  // namespace

Filter find_filter(std::string_view name) {
  const auto* found = std::ranges::find(kFilters, name, &NamedFilter::name);
  return found == kFilters.end() ? find_collection_filter(name) : found->filter;
}

}  // namespace trialwright::jinja
