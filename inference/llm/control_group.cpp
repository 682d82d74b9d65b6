#include "inference/llm/control_group.h"

#include <algorithm>
#include <fstream>
#include <string>

namespace trialwright {

namespace fs = std::filesystem;

namespace {

/// The number that a file begins with; none if there is no such file or it says "max".
std::optional<std::uint64_t> number_in(const fs::path& path) {
  std::ifstream file(path);
  std::uint64_t number = 0;
  return file >> number ? std::optional(number) : std::nullopt;
}

std::optional<std::uint64_t> memory_left(const fs::path& group) {
  const auto limit = number_in(group / "memory.max");
  const auto used = number_in(group / "memory.current");
  if (!limit || !used) {
    return std::nullopt;
  }
  std::uint64_t file_pages = 0;
  std::ifstream details(group / "memory.stat");
  std::string key;
  std::uint64_t value = 0;
  while (details >> key >> value) {
    file_pages += key == "inactive_file" || key == "active_file" ? value : 0;
  }
  const std::uint64_t held = *used - std::min(*used, file_pages);
  return *limit - std::min(*limit, held);
}

/// "QUOTA PERIOD", both in microseconds, or "max PERIOD".
std::optional<int> cores_granted(const fs::path& group) {
  std::ifstream file(group / "cpu.max");
  std::int64_t quota = 0;
  std::int64_t period = 0;
  if (!(file >> quota >> period) || quota <= 0 || period <= 0) {
    return std::nullopt;
  }
  constexpr std::int64_t kCoresMax = 1 << 20;
  return static_cast<int>(std::min(kCoresMax, (quota - 1) / period + 1));
}

template <typename Limit>
auto tightest(const std::vector<fs::path>& groups, const Limit& limit_of) {
  decltype(limit_of(fs::path())) tightest;
  for (const fs::path& group : groups) {
    const auto limit = limit_of(group);
    if (limit && (!tightest || *limit < *tightest)) {
      tightest = limit;
    }
  }
  return tightest;
}

}  // namespace

std::vector<fs::path> own_control_groups(const fs::path& root) {
  std::ifstream file(root / "proc/self/cgroup");
  std::string line;
  while (std::getline(file, line)) {
    if (!line.starts_with("0::/")) {
      continue;
    }
    std::vector<fs::path> groups;
    fs::path inner = fs::path(line.substr(4)).lexically_normal();
    const fs::path top = root / "sys/fs/cgroup";
    for (; !inner.empty() && inner != "."; inner = inner.parent_path()) {
      groups.push_back(top / inner);
    }
    // In a container, what looks like the root is a group with limits of its own.
    groups.push_back(top);
    return groups;
  }
  return {};
}

std::optional<std::uint64_t> memory_left_in(const std::vector<fs::path>& groups) {
  return tightest(groups, memory_left);
}

std::optional<int> cores_granted_by(const std::vector<fs::path>& groups) {
  return tightest(groups, cores_granted);
}

}  // namespace trialwright
