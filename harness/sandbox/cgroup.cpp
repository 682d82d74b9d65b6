#include "harness/sandbox/cgroup.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <thread>

#include "base/text.h"

namespace trialwright {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kNamePrefix = "trialwright-";
constexpr std::string_view kLeafName = "trialwright";
constexpr std::uint64_t kSmallFile = 1U << 20U;

// Writes in place: the files of a cgroup cannot be replaced.
bool write_value(const fs::path& path, const std::string& value) {
  const FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return file &&
         ::write(file.get(), value.data(), value.size()) == static_cast<ssize_t>(value.size());
}

std::string read_value(const fs::path& path) {
  auto text = read_file(path, kSmallFile);
  return text ? *text : std::string();
}

std::optional<std::uint64_t> number_in(std::string_view text) {
  text = trimmed(text);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end == text.data()) return std::nullopt;
  return number;
}

/// The number after `key` in a text of lines such as "oom_kill 3".
std::optional<std::uint64_t> counter_in(std::string_view text, std::string_view key) {
  for (const std::string_view line : split(text, '\n')) {
    if (line.size() > key.size() && line.substr(0, key.size()) == key && line[key.size()] == ' ') {
      return number_in(line.substr(key.size()));
    }
  }
  return std::nullopt;
}

bool contains_word(std::string_view text, char separator, std::string_view word) {
  for (const std::string_view part : split(text, separator)) {
    if (trimmed(part) == word) return true;
  }
  return false;
}

struct CgroupMount {
  std::string root;
  fs::path point;
};

/// The mount of cgroup2, or of the v1 hierarchy with this controller.
std::optional<CgroupMount> find_mount(std::string_view mountinfo, std::string_view controller) {
  for (const std::string_view line : split(mountinfo, '\n')) {
    const std::size_t dash = line.find(" - ");
    if (dash == std::string_view::npos) continue;
    const auto front = split(line.substr(0, dash), ' ');
    const auto back = split(line.substr(dash + 3), ' ');
    if (front.size() < 6 || back.size() < 3) continue;
    const bool fits = controller.empty()
                          ? back[0] == "cgroup2"
                          : back[0] == "cgroup" && contains_word(back[2], ',', controller);
    if (fits) return CgroupMount{std::string(front[3]), fs::path(front[4])};
  }
  return std::nullopt;
}

/// Our path in the hierarchy with this controller; the empty controller is v2.
std::optional<std::string> own_path(std::string_view own_cgroups, std::string_view controller) {
  for (const std::string_view line : split(own_cgroups, '\n')) {
    const auto parts = split(line, ':');
    if (parts.size() < 3) continue;
    const bool fits = controller.empty() ? parts[0] == "0" && parts[1].empty()
                                         : contains_word(parts[1], ',', controller);
    if (fits) return std::string(line.substr(parts[0].size() + parts[1].size() + 2));
  }
  return std::nullopt;
}

std::optional<fs::path> own_folder(std::string_view mountinfo, std::string_view own_cgroups,
                                   std::string_view controller) {
  const auto mount = find_mount(mountinfo, controller);
  const auto path = own_path(own_cgroups, controller);
  if (!mount || !path) return std::nullopt;
  // A container may see only a part of the hierarchy, mounted as if it were the whole.
  std::string below = *path;
  if (mount->root != "/" && below.substr(0, mount->root.size()) == mount->root) {
    below = below.substr(mount->root.size());
  }
  while (!below.empty() && below.front() == '/') below.erase(0, 1);
  return below.empty() ? mount->point : mount->point / below;
}

std::vector<pid_t> members(const fs::path& folder) {
  std::vector<pid_t> result;
  const std::string text = read_value(folder / "cgroup.procs");
  for (const std::string_view line : split(text, '\n')) {
    if (const auto pid = number_in(line); pid && *pid > 0) {
      result.push_back(static_cast<pid_t>(*pid));
    }
  }
  return result;
}

/// When the process started, in the kernel's ticks: with the id it names a process for good.
std::string start_time(const std::string& process) {
  const std::string stat = read_value("/proc/" + process + "/stat");
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return {};
  const auto fields = split(std::string_view(stat).substr(name_end + 2), ' ');
  return fields.size() > 19 ? std::string(fields[19]) : std::string();
}

/// Names are `trialwright-PID-STARTED-N`, so that a later run knows whose they were.
void remove_leftovers(const fs::path& folder) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.rfind(kNamePrefix, 0) != 0) continue;
    const auto parts = split(std::string_view(name).substr(kNamePrefix.size()), '-');
    if (parts.size() != 3) continue;
    if (start_time(std::string(parts[0])) == parts[1]) continue;
    ::rmdir(entry.path().c_str());
  }
}

std::string fresh_name() {
  static std::atomic<std::uint64_t> count{0};
  const std::string process = std::to_string(getpid());
  return std::string(kNamePrefix) + process + "-" + start_time("self") + "-" +
         std::to_string(count++);
}

/// With v2 a cgroup that passes controllers on may hold no processes itself, so we move to a leaf.
bool delegate(const fs::path& folder) {
  if (contains_word(read_value(folder / "cgroup.subtree_control"), ' ', "memory") &&
      contains_word(read_value(folder / "cgroup.subtree_control"), ' ', "pids")) {
    return true;
  }
  const fs::path leaf = folder / kLeafName;
  if (::mkdir(leaf.c_str(), 0755) != 0 && errno != EEXIST) return false;
  return write_value(leaf / "cgroup.procs", "0") &&
         write_value(folder / "cgroup.subtree_control", "+memory +pids");
}

