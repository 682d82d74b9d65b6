#include "inference/llm/memory_plan.h"

#include "base/text.h"

namespace trialwright {
namespace {

std::string line(const std::string& what, std::uint64_t bytes) {
  constexpr std::size_t kWhat = 44;
  constexpr std::size_t kBytes = 18;
  const std::string number = grouped(static_cast<std::int64_t>(bytes));
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
