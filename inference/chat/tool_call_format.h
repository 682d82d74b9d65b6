#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inference/message.h"

namespace trialwright {

/// How a model writes tool calls, told from its chat template.
enum class ToolCallFormat {
  None,    ///< The template knows no tools.
  Hermes,  ///< `<tool_call>{"name": …, "arguments": {…}}</tool_call>`: Qwen, Hermes. A whole
           ///< call that starts a line is read without its tags too, before the first tag.
  Llama3,  ///< The whole message is `{"name": …, "parameters": {…}}`, or `<|python_tag|>`
           ///< before it.
  MistralList,  ///< `[TOOL_CALLS][{"name": …, "arguments": {…}}, …]`: up to Mistral Nemo.
  MistralArgs,  ///< `[TOOL_CALLS]NAME[ARGS]{…}` for each call, perhaps `[CALL_ID]ID` before the
                ///< arguments: later ones. Both forms are read wherever one is expected.
  Harmony,      ///< Channels of gpt-oss: `<|channel|>commentary to=functions.NAME
            ///< <|constrain|>json<|message|>{…}<|call|>`; text is what the final channel says.
            ///< https://cookbook.openai.com/articles/openai-harmony
};

ToolCallFormat tool_call_format_of(std::string_view chat_template_source);

/// True for the control tokens that are part of how the format is written: they belong to the text
/// that tool calls are read from, where other control tokens do not.
bool belongs_to_calls(ToolCallFormat format, std::string_view control_token);

/// True if every message is written in the format, whether or not there are tools.
bool frames_every_message(ToolCallFormat format);

/// A message taken apart.
struct ParsedToolCalls {
  std::string text;                 ///< What stands outside the calls.
  std::vector<ToolCall> calls;      ///< With ids from the number that was asked for; see call_id.
  std::vector<std::string> errors;  ///< One sentence for each call that could not be read.
};

/// The id of a conversation's call: "call_7", and "call00007" for Mistral, whose templates ask for
/// nine letters and digits.
std::string call_id(ToolCallFormat format, std::size_t number);

/// Never fails: what cannot be read is an error in the result, written for the model to learn from.
/// Calls are numbered from `first_number`; next_call_number() keeps them apart from those of the
/// conversation so far.
ParsedToolCalls parse_tool_calls(ToolCallFormat format, std::string_view message,
                                 std::size_t first_number = 0);

/// A number such that no call of the conversation has an id of call_id() with it or a larger one.
std::size_t next_call_number(std::span<const Message> messages);

class CallReader;
class CallSink;

/// Takes a message apart while it is being written.
///
/// What is text whatever follows is passed on at once, a call when it is complete. However the
/// message is cut into pieces, the result is that of parse_tool_calls.
class ToolCallStream {
 public:
  struct Listener {
    std::function<void(std::string_view)> on_text{};  ///< All pieces together are `parsed().text`.
    std::function<void(const ToolCall&)> on_call{};
  };

  ToolCallStream(ToolCallFormat format, std::size_t first_number, Listener listener);
  ~ToolCallStream();
  ToolCallStream(const ToolCallStream&) = delete;
  ToolCallStream& operator=(const ToolCallStream&) = delete;

  void add(std::string_view piece);
  /// The message is whole; nothing may be added afterwards.
  void finish();

  /// What was found so far.
  [[nodiscard]] const ParsedToolCalls& parsed() const;

 private:
  void read(bool is_whole);

  std::string rest_;  ///< What is not read yet.
  std::unique_ptr<CallSink> sink_;
  std::unique_ptr<CallReader> reader_;  ///< None where the format is None.
};

}  // namespace trialwright
