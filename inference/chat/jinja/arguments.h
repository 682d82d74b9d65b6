#pragma once

#include <initializer_list>
#include <string_view>
#include <vector>

#include "inference/chat/jinja/builtins.h"
#include "inference/chat/jinja/value.h"

// How filters, tests, methods and functions read what they are called with. Only their source files
// include this.

/// Declares `bound`, the arguments in the order of the parameters named, or returns the error.
/// A macro because it returns; `callee` is "filter" or "method".
#define BIND(bound, callee, ...)                                          \
  auto bound = bind_arguments(context, callee, {__VA_ARGS__}, arguments); \
  if (!(bound)) return (bound).error()

namespace trialwright::jinja {

/// The arguments in the order of `parameters`, as Python binds them; null where none was given.
/// The pointers borrow from `arguments`. Errors: too many, an unknown name, one given twice.
Result<std::vector<const Value*>> bind_arguments(Context& context, std::string_view callee,
                                                 std::initializer_list<std::string_view> parameters,
                                                 const CallArguments& arguments);

inline bool flag_of(const Value* value, bool otherwise = false) {
  return value == nullptr ? otherwise : truthy(*value);
}

}  // namespace trialwright::jinja
