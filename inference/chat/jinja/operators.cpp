#include "inference/chat/jinja/operators.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/text.h"
#include "inference/chat/jinja/builtins.h"
#include "inference/chat/jinja/format.h"

namespace trialwright::jinja {

namespace {

Error wrong_types(const Context& context, std::string_view what, const Value& left,
                  const Value& right) {
  return context.error("cannot " + std::string(what) + " " + std::string(type_name(left)) +
                       " and " + std::string(type_name(right)));
}

std::string_view verb(Arithmetic what) {
  switch (what) {
    case Arithmetic::Add:
      return "add";
    case Arithmetic::Subtract:
      return "subtract";
    case Arithmetic::Multiply:
      return "multiply";
    case Arithmetic::Divide:
    case Arithmetic::FloorDivide:
      return "divide";
    case Arithmetic::Modulo:
      return "take the remainder of";
    case Arithmetic::Power:
      return "raise to a power";
  }
  return "combine";
}

Int floor_quotient(Int left, Int right) {
  const Int quotient = left / right;
  return left % right != 0 && (left < 0) != (right < 0) ? quotient - 1 : quotient;
}

Result<Int> int_power(Context& context, Int base, Int exponent) {
  Int product = 1;
  for (Int i = 0; i < exponent; ++i) {
    if (product == 0 || product == 1) {
      if (base == 0 || base == 1) return base;
    }
    if (!context.spend_steps(1)) return context.error("");
    if (__builtin_mul_overflow(product, base, &product)) {
      return context.error("a whole number grows too large");
    }
  }
  return product;
}

Result<Value> calculate_ints(Context& context, Arithmetic what, Int left, Int right, bool mark) {
  Int answer = 0;
  bool overflow = false;
  switch (what) {
    case Arithmetic::Add:
      overflow = __builtin_add_overflow(left, right, &answer);
      break;
    case Arithmetic::Subtract:
      overflow = __builtin_sub_overflow(left, right, &answer);
      break;
    case Arithmetic::Multiply:
      overflow = __builtin_mul_overflow(left, right, &answer);
      break;
    case Arithmetic::Divide:
    case Arithmetic::FloorDivide:
    case Arithmetic::Modulo:
      if (right == 0) return context.error("division by zero");
      if (what == Arithmetic::Divide) {
        return Value(static_cast<double>(left) / static_cast<double>(right), mark);
      }
      // The one quotient that does not fit.
      if (right == -1) {
        overflow = __builtin_sub_overflow(Int{0}, left, &answer);
        if (what == Arithmetic::Modulo) return Value(Int{0}, mark);
        break;
      }
      answer = floor_quotient(left, right);
      if (what == Arithmetic::Modulo) answer = left - answer * right;
      break;
    case Arithmetic::Power: {
      if (right < 0) {
        if (left == 0) return context.error("0 cannot be raised to a negative power");
        return Value(std::pow(static_cast<double>(left), static_cast<double>(right)), mark);
      }
      auto power = int_power(context, left, right);
      if (!power) return power.error();
      answer = *power;
      break;
    }
  }
  if (overflow) return context.error("a whole number grows too large");
  return Value(answer, mark);
}

Result<Value> calculate_doubles(Context& context, Arithmetic what, double left, double right,
                                bool mark) {
  const bool divides =
      what == Arithmetic::Divide || what == Arithmetic::FloorDivide || what == Arithmetic::Modulo;
  if (divides && right == 0) return context.error("division by zero");
  switch (what) {
    case Arithmetic::Add:
      return Value(left + right, mark);
    case Arithmetic::Subtract:
      return Value(left - right, mark);
    case Arithmetic::Multiply:
      return Value(left * right, mark);
    case Arithmetic::Divide:
      return Value(left / right, mark);
    case Arithmetic::FloorDivide:
      return Value(std::floor(left / right), mark);
    case Arithmetic::Modulo: {
      const double rest = std::fmod(left, right);
      return Value(rest != 0 && (rest < 0) != (right < 0) ? rest + right : rest, mark);
    }
    case Arithmetic::Power:
      return Value(std::pow(left, right), mark);
  }
  return context.error("unknown operator");
}

Result<Value> repeat(Context& context, const Value& value, Int times) {
  if (const Text* text = value.text()) {
    TextBuilder out = context.text_builder();
    for (Int i = 0; i < times && !out.full() && !text->empty(); ++i) out.append(*text);
    return context.finish_value(out);
  }
  const Sequence& sequence = *value.sequence();
  std::vector<Value> items;
  for (Int i = 0; i < times && !sequence.items.empty(); ++i) {
    if (items.size() > context.limits().items) return context.error("a list grows too long");
    items.insert(items.end(), sequence.items.begin(), sequence.items.end());
  }
  return sequence.is_tuple ? make_tuple(context, std::move(items))
                           : make_list(context, std::move(items), value.from_input());
}

Result<Value> join_sequences(Context& context, const Value& left, const Value& right) {
  std::vector<Value> items = left.sequence()->items;
  items.insert(items.end(), right.sequence()->items.begin(), right.sequence()->items.end());
  return left.sequence()->is_tuple
             ? make_tuple(context, std::move(items))
             : make_list(context, std::move(items), left.from_input() && right.from_input());
}

/// markupsafe's escape, with every character's mark.
void append_escaped_for_html(TextBuilder& out, const Text& text) {
  std::size_t begin = 0;
  for (const Run& run : text.runs()) {
    for (; begin < run.end; ++begin) {
      switch (const char c = text.bytes()[begin]; c) {
        case '&':
          out.append("&amp;", run.from_input);
          break;
        case '<':
          out.append("&lt;", run.from_input);
          break;
        case '>':
          out.append("&gt;", run.from_input);
          break;
        case '\'':
          out.append("&#39;", run.from_input);
          break;
        case '"':
          out.append("&#34;", run.from_input);
          break;
        default:
          out.append(text, begin, begin + 1);
      }
    }
  }
}

/// `+` of two texts. If one of them is markup, so is the sum, and the other is escaped.
Result<Value> add_texts(Context& context, const Value& left, const Value& right) {
  if (!left.is_markup() && !right.is_markup()) return concatenate(context, left, right);
  TextBuilder out = context.text_builder();
  for (const Value* each : {&left, &right}) {
    if (each->is_markup()) {
      out.append(*each->text());
    } else {
      append_escaped_for_html(out, *each->text());
    }
  }
  auto sum = context.finish_value(out);
  return sum ? sum->as_markup() : sum;
}

const Undefined* undefined_among(const Value& left, const Value& right) {
  const auto* first = left.get_if<Undefined>();
  return first != nullptr ? first : right.get_if<Undefined>();
}

bool equal_sequences(Context& context, const Sequence& left, const Sequence& right) {
  if (left.is_tuple != right.is_tuple || left.items.size() != right.items.size()) return false;
  for (std::size_t i = 0; i < left.items.size(); ++i) {
    if (!equal(context, left.items[i], right.items[i])) return false;
  }
  return true;
}

bool equal_dicts(Context& context, const Dict& left, const Dict& right) {
  if (left.entries.size() != right.entries.size()) return false;
  for (const Dict::Entry& entry : left.entries) {
    const Value* other = right.find(context, entry.first);
    if (other == nullptr || !equal(context, entry.second, *other)) return false;
  }
  return true;
}

/// Equality of everything that holds no other values.
bool equal_scalars(const Value& left, const Value& right) {
  Int left_int = 0;
  Int right_int = 0;
  if (as_int(left, &left_int) && as_int(right, &right_int)) return left_int == right_int;
  double left_real = 0;
  double right_real = 0;
  if (as_double(left, &left_real)) return as_double(right, &right_real) && left_real == right_real;
  if (const Text* text = left.text()) {
    return right.text() != nullptr && text->bytes() == right.text()->bytes();
  }
  if (left.is<None>()) return right.is<None>();
  if (left.is<Undefined>()) return right.is<Undefined>();
  if (const auto* range = left.get_if<Range>()) {
    const auto* other = right.get_if<Range>();
    return other != nullptr && range->start == other->start && range->step == other->step &&
           range->size == other->size;
  }
  if (const auto* space = left.get_if<Namespace*>()) {
    const auto* other = right.get_if<Namespace*>();
    return other != nullptr && *space == *other;
  }
  return false;
}

}  // namespace

Error undefined_error(const Context& context, const Undefined& undefined) {
  return context.error(undefined.reason == nullptr ? "an undefined value is used"
                                                   : *undefined.reason);
}

Result<Value> calculate(Context& context, Arithmetic what, const Value& left, const Value& right) {
  if (const Undefined* undefined = undefined_among(left, right)) {
    return undefined_error(context, *undefined);
  }
  const bool mark = left.from_input() || right.from_input();
  Int left_int = 0;
  Int right_int = 0;
  const bool left_is_int = as_int(left, &left_int);
  const bool right_is_int = as_int(right, &right_int);
  if (left_is_int && right_is_int) return calculate_ints(context, what, left_int, right_int, mark);
  double left_real = 0;
  double right_real = 0;
  if (as_double(left, &left_real) && as_double(right, &right_real)) {
    return calculate_doubles(context, what, left_real, right_real, mark);
  }
  if (what == Arithmetic::Add) {
    if (left.text() != nullptr && right.text() != nullptr) return add_texts(context, left, right);
    if (left.sequence() != nullptr && right.sequence() != nullptr &&
        left.sequence()->is_tuple == right.sequence()->is_tuple) {
      return join_sequences(context, left, right);
    }
  }
  if (what == Arithmetic::Multiply) {
    if (right_is_int && (left.text() != nullptr || left.sequence() != nullptr)) {
      return repeat(context, left, right_int);
    }
    if (left_is_int && (right.text() != nullptr || right.sequence() != nullptr)) {
      return repeat(context, right, left_int);
    }
  }
  if (what == Arithmetic::Modulo && left.text() != nullptr) {
    return context.error("formatting a text with % is not supported");
  }
  return wrong_types(context, verb(what), left, right);
}

Result<Value> negate(Context& context, const Value& value) {
  if (const auto* undefined = value.get_if<Undefined>())
    return undefined_error(context, *undefined);
  if (const auto* real = value.get_if<double>()) return Value(-*real, value.from_input());
  Int number = 0;
  if (!as_int(value, &number)) {
    return context.error("a " + std::string(type_name(value)) + " cannot be negated");
  }
  return calculate_ints(context, Arithmetic::Subtract, 0, number, value.from_input());
}

Result<Value> concatenate(Context& context, const Value& left, const Value& right) {
  TextBuilder out = context.text_builder();
  auto done = append_text(context, out, left);
  if (!done) return done.error();
  done = append_text(context, out, right);
  if (!done) return done.error();
  return context.finish_value(out);
}

bool keys_equal(Context& context, const Value& left, const Value& right) {
  if (left.sequence() != nullptr && right.sequence() != nullptr) {
    // Tuples share their parts, as in `equal`.
    if (!context.spend_steps(1)) return false;
    return std::ranges::equal(
        left.sequence()->items, right.sequence()->items,
        [&](const Value& a, const Value& b) { return keys_equal(context, a, b); });
  }
  return equal_scalars(left, right);
}

bool equal(Context& context, const Value& left, const Value& right) {
  // Containers share their parts, so without a budget a small template could compare for ever.
  if (!context.spend_steps(1)) return false;
  if (left.sequence() != nullptr) {
    return right.sequence() != nullptr &&
           equal_sequences(context, *left.sequence(), *right.sequence());
  }
  if (left.dict() != nullptr) {
    return right.dict() != nullptr && equal_dicts(context, *left.dict(), *right.dict());
  }
  return equal_scalars(left, right);
}

Result<int> compare(Context& context, const Value& left, const Value& right) {
  if (!context.spend_steps(1)) return context.error("");
  if (const Undefined* undefined = undefined_among(left, right)) {
    return undefined_error(context, *undefined);
  }
  Int left_int = 0;
  Int right_int = 0;
  if (as_int(left, &left_int) && as_int(right, &right_int)) {
    return left_int < right_int ? -1 : static_cast<int>(left_int > right_int);
  }
  double left_real = 0;
  double right_real = 0;
  if (as_double(left, &left_real) && as_double(right, &right_real)) {
    return left_real < right_real ? -1 : static_cast<int>(left_real > right_real);
  }
  if (left.text() != nullptr && right.text() != nullptr) {
    // The order of UTF-8 bytes is that of code points.
    return left.text()->bytes().compare(right.text()->bytes());
  }
  const Sequence* first = left.sequence();
  const Sequence* second = right.sequence();
  if (first != nullptr && second != nullptr && first->is_tuple == second->is_tuple) {
    for (std::size_t i = 0; i < std::min(first->items.size(), second->items.size()); ++i) {
      if (equal(context, first->items[i], second->items[i])) continue;
      return compare(context, first->items[i], second->items[i]);
    }
    return first->items.size() < second->items.size()
               ? -1
               : static_cast<int>(first->items.size() > second->items.size());
  }
  return wrong_types(context, "order", left, right);
}

Result<bool> in_order(Context& context, Ordering ordering, const Value& left, const Value& right) {
  double left_real = 0;
  double right_real = 0;
  if (as_double(left, &left_real) && as_double(right, &right_real) &&
      (std::isnan(left_real) || std::isnan(right_real))) {
    return false;
  }
  auto order = compare(context, left, right);
  if (!order) return order.error();
  switch (ordering) {
    case Ordering::Less:
      return *order < 0;
    case Ordering::LessOrEqual:
      return *order <= 0;
    case Ordering::Greater:
      return *order > 0;
    case Ordering::GreaterOrEqual:
      return *order >= 0;
  }
  return false;
}

Result<bool> contains(Context& context, const Value& container, const Value& item) {
  if (const Text* text = container.text()) {
    if (item.text() == nullptr) return wrong_types(context, "look for", item, container);
    if (!context.spend_steps(text->size() / 64)) return context.error("");
    return find_text(text->bytes(), item.text()->bytes()) != std::string_view::npos;
  }
  if (const Dict* dict = container.dict()) {
    return dict->find(context, item) != nullptr;
  }
  if (const Sequence* sequence = container.sequence()) {
    return std::ranges::any_of(sequence->items,
                               [&](const Value& each) { return equal(context, each, item); });
  }
  auto items = iterate(context, container);
  if (!items) return items.error();
  return std::ranges::any_of(*items, [&](const Value& each) { return equal(context, each, item); });
}

std::vector<Text> characters(const Text& text) {
  std::vector<Text> out;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t next = i + decode_utf8(text.bytes().substr(i)).length;
    out.push_back(text.slice(i, next));
    i = next;
  }
  return out;
}

