#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"
#include "base/result.h"

namespace trialwright {

/// Which means of limiting memory and processes this machine gives us.
enum class LimitMode {
  CgroupV2,
  CgroupV1,
  Rlimits,  ///< Neither could be used: memory is limited for each process, processes for each user
            ///< id.
};

std::string_view limit_mode_name(LimitMode mode);

/// Where this process may make cgroups.
struct CgroupPlace {
  LimitMode mode = LimitMode::Rlimits;
  std::filesystem::path memory;  ///< Our own cgroup; with v2 the same as `pids`.
  std::filesystem::path pids;
};

/// Finds our own cgroups from the texts of /proc/self/mountinfo and /proc/self/cgroup, without
/// looking whether they can be written. `controllers_v2` are those that v2's cgroup offers, as in
/// its file cgroup.controllers.
CgroupPlace find_cgroups(std::string_view mountinfo, std::string_view own_cgroups,
                         std::string_view controllers_v2);

/// One box's cgroups. Removed with this; whoever is still in them is killed first.
class Cgroup {
 public:
  ~Cgroup();
  Cgroup(Cgroup&& other) noexcept;
  Cgroup& operator=(Cgroup&&) = delete;
  Cgroup(const Cgroup&) = delete;
  Cgroup& operator=(const Cgroup&) = delete;

  /// Files into which a process writes "0" to enter.
  [[nodiscard]] std::vector<int> entrances() const;
  /// How often the kernel killed a process for the memory limit; nothing if that is not known.
  [[nodiscard]] std::optional<std::uint64_t> oom_kills() const;
  /// How often a process could not be started for the process limit.
  [[nodiscard]] std::optional<std::uint64_t> processes_refused() const;
  /// Kills who is in, until nobody is. False if somebody still is after five seconds.
  bool empty_out();

 private:
  friend class Cgroups;
  Cgroup() = default;
  LimitMode mode_ = LimitMode::Rlimits;
  std::vector<std::filesystem::path> folders_;  // Memory first, then pids; one with v2.
  std::vector<FileDescriptor> entrances_;
};

/// Makes the boxes' cgroups. Any thread.
class Cgroups {
 public:
  /// Looks for what can be used here, by making and removing a cgroup, and removes what earlier
  /// runs that were killed have left. Never fails: without cgroups the mode is Rlimits.
  static std::unique_ptr<Cgroups> open();

  [[nodiscard]] LimitMode mode() const { return place_.mode; }
  /// Errors: Unavailable. With rlimits the cgroup has no entrances and knows nothing.
  Result<Cgroup> make(std::uint64_t memory_bytes, int processes_max);

 private:
  explicit Cgroups(CgroupPlace place) : place_(std::move(place)) {}
  CgroupPlace place_;
};

}  // namespace trialwright
