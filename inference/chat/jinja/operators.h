#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "inference/chat/jinja/context.h"
#include "inference/chat/jinja/value.h"

namespace trialwright::jinja {

enum class Arithmetic { Add, Subtract, Multiply, Divide, FloorDivide, Modulo, Power };
enum class Ordering { Less, LessOrEqual, Greater, GreaterOrEqual };

// Python's operators, and Jinja's ways to look into values. Errors name the types that do not fit.

Result<Value> calculate(Context& context, Arithmetic what, const Value& left, const Value& right);
Result<Value> negate(Context& context, const Value& value);
/// Jinja's `~`: both as text, one after the other.
Result<Value> concatenate(Context& context, const Value& left, const Value& right);

/// Python's `==`. Cannot fail; a comparison beyond the budget exhausts it.
bool equal(Context& context, const Value& left, const Value& right);
/// Equality of two dict keys: tuples and what holds no other values. Cannot fail, as `equal`.
bool keys_equal(Context& context, const Value& left, const Value& right);
/// Less than 0, 0 or more than 0. Errors: the types have no order.
Result<int> compare(Context& context, const Value& left, const Value& right);
Result<bool> in_order(Context& context, Ordering ordering, const Value& left, const Value& right);
/// Python's `item in container`.
Result<bool> contains(Context& context, const Value& container, const Value& item);

/// `object.name`: methods first, then items.
Result<Value> get_attribute(Context& context, const Value& object, std::string_view name);
/// `object[key]`: items first, then methods. What is missing is Undefined.
Result<Value> get_item(Context& context, const Value& object, const Value& key);
/// `object[start:stop:step]`; each part may be none.
Result<Value> get_slice(Context& context, const Value& object, const Value& start,
                        const Value& stop, const Value& step);

/// What a for loop goes through. A stream gives its items once.
Result<std::vector<Value>> iterate(Context& context, const Value& value);
/// Python's len.
Result<Int> length(Context& context, const Value& value);
/// The code points of a text, each as a text.
std::vector<Text> characters(const Text& text);

/// The error for an Undefined that is used.
Error undefined_error(const Context& context, const Undefined& undefined);

}  // namespace trialwright::jinja
