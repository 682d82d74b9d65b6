#include "inference/chat/tool_call_format.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "inference/chat/tool_calls/call_reader.h"

namespace trialwright {

namespace {

constexpr std::string_view kIdPrefix = "call_";
/// Mistral's ids have nine letters and digits.
constexpr std::string_view kMistralIdPrefix = "call";
constexpr std::size_t kMistralIdSize = 9;

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

bool is_mistral(ToolCallFormat format) {
  return format == ToolCallFormat::MistralList || format == ToolCallFormat::MistralArgs;
}

std::unique_ptr<CallReader> reader_of(ToolCallFormat format) {
  switch (format) {
    case ToolCallFormat::None:
      return nullptr;
    case ToolCallFormat::Hermes:
      return hermes_reader();
    case ToolCallFormat::Llama3:
      return llama3_reader();
    case ToolCallFormat::MistralList:
    case ToolCallFormat::MistralArgs:
      return mistral_reader();
    case ToolCallFormat::Harmony:
      return harmony_reader();
  }
  CHECK(false, "every format has a reader");
}

/// The number of an id that call_id made, for whatever format.
std::optional<std::size_t> number_of(std::string_view id) {
  if (id.starts_with(kIdPrefix)) {
    id.remove_prefix(kIdPrefix.size());
  } else if (id.starts_with(kMistralIdPrefix) && id.size() == kMistralIdSize) {
    id.remove_prefix(kMistralIdPrefix.size());
  } else {
    return std::nullopt;
  }
  // Far below the type's range, so that numbering goes on from any id that an endpoint made up.
  std::uint32_t number = 0;
  const auto [stopped, error] = std::from_chars(id.data(), id.data() + id.size(), number);
  if (error != std::errc() || stopped != id.data() + id.size()) return std::nullopt;
  return number;
}

}  // namespace

ToolCallFormat tool_call_format_of(std::string_view chat_template_source) {
  if (has(chat_template_source, "<tool_call>")) {
    // Some templates write XML or lists inside the tag.
    const bool json_inside = has(chat_template_source, "\"arguments\"") ||
                             has(chat_template_source, "\\\"arguments\\\"") ||
                             has(chat_template_source, "'arguments'");
    const bool other_form = has(chat_template_source, "<arg_key>") ||
                            has(chat_template_source, "<function=") ||
                            has(chat_template_source, "<tool_calls>");
    return json_inside && !other_form ? ToolCallFormat::Hermes : ToolCallFormat::None;
  }
  if (has(chat_template_source, kMistralCalls)) {
    return has(chat_template_source, kMistralArgs) ? ToolCallFormat::MistralArgs
                                                   : ToolCallFormat::MistralList;
  }
  if (has(chat_template_source, kHarmonyChannel) && has(chat_template_source, kHarmonyCall)) {
    return ToolCallFormat::Harmony;
  }
  const bool llama = has(chat_template_source, "<|start_header_id|>") &&
                     has(chat_template_source, R"("parameters": )") &&
                     !has(chat_template_source, "<function=");
  return llama ? ToolCallFormat::Llama3 : ToolCallFormat::None;
}

bool belongs_to_calls(ToolCallFormat format, std::string_view control_token) {
  switch (format) {
    case ToolCallFormat::None:
    case ToolCallFormat::Hermes:
      return false;
    case ToolCallFormat::Llama3:
      return control_token == kPythonTag;
    case ToolCallFormat::MistralList:
    case ToolCallFormat::MistralArgs:
      return control_token == kMistralCalls || control_token == kMistralArgs ||
             control_token == kMistralCallId;
    case ToolCallFormat::Harmony: {
      constexpr std::array kTokens = {kHarmonyStart,   kHarmonyChannel, kHarmonyConstrain,
                                      kHarmonyMessage, kHarmonyEnd,     kHarmonyCall};
      return std::ranges::find(kTokens, control_token) != kTokens.end();
    }
  }
  CHECK(false, "every format has its tokens");
}

bool frames_every_message(ToolCallFormat format) { return format == ToolCallFormat::Harmony; }

std::string call_id(ToolCallFormat format, std::size_t number) {
  const std::string digits = std::to_string(number);
  if (!is_mistral(format)) return std::string(kIdPrefix) + digits;
  const std::size_t width = kMistralIdSize - kMistralIdPrefix.size();
  return std::string(kMistralIdPrefix) + std::string(width - std::min(width, digits.size()), '0') +
         digits;
}

ParsedToolCalls parse_tool_calls(ToolCallFormat format, std::string_view message,
                                 std::size_t first_number) {
  ToolCallStream stream(format, first_number, {});
  stream.add(message);
  stream.finish();
  return stream.parsed();
}

std::size_t next_call_number(std::span<const Message> messages) {
  std::size_t next = 0;
  for (const Message& message : messages) {
    for (const ToolCall& call : message.tool_calls) {
      if (const auto number = number_of(call.id)) next = std::max(next, *number + 1);
    }
  }
  return next;
}

ToolCallStream::ToolCallStream(ToolCallFormat format, std::size_t first_number, Listener listener)
    : sink_(std::make_unique<CallSink>(format, first_number, std::move(listener))),
      reader_(reader_of(format)) {}

ToolCallStream::~ToolCallStream() = default;

const ParsedToolCalls& ToolCallStream::parsed() const { return sink_->parsed(); }

void ToolCallStream::add(std::string_view piece) {
  if (!reader_) return sink_->add_verbatim(piece);
  rest_ += piece;
  read(false);
}

void ToolCallStream::finish() {
  if (!reader_) return;
  read(true);
  sink_->finish();
}

void ToolCallStream::read(bool is_whole) {
  std::size_t done = 0;
  while (done < rest_.size()) {
    const auto used = reader_->step(std::string_view(rest_).substr(done), is_whole, *sink_);
    if (!used) break;
    done += *used;
  }
  rest_.erase(0, done);
}

}  // namespace trialwright
