#include "harness/sandbox/inside/runner.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "harness/sandbox/inside/wire.h"

namespace trialwright::inside {
namespace {

struct Runner {
  int socket = -1;
  pid_t command = 0;        ///< 0 when none runs.
  std::set<pid_t> earlier;  ///< What earlier commands left behind; a timeout does not touch it.
};

void answer_errno(const Runner& runner, int number) {
  send_message(runner.socket, {"errno", std::to_string(number)});
}

/// Takes note of what has ended; true if processes are left.
bool reap(Runner& runner) {
  int status = 0;
  pid_t pid = 0;
  while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
    runner.earlier.erase(pid);
    if (pid == runner.command) {
      runner.command = 0;
      send_message(runner.socket, {"end", std::to_string(status)});
    }
  }
  return pid == 0;
}

/// Each process of the box with its parent, without the runner.
std::map<pid_t, pid_t> processes() {
  std::map<pid_t, pid_t> parents;
  DIR* folder = opendir("/proc");
  if (folder == nullptr) return parents;
  while (const dirent* entry = readdir(folder)) {
    const auto pid = static_cast<pid_t>(std::strtol(entry->d_name, nullptr, 10));
    if (pid <= 1) continue;
    const std::string path = std::string("/proc/") + entry->d_name + "/stat";
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) continue;
    char text[512] = {};
    const ssize_t count = read(fd, text, sizeof text - 1);
    close(fd);
    // The name between parentheses may hold anything, so the fields are counted from its end.
    const char* name_end = count > 0 ? std::strrchr(text, ')') : nullptr;
    if (name_end == nullptr || std::strlen(name_end) < 4) continue;
    parents[pid] = static_cast<pid_t>(std::strtol(name_end + 4, nullptr, 10));
  }
  closedir(folder);
  return parents;
}

bool belongs_to_earlier(const Runner& runner, const std::map<pid_t, pid_t>& parents, pid_t pid) {
  while (pid > 1) {
    if (runner.earlier.count(pid) != 0) return true;
    const auto parent = parents.find(pid);
    if (parent == parents.end()) return false;
    pid = parent->second;
  }
  return false;
}

/// Kills the command and everything it started, also what has been orphaned to us since.
void kill_command(Runner& runner) {
  constexpr int kRounds = 50;
  for (int round = 0; round < kRounds && !runner.earlier.empty(); ++round) {
    const auto parents = processes();
    bool found = false;
    for (const auto& [pid, parent] : parents) {
      if (belongs_to_earlier(runner, parents, pid)) continue;
      found = true;
      kill(pid, SIGKILL);
    }
    if (!found) return;
    usleep(1000);
    reap(runner);
  }
  // Nothing to spare, or it forks faster than we can look: the kernel kills all but process 1 in
  // one go.
  kill(-1, SIGKILL);
}

std::string path_of(const std::string& name, const std::vector<std::string>& env) {
  if (name.find('/') != std::string::npos) return name;
  std::string path = "/usr/bin:/bin";
  for (const std::string& entry : env) {
    if (entry.rfind("PATH=", 0) == 0) path = entry.substr(5);
  }
  std::size_t start = 0;
  while (start <= path.size()) {
    const std::size_t end = std::min(path.find(':', start), path.size());
    const std::string candidate = path.substr(start, end - start) + "/" + name;
    struct stat info {};
    if (stat(candidate.c_str(), &info) == 0 && S_ISREG(info.st_mode) &&
        access(candidate.c_str(), X_OK) == 0) {
      return candidate;
    }
    start = end + 1;
  }
  return {};
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

void start_command(Runner& runner, Message& message) {
  const std::size_t argument_count = std::strtoul(message.fields[2].c_str(), nullptr, 10);
  const auto first = message.fields.begin() + 3;
  const auto arguments_end = first + static_cast<std::ptrdiff_t>(argument_count);
  std::vector<std::string> arguments(first, arguments_end);
  std::vector<std::string> environment(arguments_end, message.fields.end());
  const std::string program = path_of(arguments[0], environment);
  const std::string cwd = message.fields[1];
  const std::vector<char*> argv = pointers(arguments);
  const std::vector<char*> env = pointers(environment);

  runner.earlier.clear();
  if (reap(runner)) {
    for (const auto& [pid, parent] : processes()) {
      if (parent == 1) runner.earlier.insert(pid);
    }
  }

  // The child shares our memory until it has become the command, so it can say what failed.
  volatile int failure = program.empty() ? ENOENT : 0;
  volatile bool in_folder = failure != 0;
  const pid_t pid = failure != 0 ? -1 : vfork();
  if (pid == 0) {
    setsid();
    for (int i = 0; i < 3; ++i) dup2(message.fds[static_cast<std::size_t>(i)], i);
    // The command is a better choice for the kernel's out-of-memory killer than its runner.
    const int score = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (score >= 0 && write(score, "300", 3) == 3) close(score);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    if (chdir(cwd.c_str()) == 0) {
      in_folder = true;
      execve(program.c_str(), argv.data(), env.data());
    }
    failure = errno;
    _exit(127);
  }
  if (pid < 0 && failure == 0) failure = errno;
  if (failure == 0) {
    runner.command = pid;
    return;
  }
  if (pid > 0) waitpid(pid, nullptr, 0);
  send_message(runner.socket, {"failed", std::to_string(failure), in_folder ? arguments[0] : cwd});
}

/// Makes the folders above `path`; what is there already is left as it is.
bool make_parents(const std::string& path) {
  for (std::size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1)) {
    if (mkdir(path.substr(0, at).c_str(), 0755) != 0 && errno != EEXIST) return false;
  }
  return true;
}

