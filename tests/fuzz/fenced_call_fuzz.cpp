// Whatever a reply is, the fenced call in it is read or explained.

#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "harness/agent/fenced_protocol.h"

using namespace trialwright;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view reply(reinterpret_cast<const char*>(data), size);
  const ParsedToolCalls parsed = parse_fenced_call(reply);
  CHECK(parsed.calls.size() <= 1, "a reply has one call at most");
  CHECK(parsed.text.size() <= size, "text is only taken from the reply");
  for (const ToolCall& call : parsed.calls) {
    CHECK(!call.name.empty(), "a call has a name");
    CHECK(call.arguments.is_object(), "arguments are an object");
  }
  return 0;
}