Result<std::vector<Value>> iterate(Context& context, const Value& value) {
  if (value.is<Undefined>()) return std::vector<Value>{};
  if (const Sequence* sequence = value.sequence()) {
    if (!context.spend_steps(sequence->items.size() / 8)) return context.error("");
    return sequence->items;
  }
  std::vector<Value> items;
  if (const auto* stream = value.get_if<std::shared_ptr<Stream>>()) {
    // It is read once, so what it holds need not be copied, nor charged for again.
    if (!(*stream)->used) items = std::exchange((*stream)->items, {});
    (*stream)->used = true;
    return items;
  }
  if (const Text* text = value.text()) {
    if (!context.spend_bytes(text->size() * 128)) return context.error("");
    for (Text& character : characters(*text)) items.emplace_back(std::move(character));
    return items;
  }
  if (const auto* range = value.get_if<Range>()) {
    if (!context.spend_bytes(static_cast<std::size_t>(range->size) * sizeof(Value)))
      return context.error("");
    for (Int i = 0; i < range->size; ++i) items.emplace_back(range->start + i * range->step);
    return items;
  }
  const auto* view = value.get_if<DictView>();
  const Dict* dict = view != nullptr ? view->dict.get() : value.dict();
  if (dict == nullptr) {
    return context.error("a " + std::string(type_name(value)) + " cannot be iterated over");
  }
  if (!context.spend_steps(dict->entries.size() / 8)) return context.error("");
  const DictView::Kind kind = view != nullptr ? view->kind : DictView::Kind::Keys;
  for (const Dict::Entry& entry : dict->entries) {
    if (kind == DictView::Kind::Keys) {
      items.push_back(entry.first);
    } else if (kind == DictView::Kind::Values) {
      items.push_back(entry.second);
    } else {
      auto pair = make_tuple(context, {entry.first, entry.second});
      if (!pair) return pair.error();
      items.push_back(*std::move(pair));
    }
  }
  return items;
}

}  // namespace trialwright::jinja
