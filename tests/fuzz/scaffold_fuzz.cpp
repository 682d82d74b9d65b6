// A scaffold document is read or refused; one that is read has at least one tool and a digest.

#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "harness/agent/scaffold.h"

using namespace trialwright;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto scaffold = parse_scaffold(text);
  if (!scaffold) return 0;
  CHECK(!scaffold->tools.empty(), "an agent needs a tool");
  CHECK(scaffold->limits.turns_max >= 1, "limits are checked when they are read");
  CHECK(scaffold_digest(*scaffold) != Digest{}, "every scaffold has a digest");
  return 0;
}
