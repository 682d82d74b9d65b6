#include "inference/chat/jinja/value.h"

#include <algorithm>

#include "base/text.h"
#include "inference/chat/jinja/context.h"
#include "inference/chat/jinja/operators.h"

namespace trialwright::jinja {

namespace {

/// Above this many entries a dict has an index of its string keys.
constexpr std::size_t kIndexedFrom = 16;

int depth_of(const Value& value) {
  if (const Sequence* sequence = value.sequence()) return sequence->depth;
  if (const Dict* dict = value.dict()) return dict->depth;
  if (const auto* stream = value.get_if<std::shared_ptr<Stream>>()) return (*stream)->depth;
  if (const auto* view = value.get_if<DictView>()) return view->dict->depth + 1;
  if (const auto* method = value.get_if<Method>()) return method->depth;
  if (const auto* loop = value.get_if<std::shared_ptr<const LoopState>>()) {
    return (*loop)->items->depth + 1;
  }
  return 0;
}

/// The depth of a container of these items. Errors: too deep, or too many items.
Result<int> container_depth(Context& context, const std::vector<Value>& items) {
  int depth = 0;
  for (const Value& item : items) depth = std::max(depth, depth_of(item));
  if (depth >= context.limits().container_depth) {
    return context.error("values are nested too deeply");
  }
  if (items.size() > context.limits().items) return context.error("a list grows too long");
  if (!context.spend_bytes(64 + items.size() * sizeof(Value)) ||
      !context.spend_steps(items.size() / 8)) {
    return context.error("");
  }
  return depth + 1;
}

bool hashable(const Value& key) {
  if (const Sequence* sequence = key.sequence()) return sequence->is_hashable;
  return key.dict() == nullptr;
}

Result<Value> make_sequence(Context& context, std::vector<Value> items, bool is_tuple,
                            bool from_input) {
  auto depth = container_depth(context, items);
  if (!depth) return depth.error();
  const bool is_hashable = is_tuple && std::ranges::all_of(items, hashable);
  return Value(
      std::make_shared<const Sequence>(Sequence{std::move(items), is_tuple, *depth, is_hashable}),
      from_input);
}

}  // namespace

const Value* Dict::find(std::string_view key) const {
  if (!positions.empty()) {
    const auto found = positions.find(key);
    return found == positions.end() ? nullptr : &entries[found->second].second;
  }
  for (const Entry& entry : entries) {
    const Text* text = entry.first.text();
    if (text != nullptr && text->bytes() == key) return &entry.second;
  }
  return nullptr;
}

const Value* Dict::find(Context& context, const Value& key) const {
  if (const Text* text = key.text()) return context.spend_steps(1) ? find(text->bytes()) : nullptr;
  if (!context.spend_steps(1 + entries.size() / 8)) return nullptr;
  for (const Entry& entry : entries) {
    if (entry.first.text() == nullptr && keys_equal(context, entry.first, key)) {
      return &entry.second;
    }
  }
  return nullptr;
}

const Sequence* Value::sequence() const {
  const auto* pointer = std::get_if<std::shared_ptr<const Sequence>>(&content_);
  return pointer == nullptr ? nullptr : pointer->get();
}

const Dict* Value::dict() const {
  const auto* pointer = std::get_if<std::shared_ptr<const Dict>>(&content_);
  return pointer == nullptr ? nullptr : pointer->get();
}

Value none_value() { return Value(None{}); }

Value text_value(std::string bytes, bool from_input) {
  return Value(Text(std::move(bytes), from_input));
}

Value undefined_value(std::string reason) {
  return Value(Undefined{std::make_shared<const std::string>(std::move(reason))});
}

std::string_view type_name(const Value& value) {
  struct Namer {
    std::string_view operator()(const Undefined&) const { return "undefined"; }
    std::string_view operator()(const None&) const { return "None"; }
    std::string_view operator()(bool) const { return "bool"; }
    std::string_view operator()(Int) const { return "int"; }
    std::string_view operator()(double) const { return "float"; }
    std::string_view operator()(const Text&) const { return "str"; }
    std::string_view operator()(const std::shared_ptr<const Sequence>& sequence) const {
      return sequence->is_tuple ? "tuple" : "list";
    }
    std::string_view operator()(const std::shared_ptr<const Dict>&) const { return "dict"; }
    std::string_view operator()(const Range&) const { return "range"; }
    std::string_view operator()(const std::shared_ptr<Stream>&) const { return "generator"; }
    std::string_view operator()(const DictView&) const { return "dict view"; }
    std::string_view operator()(Namespace*) const { return "namespace"; }
    std::string_view operator()(Macro*) const { return "macro"; }
    std::string_view operator()(const GlobalFunction*) const { return "function"; }
    std::string_view operator()(const Method&) const { return "method"; }
    std::string_view operator()(const std::shared_ptr<const LoopState>&) const { return "loop"; }
  };
  return std::visit(Namer{}, value.content());
}

bool truthy(const Value& value) {
  if (value.is<Undefined>() || value.is<None>()) return false;
  double number = 0;
  if (as_double(value, &number)) return number != 0;
  if (const Text* text = value.text()) return !text->empty();
  if (const Sequence* sequence = value.sequence()) return !sequence->items.empty();
  if (const Dict* dict = value.dict()) return !dict->entries.empty();
  if (const auto* view = value.get_if<DictView>()) return !view->dict->entries.empty();
  if (const auto* range = value.get_if<Range>()) return range->size != 0;
  return true;
}

bool as_int(const Value& value, Int* out) {
  if (const auto* number = value.get_if<Int>()) {
    *out = *number;
    return true;
  }
  if (const auto* flag = value.get_if<bool>()) {
    *out = *flag ? 1 : 0;
    return true;
  }
  return false;
}

bool as_double(const Value& value, double* out) {
  Int number = 0;
  if (as_int(value, &number)) {
    *out = static_cast<double>(number);
    return true;
  }
  if (const auto* real = value.get_if<double>()) {
    *out = *real;
    return true;
  }
  return false;
}

Result<Value> make_list(Context& context, std::vector<Value> items, bool from_input) {
  return make_sequence(context, std::move(items), false, from_input);
}

Result<Value> make_tuple(Context& context, std::vector<Value> items) {
  return make_sequence(context, std::move(items), true, false);
}

Result<Value> make_stream(Context& context, std::vector<Value> items) {
  auto depth = container_depth(context, items);
  if (!depth) return depth.error();
  return Value(std::make_shared<Stream>(Stream{std::move(items), false, *depth}));
}

Result<Value> make_method(Context& context, const Value& self, std::string_view name) {
  auto depth = container_depth(context, {self});
  if (!depth) return depth.error();
  return Value(Method{std::make_shared<const Value>(self), std::string(name), *depth});
}

Result<Value> make_dict(Context& context, std::vector<Dict::Entry> entries, bool from_input) {
  auto dict = std::make_shared<Dict>();
  std::vector<Value> values;
  for (Dict::Entry& entry : entries) {
    if (!hashable(entry.first)) {
      return context.error("a " + std::string(type_name(entry.first)) + " cannot be a key");
    }
    const Value* earlier = dict->find(context, entry.first);
    if (context.exhausted()) return context.error("");
    values.push_back(entry.second);
    if (earlier != nullptr) {
      const auto place = std::ranges::find_if(
          dict->entries, [&](const Dict::Entry& other) { return &other.second == earlier; });
      place->second = std::move(entry.second);
      continue;
    }
    dict->entries.push_back(std::move(entry));
    const std::size_t count = dict->entries.size();
    // The index holds views of the keys, which stay where they are when the vector moves its
    // entries, because a Text's bytes live in its shared content.
    const std::size_t first_new = count == kIndexedFrom ? 0 : count - 1;
    for (std::size_t i = first_new; count >= kIndexedFrom && i < count; ++i) {
      if (const Text* key = dict->entries[i].first.text()) dict->positions[key->bytes()] = i;
    }
  }
  auto depth = container_depth(context, values);
  if (!depth) return depth.error();
  if (!context.spend_bytes(entries.size() * sizeof(Value))) return context.error("");
  dict->depth = *depth;
  return Value(std::shared_ptr<const Dict>(std::move(dict)), from_input);
}

Result<Value> value_from_json(Context& context, const Json& json) {
  switch (json.type()) {
    case Json::value_t::null:
    case Json::value_t::discarded:
      return Value(None{}, true);
    case Json::value_t::boolean:
      return Value(json.get<bool>(), true);
    case Json::value_t::number_integer:
      return Value(Int{json.get<std::int64_t>()}, true);
    case Json::value_t::number_unsigned:
      return Value(Int{json.get<std::uint64_t>()}, true);
    case Json::value_t::number_float:
      return Value(json.get<double>(), true);
    case Json::value_t::binary:
      return context.error("binary data cannot be given to a template");
    case Json::value_t::string: {
      TextBuilder builder = context.text_builder();
      const auto& bytes = json.get_ref<const std::string&>();
      builder.append(is_utf8(bytes) ? bytes : to_valid_utf8(bytes), true);
      return context.finish_value(builder);
    }
    case Json::value_t::array: {
      std::vector<Value> items;
      items.reserve(json.size());
      for (const Json& element : json) {
        auto item = value_from_json(context, element);
        if (!item) return item;
        items.push_back(*std::move(item));
      }
      return make_list(context, std::move(items), true);
    }
    case Json::value_t::object: {
      std::vector<Dict::Entry> entries;
      entries.reserve(json.size());
      for (const auto& [name, element] : json.items()) {
        auto key = value_from_json(context, Json(name));
        if (!key) return key;
        auto item = value_from_json(context, element);
        if (!item) return item;
        entries.emplace_back(*std::move(key), *std::move(item));
      }
      return make_dict(context, std::move(entries), true);
    }
  }
  return context.error("an unknown kind of JSON value");
}

}  // namespace trialwright::jinja
