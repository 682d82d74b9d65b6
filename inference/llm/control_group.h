#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

namespace trialwright {

/// The folders of the control groups (version 2) that this process is in, innermost first: a limit
/// of any of them binds. Empty on a system that has none. `root` stands for the file system's in
/// tests.
std::vector<std::filesystem::path> own_control_groups(const std::filesystem::path& root = "/");

/// Bytes that the tightest of the groups leaves; empty if none has a limit. File pages that a group
/// has charged can be dropped, so they count as free.
std::optional<std::uint64_t> memory_left_in(const std::vector<std::filesystem::path>& groups);

/// Cores' worth of time that the tightest of the groups grants, rounded up; empty if none has a
/// limit.
std::optional<int> cores_granted_by(const std::vector<std::filesystem::path>& groups);

}  // namespace trialwright
