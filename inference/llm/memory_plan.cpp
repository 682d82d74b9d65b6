#include "inference/llm/memory_plan.h"

#include <algorithm>
#include <cstdio>

namespace trialwright {
namespace {

/// The number with a comma before each three digits.
std::string grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, ",");
  }
  return digits;
}

std::string line(const std::string& what, std::uint64_t bytes) {
  constexpr std::size_t kWhat = 44;
  constexpr std::size_t kBytes = 18;
  const std::string number = grouped(bytes);
  return what + std::string(what.size() < kWhat ? kWhat - what.size() : 1, ' ') +
         std::string(number.size() < kBytes ? kBytes - number.size() : 0, ' ') + number + "\n";
}

}  // namespace

std::uint64_t MemoryPlan::needed() const {
  std::uint64_t sum = 0;
  for (const Item& item : items) {
    sum += item.bytes;
  }
  return sum;
}

std::string MemoryPlan::text() const {
  std::string text;
  for (const Item& item : items) {
    text += line(item.what, item.bytes);
  }
  text += line("needed, in bytes", needed());
  text += line("further keys and values, at most", cache_bytes);
  if (available) {
    text += line("available", *available);
  }
  return text;
}

}  // namespace trialwright
