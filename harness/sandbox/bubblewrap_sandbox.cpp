#include <sys/utsname.h>
#include <unistd.h>

#include <charconv>

#include "base/files.h"
#include "base/text.h"
#include "harness/sandbox/collector.h"
#include "harness/sandbox/image_store.h"
#include "harness/sandbox/machine.h"
#include "harness/sandbox/sandbox.h"
#include "harness/sandbox/seccomp_filter.h"

namespace trialwright {
namespace {

namespace fs = std::filesystem;

class BubblewrapGrading final : public GradingWorkspace {
 public:
  BubblewrapGrading(std::unique_ptr<Machine> machine, std::shared_ptr<void> seal)
      : seal_(std::move(seal)), machine_(std::move(machine)) {}

  Result<CommandResult> run(std::span<const std::string> argv, const CommandOptions& options,
                            std::stop_token stop) override {
    return machine_->run(argv, options, stop);
  }
  Result<std::string> read_file(std::string_view path, std::uint64_t bytes_max) override {
    return machine_->read_file(path, bytes_max);
  }
  Result<void> write_file(std::string_view path, std::string_view content, unsigned mode) override {
    return machine_->write_file(path, content, mode);
  }
  [[nodiscard]] std::string working_folder() const override {
    return machine_->spec().working_folder;
  }
  Result<std::string> read_verdict(std::string_view name, std::uint64_t bytes_max) override {
    if (name.empty() || name.find('/') != std::string_view::npos) {
      return invalid("a verdict's name is a plain file name");
    }
    // What the tests ran and left in the background could write a verdict of its own.
    if (auto stopped = machine_->stop(); !stopped)
      return stopped.error().during("ending the tests");
    return collect_file(machine_->verdict_folder(), name, bytes_max);
  }
  [[nodiscard]] SealFindings findings() const override { return machine_->findings(); }

 private:
  std::shared_ptr<void> seal_;
  std::unique_ptr<Machine> machine_;
};

class BubblewrapAgent final : public AgentWorkspace {
 public:
  BubblewrapAgent(std::shared_ptr<const MachineRoom> room, std::unique_ptr<Machine> machine)
      : room_(std::move(room)), machine_(std::move(machine)) {}

  Result<CommandResult> run(std::span<const std::string> argv, const CommandOptions& options,
                            std::stop_token stop) override {
    if (sealed()) return still_sealed();
    return machine_->run(argv, options, stop);
  }
  Result<std::string> read_file(std::string_view path, std::uint64_t bytes_max) override {
    if (sealed()) return still_sealed();
    return machine_->read_file(path, bytes_max);
  }
  Result<void> write_file(std::string_view path, std::string_view content, unsigned mode) override {
    if (sealed()) return still_sealed();
    return machine_->write_file(path, content, mode);
  }
  [[nodiscard]] std::string working_folder() const override {
    return machine_->spec().working_folder;
  }
  Json usage() override { return machine_->usage(); }
  void offer_installers() override { machine_->offer_installers(); }

  Result<std::unique_ptr<GradingWorkspace>> seal(std::vector<StagedFolder> staged) override {
    if (sealed()) return still_sealed();
    if (auto stopped = machine_->stop(); !stopped) return stopped.error().during("sealing");
    // From here the agent can no longer act; its files are only read.
    MachineSpec spec = machine_->spec();
    spec.role = MachineRole::Grader;
    spec.layers.insert(spec.layers.begin(), machine_->tree());
    spec.staged = std::move(staged);
    auto machine = Machine::start(room_, std::move(spec));
    if (!machine) return machine.error().during("making the grading machine");
    auto seal = std::make_shared<int>(0);
    seal_ = seal;
    return std::unique_ptr<GradingWorkspace>(
        std::make_unique<BubblewrapGrading>(std::move(*machine), std::move(seal)));
  }

 private:
  [[nodiscard]] bool sealed() const { return !seal_.expired(); }
  static Error still_sealed() { return unavailable("the machine is being graded"); }

  std::shared_ptr<const MachineRoom> room_;
  std::unique_ptr<Machine> machine_;
  std::weak_ptr<void> seal_;  // Held by the grading machine.
};

class BubblewrapSandbox final : public Sandbox {
 public:
  explicit BubblewrapSandbox(std::shared_ptr<const MachineRoom> room)
      : room_(std::move(room)), images_(room_) {}

  Result<std::shared_ptr<const SandboxImage>> build(const EnvironmentSpec& environment,
                                                    const TaskLimits& limits,
                                                    std::stop_token stop) override {
    auto image = images_.build(environment, limits, std::move(stop));
    if (!image) return image.error();
    return std::shared_ptr<const SandboxImage>(std::move(*image));
  }

  Result<std::unique_ptr<AgentWorkspace>> start(const std::shared_ptr<const SandboxImage>& image,
                                                const TaskLimits& limits,
                                                std::vector<StagedFolder> staged) override {
    const auto* own = dynamic_cast<const BubblewrapImage*>(image.get());
    CHECK(own != nullptr, "images come from this sandbox's build");
    MachineSpec spec;
    spec.role = staged.empty() ? MachineRole::Agent : MachineRole::Oracle;
    spec.limits = limits;
    spec.working_folder = own->working_folder;
    spec.env = own->env;
    if (own->layer != nullptr) spec.layers.push_back(own->layer);
    spec.staged = std::move(staged);
    auto machine = Machine::start(room_, std::move(spec));
    if (!machine) return machine.error();
    return std::unique_ptr<AgentWorkspace>(
        std::make_unique<BubblewrapAgent>(room_, std::move(*machine)));
  }