bool set_limits(LimitMode mode, const std::vector<fs::path>& folders, std::uint64_t memory_bytes,
                int processes_max) {
  const std::string memory = std::to_string(memory_bytes);
  const std::string processes = std::to_string(processes_max);
  if (mode == LimitMode::CgroupV2) {
    // Without swap accounting the file for swap does not exist.
    (void)write_value(folders[0] / "memory.swap.max", "0");
    return write_value(folders[0] / "memory.max", memory) &&
           write_value(folders[0] / "pids.max", processes);
  }
  const bool limited = write_value(folders[0] / "memory.limit_in_bytes", memory) &&
                       write_value(folders[1] / "pids.max", processes);
  (void)write_value(folders[0] / "memory.memsw.limit_in_bytes", memory);
  return limited;
}

}  // namespace

std::string_view limit_mode_name(LimitMode mode) {
  switch (mode) {
    case LimitMode::CgroupV2:
      return "cgroup v2";
    case LimitMode::CgroupV1:
      return "cgroup v1";
    case LimitMode::Rlimits:
      return "rlimits";
  }
  CHECK(false, "every mode has a name");
}

CgroupPlace find_cgroups(std::string_view mountinfo, std::string_view own_cgroups,
                         std::string_view controllers_v2) {
  CgroupPlace place;
  const auto unified = own_folder(mountinfo, own_cgroups, "");
  if (unified && contains_word(controllers_v2, ' ', "memory") &&
      contains_word(controllers_v2, ' ', "pids")) {
    return {LimitMode::CgroupV2, *unified, *unified};
  }
  const auto memory = own_folder(mountinfo, own_cgroups, "memory");
  const auto pids = own_folder(mountinfo, own_cgroups, "pids");
  if (memory && pids) return {LimitMode::CgroupV1, *memory, *pids};
  return {};
}

Cgroup::Cgroup(Cgroup&& other) noexcept
    : mode_(other.mode_),
      folders_(std::move(other.folders_)),
      entrances_(std::move(other.entrances_)) {
  other.folders_.clear();
}

Cgroup::~Cgroup() {
  entrances_.clear();
  if (folders_.empty()) return;
  empty_out();
  for (const fs::path& folder : folders_) ::rmdir(folder.c_str());
}

std::vector<int> Cgroup::entrances() const {
  std::vector<int> result;
  for (const FileDescriptor& entrance : entrances_) result.push_back(entrance.get());
  return result;
}

std::optional<std::uint64_t> Cgroup::oom_kills() const {
  if (folders_.empty()) return std::nullopt;
  const char* file = mode_ == LimitMode::CgroupV2 ? "memory.events" : "memory.oom_control";
  return counter_in(read_value(folders_.front() / file), "oom_kill");
}

std::optional<std::uint64_t> Cgroup::processes_refused() const {
  if (folders_.empty()) return std::nullopt;
  return counter_in(read_value(folders_.back() / "pids.events"), "max");
}

bool Cgroup::empty_out() {
  constexpr int kRounds = 5000;
  for (int round = 0; round < kRounds; ++round) {
    bool anybody = false;
    for (const fs::path& folder : folders_) {
      for (const pid_t pid : members(folder)) {
        anybody = true;
        ::kill(pid, SIGKILL);
      }
    }
    if (!anybody) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

std::unique_ptr<Cgroups> Cgroups::open() {
  const std::string mountinfo = read_value("/proc/self/mountinfo");
  const std::string own = read_value("/proc/self/cgroup");
  std::string controllers;
  if (const auto unified = own_folder(mountinfo, own, "")) {
    controllers = read_value(*unified / "cgroup.controllers");
  }
  std::unique_ptr<Cgroups> cgroups(new Cgroups(find_cgroups(mountinfo, own, controllers)));
  CgroupPlace& place = cgroups->place_;
  if (place.mode == LimitMode::CgroupV2 && place.memory.filename() == kLeafName) {
    // We have moved to a leaf before.
    place.memory = place.pids = place.memory.parent_path();
  }
  if (place.mode == LimitMode::CgroupV2 && !delegate(place.memory)) place.mode = LimitMode::Rlimits;
  if (place.mode == LimitMode::Rlimits) return cgroups;
  remove_leftovers(place.memory);
  if (place.pids != place.memory) remove_leftovers(place.pids);
  constexpr std::uint64_t kTrialBytes = 64U << 20U;
  if (!cgroups->make(kTrialBytes, 16)) place.mode = LimitMode::Rlimits;
  return cgroups;
}

Result<Cgroup> Cgroups::make(std::uint64_t memory_bytes, int processes_max) {
  Cgroup cgroup;
  cgroup.mode_ = place_.mode;
  if (place_.mode == LimitMode::Rlimits) return cgroup;
  std::vector<fs::path> parents = {place_.memory};
  if (place_.pids != place_.memory) parents.push_back(place_.pids);
  const std::string name = fresh_name();
  for (const fs::path& parent : parents) {
    const fs::path folder = parent / name;
    if (::mkdir(folder.c_str(), 0755) != 0) {
      return unavailable("making the cgroup " + folder.string() + ": " + errno_text(errno));
    }
    cgroup.folders_.push_back(folder);
    cgroup.entrances_.emplace_back(::open((folder / "cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
    if (!cgroup.entrances_.back()) {
      return unavailable("opening the cgroup " + folder.string() + ": " + errno_text(errno));
    }
  }
  if (!set_limits(place_.mode, cgroup.folders_, memory_bytes, processes_max)) {
    return unavailable("limiting the cgroup " + name + ": " + errno_text(errno));
  }
  return cgroup;
}

}  // namespace trialwright
