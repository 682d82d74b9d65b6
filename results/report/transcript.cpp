#include "base/clock.h"
#include "base/text.h"
#include "results/report/html.h"
#include "results/report/sections.h"

namespace trialwright {

namespace {

using html::element;

std::string message_box(std::string_view kind, std::string_view label, std::string_view detail,
                        std::string_view content) {
  std::string head = element("span", "who", label);
  if (!detail.empty()) head += element("span", "detail", detail);
  return element("div", "message m-" + std::string(kind),
                 element("div", "head", head) + std::string(content));
}

/// Arguments read best as lines: a text as it stands, anything else as JSON.
std::string arguments_block(const Json& arguments) {
  if (!arguments.is_object() || arguments.empty()) return html::block(to_text(arguments));
  std::string out;
  for (const auto& [name, value] : arguments.items()) {
    const std::string shown = value.is_string() ? value.get<std::string>() : to_text(value);
    out +=
        element("div", "argument", element("span", "key", html::text(name)) + html::block(shown));
  }
  return out;
}

std::string observation_box(const Observation& observation, const std::string& tool) {
  return message_box(observation.is_error ? "error" : "observation",
                     observation.is_error ? "error" : "observation", html::text(tool),
                     html::block(observation.text));
}

std::string completion_detail(const Completion& completion) {
  std::string detail = grouped(completion.usage.prompt_tokens) + " + " +
                       counted(completion.usage.completion_tokens, "token");
  const auto spent = completion.timings.prefill + completion.timings.decode;
  if (spent.count() > 0) detail += " · " + duration_text(spent);
  if (completion.finish != FinishReason::Stop) {
    detail += " · ended by " + std::string(finish_reason_name(completion.finish));
  }
  return detail;
}

std::string turn_box(const Turn& turn, std::size_t number) {
  const Completion& completion = turn.completion;
  std::string content;
  if (!completion.text.empty()) content += html::block(completion.text);
  for (const ToolCall& call : completion.tool_calls) {
    content += element(
        "div", "call",
        element("div", "head",
                element("span", "who", "call") + element("span", "tool", html::text(call.name))) +
            arguments_block(call.arguments));
  }
  for (const std::string& error : completion.tool_call_errors) {
    content += element("p", "call-error", html::text(error));
  }
  if (content.empty()) content = "<p class=\"empty\">nothing</p>";
  std::string out = message_box("assistant", "assistant", completion_detail(completion), content);
  for (const Observation& observation : turn.observations) {
    std::string tool;
    for (const ToolCall& call : completion.tool_calls) {
      if (call.id == observation.tool_call_id) tool = call.name;
    }
    out += observation_box(observation, tool);
  }
  return element("div", "turn",
                 element("div", "turn-number", "turn " + std::to_string(number)) + out);
}

std::string end_note(const Trace& trace) {
  std::string note = "ended: " + std::string(episode_end_name(trace.end));
  for (char& c : note) {
    if (c == '_') c = ' ';
  }
  std::string out = element("p", "end", note);
  if (!trace.error.empty()) out += message_box("error", "error", "", html::block(trace.error));
  if (!trace.answer.empty()) out += message_box("answer", "answer", "", html::block(trace.answer));
  return out;
}

}  // namespace

std::string transcript(const Trace& trace) {
  std::string out;
  for (const Message& message : trace.opening) {
    out += message_box(role_name(message.role), role_name(message.role), "",
                       html::block(message.content));
  }
  for (std::size_t i = 0; i < trace.turns.size(); ++i) out += turn_box(trace.turns[i], i + 1);
  return out + end_note(trace);
}

}  // namespace trialwright
