#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "inference/chat/jinja/context.h"
#include "inference/chat/jinja/value.h"

namespace trialwright::jinja {

/// What a call gives: values by position, then values by name.
struct CallArguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string_view, Value>> named;
};

using Filter = Result<Value> (*)(Context&, const Value& input, const CallArguments&);
using Test = Result<bool> (*)(Context&, const Value& input, const CallArguments&);

/// Null if there is no filter or test of this name.
Filter find_filter(std::string_view name);
Test find_test(std::string_view name);
/// The part of find_filter that has the filters over lists and dicts.
Filter find_collection_filter(std::string_view name);

/// A function that every template can call, such as `range`.
struct GlobalFunction {
  std::string_view name;
  Result<Value> (*call)(Context&, const CallArguments&);
};
/// Null if there is none of this name.
const GlobalFunction* find_global(std::string_view name);

/// True if Python's type has such a method; calling it may still be refused by name.
bool has_method(const Value& object, std::string_view name);
Result<Value> call_method(Context& context, const Method& method, const CallArguments& arguments);

// String functions that filters and methods share.

/// Where `part` first stands in `text` from `begin` on, or npos. In time linear in both, which
/// string_view::find is not; callers charge for it by the text's length.
std::size_t find_text(std::string_view text, std::string_view part, std::size_t begin = 0);
/// Spends for a search from the right, whose time may be the product of both lengths.
bool spend_for_search_from_right(Context& context, std::string_view text, std::string_view part);
/// Python's str.strip: without the code points of `characters`, or white space if it is null.
Text stripped(Context& context, const Text& text, const Text* characters, bool left, bool right);
/// Python's str.replace; a negative `count` means all.
Result<Value> replaced(Context& context, const Text& text, const Text& from, const Text& to,
                       Int count);
/// Python's str.splitlines without the line ends.
std::vector<Text> lines_of(const Text& text);
/// Each code point through `change`, with its mark.
Result<Value> changed_case(Context& context, const Text& text,
                           void (*change)(std::string& out, char32_t c));
/// The first code point through `first`, the others in lower case.
Result<Value> capitalized(Context& context, const Text& text,
                          void (*first)(std::string& out, char32_t c));

}  // namespace trialwright::jinja
