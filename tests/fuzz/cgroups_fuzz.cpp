// Our own cgroups are found in whatever the kernel's files say, or are not.

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "harness/sandbox/cgroup.h"

using namespace trialwright;

/// The three files, with a line of "---" between them.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::string_view kBetween = "---\n";
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  std::array<std::string_view, 3> files;
  for (std::string_view& file : files) {
    const std::size_t end = std::min(rest.find(kBetween), rest.size());
    file = rest.substr(0, end);
    rest.remove_prefix(std::min(end + kBetween.size(), rest.size()));
  }
  const CgroupPlace place = find_cgroups(files[0], files[1], files[2]);
  const bool found = place.mode != LimitMode::Rlimits;
  CHECK(found == !place.memory.empty() && found == !place.pids.empty(),
        "a place is whole or not there");
  return 0;
}
