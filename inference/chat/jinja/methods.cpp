// The methods of Python's strings, dicts and lists.

#include <algorithm>
#include <array>

#include "base/text.h"
#include "inference/chat/jinja/arguments.h"
#include "inference/chat/jinja/builtins.h"
#include "inference/chat/jinja/format.h"
#include "inference/chat/jinja/operators.h"
#include "inference/chat/jinja/unicode.h"

namespace trialwright::jinja {

namespace {

using MethodBody = Result<Value> (*)(Context&, const Value& self, const CallArguments&);

struct NamedMethod {
  std::string_view name;
  MethodBody body;  ///< Null for a method that Python has and we do not.
};

Error wrong_argument(const Context& context, std::string_view what) {
  return context.error("this method needs " + std::string(what));
}

const Text* text_of(const Value* value) { return value == nullptr ? nullptr : value->text(); }

/// A limit such as the `maxsplit` of str.split: -1 if none was given.
Result<Int> limit_of(Context& context, const Value* value) {
  Int limit = -1;
  if (value != nullptr && !as_int(*value, &limit)) return wrong_argument(context, "a whole number");
  return limit;
}

template <bool left, bool right>
Result<Value> strip(Context& context, const Value& self, const CallArguments& arguments) {
  BIND(bound, "method", "chars");
  const Value* characters = (*bound)[0];
  if (characters != nullptr && characters->is<None>()) characters = nullptr;
  if (characters != nullptr && characters->text() == nullptr) {
    return wrong_argument(context, "a text");
  }
  return Value(stripped(context, *self.text(), text_of(characters), left, right));
}

template <void (*change)(std::string&, char32_t)>
Result<Value> change_case(Context& context, const Value& self, const CallArguments& arguments) {
  auto bound = bind_arguments(context, "method", {}, arguments);
  if (!bound) return bound.error();
  return changed_case(context, *self.text(), change);
}

Result<Value> capitalize(Context& context, const Value& self, const CallArguments& arguments) {
  auto bound = bind_arguments(context, "method", {}, arguments);
  if (!bound) return bound.error();
  return capitalized(context, *self.text(), append_title);
}

Result<Value> list_of_texts(Context& context, std::vector<Text> parts) {
  if (!context.spend_bytes(parts.size() * 96)) return context.error("");
  std::vector<Value> items(std::make_move_iterator(parts.begin()),
                           std::make_move_iterator(parts.end()));
  return make_list(context, std::move(items));
}

/// The first position from `begin` on where is_space is `wanted`, or the end.
std::size_t next_where_space_is(std::string_view text, std::size_t begin, bool wanted) {
  while (begin < text.size()) {
    const CodePoint c = decode_utf8(text.substr(begin));
    if (is_space(c.value) == wanted) break;
    begin += c.length;
  }
  return begin;
}

/// str.split() without a separator: runs of white space part, and none is kept at the ends. What is
/// left beyond the limit keeps the white space inside it and at its end, as in Python.
std::vector<Text> split_at_space(const Text& text, Int limit) {
  std::vector<Text> parts;
  std::size_t begin = next_where_space_is(text.bytes(), 0, false);
  while (begin < text.size()) {
    const bool last = limit >= 0 && static_cast<Int>(parts.size()) >= limit;
    const std::size_t end = last ? text.size() : next_where_space_is(text.bytes(), begin, true);
    parts.push_back(text.slice(begin, end));
    begin = next_where_space_is(text.bytes(), end, false);
  }
  return parts;
}

std::vector<Text> split_at(const Text& text, std::string_view separator, Int limit) {
  std::vector<Text> parts;
  std::size_t begin = 0;
  while (limit < 0 || static_cast<Int>(parts.size()) < limit) {
    const std::size_t found = find_text(text.bytes(), separator, begin);
    if (found == std::string_view::npos) break;
    parts.push_back(text.slice(begin, found));
    begin = found + separator.size();
  }
  parts.push_back(text.slice(begin, text.size()));
  return parts;
}

std::vector<Text> split_at_from_right(const Text& text, std::string_view separator, Int limit) {
  std::vector<Text> parts;
  std::size_t end = text.size();
  while (limit < 0 || static_cast<Int>(parts.size()) < limit) {
    if (end < separator.size()) break;
    const std::size_t found = text.bytes().rfind(separator, end - separator.size());
    if (found == std::string_view::npos) break;
    parts.push_back(text.slice(found + separator.size(), end));
    end = found;
  }
  parts.push_back(text.slice(0, end));
  std::ranges::reverse(parts);
  return parts;
}

template <bool from_right>
Result<Value> split_method(Context& context, const Value& self, const CallArguments& arguments) {
  BIND(bound, "method", "sep", "maxsplit");
  auto limit = limit_of(context, (*bound)[1]);
  if (!limit) return limit.error();
  const Value* separator = (*bound)[0];
  if (separator == nullptr || separator->is<None>()) {
    if (from_right && *limit >= 0) {
      return context.error("rsplit with a limit and no separator is not supported");
    }
    return list_of_texts(context, split_at_space(*self.text(), *limit));
  }
  const Text* text = separator->text();
  if (text == nullptr || text->empty())
    return wrong_argument(context, "a separator that is a text");
  if (from_right && !spend_for_search_from_right(context, self.text()->bytes(), text->bytes()))
    return context.error("");
  return list_of_texts(context, from_right
                                    ? split_at_from_right(*self.text(), text->bytes(), *limit)
                                    : split_at(*self.text(), text->bytes(), *limit));
}

Result<Value> split_lines(Context& context, const Value& self, const CallArguments& arguments) {
  auto bound = bind_arguments(context, "splitlines", {}, arguments);
  if (!bound) return bound.error();
  return list_of_texts(context, lines_of(*self.text()));
}

template <bool from_right>
Result<Value> partition(Context& context, const Value& self, const CallArguments& arguments) {
  BIND(bound, "method", "sep");
  const Text* separator = text_of((*bound)[0]);
  if (separator == nullptr || separator->empty()) {
    return wrong_argument(context, "a separator that is a text");
  }
  const Text& text = *self.text();
  if (from_right && !spend_for_search_from_right(context, text.bytes(), separator->bytes()))
    return context.error("");
  const std::size_t found = from_right ? text.bytes().rfind(separator->bytes())
                                       : find_text(text.bytes(), separator->bytes());
  if (found == std::string_view::npos) {
    if (from_right) return make_tuple(context, {Value(Text()), Value(Text()), Value(text)});
    return make_tuple(context, {Value(text), Value(Text()), Value(Text())});
  }
  const std::size_t end = found + separator->size();
  return make_tuple(context, {Value(text.slice(0, found)), Value(text.slice(found, end)),
                              Value(text.slice(end, text.size()))});
}

/// startswith and endswith take a text or a tuple of texts.
template <bool at_end>
Result<Value> has_affix(Context& context, const Value& self, const CallArguments& arguments) {
  BIND(bound, "method", "affix");
  const Value* affix = (*bound)[0];
  const std::string_view text = self.text()->bytes();
  const auto matches = [&](const Text& each) {
    return at_end ? text.ends_with(each.bytes()) : text.starts_with(each.bytes());
  };
  if (const Text* one = text_of(affix)) return Value(matches(*one));
  if (affix == nullptr || affix->sequence() == nullptr || !affix->sequence()->is_tuple) {
    return wrong_argument(context, "a text or a tuple of texts");
  }
  for (const Value& each : affix->sequence()->items) {
    if (each.text() == nullptr) return wrong_argument(context, "a tuple of texts");
    if (matches(*each.text())) return Value(true);
  }
  return Value(false);
}

template <bool at_end>
Result<Value> remove_affix(Context& context, const Value& self, const CallArguments& arguments) {
  BIND(bound, "method", "affix");
  const Text* affix = text_of((*bound)[0]);
  if (affix == nullptr) return wrong_argument(context, "a text");
  const Text& text = *self.text();
  if (at_end && text.bytes().ends_with(affix->bytes())) {
    return Value(text.slice(0, text.size() - affix->size()));
  }
  if (!at_end && text.bytes().starts_with(affix->bytes())) {
    return Value(text.slice(affix->size(), text.size()));
  }
  return self;
}

Result<Value> replace(Context& context, const Value& self, const CallArguments& arguments) {
  BIND(bound, "method", "old", "new", "count");
  const Text* from = text_of((*bound)[0]);
  const Text* to = text_of((*bound)[1]);
  if (from == nullptr || to == nullptr) return wrong_argument(context, "two texts");
  auto count = limit_of(context, (*bound)[2]);
  if (!count) return count.error();
  return replaced(context, *self.text(), *from, *to, *count);
}

/// Positions are counted in code points.
template <bool from_right>
Result<Value> find_method(Context& context, const Value& self, const CallArguments& arguments) {
  BIND(bound, "method", "sub");
  const Text* part = text_of((*bound)[0]);
  if (part == nullptr) return wrong_argument(context, "a text");
  const std::string_view text = self.text()->bytes();
  if (from_right && !spend_for_search_from_right(context, text, part->bytes()))
    return context.error("");
  const std::size_t found = from_right ? text.rfind(part->bytes()) : find_text(text, part->bytes());
  if (found == std::string_view::npos) return Value(Int{-1});
  return Value(static_cast<Int>(count_code_points(text.substr(0, found))));
}

Result<Value> count_of_text(Context& context, const Value& self, const CallArguments& arguments) {
  BIND(bound, "method", "sub");
  const Text* part = text_of((*bound)[0]);
  if (part == nullptr) return wrong_argument(context, "a text");
  if (part->empty()) return Value(static_cast<Int>(count_code_points(self.text()->bytes()) + 1));
  return Value(static_cast<Int>(split_at(*self.text(), part->bytes(), -1).size()) - 1);
}

Result<Value> join(Context& context, const Value& self, const CallArguments& arguments) {
  BIND(bound, "method", "iterable");
  if ((*bound)[0] == nullptr) return wrong_argument(context, "something to join");
  auto items = iterate(context, *(*bound)[0]);
  if (!items) return items.error();
  TextBuilder out = context.text_builder();
  for (std::size_t i = 0; i < items->size() && !out.full(); ++i) {
    const Text* text = (*items)[i].text();
    if (text == nullptr) return wrong_argument(context, "texts to join");
    if (i > 0) out.append(*self.text());
    out.append(*text);
  }
  return context.finish_value(out);
}

Result<Value> is_space_method(Context& context, const Value& self, const CallArguments& arguments) {
  auto bound = bind_arguments(context, "isspace", {}, arguments);
  if (!bound) return bound.error();
  return Value(!self.text()->empty() &&
               stripped(context, *self.text(), nullptr, true, false).empty());
}

/// Python's isdigit is true for digits of other scripts too; those are refused, not guessed at.
Result<Value> is_digit(Context& context, const Value& self, const CallArguments& arguments) {
  auto bound = bind_arguments(context, "isdigit", {}, arguments);
  if (!bound) return bound.error();
  const std::string_view text = self.text()->bytes();
  if (std::ranges::any_of(text,
                          [](char c) { return (static_cast<unsigned char>(c) & 0x80U) != 0; })) {
    return context.error("isdigit of a text beyond ASCII is not supported");
  }
  return Value(!text.empty() &&
               std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; }));
}

