#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inference/message.h"

namespace trialwright {

/// A control token that is part of how a tool call is written.
constexpr std::string_view kPythonTag = "<|python_tag|>";

/// How a model writes tool calls, told from its chat template.
enum class ToolCallFormat {
  None,    ///< The template knows no tools.
  Hermes,  ///< `<tool_call>{"name": …, "arguments": {…}}</tool_call>`: Qwen, Hermes. A whole call
           ///< that starts a line is read without its tags too, if the message has no tags.
  Llama3,  ///< The whole message is `{"name": …, "parameters": {…}}`, or `<|python_tag|>` before
           ///< it.
};

ToolCallFormat tool_call_format_of(std::string_view chat_template_source);

/// A message taken apart.
struct ParsedToolCalls {
  std::string text;                 ///< What stands outside the calls.
  std::vector<ToolCall> calls;      ///< With ids "call_N", from the number that was asked for.
  std::vector<std::string> errors;  ///< One sentence for each call that could not be read.
};

/// Never fails: what cannot be read is an error in the result, written for the model to learn from.
/// Calls get the ids "call_<first_number>" and on; next_call_number() keeps them apart from those
/// of the conversation so far.
ParsedToolCalls parse_tool_calls(ToolCallFormat format, std::string_view message,
                                 std::size_t first_number = 0);

/// A number such that no call of the conversation has the id "call_N" with it or a larger one.
std::size_t next_call_number(std::span<const Message> messages);

}  // namespace trialwright
