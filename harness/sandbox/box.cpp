#include "harness/sandbox/box.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>

#include "base/text.h"
#include "harness/sandbox/box_command.h"
#include "harness/sandbox/inside/wire.h"

namespace trialwright {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::uint64_t kSharedMemoryBytes = 64U << 20U;
constexpr auto kStartPatience = std::chrono::seconds(20);
constexpr auto kStopPatience = std::chrono::seconds(10);
// For what the runner does by itself: opening a file, making a folder.
constexpr auto kAnswerPatience = std::chrono::seconds(10);

// What a container's root usually may do, as far as it concerns files and users.
constexpr const char* kCapabilities[] = {
    "CAP_CHOWN",  "CAP_DAC_OVERRIDE", "CAP_FOWNER",     "CAP_FSETID",  "CAP_SETUID",
    "CAP_SETGID", "CAP_KILL",         "CAP_SYS_CHROOT", "CAP_SETFCAP", "CAP_NET_BIND_SERVICE"};

/// bubblewrap's arguments. The descriptors are where the keeper puts them.
std::vector<std::string> bubblewrap_arguments(const std::string& bubblewrap, BoxIds ids,
                                              const BoxPlan& plan) {
  std::vector<std::string> arguments = {bubblewrap,
                                        "--unshare-pid",
                                        "--unshare-net",
                                        "--unshare-ipc",
                                        "--unshare-uts",
                                        "--unshare-cgroup-try",
                                        "--hostname",
                                        "box",
                                        "--bind",
                                        plan.root,
                                        "/",
                                        "--proc",
                                        "/proc",
                                        "--ro-bind",
                                        "/proc/sys",
                                        "/proc/sys",
                                        "--dev",
                                        "/dev",
                                        "--perms",
                                        "1777",
                                        "--size",
                                        std::to_string(kSharedMemoryBytes),
                                        "--tmpfs",
                                        "/dev/shm",
                                        "--remount-ro",
                                        "/dev"};
  const auto add = [&](std::initializer_list<std::string> more) {
    arguments.insert(arguments.end(), more);
  };
  if (ids == BoxIds::Single) {
    add({"--unshare-user", "--uid", "0", "--gid", "0", "--disable-userns"});
  }
  for (const BoxMount& mount : plan.mounts) {
    add({mount.writable ? "--bind" : "--ro-bind", mount.source, mount.target});
  }
  add({"--die-with-parent", "--new-session", "--as-pid-1", "--clearenv", "--chdir", "/"});
  add({"--cap-drop", "ALL"});
  for (const char* capability : kCapabilities) add({"--cap-add", capability});
  add({"--seccomp", "4", "--", "/proc/self/fd/5", "runner"});
  return arguments;
}

Result<FileDescriptor> memory_file(const std::string& content) {
  FileDescriptor file(memfd_create("filter", MFD_CLOEXEC));
  if (!file ||
      ::write(file.get(), content.data(), content.size()) != static_cast<ssize_t>(content.size()) ||
      lseek(file.get(), 0, SEEK_SET) != 0) {
    return unavailable("writing a memory file: " + errno_text(errno));
  }
  return file;
}

/// True if `fd` has something to say, or its end, before the time is up.
bool wait_readable(int fd, steady_clock::time_point until) {
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(until - steady_clock::now()).count();
    pollfd source{fd, POLLIN, 0};
    const int outcome = poll(&source, 1, static_cast<int>(std::max<std::int64_t>(left, 0)));
    if (outcome > 0) return true;
    if (outcome == 0) return false;
    if (errno != EINTR) return false;
  }
}

/// Reads what is there; true if the stream has ended.
bool read_available(int fd, std::string& text) {
  char piece[4096];
  for (;;) {
    const ssize_t count = ::read(fd, piece, sizeof piece);
    if (count > 0) {
      text.append(piece, static_cast<std::size_t>(count));
    } else if (count == 0) {
      return true;
    } else if (errno != EINTR) {
      return errno != EAGAIN;
    }
  }
}

/// What the person who wrote the path can do something about is Invalid.
Error file_error(int number, const std::string& path) {
  const std::string message = path + ": " + errno_text(number);
  return number == ENOENT ? not_found(message) : invalid(message);
}

}  // namespace

Result<std::unique_ptr<Box>> Box::start(Keeper& keeper, const std::string& bubblewrap,
                                        const std::string& filter, const BoxPlan& plan,
                                        Cgroup& cgroup) {
  int sockets[2];
  int pipes[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0) {
    return unavailable("making a socket: " + errno_text(errno));
  }
  FileDescriptor ours(sockets[0]);
  FileDescriptor theirs(sockets[1]);
  if (pipe2(pipes, O_CLOEXEC) != 0) return unavailable("making a pipe: " + errno_text(errno));
  FileDescriptor said(pipes[0]);
  FileDescriptor says(pipes[1]);
  fcntl(said.get(), F_SETFL, O_NONBLOCK);
  auto filter_file = memory_file(filter);
  if (!filter_file) return filter_file.error();

  std::vector<std::string> steps = plan.steps;
  steps.push_back("exec");
  for (std::string& argument : bubblewrap_arguments(bubblewrap, keeper.ids(), plan)) {
    steps.push_back(std::move(argument));
  }
  std::vector<int> fds = {theirs.get(), says.get(), filter_file->get()};
  for (const int entrance : cgroup.entrances()) fds.push_back(entrance);
  const auto process = keeper.start(steps, fds);
  theirs.reset();
  says.reset();
  if (!process) return process.error();

  std::unique_ptr<Box> box(new Box(keeper, cgroup, std::move(ours), std::move(said)));
  box->process_ = *process;
  inside::Message hello;
  if (wait_readable(box->runner_.get(), steady_clock::now() + kStartPatience) &&
      inside::receive_message(box->runner_.get(), hello) == inside::Received::Message) {
    return box;
  }
  std::string words;
  box->runner_.reset();
  if (wait_readable(box->said_.get(), steady_clock::now() + kStopPatience)) {
    read_available(box->said_.get(), words);
  }
  (void)box->stop();
  words = std::string(trimmed(words));
  return unavailable("starting a box: " + (words.empty() ? "no answer" : words));
}

