#include "inference/chat/tool_calls/call_sink.h"

#include <utility>

#include "base/text.h"

namespace trialwright {

namespace {

constexpr std::string_view kFence = "```";
constexpr std::string_view kJsonFence = "```json";

/// What a call must look like, for the sentences that models learn from.
std::string_view wanted_form(ToolCallFormat format) {
  return format == ToolCallFormat::Llama3 ? R"({"name": "TOOL", "parameters": {…}})"
                                          : R"({"name": "TOOL", "arguments": {…}})";
}

constexpr std::string_view kEscapes =
    ", with \\n for line ends and \\\" for quotes inside strings.";

/// Reads the value of `key`. Errors: a sentence for the model.
Result<Json> read_arguments(Json arguments, std::string_view name, std::string_view key) {
  if (arguments.is_string()) {
    // Some models quote the object once more.
    auto inner = parse_json(arguments.get_ref<const std::string&>());
    if (inner) arguments = *std::move(inner);
  }
  if (!arguments.is_object()) {
    return invalid("\"" + std::string(key) + "\" of the tool call \"" + std::string(name) +
                   "\" must be a JSON object such as {\"path\": \"a.txt\"}.");
  }
  return arguments;
}

/// Reads one call. Errors: a sentence for the model.
Result<ToolCall> read_call(ToolCallFormat format, std::string_view text) {
  const std::string form(wanted_form(format));
  if (trimmed(text).empty()) return invalid("The tool call is empty; write " + form + ".");
  auto json = parse_json(text);
  if (!json) {
    return invalid("The tool call cannot be read: " + json.error().message +
                   ". Write one JSON object, " + form + std::string(kEscapes));
  }
  if (!json->is_object()) return invalid("The tool call must be a JSON object: " + form + ".");
  // Models mix the two words up, and what they mean is plain.
  const bool by_arguments = json->contains("arguments");
  const std::string key = by_arguments ? "arguments" : "parameters";
  if (!json->contains("name") || !(*json)["name"].is_string() ||
      (*json)["name"].get_ref<const std::string&>().empty()) {
    return invalid("The tool call has no \"name\"; write " + form + ".");
  }
  ToolCall call{"", (*json)["name"].get<std::string>(), Json::object()};
  if (!json->contains(key) || (*json)[key].is_null()) return call;
  auto arguments = read_arguments((*json)[key], call.name, key);
  if (!arguments) return arguments.error();
  call.arguments = *std::move(arguments);
  return call;
}

/// Reads a call whose name stands outside. Errors: a sentence for the model.
Result<ToolCall> read_named_call(std::string_view name, std::string_view text) {
  ToolCall call{"", std::string(name), Json::object()};
  if (trimmed(text).empty()) return call;
  auto json = parse_json(text);
  if (!json) {
    return invalid("The arguments of the tool call \"" + call.name +
                   "\" cannot be read: " + json.error().message +
                   ". Write one JSON object such as {\"path\": \"a.txt\"}" + std::string(kEscapes));
  }
  auto arguments = read_arguments(*std::move(json), name, "arguments");
  if (!arguments) return arguments.error();
  call.arguments = *std::move(arguments);
  return call;
}

std::string_view without_end_space(std::string_view text) {
  while (!text.empty() && is_ascii_space(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace

CallSink::CallSink(ToolCallFormat format, std::size_t first_number,
                   ToolCallStream::Listener listener)
    : format_(format), first_number_(first_number), listener_(std::move(listener)) {}

/// How much of the end of `held_` may still turn out not to be text.
std::size_t CallSink::held_size() const {
  const std::string_view text = without_end_space(held_);
  if (holds_fences_) {
    // Behind white space a fence is whole; at the very end it may only have begun.
    const bool is_at_end = text.size() == held_.size();
    for (std::size_t length = kJsonFence.size(); length > 0; --length) {
      if (!is_at_end && length != kJsonFence.size() && length != kFence.size()) continue;
      if (!text.ends_with(kJsonFence.substr(0, length))) continue;
      return held_.size() - without_end_space(text.substr(0, text.size() - length)).size();
    }
  }
  return held_.size() - text.size();
}

void CallSink::show(std::string_view text) {
  if (text.empty()) return;
  parsed_.text += text;
  if (listener_.on_text) listener_.on_text(text);
}

void CallSink::add_text(std::string_view text) {
  if (parsed_.text.empty() && held_.empty()) {
    while (!text.empty() && is_ascii_space(text.front())) text.remove_prefix(1);
  }
  held_ += text;
  const std::size_t sure = held_.size() - held_size();
  show(std::string_view(held_).substr(0, sure));
  held_.erase(0, sure);
}

void CallSink::add_verbatim(std::string_view text) { show(text); }

void CallSink::finish() {
  std::string_view last = without_end_space(held_);
  if (parsed_.text.empty()) last = trimmed(last);
  show(last);
  held_.clear();
}

void CallSink::add(ToolCall call) {
  call.id = call_id(format_, first_number_ + parsed_.calls.size());
  parsed_.calls.push_back(std::move(call));
  if (listener_.on_call) listener_.on_call(parsed_.calls.back());
}

void CallSink::add_call(std::string_view object) {
  auto call = read_call(format_, object);
  if (!call) return add_error(call.error().message);
  add(*std::move(call));
}

void CallSink::add_call(std::string_view name, std::string_view arguments) {
  auto call = read_named_call(name, arguments);
  if (!call) return add_error(call.error().message);
  add(*std::move(call));
}

}  // namespace trialwright
