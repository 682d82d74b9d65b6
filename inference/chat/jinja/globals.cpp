// The functions that every chat template can call.

#include <algorithm>
#include <array>
#include <ctime>

#include "inference/chat/jinja/arguments.h"
#include "inference/chat/jinja/builtins.h"
#include "inference/chat/jinja/format.h"
#include "inference/chat/jinja/operators.h"

namespace trialwright::jinja {

namespace {

Result<Value> range(Context& context, const CallArguments& arguments) {
  auto bound = bind_arguments(context, "range", {"start", "stop", "step"}, arguments);
  if (!bound) return bound.error();
  std::array<Int, 3> numbers = {0, 0, 1};
  for (std::size_t i = 0; i < 3; ++i) {
    const Value* given = (*bound)[i];
    if (given != nullptr && !as_int(*given, &numbers[i])) {
      return context.error("\"range\" needs whole numbers");
    }
  }
  if ((*bound)[0] == nullptr) return context.error("\"range\" needs a number");
  Int start = numbers[0];
  Int stop = numbers[1];
  const Int step = numbers[2];
  if ((*bound)[1] == nullptr) {
    stop = start;
    start = 0;
  }
  if (step == 0) return context.error("\"range\" cannot step by zero");
  // Far below overflow, far above any use.
  const Int edge = Int{1} << 62;
  for (const Int number : {start, stop, step}) {
    if (number < -edge || number > edge) return context.error("\"range\" is too large");
  }
  const Int distance = step > 0 ? stop - start : start - stop;
  const Int stride = step > 0 ? step : -step;
  const Int size = distance <= 0 ? 0 : (distance + stride - 1) / stride;
  // The limit of Jinja's sandbox.
  if (size > 100'000) return context.error("\"range\" is too large");
  return Value(Range{start, step, size});
}

/// The keyword arguments of a call, after the entries of the dict given by position, if any.
Result<std::vector<Dict::Entry>> entries_of(Context& context, const CallArguments& arguments) {
  std::vector<Dict::Entry> entries;
  if (arguments.positional.size() > 1) return context.error("at most one dict can be given");
  if (!arguments.positional.empty()) {
    const Dict* dict = arguments.positional[0].dict();
    if (dict == nullptr) return context.error("only a dict can be given without a name");
    entries = dict->entries;
  }
  for (const auto& [name, value] : arguments.named) {
    entries.emplace_back(text_value(std::string(name)), value);
  }
  return entries;
}

Result<Value> make_namespace(Context& context, const CallArguments& arguments) {
  auto entries = entries_of(context, arguments);
  if (!entries) return entries.error();
  Namespace* space = context.make_namespace();
  for (auto& [key, value] : *entries) {
    if (key.text() == nullptr) return context.error("a namespace needs names that are texts");
    space->attributes.emplace_back(std::string(key.text()->bytes()), std::move(value));
  }
  return Value(space);
}

Result<Value> dict(Context& context, const CallArguments& arguments) {
  auto entries = entries_of(context, arguments);
  if (!entries) return entries.error();
  return make_dict(context, *std::move(entries));
}

Result<Value> raise_exception(Context& context, const CallArguments& arguments) {
  auto bound = bind_arguments(context, "raise_exception", {"message"}, arguments);
  if (!bound) return bound.error();
  if ((*bound)[0] == nullptr) return context.error("\"raise_exception\" needs a message");
  auto message = to_text(context, *(*bound)[0]);
  if (!message) return message.error();
  return invalid(std::string(message->bytes()));
}

Result<Value> strftime_now(Context& context, const CallArguments& arguments) {
  auto bound = bind_arguments(context, "strftime_now", {"format"}, arguments);
  if (!bound) return bound.error();
  const Text* format = (*bound)[0] == nullptr ? nullptr : (*bound)[0]->text();
  if (format == nullptr) return context.error("\"strftime_now\" needs a format");
  if (format->empty()) return Value(Text());
  std::tm now{};
  const std::time_t seconds = context.now();
  if (format->size() > 256 || gmtime_r(&seconds, &now) == nullptr) {
    return context.error("\"strftime_now\" is given a format or a time that it cannot print");
  }
  std::array<char, 4096> buffer{};
  const std::string text(format->bytes());
  const std::size_t size = std::strftime(buffer.data(), buffer.size(), text.c_str(), &now);
  if (size == 0) return context.error("\"strftime_now\" is given a format that prints nothing");
  return text_value(std::string(buffer.data(), size), format->any_from_input());
}

constexpr std::array kGlobals = {
    GlobalFunction{"dict", dict},
    GlobalFunction{"namespace", make_namespace},
    GlobalFunction{"raise_exception", raise_exception},
    GlobalFunction{"range", range},
    GlobalFunction{"strftime_now", strftime_now},
};

}  // namespace

const GlobalFunction* find_global(std::string_view name) {
  const auto* found = std::ranges::find(kGlobals, name, &GlobalFunction::name);
  return found == kGlobals.end() ? nullptr : &*found;
}

}  // namespace trialwright::jinja