Box::~Box() { (void)stop(); }

Result<void> Box::stop() {
  // What did not die when it was killed may still be there, whoever asks.
  if (not_ended_) return *not_ended_;
  if (!alive_) return {};
  alive_ = false;
  auto ended = end_all();
  if (!ended) not_ended_ = ended.error();
  return ended;
}

Result<void> Box::end_all() {
  lingering_.clear();
  // The runner sees its socket end and ends itself; the kernel then ends all else inside before
  // bubblewrap's own process, which holds the other end of said_, can go.
  runner_.reset();
  std::string ignored;
  auto until = steady_clock::now() + kStopPatience;
  bool killed = false;
  for (;;) {
    if (wait_readable(said_.get(), until)) {
      if (read_available(said_.get(), ignored)) break;
      ignored.clear();
    } else if (killed) {
      return unavailable("a box did not end when it was killed");
    } else {
      killed = true;
      keeper_.kill(process_);
      until = steady_clock::now() + kStopPatience;
    }
  }
  if (!cgroup_.empty_out()) return unavailable("processes of a box did not end when killed");
  return {};
}

Result<CommandResult> Box::run(const BoxCommand& command, const CommandOptions& options,
                               const std::stop_token& stop) {
  const std::uint64_t oom_kills = cgroup_.oom_kills().value_or(0);
  auto streams = CommandStreams::open(options);
  if (!streams) return streams.error();
  std::vector<std::string> request = {"run", command.cwd, std::to_string(command.argv.size())};
  request.insert(request.end(), command.argv.begin(), command.argv.end());
  request.insert(request.end(), command.env.begin(), command.env.end());
  const auto started = steady_clock::now();
  const bool sent = inside::send_message(runner_.get(), request, streams->theirs());
  streams->close_theirs();

  CommandWait wait(runner_.get(), *streams, options, stop, lingering_);
  auto ended = sent ? wait.until_end(started) : std::nullopt;
  // Without an end the runner is gone, or could not end the command.
  auto told = ended ? Result<CommandResult>(std::move(*ended)) : died(wait.killed_for());
  if (!told) return told;
  CommandResult result = std::move(*told);
  streams->finish(result, lingering_);
  result.wall =
      std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now() - started);
  const bool in_time = result.end == CommandEnd::Exited || result.end == CommandEnd::Signaled;
  // What ended the box need not be what this command took, so then all that happened in it counts.
  const std::uint64_t before = alive_ ? oom_kills : oom_kills_at_start_;
  if (in_time && cgroup_.oom_kills().value_or(0) > before) result.end = CommandEnd::OutOfMemory;
  return result;
}

bool Box::alive() const {
  // Between commands the runner has nothing to say but its end.
  return alive_ && !wait_readable(runner_.get(), steady_clock::now());
}

/// Ends what is left of the box under a command, which had been told to end for `known_end` if for
/// anything.
Result<CommandResult> Box::died(std::optional<CommandEnd> known_end) {
  if (auto stopped = stop(); !stopped) return stopped.error();
  if (!keeper_.alive()) return unavailable("the sandbox's keeper process has died");
  CommandResult result;
  result.end = known_end.value_or(CommandEnd::Signaled);
  result.code = SIGKILL;
  return result;
}

Result<FileDescriptor> Box::ask(const std::vector<std::string>& fields, const std::string& path) {
  inside::Message answer;
  if (!inside::send_message(runner_.get(), fields) ||
      !wait_readable(runner_.get(), steady_clock::now() + kAnswerPatience) ||
      inside::receive_message(runner_.get(), answer) != inside::Received::Message) {
    if (auto stopped = stop(); !stopped) return stopped.error();
    return unavailable("the box ended while a file of it was used");
  }
  if (answer.fields[0] == "errno" && answer.fields.size() > 1) {
    int number = 0;
    const std::string& text = answer.fields[1];
    std::from_chars(text.data(), text.data() + text.size(), number);
    return file_error(number, path);
  }
  return answer.fds.empty() ? FileDescriptor() : FileDescriptor(answer.fds[0]);
}

Result<FileDescriptor> Box::open_file(const std::string& path) { return ask({"open", path}, path); }

Result<FileDescriptor> Box::create_file(const std::string& path, unsigned mode) {
  char octal[16] = {};
  std::to_chars(octal, octal + sizeof octal - 1, mode & 07777U, 8);
  auto file = ask({"create", path, octal}, path);
  if (!file && file.error().kind == ErrorKind::NotFound) return invalid(file.error().message);
  return file;
}

Result<void> Box::make_folder(const std::string& path, unsigned mode) {
  char octal[16] = {};
  std::to_chars(octal, octal + sizeof octal - 1, mode & 07777U, 8);
  const auto made = ask({"folder", path, octal}, path);
  return made ? Result<void>() : Result<void>(made.error());
}

Result<void> Box::make_link(const std::string& target, const std::string& path) {
  const auto made = ask({"link", target, path}, path);
  return made ? Result<void>() : Result<void>(made.error());
}

}  // namespace trialwright
