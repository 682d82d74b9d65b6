#include "harness/sandbox/machine.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/text.h"
#include "harness/sandbox/collector.h"
#include "harness/sandbox/tree_writer.h"

namespace trialwright {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kStagedBytesMax = 512U << 20U;
constexpr std::uint64_t kOpenFilesMax = 65536;
constexpr const char* kStandIns = "/run/offline/bin";
constexpr const char* kHomePrograms = "/root/.local/bin";
constexpr const char* kPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// True for what lies in a machine's tree. The files of /proc and the like answer and obey whoever
/// opened them, and that would be the runner, which may more than those that it starts.
bool is_of_machine(int file) {
  struct statfs system {};
  if (fstatfs(file, &system) != 0) return false;
  return system.f_type == OVERLAYFS_SUPER_MAGIC || system.f_type == TMPFS_MAGIC;
}

bool is_regular(int file) {
  struct stat info {};
  return fstat(file, &info) == 0 && S_ISREG(info.st_mode);
}

bool has_stand_ins(MachineRole role) { return role != MachineRole::Agent; }

std::string staged_name(std::size_t index) { return "staged-" + std::to_string(index); }

std::string overlay_flags(BoxIds ids) {
  return ids == BoxIds::Single ? ",index=off,metacopy=off,userxattr" : ",index=off,metacopy=off";
}

}  // namespace

Machine::Machine(std::shared_ptr<const MachineRoom> room, MachineSpec spec, Tree tree,
                 Tree harness_files, Cgroup cgroup)
    : room_(std::move(room)),
      spec_(std::move(spec)),
      tree_(std::make_shared<const Tree>(std::move(tree))),
      harness_files_(std::move(harness_files)),
      cgroup_(std::move(cgroup)) {}

Result<std::unique_ptr<Machine>> Machine::start(std::shared_ptr<const MachineRoom> room,
                                                MachineSpec spec) {
  // Files in memory count as the box's memory, so both limits together are the cgroup's.
  auto cgroup = room->cgroups->make(spec.limits.memory_bytes + spec.limits.storage_bytes,
                                    spec.limits.processes_max);
  if (!cgroup) return cgroup.error();
  auto tree = room->keeper->make_tree(spec.limits.storage_bytes);
  if (!tree) return tree.error();
  auto harness_files = room->keeper->make_tree(kStagedBytesMax);
  if (!harness_files) return harness_files.error();
  std::unique_ptr<Machine> machine(new Machine(std::move(room), std::move(spec), std::move(*tree),
                                               std::move(*harness_files), std::move(*cgroup)));
  if (auto prepared = machine->prepare_trees(); !prepared) return prepared.error();
  if (auto started = machine->start_box(); !started) return started.error();
  if (auto found = machine->find_working_folder(); !found) return found.error();
  return machine;
}

Result<void> Machine::prepare_trees() {
  const uid_t owner = room_->keeper->owner();
  const TreeWriter changes(tree_->folder(), owner);
  for (const char* folder : {"root", "root-work", "usr", "usr-work", "merged"}) {
    if (auto made = changes.make_folder(folder); !made) return made;
  }
  const TreeWriter staged(harness_files_.folder(), owner);
  for (std::size_t i = 0; i < spec_.staged.size(); ++i) {
    auto copied = staged.copy(spec_.staged[i].source, staged_name(i));
    if (!copied) return copied;
  }
  if (spec_.role != MachineRole::Grader) return {};
  if (auto made = staged.make_folder("verifier"); !made) return made;
  verdicts_ = FileDescriptor(
      openat(harness_files_.folder(), "verifier", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!verdicts_) return unavailable("opening the verifier's folder: " + errno_text(errno));
  const auto setting = [&](const char* name) {
    const auto found = spec_.env.find(name);
    return found == spec_.env.end() ? std::string() : found->second;
  };
  auto view = prepare_grader_view(room_->base, spec_.layers,
                                  {setting("PATH"), setting("PYTHONPATH"), spec_.working_folder},
                                  *tree_, owner);
  if (!view) return view.error();
  view_ = std::move(*view);
  return {};
}

std::vector<std::string> Machine::lowers_of(const std::string& name) const {
  std::vector<std::string> lowers;
  for (const auto& layer : spec_.layers) lowers.push_back(layer->path() + "/" + name);
  const auto& base = name == "root" ? room_->base.root_lowers : room_->base.usr_lowers;
  lowers.insert(lowers.end(), base.begin(), base.end());
  return lowers;
}

void Machine::plan_overlays(BoxPlan& plan) const {
  const auto add = [&](const std::string& target, const std::vector<std::string>& lowers,
                       const std::string& changes) {
    plan.steps.insert(plan.steps.end(),
                      {"overlay", target,
                       "lowerdir=" + joined(lowers, ":") + ",upperdir=" + tree_->path() + "/" +
                           changes + ",workdir=" + tree_->path() + "/" + changes + "-work" +
                           overlay_flags(room_->keeper->ids())});
  };
  add(plan.root, lowers_of("root"), "root");
  if (spec_.role != MachineRole::Grader) {
    plan.steps.insert(plan.steps.end(), {"folder", plan.root, "usr"});
    add(plan.root + "/usr", lowers_of("usr"), "usr");
  }
  for (const ViewFolder& folder : view_.folders) {
    plan.steps.insert(plan.steps.end(), {"folder", plan.root, folder.path});
    add(plan.root + folder.path, folder.lowers, folder.changes);
  }
}

void Machine::plan_limits(BoxPlan& plan) const {
  const auto limit = [&](int resource, std::uint64_t value) {
    plan.steps.insert(plan.steps.end(), {"limit", std::to_string(resource), std::to_string(value)});
  };
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_NOFILE, kOpenFilesMax);
  limit(RLIMIT_FSIZE, spec_.limits.storage_bytes);
  if (room_->cgroups->mode() != LimitMode::Rlimits) return;
  limit(RLIMIT_AS, spec_.limits.memory_bytes);
  limit(RLIMIT_NPROC, static_cast<std::uint64_t>(spec_.limits.processes_max));
}

