// What is read of a run's configuration means the same when it is written and read again.

#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "harness/run/spec.h"

using namespace trialwright;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto json = parse_json({reinterpret_cast<const char*>(data), size});
  if (!json) return 0;
  const auto spec = spec_from_json(*json);
  if (!spec) return 0;
  const Json written = spec_to_json(*spec);
  const auto again = spec_from_json(written);
  CHECK(again, "what we write can be read");
  CHECK(to_text(spec_to_json(*again)) == to_text(written), "writing loses nothing");
  return 0;
}
