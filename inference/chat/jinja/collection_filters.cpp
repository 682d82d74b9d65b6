// Jinja's filters over lists and dicts.

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

Result<Value> items(Context& context, const Value& input, const CallArguments& arguments) {
  BIND(bound, "filter");
  if (input.is<Undefined>()) return make_stream(context, {});
  if (input.dict() == nullptr) {
    return context.error("\"items\" needs a dict, not a " + std::string(type_name(input)));
  }
  auto pairs =
      iterate(context,
              Value(DictView{DictView::Kind::Items, *input.get_if<std::shared_ptr<const Dict>>()}));
  if (!pairs) return pairs.error();
  return make_stream(context, *std::move(pairs));
}

Result<Value> list(Context& context, const Value& input, const CallArguments& arguments) {
  BIND(bound, "filter");
  auto values = iterate(context, input);
  if (!values) return values.error();
  return make_list(context, *std::move(values), input.from_input());
}

Result<Value> first(Context& context, const Value& input, const CallArguments& arguments) {
  BIND(bound, "filter");
  const Sequence* sequence = input.sequence();
  // Only one item is wanted, so a list is not copied.
  if (sequence != nullptr && !sequence->items.empty()) return sequence->items.front();
  auto values = iterate(context, input);
  if (!values) return values.error();
  return values->empty() ? undefined_value("there is no first item") : values->front();
}

Result<Value> last(Context& context, const Value& input, const CallArguments& arguments) {
  BIND(bound, "filter");
  if (input.is<std::shared_ptr<Stream>>()) return context.error("a generator has no last item");
  const Sequence* sequence = input.sequence();
  if (sequence != nullptr && !sequence->items.empty()) return sequence->items.back();
  auto values = iterate(context, input);
  if (!values) return values.error();
  return values->empty() ? undefined_value("there is no last item") : values->back();
}

Result<Value> reverse(Context& context, const Value& input, const CallArguments& arguments) {
  BIND(bound, "filter");
  auto values = iterate(context, input);
  if (!values) return values.error();
  std::ranges::reverse(*values);
  if (input.text() == nullptr) return make_stream(context, *std::move(values));
  TextBuilder out = context.text_builder();
  for (const Value& character : *values) out.append(*character.text());
  return context.finish_value(out);
}

/// An attribute path such as "function.name", looked up item by item; whole numbers are positions.
Result<Value> at_path(Context& context, const Value& object, const Value& path) {
  if (path.text() == nullptr) return get_item(context, object, path);
  Value current = object;
  for (const std::string_view part : split(path.text()->bytes(), '.')) {
    const bool number =
        !part.empty() && std::ranges::all_of(part, [](char c) { return c >= '0' && c <= '9'; });
    if (number && part.size() > 9) return context.error("a position in an attribute is too large");
    auto next =
        get_item(context, current,
                 number ? Value(Int{std::stoi(std::string(part))}) : text_value(std::string(part)));
    if (!next) return next;
    current = *std::move(next);
  }
  return current;
}

Result<Value> join(Context& context, const Value& input, const CallArguments& arguments) {
  BIND(bound, "filter", "d", "attribute");
  Text separator;
  if ((*bound)[0] != nullptr) {
    auto text = to_text(context, *(*bound)[0]);
    if (!text) return text.error();
    separator = *std::move(text);
  }
  auto values = iterate(context, input);
  if (!values) return values.error();
  TextBuilder out = context.text_builder();
  for (std::size_t i = 0; i < values->size() && !out.full(); ++i) {
    Value value = (*values)[i];
    if ((*bound)[1] != nullptr && !(*bound)[1]->is<None>()) {
      auto attribute = at_path(context, value, *(*bound)[1]);
      if (!attribute) return attribute;
      value = *std::move(attribute);
    }
    if (i > 0) out.append(separator);
    auto done = append_text(context, out, value);
    if (!done) return done.error();
  }
  return context.finish_value(out);
}

/// Sorts by one key each, as Python's sort: stable, and `reverse` keeps equal items in order.
Result<std::vector<Value>> sorted(Context& context, std::vector<Value> items,
                                  const std::vector<Value>& keys, bool descending) {
  std::vector<std::size_t> order(items.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::optional<Error> failure;
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
    if (failure) return false;
    auto sign =
        descending ? compare(context, keys[b], keys[a]) : compare(context, keys[a], keys[b]);
    if (!sign) failure = sign.error();
    return sign && *sign < 0;
  });
  if (failure) return *failure;
  std::vector<Value> out;
  for (const std::size_t i : order) out.push_back(items[i]);
  return out;
}