BoxPlan Machine::plan() const {
  BoxPlan plan;
  plan.root = tree_->path() + "/merged";
  plan_overlays(plan);
  for (std::size_t i = 0; i < spec_.staged.size(); ++i) {
    plan.mounts.push_back(
        {harness_files_.path() + "/" + staged_name(i), spec_.staged[i].target, false});
  }
  if (has_stand_ins(spec_.role)) {
    plan.mounts.push_back({room_->base.stand_ins(), kStandIns, false});
  }
  if (spec_.role == MachineRole::Grader) {
    plan.mounts.push_back({room_->base.home_programs(), kHomePrograms, false});
    plan.mounts.push_back({harness_files_.path() + "/verifier", "/logs/verifier", true});
  }
  for (const char* folder : {"/proc", "/dev", "/tmp"}) {
    plan.steps.insert(plan.steps.end(), {"folder", plan.root, folder});
  }
  for (const BoxMount& mount : plan.mounts) {
    plan.steps.insert(plan.steps.end(), {"folder", plan.root, mount.target});
  }
  plan_limits(plan);
  return plan;
}

/// Tests must start although an agent removed the folder that they start in.
Result<void> Machine::find_working_folder() {
  if (spec_.role != MachineRole::Grader) return {};
  const auto made = box_->make_folder(spec_.working_folder, 0755);
  if (made) return {};
  if (made.error().kind == ErrorKind::Unavailable) return made;
  // It left something else in the folder's place, for tests to find.
  spec_.working_folder = "/";
  return {};
}

Result<void> Machine::start_box() {
  auto box = Box::start(*room_->keeper, room_->bubblewrap, room_->filter, plan(), cgroup_);
  if (!box) return box.error();
  box_ = std::move(*box);
  return {};
}

Result<Box*> Machine::live_box() {
  if (box_ != nullptr && !box_->alive()) {
    if (auto stopped = stop(); !stopped) return stopped.error();
  }
  if (box_ == nullptr) {
    if (auto started = start_box(); !started) return started.error();
  }
  return box_.get();
}

template <typename Question>
std::invoke_result_t<Question, Box&> Machine::ask(Question question) {
  auto box = live_box();
  if (!box) return box.error();
  auto answer = question(**box);
  if (answer || (*box)->alive()) return answer;
  // The files are as they were, and whoever ended the box is gone with it.
  box = live_box();
  if (!box) return box.error();
  return question(**box);
}

std::map<std::string, std::string> Machine::environment(const CommandOptions& options) const {
  std::map<std::string, std::string> env = {
      {"HOME", "/root"},      {"LANG", "C.UTF-8"}, {"LOGNAME", "root"}, {"PATH", kPath},
      {"SHELL", "/bin/bash"}, {"TERM", "xterm"},   {"USER", "root"}};
  const bool grader = spec_.role == MachineRole::Grader;
  if (grader) {
    env["PYTHONNOUSERSITE"] = "1";
    env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1";
  }
  // With one id only, tar must not try to give files to others.
  if (room_->keeper->ids() == BoxIds::Single) env["TAR_OPTIONS"] = "--no-same-owner";
  for (const auto& [key, value] : spec_.env) env[key] = value;
  for (const auto& [key, value] : options.env) env[key] = value;
  if (grader) {
    env["PATH"] = trusted_first(env["PATH"], view_.trusted);
    // By these a shell runs a file before its script.
    env.erase("BASH_ENV");
    env.erase("ENV");
  }
  if (has_stand_ins(spec_.role)) env["PATH"] = std::string(kStandIns) + ":" + env["PATH"];
  return env;
}