constexpr std::array kTextMethods = {
    NamedMethod{"capitalize", capitalize},
    NamedMethod{"count", count_of_text},
    NamedMethod{"endswith", has_affix<true>},
    NamedMethod{"find", find_method<false>},
    NamedMethod{"isdigit", is_digit},
    NamedMethod{"isspace", is_space_method},
    NamedMethod{"join", join},
    NamedMethod{"lower", change_case<append_lower>},
    NamedMethod{"lstrip", strip<true, false>},
    NamedMethod{"partition", partition<false>},
    NamedMethod{"removeprefix", remove_affix<false>},
    NamedMethod{"removesuffix", remove_affix<true>},
    NamedMethod{"replace", replace},
    NamedMethod{"rfind", find_method<true>},
    NamedMethod{"rpartition", partition<true>},
    NamedMethod{"rsplit", split_method<true>},
    NamedMethod{"rstrip", strip<false, true>},
    NamedMethod{"split", split_method<false>},
    NamedMethod{"splitlines", split_lines},
    NamedMethod{"startswith", has_affix<false>},
    NamedMethod{"strip", strip<true, true>},
    NamedMethod{"upper", change_case<append_upper>},
    NamedMethod{"casefold", nullptr},
    NamedMethod{"center", nullptr},
    NamedMethod{"encode", nullptr},
    NamedMethod{"expandtabs", nullptr},
    NamedMethod{"format", nullptr},
    NamedMethod{"format_map", nullptr},
    NamedMethod{"index", nullptr},
    NamedMethod{"isalnum", nullptr},
    NamedMethod{"isalpha", nullptr},
    NamedMethod{"isascii", nullptr},
    NamedMethod{"isdecimal", nullptr},
    NamedMethod{"isidentifier", nullptr},
    NamedMethod{"islower", nullptr},
    NamedMethod{"isnumeric", nullptr},
    NamedMethod{"isprintable", nullptr},
    NamedMethod{"istitle", nullptr},
    NamedMethod{"isupper", nullptr},
    NamedMethod{"ljust", nullptr},
    NamedMethod{"maketrans", nullptr},
    NamedMethod{"rindex", nullptr},
    NamedMethod{"rjust", nullptr},
    NamedMethod{"swapcase", nullptr},
    NamedMethod{"title", nullptr},
    NamedMethod{"translate", nullptr},
    NamedMethod{"zfill", nullptr},
};

