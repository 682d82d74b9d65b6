#include "inference/chat/tool_call_format.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/text.h"

namespace trialwright {

namespace {

constexpr std::string_view kOpen = "<tool_call>";
constexpr std::string_view kClose = "</tool_call>";
constexpr std::string_view kIdPrefix = "call_";

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// Where the JSON object that starts at `begin` ends, or nothing if its brackets do not close.
/// Brackets inside strings do not count.
std::optional<std::size_t> end_of_object(std::string_view text, std::size_t begin) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = begin; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if ((c == '}' || c == ']') && --depth == 0) {
      return i + 1;
    }
  }
  return std::nullopt;
}

/// What a call must look like, for the sentences that models learn from.
std::string_view wanted_form(ToolCallFormat format) {
  return format == ToolCallFormat::Llama3 ? R"({"name": "TOOL", "parameters": {…}})"
                                          : R"({"name": "TOOL", "arguments": {…}})";
}

/// Reads one call. Errors: a sentence for the model.
Result<ToolCall> read_call(ToolCallFormat format, std::string_view text) {
  const std::string form(wanted_form(format));
  if (trimmed(text).empty()) return invalid("The tool call is empty; write " + form + ".");
  auto json = parse_json(text);
  if (!json) {
    return invalid("The tool call cannot be read: " + json.error().message +
                   ". Write one JSON object, " + form +
                   ", with \\n for line ends and \\\" for quotes inside strings.");
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
  Json arguments = (*json)[key];
  if (arguments.is_string()) {
    // Some models quote the object once more.
    auto inner = parse_json(arguments.get_ref<const std::string&>());
    if (inner) arguments = *std::move(inner);
  }
  if (!arguments.is_object()) {
    return invalid("\"" + key + "\" of the tool call \"" + call.name +
                   "\" must be a JSON object such as {\"path\": \"a.txt\"}.");
  }
  call.arguments = std::move(arguments);
  return call;
}

class Parser {
 public:
  Parser(ToolCallFormat format, std::size_t first_number)
      : format_(format), first_number_(first_number) {}

  void add_call(std::string_view text) {
    auto call = read_call(format_, text);
    if (!call) {
      parsed_.errors.push_back(call.error().message);
      return;
    }
    call->id = std::string(kIdPrefix) + std::to_string(first_number_ + parsed_.calls.size());
    parsed_.calls.push_back(*std::move(call));
  }

  void add_text(std::string_view text) { parsed_.text += text; }

  ParsedToolCalls take() {
    parsed_.text = trimmed(parsed_.text);
    return std::move(parsed_);
  }

 private:
  ToolCallFormat format_;
  std::size_t first_number_;
  ParsedToolCalls parsed_;
};

/// How far the text from `begin` on belongs to one call: up to its closing tag, to the next opening
/// tag, or to the end. A closing tag inside a JSON string does not end the call.
struct HermesCall {
  std::string_view body;
  std::size_t end = 0;
};

HermesCall hermes_call_at(std::string_view message, std::size_t begin) {
  const std::size_t brace = message.find_first_not_of(" \t\r\n", begin);
  std::size_t looked = begin;
  if (brace != std::string_view::npos && message[brace] == '{') {
    if (const auto end = end_of_object(message, brace)) looked = *end;
  }
  const std::size_t close = message.find(kClose, looked);
  const std::size_t next = message.find(kOpen, looked);
  if (close != std::string_view::npos && close < next) {
    return {message.substr(begin, close - begin), close + kClose.size()};
  }
  // The closing tag is missing, which small models forget and a token limit cuts off.
  const std::size_t end = std::min(next, message.size());
  return {message.substr(begin, end - begin), end};
}

bool is_whole_call(std::string_view object) {
  const auto json = parse_json(object);
  return json && json->is_object() && json->contains("name") && (*json)["name"].is_string() &&
         json->contains("arguments") && (*json)["arguments"].is_object();
}

/// Calls written without their tags, as Qwen2.5-Coder does: objects that start a line, are whole
/// calls, and usually stand in a fence of their own. Anything else stays text.
void parse_untagged(std::string_view message, Parser& parser) {
  constexpr std::string_view kFence = "```";
  std::size_t done = 0;
  std::size_t line = 0;
  while (line < message.size()) {
    const std::size_t line_end = std::min(message.find('\n', line), message.size());
    if (message[line] == '{') {
      const auto end = end_of_object(message, line);
      if (end && is_whole_call(message.substr(line, *end - line))) {
        std::string_view before = trimmed(message.substr(done, line - done));
        if (before.ends_with("```json")) before.remove_suffix(7);
        if (before.ends_with(kFence)) before.remove_suffix(kFence.size());
        parser.add_text(before);
        parser.add_call(message.substr(line, *end - line));
        done = *end;
        const std::size_t next = message.find_first_not_of(" \t\r\n", done);
        if (next != std::string_view::npos && message.substr(next).starts_with(kFence)) {
          done = next + kFence.size();
        }
        line = done;
        continue;
      }
    }
    line = line_end + 1;
  }
  if (done < message.size()) parser.add_text(message.substr(done));
}

void parse_hermes(std::string_view message, Parser& parser) {
  if (!has(message, kOpen)) return parse_untagged(message, parser);
  std::size_t done = 0;
  while (true) {
    const std::size_t open = message.find(kOpen, done);
    parser.add_text(message.substr(done, open - done));
    if (open == std::string_view::npos) return;
    const HermesCall call = hermes_call_at(message, open + kOpen.size());
    parser.add_call(call.body);
    done = call.end;
  }
}

bool only_separators(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return c == ';' || c == ',' || c == ' ' || c == '\n' || c == '\t' || c == '\r';
  });
}

