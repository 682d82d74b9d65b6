// Jinja's tests: what stands after `is`.

#include <array>

#include "inference/chat/jinja/arguments.h"
#include "inference/chat/jinja/builtins.h"
#include "inference/chat/jinja/operators.h"
#include "inference/chat/jinja/unicode.h"

namespace trialwright::jinja {

namespace {

Result<bool> none_given(Context& context, const CallArguments& arguments, bool answer) {
  auto bound = bind_arguments(context, "test", {}, arguments);
  if (!bound) return bound.error();
  return answer;
}

/// The one argument of a test that takes one.
Result<const Value*> only_argument(Context& context, const CallArguments& arguments) {
  auto bound = bind_arguments(context, "test", {"other"}, arguments);
  if (!bound) return bound.error();
  if ((*bound)[0] == nullptr) return context.error("a test lacks its argument");
  return (*bound)[0];
}

bool is_defined(const Value& value) { return !value.is<Undefined>(); }
bool is_undefined(const Value& value) { return value.is<Undefined>(); }
bool is_none(const Value& value) { return value.is<None>(); }
bool is_string(const Value& value) { return value.text() != nullptr; }
bool is_mapping(const Value& value) { return value.dict() != nullptr; }
bool is_boolean(const Value& value) { return value.is<bool>(); }
bool is_true(const Value& value) { return value.is<bool>() && truthy(value); }
bool is_false(const Value& value) { return value.is<bool>() && !truthy(value); }
bool is_integer(const Value& value) { return value.is<Int>(); }
bool is_float(const Value& value) { return value.is<double>(); }
bool is_number(const Value& value) {
  return is_integer(value) || is_float(value) || is_boolean(value);
}

bool is_iterable(const Value& value) {
  return value.is<Undefined>() || value.text() != nullptr || value.sequence() != nullptr ||
         value.dict() != nullptr || value.is<Range>() || value.is<DictView>() ||
         value.is<std::shared_ptr<Stream>>() || value.is<std::shared_ptr<const LoopState>>();
}

/// What has a length and items by position; Python's Undefined looks as if it had.
bool is_sequence(const Value& value) {
  return value.is<Undefined>() || value.text() != nullptr || value.sequence() != nullptr ||
         value.dict() != nullptr || value.is<Range>();
}

bool is_callable(const Value& value) {
  return value.is<Macro*>() || value.is<const GlobalFunction*>() || value.is<Method>();
}

Result<bool> remainder_is(Context& context, const Value& value, Int divisor, Int wanted) {
  auto rest = calculate(context, Arithmetic::Modulo, value, Value(divisor));
  if (!rest) return rest.error();
  return equal(context, *rest, Value(wanted));
}

/// Python's str.islower and str.isupper: some letter has a case, and none has the other.
Result<bool> all_in_case(Context& context, const Value& value,
                         void (*change)(std::string& out, char32_t c),
                         void (*other)(std::string& out, char32_t c)) {
  const Text* text = value.text();
  if (text == nullptr) return context.error("this test is for texts");
  auto same = changed_case(context, *text, change);
  if (!same) return same.error();
  auto different = changed_case(context, *text, other);
  if (!different) return different.error();
  return same->text()->bytes() == text->bytes() && different->text()->bytes() != text->bytes();
}

template <Ordering ordering>
Result<bool> ordered(Context& context, const Value& value, const CallArguments& arguments) {
  auto other = only_argument(context, arguments);
  if (!other) return other.error();
  return in_order(context, ordering, value, **other);
}

template <bool wanted>
Result<bool> equal_to(Context& context, const Value& value, const CallArguments& arguments) {
  auto other = only_argument(context, arguments);
  if (!other) return other.error();
  return equal(context, value, **other) == wanted;
}

template <bool (*predicate)(const Value&)>
Result<bool> plain(Context& context, const Value& value, const CallArguments& arguments) {
  return none_given(context, arguments, predicate(value));
}

Result<bool> is_in(Context& context, const Value& value, const CallArguments& arguments) {
  auto container = only_argument(context, arguments);
  if (!container) return container.error();
  return contains(context, **container, value);
}

Result<bool> divisible_by(Context& context, const Value& value, const CallArguments& arguments) {
  auto divisor = only_argument(context, arguments);
  if (!divisor) return divisor.error();
  auto rest = calculate(context, Arithmetic::Modulo, value, **divisor);
  if (!rest) return rest.error();
  return equal(context, *rest, Value(Int{0}));
}

struct NamedTest {
  std::string_view name;
  Test test;
};

constexpr std::array kTests = {
    NamedTest{"defined", plain<is_defined>},
    NamedTest{"undefined", plain<is_undefined>},
    NamedTest{"none", plain<is_none>},
    NamedTest{"string", plain<is_string>},
    NamedTest{"mapping", plain<is_mapping>},
    NamedTest{"iterable", plain<is_iterable>},
    NamedTest{"sequence", plain<is_sequence>},
    NamedTest{"callable", plain<is_callable>},
    NamedTest{"boolean", plain<is_boolean>},
    NamedTest{"true", plain<is_true>},
    NamedTest{"false", plain<is_false>},
    NamedTest{"integer", plain<is_integer>},
    NamedTest{"float", plain<is_float>},
    NamedTest{"number", plain<is_number>},
    NamedTest{"odd", [](Context& c, const Value& v,
                        const CallArguments&) { return remainder_is(c, v, 2, 1); }},
    NamedTest{"even", [](Context& c, const Value& v,
                         const CallArguments&) { return remainder_is(c, v, 2, 0); }},
    NamedTest{"lower",
              [](Context& c, const Value& v, const CallArguments&) {
                return all_in_case(c, v, append_lower, append_upper);
              }},
    NamedTest{"upper",
              [](Context& c, const Value& v, const CallArguments&) {
                return all_in_case(c, v, append_upper, append_lower);
              }},
    NamedTest{"divisibleby", divisible_by},
    NamedTest{"in", is_in},
    NamedTest{"eq", equal_to<true>},
    NamedTest{"equalto", equal_to<true>},
    NamedTest{"==", equal_to<true>},
    NamedTest{"ne", equal_to<false>},
    NamedTest{"!=", equal_to<false>},
    NamedTest{"lt", ordered<Ordering::Less>},
    NamedTest{"lessthan", ordered<Ordering::Less>},
    NamedTest{"<", ordered<Ordering::Less>},
    NamedTest{"le", ordered<Ordering::LessOrEqual>},
    NamedTest{"<=", ordered<Ordering::LessOrEqual>},
    NamedTest{"gt", ordered<Ordering::Greater>},
    NamedTest{"greaterthan", ordered<Ordering::Greater>},
    NamedTest{">", ordered<Ordering::Greater>},
    NamedTest{"ge", ordered<Ordering::GreaterOrEqual>},
    NamedTest{">=", ordered<Ordering::GreaterOrEqual>},
};

}  // namespace

Test find_test(std::string_view name) {
  for (const NamedTest& each : kTests) {
    if (each.name == name) return each.test;
  }
  return nullptr;
}

}  // namespace trialwright::jinja