/// Opens what those inside could open too: by the links of /proc a process reaches its own program
/// and descriptors, and here that would be ours.
int open_file(const std::string& path, unsigned flags, unsigned mode) {
  open_how how{};
  how.flags = flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  how.mode = mode;
  how.resolve = RESOLVE_NO_MAGICLINKS;
  return static_cast<int>(syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof how));
}

void answer_open(const Runner& runner, const std::string& path) {
  const int fd = open_file(path, O_RDONLY, 0);
  if (fd < 0) return answer_errno(runner, errno);
  send_message(runner.socket, {"file"}, {fd});
  close(fd);
}

void answer_create(const Runner& runner, const std::string& path, unsigned mode) {
  if (!make_parents(path)) return answer_errno(runner, errno);
  const int fd = open_file(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (fd < 0) return answer_errno(runner, errno);
  // No mode means the file's own, or that of a new file.
  if (mode != 0 && fchmod(fd, mode) != 0) {
    answer_errno(runner, errno);
  } else {
    send_message(runner.socket, {"file"}, {fd});
  }
  close(fd);
}

void answer_folder(const Runner& runner, const std::string& path, unsigned mode) {
  struct stat info {};
  if (!make_parents(path)) return answer_errno(runner, errno);
  if (mkdir(path.c_str(), mode) == 0) {
    chmod(path.c_str(), mode);
  } else if (errno != EEXIST) {
    return answer_errno(runner, errno);
  } else if (stat(path.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
    return answer_errno(runner, ENOTDIR);
  }
  send_message(runner.socket, {"done"});
}

void answer_link(const Runner& runner, const std::string& target, const std::string& path) {
  if (!make_parents(path)) return answer_errno(runner, errno);
  unlink(path.c_str());
  if (symlink(target.c_str(), path.c_str()) != 0) return answer_errno(runner, errno);
  send_message(runner.socket, {"done"});
}

void answer(Runner& runner, Message& message) {
  const std::vector<std::string>& fields = message.fields;
  const auto mode = [](const std::string& text) {
    return static_cast<unsigned>(std::strtoul(text.c_str(), nullptr, 8));
  };
  if (fields[0] == "run") {
    start_command(runner, message);
  } else if (fields[0] == "kill") {
    if (runner.command != 0) kill_command(runner);
  } else if (fields[0] == "open") {
    answer_open(runner, fields[1]);
  } else if (fields[0] == "create") {
    answer_create(runner, fields[1], mode(fields[2]));
  } else if (fields[0] == "folder") {
    answer_folder(runner, fields[1], mode(fields[2]));
  } else if (fields[0] == "link") {
    answer_link(runner, fields[1], fields[2]);
  }
  for (const int fd : message.fds) close(fd);
}

/// Leaves nothing open that was inherited, apart from the socket.
bool clean_descriptors(int socket) {
  const int null = open("/dev/null", O_RDWR);
  if (null < 0) return false;
  for (int i = 0; i < 3; ++i) dup2(null, i);
  fcntl(socket, F_SETFD, FD_CLOEXEC);
  return close_range(static_cast<unsigned>(socket) + 1, ~0U, 0) == 0;
}

}  // namespace

int run_runner(int socket) {
  prctl(PR_SET_DUMPABLE, 0);
  umask(0022);
  if (!clean_descriptors(socket)) return 1;
  sigset_t child_ended;
  sigemptyset(&child_ended);
  sigaddset(&child_ended, SIGCHLD);
  sigprocmask(SIG_BLOCK, &child_ended, nullptr);
  const int signals = signalfd(-1, &child_ended, SFD_CLOEXEC | SFD_NONBLOCK);
  Runner runner;
  runner.socket = socket;
  send_message(socket, {"ready"});
  for (;;) {
    pollfd sources[] = {{socket, POLLIN, 0}, {signals, POLLIN, 0}};
    if (poll(sources, 2, -1) < 0 && errno != EINTR) return 1;
    if (sources[1].revents != 0) {
      signalfd_siginfo info{};
      while (read(signals, &info, sizeof info) > 0) {
      }
      reap(runner);
    }
    if (sources[0].revents != 0) {
      Message message;
      // The harness has let go of the box, or something is wrong: the box ends with us.
      if (receive_message(socket, message) != Received::Message) return 0;
      answer(runner, message);
    }
  }
}

}  // namespace trialwright::inside
