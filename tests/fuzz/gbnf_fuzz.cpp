// Whatever the grammar is, it is compiled or refused; what is compiled leads somewhere from
// everywhere.

#include <cstdint>
#include <string_view>

#include "tests/fuzz/grammar_walk.h"

using namespace trialwright;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto grammar = compile_gbnf({reinterpret_cast<const char*>(data), size});
  if (grammar) walk_bytes(*grammar);
  return 0;
}
