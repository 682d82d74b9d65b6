// Whatever the schema is, it is compiled or refused; what is compiled leads somewhere from
// everywhere, and what it leads to is JSON.

#include <cstdint>
#include <string_view>

#include "tests/fuzz/grammar_walk.h"

using namespace trialwright;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto schema = parse_json({reinterpret_cast<const char*>(data), size});
  if (!schema) return 0;
  const auto grammar = compile_json_schema(*schema);
  if (!grammar) return 0;
  const auto text = walk_bytes(*grammar);
  CHECK(!text || parse_json(*text), "a schema describes JSON texts");
  return 0;
}
