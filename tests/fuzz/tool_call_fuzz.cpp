// Whatever the message is, tool calls are read from it or explained, the same however it is cut.

#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "inference/chat/tool_call_format.h"

using namespace trialwright;

namespace {

void check_same(const ParsedToolCalls& whole, const ParsedToolCalls& pieces) {
  CHECK(whole.text == pieces.text, "text does not depend on the pieces");
  CHECK(whole.errors == pieces.errors, "errors do not depend on the pieces");
  CHECK(whole.calls.size() == pieces.calls.size(), "nor does the number of calls");
  for (std::size_t i = 0; i < whole.calls.size(); ++i) {
    CHECK(whole.calls[i].id == pieces.calls[i].id && whole.calls[i].name == pieces.calls[i].name &&
              whole.calls[i].arguments == pieces.calls[i].arguments,
          "nor do the calls");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string message(reinterpret_cast<const char*>(data), size);
  for (const auto format :
       {ToolCallFormat::None, ToolCallFormat::Hermes, ToolCallFormat::Llama3,
        ToolCallFormat::MistralList, ToolCallFormat::MistralArgs, ToolCallFormat::Harmony}) {
    const ParsedToolCalls parsed = parse_tool_calls(format, message);
    CHECK(parsed.text.size() <= size, "text is only taken from the message");
    for (const ToolCall& call : parsed.calls) {
      CHECK(!call.name.empty(), "a call has a name");
      CHECK(call.arguments.is_object(), "arguments are an object");
    }
    std::string told;
    ToolCallStream stream(format, 0, {.on_text = [&](std::string_view text) { told += text; }});
    // Pieces of one to seven bytes, as the message itself says.
    for (std::size_t at = 0; at < size;) {
      const std::size_t length = 1 + data[at] % 7U;
      stream.add(std::string_view(message).substr(at, length));
      at += length;
    }
    stream.finish();
    check_same(parsed, stream.parsed());
    CHECK(told == parsed.text, "what was told is the text");
  }
  (void)tool_call_format_of(message);
  return 0;
}