/// What a sort compares: the value or its attribute, texts in lower case unless told otherwise.
Result<Value> sort_key(Context& context, const Value& value, const Value* attribute,
                       bool case_sensitive) {
  Value key = value;
  if (attribute != nullptr && !attribute->is<None>()) {
    auto found = at_path(context, value, *attribute);
    if (!found) return found;
    key = *std::move(found);
  }
  if (key.text() != nullptr && !case_sensitive)
    return changed_case(context, *key.text(), append_lower);
  return key;
}

Result<Value> sort(Context& context, const Value& input, const CallArguments& arguments) {
  BIND(bound, "filter", "reverse", "case_sensitive", "attribute");
  auto values = iterate(context, input);
  if (!values) return values.error();
  std::vector<Value> keys;
  for (const Value& value : *values) {
    auto key = sort_key(context, value, (*bound)[2], flag_of((*bound)[1]));
    if (!key) return key;
    keys.push_back(*std::move(key));
  }
  auto order = sorted(context, *std::move(values), keys, flag_of((*bound)[0]));
  if (!order) return order.error();
  return make_list(context, *std::move(order));
}

Result<Value> dictsort(Context& context, const Value& input, const CallArguments& arguments) {
  BIND(bound, "filter", "case_sensitive", "by", "reverse");
  if (const auto* undefined = input.get_if<Undefined>())
    return undefined_error(context, *undefined);
  if (input.dict() == nullptr) {
    return context.error("\"dictsort\" needs a dict, not a " + std::string(type_name(input)));
  }
  const Text* by = (*bound)[1] == nullptr ? nullptr : (*bound)[1]->text();
  const bool by_value = by != nullptr && by->bytes() == "value";
  if ((*bound)[1] != nullptr && !by_value && (by == nullptr || by->bytes() != "key")) {
    return context.error("\"dictsort\" sorts by key or by value");
  }
  std::vector<Value> pairs;
  std::vector<Value> keys;
  for (const Dict::Entry& entry : input.dict()->entries) {
    auto pair = make_tuple(context, {entry.first, entry.second});
    if (!pair) return pair;
    pairs.push_back(*std::move(pair));
    auto key =
        sort_key(context, by_value ? entry.second : entry.first, nullptr, flag_of((*bound)[0]));
    if (!key) return key;
    keys.push_back(*std::move(key));
  }
  auto order = sorted(context, std::move(pairs), keys, flag_of((*bound)[2]));
  if (!order) return order.error();
  return make_list(context, *std::move(order));
}

template <bool wants_largest>
Result<Value> extreme(Context& context, const Value& input, const CallArguments& arguments) {
  BIND(bound, "filter", "case_sensitive", "attribute");
  auto values = iterate(context, input);
  if (!values) return values.error();
  std::optional<std::pair<Value, Value>> best;
  for (const Value& value : *values) {
    auto key = sort_key(context, value, (*bound)[1], flag_of((*bound)[0]));
    if (!key) return key;
    if (best) {
      auto order = compare(context, *key, best->first);
      if (!order) return order.error();
      if (wants_largest ? *order <= 0 : *order >= 0) continue;
    }
    best = {*std::move(key), value};
  }
  return best ? best->second : undefined_value("there is no item to choose from");
}

Result<Value> unique(Context& context, const Value& input, const CallArguments& arguments) {
  BIND(bound, "filter", "case_sensitive", "attribute");
  auto values = iterate(context, input);
  if (!values) return values.error();
  std::vector<Value> kept;
  std::vector<Value> keys;
  for (const Value& value : *values) {
    auto key = sort_key(context, value, (*bound)[1], flag_of((*bound)[0]));
    if (!key) return key;
    if (std::ranges::any_of(keys, [&](const Value& each) { return equal(context, each, *key); }))
      continue;
    keys.push_back(*std::move(key));
    kept.push_back(value);
  }
  return make_stream(context, std::move(kept));
}

Result<Value> sum(Context& context, const Value& input, const CallArguments& arguments) {
  BIND(bound, "filter", "attribute", "start");
  auto values = iterate(context, input);
  if (!values) return values.error();
  Result<Value> total = (*bound)[1] == nullptr ? Value(Int{0}) : *(*bound)[1];
  for (const Value& value : *values) {
    Result<Value> term = value;
    if ((*bound)[0] != nullptr && !(*bound)[0]->is<None>())
      term = at_path(context, value, *(*bound)[0]);
    if (!term) return term;
    total = calculate(context, Arithmetic::Add, *total, *term);
    if (!total) return total;
  }
  return total;
}

/// The name given first to `map`, `select` and their like, and the arguments that it is called
/// with.
struct Callee {
  std::string name;
  CallArguments arguments;
};