/// One JSON object after the other, as Llama 3 writes several calls (with ";" between them).
void parse_objects(std::string_view text, Parser& parser) {
  while (true) {
    const std::size_t brace = text.find('{');
    if (brace == std::string_view::npos || !only_separators(text.substr(0, brace))) break;
    const auto end = end_of_object(text, brace);
    if (!end) break;
    parser.add_call(text.substr(brace, *end - brace));
    text.remove_prefix(*end);
  }
  if (!only_separators(text)) parser.add_call(text);
}

/// True if the message means to be a call: a whole JSON object with a name and parameters, or the
/// start of one.
bool looks_like_call(std::string_view message) {
  if (!message.starts_with('{')) return false;
  return has(message, "\"name\"") &&
         (has(message, "\"parameters\"") || has(message, "\"arguments\""));
}

void parse_llama3(std::string_view message, Parser& parser) {
  const std::size_t tag = message.find(kPythonTag);
  if (tag != std::string_view::npos) {
    parser.add_text(message.substr(0, tag));
    std::string_view call = trimmed(message.substr(tag + kPythonTag.size()));
    if (call.ends_with("<|eom_id|>")) call.remove_suffix(std::string_view("<|eom_id|>").size());
    return call.starts_with('{') ? parse_objects(call, parser) : parser.add_call(call);
  }
  if (looks_like_call(trimmed(message))) return parse_objects(trimmed(message), parser);
  parser.add_text(message);
}

}  // namespace

ToolCallFormat tool_call_format_of(std::string_view chat_template_source) {
  if (has(chat_template_source, kOpen)) {
    // Some templates write XML or lists inside the tag.
    const bool json_inside = has(chat_template_source, "\"arguments\"") ||
                             has(chat_template_source, "\\\"arguments\\\"") ||
                             has(chat_template_source, "'arguments'");
    const bool other_form = has(chat_template_source, "<arg_key>") ||
                            has(chat_template_source, "<function=") ||
                            has(chat_template_source, "<tool_calls>");
    return json_inside && !other_form ? ToolCallFormat::Hermes : ToolCallFormat::None;
  }
  const bool llama = has(chat_template_source, "<|start_header_id|>") &&
                     has(chat_template_source, R"("parameters": )") &&
                     !has(chat_template_source, "<function=");
  return llama ? ToolCallFormat::Llama3 : ToolCallFormat::None;
}

ParsedToolCalls parse_tool_calls(ToolCallFormat format, std::string_view message,
                                 std::size_t first_number) {
  Parser parser(format, first_number);
  switch (format) {
    case ToolCallFormat::None:
      return {std::string(message), {}, {}};
    case ToolCallFormat::Hermes:
      parse_hermes(message, parser);
      break;
    case ToolCallFormat::Llama3:
      parse_llama3(message, parser);
      break;
  }
  return parser.take();
}

std::size_t next_call_number(std::span<const Message> messages) {
  std::size_t next = 0;
  for (const Message& message : messages) {
    for (const ToolCall& call : message.tool_calls) {
      if (!call.id.starts_with(kIdPrefix)) continue;
      // Far below the type's range, so that numbering goes on from any id that an endpoint made up.
      std::uint32_t number = 0;
      const char* const end = call.id.data() + call.id.size();
      const auto [stopped, error] = std::from_chars(call.id.data() + kIdPrefix.size(), end, number);
      if (error == std::errc() && stopped == end) next = std::max<std::size_t>(next, number + 1ULL);
    }
  }
  return next;
}

}  // namespace trialwright