  [[nodiscard]] Json capabilities() const override;

 private:
  std::shared_ptr<const MachineRoom> room_;
  ImageStore images_;
};

std::string kernel_release() {
  utsname names{};
  uname(&names);
  return names.release;
}

/// Memory file systems keep the attributes by which an ordinary user's overlay hides a folder that
/// was removed and made again only since Linux 6.6.
bool hides_remade_folders() {
  int major = 0;
  int minor = 0;
  const std::string release = kernel_release();
  const auto end = std::from_chars(release.data(), release.data() + release.size(), major).ptr;
  if (end == release.data() + release.size()) return false;
  std::from_chars(end + 1, release.data() + release.size(), minor);
  return major > 6 || (major == 6 && minor >= 6);
}

Json BubblewrapSandbox::capabilities() const {
  const bool mapped = room_->keeper->ids() == BoxIds::Mapped;
  Json gaps = Json::array();
  if (room_->cgroups->mode() == LimitMode::Rlimits) {
    gaps.push_back(
        "memory is limited for each process and processes for each user id only: no cgroup can be "
        "made here");
  }
  if (!mapped) {
    gaps.push_back("one user id inside: files cannot be given to other users");
    if (!hides_remade_folders()) {
      gaps.push_back(
          "folders of the image that are removed cannot be made again (Linux before 6.6)");
    }
  }
  Json base = {{"tree", room_->base.description}, {"fingerprint", room_->base.fingerprint}};
  return Json{{"backend", "bubblewrap"},
              {"recipe", mapped ? "65536 ids" : "one id"},
              {"limits", limit_mode_name(room_->cgroups->mode())},
              {"kernel", kernel_release()},
              {"base", std::move(base)},
              {"gaps", std::move(gaps)}};
}

Result<std::string> find_bubblewrap() {
  const char* path = std::getenv("PATH");
  for (const std::string_view folder : split(path == nullptr ? "/usr/bin:/bin" : path, ':')) {
    const std::string candidate = std::string(folder) + "/bwrap";
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return unavailable("bubblewrap is not installed: install the package \"bubblewrap\"");
}

/// What usually is to blame when namespaces cannot be made.
std::string hint() {
  const auto setting = [](const char* path) {
    const auto text = read_file(path, 64);
    return text ? std::string(trimmed(*text)) : std::string();
  };
  if (setting("/proc/sys/user/max_user_namespaces") == "0") {
    return " (user namespaces are off: set user.max_user_namespaces)";
  }
  if (setting("/proc/sys/kernel/unprivileged_userns_clone") == "0") {
    return " (user namespaces are off: set kernel.unprivileged_userns_clone=1)";
  }
  if (setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1") {
    return " (AppArmor restricts user namespaces: set "
           "kernel.apparmor_restrict_unprivileged_userns=0, or give bwrap a profile)";
  }
  return " (Linux " + kernel_release() + "; 5.11 or later is needed)";
}

Result<std::shared_ptr<MachineRoom>> open_room(const BubblewrapOptions& options, BoxIds ids) {
  auto bubblewrap = find_bubblewrap();
  if (!bubblewrap) return bubblewrap.error();
  auto filter = make_seccomp_filter();
  if (!filter) return filter.error();
  auto keeper = Keeper::open(ids);
  if (!keeper) return keeper.error();
  auto base = make_base_tree(**keeper, options.base_folder);
  if (!base) return base.error();
  auto room = std::make_shared<MachineRoom>();
  room->keeper = std::move(*keeper);
  room->cgroups = Cgroups::open();
  room->base = std::move(*base);
  room->bubblewrap = std::move(*bubblewrap);
  room->filter = std::move(*filter);
  return room;
}

/// Starts a machine and runs something in it, because only that shows whether it works.
Result<void> try_out(const std::shared_ptr<const MachineRoom>& room) {
  MachineSpec spec;
  spec.limits.memory_bytes = 256U << 20U;
  spec.limits.storage_bytes = 16U << 20U;
  auto machine = Machine::start(room, spec);
  if (!machine) return machine.error();
  const std::vector<std::string> command = {"/bin/sh", "-c", "exit 7"};
  const auto result = (*machine)->run(command, CommandOptions{}, {});
  if (!result) return result.error();
  if (result->end == CommandEnd::Exited && result->code == 7) return {};
  return unavailable("a first command ended with " + std::to_string(result->code) + ": " +
                     result->err.text());
}

}  // namespace

Result<std::unique_ptr<Sandbox>> open_bubblewrap_sandbox(const BubblewrapOptions& options) {
  const bool root = geteuid() == 0;
  std::vector<BoxIds> choices;
  if (root && !options.single_id) choices.push_back(BoxIds::Mapped);
  choices.push_back(BoxIds::Single);
  std::optional<Error> first;
  for (const BoxIds ids : choices) {
    auto room = open_room(options, ids);
    const auto works = room ? try_out(*room) : Result<void>(room.error());
    if (works) {
      return std::unique_ptr<Sandbox>(std::make_unique<BubblewrapSandbox>(std::move(*room)));
    }
    if (!first) first = works.error();
  }
  Error error = first->during("opening the sandbox");
  error.message += hint();
  return error;
}

}  // namespace trialwright