Result<Callee> callee_of(Context& context, const CallArguments& arguments, std::size_t skipped) {
  const Value& first = arguments.positional[skipped];
  if (first.text() == nullptr) return context.error("a filter or test is named by a text");
  Callee callee{std::string(first.text()->bytes()), {}};
  callee.arguments.positional.assign(
      arguments.positional.begin() + static_cast<std::ptrdiff_t>(skipped) + 1,
      arguments.positional.end());
  callee.arguments.named = arguments.named;
  return callee;
}

Result<Value> map_attribute(Context& context, const std::vector<Value>& values,
                            const CallArguments& arguments) {
  BIND(bound, "filter", "attribute", "default");
  std::vector<Value> out;
  for (const Value& value : values) {
    auto found = at_path(context, value, *(*bound)[0]);
    if (!found) return found;
    const bool missing = found->is<Undefined>() && (*bound)[1] != nullptr;
    out.push_back(missing ? *(*bound)[1] : *std::move(found));
  }
  return make_stream(context, std::move(out));
}

Result<Value> map(Context& context, const Value& input, const CallArguments& arguments) {
  // Jinja does not even look at the arguments where there is nothing to map; so it is with none.
  if (!truthy(input)) return make_stream(context, {});
  auto values = iterate(context, input);
  if (!values) return values.error();
  if (arguments.positional.empty()) {
    const bool names_attribute = std::ranges::any_of(
        arguments.named, [](const auto& named) { return named.first == "attribute"; });
    if (!names_attribute) return context.error("\"map\" needs a filter or an attribute");
    return map_attribute(context, *values, arguments);
  }
  auto callee = callee_of(context, arguments, 0);
  if (!callee) return callee.error();
  const Filter filter = find_filter(callee->name);
  if (filter == nullptr)
    return context.error("the filter \"" + callee->name + "\" is not supported");
  std::vector<Value> out;
  for (const Value& value : *values) {
    if (!context.spend_steps(1)) return context.error("");
    auto mapped = filter(context, value, callee->arguments);
    if (!mapped) return mapped;
    out.push_back(*std::move(mapped));
  }
  return make_stream(context, std::move(out));
}

/// select, reject, selectattr and rejectattr: items for which a test holds, or does not.
template <bool wanted, bool by_attribute>
Result<Value> select(Context& context, const Value& input, const CallArguments& arguments) {
  if (!truthy(input)) return make_stream(context, {});
  auto values = iterate(context, input);
  if (!values) return values.error();
  constexpr std::size_t kTestAt = by_attribute ? 1 : 0;
  if (by_attribute && arguments.positional.empty()) return context.error("an attribute is needed");
  Callee callee;
  Test test = nullptr;
  if (arguments.positional.size() > kTestAt) {
    auto found = callee_of(context, arguments, kTestAt);
    if (!found) return found.error();
    callee = *std::move(found);
    test = find_test(callee.name);
    if (test == nullptr) return context.error("the test \"" + callee.name + "\" is not supported");
  }
  std::vector<Value> out;
  for (const Value& value : *values) {
    if (!context.spend_steps(1)) return context.error("");
    Result<Value> subject = value;
    if (by_attribute) subject = at_path(context, value, arguments.positional[0]);
    if (!subject) return subject;
    Result<bool> holds = truthy(*subject);
    if (test != nullptr) holds = test(context, *subject, callee.arguments);
    if (!holds) return holds.error();
    if (*holds == wanted) out.push_back(value);
  }
  return make_stream(context, std::move(out));
}

struct NamedFilter {
  std::string_view name;
  Filter filter;
};

constexpr std::array kFilters = {
    NamedFilter{"dictsort", dictsort},
    NamedFilter{"first", first},
    NamedFilter{"items", items},
    NamedFilter{"join", join},
    NamedFilter{"last", last},
    NamedFilter{"list", list},
    NamedFilter{"map", map},
    NamedFilter{"max", extreme<true>},
    NamedFilter{"min", extreme<false>},
    NamedFilter{"reject", select<false, false>},
    NamedFilter{"rejectattr", select<false, true>},
    NamedFilter{"reverse", reverse},
    NamedFilter{"select", select<true, false>},
    NamedFilter{"selectattr", select<true, true>},
    NamedFilter{"sort", sort},
    NamedFilter{"sum", sum},
    NamedFilter{"unique", unique},
};

}  // namespace

Filter find_collection_filter(std::string_view name) {
  const auto* found = std::ranges::find(kFilters, name, &NamedFilter::name);
  return found == kFilters.end() ? nullptr : found->filter;
}

}  // namespace trialwright::jinja
