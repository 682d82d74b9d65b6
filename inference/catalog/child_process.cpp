#include "inference/catalog/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

#include "base/files.h"

extern char** environ;  // POSIX leaves the declaration to the program.

namespace trialwright {

namespace {

constexpr int kTickMilliseconds = 200;
constexpr std::size_t kLineMax = 1U << 16U;

/// This process's environment with some variables set anew.
std::vector<std::string> environment_with(
    const std::vector<std::pair<std::string, std::string>>& changes) {
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    bool changed = false;
    for (const auto& [name, value] : changes) changed = changed || text.starts_with(name + "=");
    if (!changed) result.emplace_back(text);
  }
  for (const auto& [name, value] : changes) result.push_back(name + "=" + value);
  return result;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

Result<pid_t> spawn(const ChildCommand& command, int output) {
  std::vector<std::string> arguments = command.argv;
  std::vector<std::string> variables = environment_with(command.environment);
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
  pid_t pid = -1;
  const int failed = ::posix_spawnp(&pid, arguments.front().c_str(), &actions, &attributes,
                                    pointers(arguments).data(), pointers(variables).data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (failed == ENOENT) return not_found("there is no program " + arguments.front());
  if (failed != 0) {
    return unavailable("cannot start " + arguments.front() + ": " + errno_text(failed));
  }
  return pid;
}

/// Hands over every whole line of `pending` and keeps the rest.
void pass_lines(std::string& pending, const std::function<void(std::string_view)>& on_line) {
  std::size_t begin = 0;
  for (std::size_t i = 0; i < pending.size(); ++i) {
    if (pending[i] != '\n' && pending[i] != '\r' && i - begin < kLineMax) continue;
    if (on_line && i > begin) on_line(std::string_view(pending).substr(begin, i - begin));
    begin = i + 1;
  }
  pending.erase(0, begin);
}

/// Ends the group and collects its leader.
int collect(pid_t pid, bool kill_first) {
  if (kill_first) ::kill(-pid, SIGKILL);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  ::kill(-pid, SIGKILL);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

Result<int> run_child(const ChildCommand& command) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return unavailable("no pipe: " + errno_text(errno));
  const FileDescriptor reading(ends[0]);
  FileDescriptor writing(ends[1]);
  auto pid = spawn(command, writing.get());
  if (!pid) return pid.error();
  writing.reset();

  std::string pending;
  std::array<char, 4096> buffer{};
  while (true) {
    if (command.on_tick) {
      if (auto stop = command.on_tick()) {
        collect(*pid, true);
        return *std::move(stop);
      }
    }
    pollfd waiting{reading.get(), POLLIN, 0};
    const int ready = ::poll(&waiting, 1, kTickMilliseconds);
    if (ready <= 0) continue;
    const ssize_t got = ::read(reading.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    pending.append(buffer.data(), static_cast<std::size_t>(got));
    pass_lines(pending, command.on_line);
  }
  pending += '\n';
  pass_lines(pending, command.on_line);
  return collect(*pid, false);
}

}  // namespace trialwright
