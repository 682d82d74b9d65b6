#include <algorithm>

#include "base/text.h"
#include "inference/chat/jinja/builtins.h"
#include "inference/chat/jinja/operators.h"
#include "inference/chat/jinja/unicode.h"

namespace trialwright::jinja {

namespace {

std::string missing(const Value& object, std::string_view name) {
  return "a " + std::string(type_name(object)) + " has no attribute \"" + std::string(name) + "\"";
}

Value loop_attribute(const LoopState& loop, std::string_view name) {
  const std::vector<Value>& items = loop.items->items;
  const Int index = static_cast<Int>(loop.index);
  const Int count = static_cast<Int>(items.size());
  if (name == "index") return Value(index + 1);
  if (name == "index0") return Value(index);
  if (name == "revindex") return Value(count - index);
  if (name == "revindex0") return Value(count - index - 1);
  if (name == "first") return Value(index == 0);
  if (name == "last") return Value(index + 1 == count);
  if (name == "length") return Value(count);
  // It counts the levels of recursive loops, which are not supported.
  if (name == "depth") return Value(Int{1});
  if (name == "depth0") return Value(Int{0});
  if (name == "previtem") {
    return index == 0 ? undefined_value("there is no previous item") : items[loop.index - 1];
  }
  if (name == "nextitem") {
    return index + 1 == count ? undefined_value("there is no next item") : items[loop.index + 1];
  }
  return undefined_value("the loop has no attribute \"" + std::string(name) + "\"");
}

/// What `object` has under the name without looking at items; Undefined if nothing.
Result<Value> own_attribute(Context& context, const Value& object, std::string_view name) {
  if (const auto* loop = object.get_if<std::shared_ptr<const LoopState>>()) {
    return loop_attribute(**loop, name);
  }
  if (const auto* space = object.get_if<Namespace*>()) {
    for (const auto& [key, value] : (*space)->attributes) {
      if (key == name) return value;
    }
    return undefined_value(missing(object, name));
  }
  if (has_method(object, name)) return make_method(context, object, name);
  return undefined_value(missing(object, name));
}

/// Python's rule for a negative position. False if it lies outside.
bool resolve_position(Int position, Int size, Int* out) {
  *out = position < 0 ? position + size : position;
  return *out >= 0 && *out < size;
}

/// The byte at which each code point of `text` starts, and its end.
std::vector<std::size_t> code_point_starts(std::string_view text) {
  std::vector<std::size_t> starts;
  for (std::size_t i = 0; i < text.size(); i += decode_utf8(text.substr(i)).length) {
    starts.push_back(i);
  }
  starts.push_back(text.size());
  return starts;
}

/// The item under the key; Undefined if nothing.
Result<Value> own_item(Context& context, const Value& object, const Value& key) {
  if (const Dict* dict = object.dict()) {
    const Value* found = dict->find(context, key);
    return found == nullptr ? Value() : *found;
  }
  Int position = 0;
  if (!as_int(key, &position)) return Value();
  if (const Sequence* sequence = object.sequence()) {
    const bool inside =
        resolve_position(position, static_cast<Int>(sequence->items.size()), &position);
    return inside ? sequence->items[static_cast<std::size_t>(position)] : Value();
  }
  if (const Text* text = object.text()) {
    if (!context.spend_steps(text->size() / 16)) return context.error("");
    const auto starts = code_point_starts(text->bytes());
    if (!resolve_position(position, static_cast<Int>(starts.size()) - 1, &position)) return Value();
    const auto i = static_cast<std::size_t>(position);
    return Value(text->slice(starts[i], starts[i + 1]));
  }
  if (const auto* range = object.get_if<Range>()) {
    if (!resolve_position(position, range->size, &position)) return Value();
    return Value(range->start + position * range->step);
  }
  return Value();
}

/// The positions that a slice of `size` items takes, as CPython's PySlice_AdjustIndices has them.
Result<std::vector<std::size_t>> slice_positions(Context& context, Int size, const Value& start,
                                                 const Value& stop, const Value& step) {
  Int step_by = 1;
  for (const Value* part : {&start, &stop, &step}) {
    Int number = 0;
    if (!part->is<None>() && !as_int(*part, &number)) {
      return context.error("a slice needs whole numbers");
    }
  }
  if (!step.is<None>()) as_int(step, &step_by);
  if (step_by == 0) return context.error("a slice cannot step by zero");
  const Int lowest = step_by < 0 ? -1 : 0;
  const Int highest = step_by < 0 ? size - 1 : size;
  const auto bound = [&](const Value& part, Int otherwise) {
    Int position = 0;
    if (!as_int(part, &position)) return otherwise;
    if (position < 0) position += size;
    return std::clamp(position, lowest, std::max(lowest, highest));
  };
  const Int first = bound(start, step_by < 0 ? highest : lowest);
  const Int end = bound(stop, step_by < 0 ? lowest : highest);
  if (!context.spend_steps(static_cast<std::size_t>(size) / 8)) return context.error("");
  std::vector<std::size_t> positions;
  // A step beyond the size takes one item; cutting it off keeps the sum from overflowing.
  step_by = std::clamp(step_by, -size - 1, size + 1);
  for (Int i = first; step_by > 0 ? i < end : i > end; i += step_by) {
    positions.push_back(static_cast<std::size_t>(i));
  }
  return positions;
}

Result<Value> slice_of_text(Context& context, const Text& text, const Value& start,
                            const Value& stop, const Value& step) {
  const auto starts = code_point_starts(text.bytes());
  auto positions = slice_positions(context, static_cast<Int>(starts.size()) - 1, start, stop, step);
  if (!positions) return positions.error();
  TextBuilder out = context.text_builder();
  for (const std::size_t i : *positions) out.append(text, starts[i], starts[i + 1]);
  return context.finish_value(out);
}

}  // namespace

Result<Value> get_attribute(Context& context, const Value& object, std::string_view name) {
  if (const auto* undefined = object.get_if<Undefined>())
    return undefined_error(context, *undefined);
  auto own = own_attribute(context, object, name);
  if (!own || !own->is<Undefined>() || object.dict() == nullptr) return own;
  const Value* found = object.dict()->find(name);
  return found == nullptr ? own : Result<Value>(*found);
}

Result<Value> get_item(Context& context, const Value& object, const Value& key) {
  if (const auto* undefined = object.get_if<Undefined>())
    return undefined_error(context, *undefined);
  auto item = own_item(context, object, key);
  if (!item || !item->is<Undefined>()) return item;
  if (const Text* name = key.text()) return own_attribute(context, object, name->bytes());
  return undefined_value("a " + std::string(type_name(object)) + " has no such item");
}

Result<Value> get_slice(Context& context, const Value& object, const Value& start,
                        const Value& stop, const Value& step) {
  if (const auto* undefined = object.get_if<Undefined>())
    return undefined_error(context, *undefined);
  if (const Text* text = object.text()) return slice_of_text(context, *text, start, stop, step);
  const Sequence* sequence = object.sequence();
  if (sequence == nullptr) {
    return context.error("a " + std::string(type_name(object)) + " cannot be sliced");
  }
  auto positions =
      slice_positions(context, static_cast<Int>(sequence->items.size()), start, stop, step);
  if (!positions) return positions.error();
  std::vector<Value> items;
  for (const std::size_t i : *positions) items.push_back(sequence->items[i]);
  return sequence->is_tuple ? make_tuple(context, std::move(items))
                            : make_list(context, std::move(items), object.from_input());
}

Result<Int> length(Context& context, const Value& value) {
  if (value.is<Undefined>()) return Int{0};
  if (const Text* text = value.text()) {
    if (!context.spend_steps(text->size() / 64)) return context.error("");
    return static_cast<Int>(count_code_points(text->bytes()));
  }
  if (const Sequence* sequence = value.sequence()) return static_cast<Int>(sequence->items.size());
  if (const Dict* dict = value.dict()) return static_cast<Int>(dict->entries.size());
  if (const auto* view = value.get_if<DictView>())
    return static_cast<Int>(view->dict->entries.size());
  if (const auto* range = value.get_if<Range>()) return range->size;
  if (const auto* loop = value.get_if<std::shared_ptr<const LoopState>>()) {
    return static_cast<Int>((*loop)->items->items.size());
  }
  return context.error("a " + std::string(type_name(value)) + " has no length");
}

}  // namespace trialwright::jinja
