#include "inference/llm/memory.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <string>

#include "inference/llm/control_group.h"

namespace trialwright {
namespace {

std::optional<std::uint64_t> number_in(const std::string& text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() ? std::optional(value) : std::nullopt;
}

std::optional<std::uint64_t> available_on_machine() {
  std::ifstream file("/proc/meminfo");
  std::string key;
  std::string value;
  std::string rest;
  while (file >> key >> value && std::getline(file, rest)) {
    if (key == "MemAvailable:") {
      const auto kibibytes = number_in(value);
      return kibibytes ? std::optional(*kibibytes * 1024) : std::nullopt;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::uint64_t> available_memory_bytes() {
  const auto machine = available_on_machine();
  const auto group = memory_left_in(own_control_groups());
  if (machine && group) {
    return std::min(*machine, *group);
  }
  return machine ? machine : group;
}

}  // namespace trialwright