template <DictView::Kind kind>
Result<Value> view(Context& context, const Value& self, const CallArguments& arguments) {
  auto bound = bind_arguments(context, "method", {}, arguments);
  if (!bound) return bound.error();
  return Value(DictView{kind, *self.get_if<std::shared_ptr<const Dict>>()}, self.from_input());
}

Result<Value> get(Context& context, const Value& self, const CallArguments& arguments) {
  BIND(bound, "method", "key", "default");
  if ((*bound)[0] == nullptr) return wrong_argument(context, "a key");
  const Value* found = self.dict()->find(context, *(*bound)[0]);
  if (found != nullptr) return *found;
  return (*bound)[1] != nullptr ? *(*bound)[1] : none_value();
}

Result<Value> copy(Context& context, const Value& self, const CallArguments& arguments) {
  auto bound = bind_arguments(context, "copy", {}, arguments);
  if (!bound) return bound.error();
  return self;
}

/// The sandbox that chat templates are written for forbids changing what they are given.
Result<Value> forbidden(Context& context, const Value& self, const CallArguments& arguments) {
  (void)arguments;
  return context.error("a template must not change a " + std::string(type_name(self)));
}

constexpr std::array kDictMethods = {
    NamedMethod{"copy", copy},
    NamedMethod{"get", get},
    NamedMethod{"items", view<DictView::Kind::Items>},
    NamedMethod{"keys", view<DictView::Kind::Keys>},
    NamedMethod{"values", view<DictView::Kind::Values>},
    NamedMethod{"clear", forbidden},
    NamedMethod{"pop", forbidden},
    NamedMethod{"popitem", forbidden},
    NamedMethod{"setdefault", forbidden},
    NamedMethod{"update", forbidden},
    NamedMethod{"fromkeys", nullptr},
};