Result<CommandResult> Machine::run(std::span<const std::string> argv, const CommandOptions& options,
                                   const std::stop_token& stop) {
  CHECK(!argv.empty(), "a command has at least a name");
  auto box = live_box();
  if (!box) return box.error();
  BoxCommand command;
  command.argv.assign(argv.begin(), argv.end());
  command.cwd = options.cwd.empty() ? spec_.working_folder : options.cwd;
  for (const auto& [key, value] : environment(options)) command.env.push_back(key + "=" + value);
  return (*box)->run(command, options, stop);
}

Result<std::string> Machine::read_file(std::string_view path, std::uint64_t bytes_max) {
  const auto file = ask([&](Box& box) { return box.open_file(std::string(path)); });
  if (!file) return file.error();
  if (!is_of_machine(file->get())) {
    return invalid(std::string(path) +
                   " does not lie in the machine's own files; a command can read such files");
  }
  return collect_open_file(*file, path, bytes_max);
}

Result<void> Machine::write_file(std::string_view path, std::string_view content, unsigned mode) {
  const auto file = ask([&](Box& box) { return box.create_file(std::string(path), mode); });
  if (!file) return file.error();
  if (!is_regular(file->get()) || !is_of_machine(file->get())) {
    return invalid(std::string(path) + " is not a regular file of the machine's own");
  }
  while (!content.empty()) {
    const ssize_t count = ::write(file->get(), content.data(), content.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return invalid("writing " + std::string(path) + ": " + errno_text(errno));
    content.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

Result<void> Machine::copy_file(const fs::path& source, const std::string& target,
                                std::optional<unsigned> mode) {
  const auto content = trialwright::read_file(source);
  if (!content) return content.error();
  const auto own = static_cast<unsigned>(fs::status(source).permissions()) & 0777U;
  return write_file(target, *content, mode.value_or(own));
}

Result<void> Machine::copy_entry(const fs::path& source, const std::string& target,
                                 std::optional<unsigned> mode) {
  std::error_code failure;
  const fs::file_status status = fs::symlink_status(source, failure);
  if (failure) return invalid(source.string() + ": " + failure.message());
  auto box = live_box();
  if (!box) return box.error();
  if (fs::is_symlink(status)) {
    return (*box)->make_link(fs::read_symlink(source, failure).string(), target);
  }
  if (fs::is_regular_file(status)) return copy_file(source, target, mode);
  if (!fs::is_directory(status)) return {};
  const auto own = static_cast<unsigned>(status.permissions()) & 0777U;
  if (auto made = (*box)->make_folder(target, mode.value_or(own)); !made) return made;
  std::vector<fs::path> entries;
  for (const auto& entry : fs::directory_iterator(source, failure)) entries.push_back(entry.path());
  std::sort(entries.begin(), entries.end());
  for (const fs::path& entry : entries) {
    auto copied = copy_entry(entry, target + "/" + entry.filename().string(), mode);
    if (!copied) return copied;
  }
  return {};
}

Result<void> Machine::copy_in(const fs::path& source, const std::string& target,
                              std::optional<unsigned> mode) {
  std::error_code failure;
  if (fs::is_directory(source, failure)) return copy_entry(source, target, mode);
  if (!fs::exists(source, failure)) return invalid(source.string() + " does not exist");
  auto box = live_box();
  if (!box) return box.error();
  bool into = !target.empty() && target.back() == '/';
  if (!into) {
    const auto there = (*box)->open_file(target);
    struct stat info {};
    into = there && fstat(there->get(), &info) == 0 && S_ISDIR(info.st_mode);
  }
  return copy_file(source, into ? target + "/" + source.filename().string() : target, mode);
}

void Machine::offer_installers() {
  if (spec_.role != MachineRole::Agent) return;
  spec_.role = MachineRole::Oracle;
  // If it cannot be stopped, the next command will say so.
  (void)stop();
}

Result<void> Machine::stop() {
  if (box_ == nullptr) return {};
  auto stopped = box_->stop();
  // One that could not be ended stays, so that no other is started beside what runs in it.
  if (stopped) box_.reset();
  return stopped;
}

Json Machine::usage() const {
  Json usage = Json::object();
  if (const auto count = cgroup_.oom_kills()) usage["oom_kills"] = *count;
  if (const auto count = cgroup_.processes_refused()) usage["pids_refused"] = *count;
  return usage;
}

}  // namespace trialwright
