#pragma once

#include "inference/chat/jinja/builtins.h"
#include "inference/chat/jinja/value.h"

// How filters and methods read what they are called with. Only their source files include this.

/// Declares `bound`, the arguments in the order of the parameters named, or returns the error.
/// A macro because it returns; `callee` is "filter" or "method".
#define BIND(bound, callee, ...)                                          \
  auto bound = bind_arguments(context, callee, {__VA_ARGS__}, arguments); \
  if (!(bound)) return (bound).error()

namespace trialwright::jinja {

inline bool flag_of(const Value* value, bool otherwise = false) {
  return value == nullptr ? otherwise : truthy(*value);
}

}  // namespace trialwright::jinja