Result<Value> count_of_item(Context& context, const Value& self, const CallArguments& arguments) {
  BIND(bound, "method", "value");
  if ((*bound)[0] == nullptr) return wrong_argument(context, "a value");
  return Value(
      static_cast<Int>(std::ranges::count_if(self.sequence()->items, [&](const Value& item) {
        return equal(context, item, *(*bound)[0]);
      })));
}

constexpr std::array kListMethods = {
    NamedMethod{"copy", copy},         NamedMethod{"count", count_of_item},
    NamedMethod{"append", forbidden},  NamedMethod{"clear", forbidden},
    NamedMethod{"extend", forbidden},  NamedMethod{"insert", forbidden},
    NamedMethod{"pop", forbidden},     NamedMethod{"remove", forbidden},
    NamedMethod{"reverse", forbidden}, NamedMethod{"sort", forbidden},
    NamedMethod{"index", nullptr},
};

const NamedMethod* find_method_of(const Value& object, std::string_view name) {
  std::span<const NamedMethod> methods;
  if (object.text() != nullptr) methods = kTextMethods;
  if (object.dict() != nullptr) methods = kDictMethods;
  if (object.sequence() != nullptr) methods = kListMethods;
  const auto found = std::ranges::find(methods, name, &NamedMethod::name);
  return found == methods.end() ? nullptr : &*found;
}

}  // namespace

bool has_method(const Value& object, std::string_view name) {
  return find_method_of(object, name) != nullptr;
}

Result<Value> call_method(Context& context, const Method& method, const CallArguments& arguments) {
  const NamedMethod* found = find_method_of(*method.self, method.name);
  if (found == nullptr || found->body == nullptr) {
    return context.error("the method \"" + method.name + "\" of a " +
                         std::string(type_name(*method.self)) + " is not supported");
  }
  if (method.self->is_markup()) {
    return context.error("a method of a text from the filter \"safe\" is not supported");
  }
  // Methods look through their text once.
  if (const Text* text = method.self->text();
      text != nullptr && !context.spend_steps(text->size() / 64)) {
    return context.error("");
  }
  return found->body(context, *method.self, arguments);
}

}  // namespace trialwright::jinja
