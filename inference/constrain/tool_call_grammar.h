#pragma once

#include <memory>
#include <span>
#include <string>

#include "base/result.h"
#include "inference/chat/tool_call_format.h"
#include "inference/constrain/grammar.h"
#include "inference/message.h"

namespace trialwright {

/// What a message must do about the tools, as in `tool_choice` of the OpenAI chat-completions API.
struct ToolCallChoice {
  enum class Mode {
    Auto,      ///< Text, calls, or text and then calls.
    Required,  ///< Calls only.
    Named,     ///< One call of the tool `name`.
  };
  Mode mode = Mode::Auto;
  std::string name = {};  ///< Of Named.
  bool several = true;    ///< Whether one call may follow another; never with Named.
};

/// The messages whose tool calls, in the model's own format, can be read and fit the tools'
/// schemas.
///
/// Tags that are tokens of the vocabulary are written as these tokens. Text cannot spell out an
/// opening tag, so what reads as a call is one; what a reader takes for a call without any tag
/// (ToolCallFormat::Hermes) is text like all other.
/// Errors: Invalid for a format without tools, no tools, a name that no tool has or that two have,
/// and for a tool's schema, named by the tool.
Result<std::shared_ptr<const Grammar>> compile_tool_calls(ToolCallFormat format,
                                                          std::span<const ToolDefinition> tools,
                                                          const ToolCallChoice& choice);

}  // namespace trialwright
