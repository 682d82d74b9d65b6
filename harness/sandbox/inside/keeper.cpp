#include "harness/sandbox/inside/keeper.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "harness/sandbox/inside/wire.h"

namespace trialwright::inside {
namespace {

using Fields = std::vector<std::string>;

/// Empty if all went well, else what did not.
using Failure = std::string;

// Enough for the marks by which a grader's tree hides what an agent left.
constexpr unsigned long long kInodesMin = 16384;

Failure failed(const std::string& step) { return step + ": " + std::strerror(errno); }

struct Keeper {
  int socket = -1;
  bool mapped = false;      ///< Boxes have a user namespace with 65536 ids; else the keeper's own.
  int user_namespace = -1;  ///< Of the boxes, if mapped.
  unsigned owner = 0;       ///< Root of the boxes, as the keeper sees ids.
  int program = -1;         ///< This executable.
  std::set<pid_t> boxes;    ///< Processes started and not yet reaped.
};

bool write_text(const std::string& path, const std::string& text) {
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool done = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int failure = errno;
  close(fd);
  errno = failure;
  return done;
}

/// A user namespace whose ids 0 to 65535 are `first_id` and on outside.
int make_user_namespace(const std::string& first_id) {
  int ready[2];
  if (pipe2(ready, O_CLOEXEC) != 0) return -1;
  const pid_t child = fork();
  if (child < 0) return -1;
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (unshare(CLONE_NEWUSER) != 0 || write(ready[1], "r", 1) != 1) _exit(1);
    for (;;) pause();
  }
  close(ready[1]);
  char byte = 0;
  int fd = -1;
  const std::string proc = "/proc/" + std::to_string(child);
  const std::string map = "0 " + first_id + " 65536";
  if (read(ready[0], &byte, 1) == 1 && write_text(proc + "/uid_map", map) &&
      write_text(proc + "/gid_map", map)) {
    fd = open((proc + "/ns/user").c_str(), O_RDONLY | O_CLOEXEC);
  }
  const int failure = errno;
  close(ready[0]);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  errno = failure;
  return fd;
}

/// Enters a user namespace in which only the caller's own id exists, as root.
Failure enter_single_user_namespace(unsigned uid) {
  if (geteuid() == 0) {
    // Inside, root must never be the host's root.
    if (setgroups(0, nullptr) != 0) return failed("dropping groups");
    if (setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0) {
      return failed("becoming an ordinary user");
    }
    prctl(PR_SET_DUMPABLE, 1);
  }
  const std::string own_uid = std::to_string(geteuid());
  const std::string own_gid = std::to_string(getegid());
  if (unshare(CLONE_NEWUSER) != 0) return failed("making a user namespace");
  if (!write_text("/proc/self/setgroups", "deny") ||
      !write_text("/proc/self/uid_map", "0 " + own_uid + " 1") ||
      !write_text("/proc/self/gid_map", "0 " + own_gid + " 1")) {
    return failed("mapping the user's id");
  }
  return {};
}

Failure open_keeper(Keeper& keeper, const Fields& fields) {
  keeper.mapped = fields[1] == "mapped";
  const auto uid = static_cast<unsigned>(std::strtoul(fields[2].c_str(), nullptr, 10));
  if (!keeper.mapped) {
    if (Failure failure = enter_single_user_namespace(uid); !failure.empty()) return failure;
  }
  if (unshare(CLONE_NEWNS) != 0) return failed("making a mount namespace");
  if (mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) {
    return failed("leaving the host's mounts alone");
  }
  if (mount("trialwright", kKeeperRoot, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0711,size=1m") != 0) {
    return failed("mounting a memory file system");
  }
  // Shared, so that a tree that is dropped here also leaves the boxes' namespaces.
  if (mount(nullptr, kKeeperRoot, nullptr, MS_SHARED, nullptr) != 0) {
    return failed("sharing the memory file system");
  }
  if (keeper.mapped) {
    keeper.owner = uid;
    keeper.user_namespace = make_user_namespace(fields[2]);
    if (keeper.user_namespace < 0) return failed("making a user namespace of 65536 ids");
  }
  return {};
}

std::string tree_path(const std::string& id) { return std::string(kKeeperRoot) + "/" + id; }

Failure make_tree(const Keeper& keeper, const Fields& fields, int& folder) {
  const std::string path = tree_path(fields[1]);
  const unsigned long long bytes = std::strtoull(fields[2].c_str(), nullptr, 10);
  const std::string owner = std::to_string(keeper.owner);
  // A file of no bytes costs memory too, so their number is limited with the bytes.
  const std::string options = "mode=0755,size=" + std::to_string(bytes) +
                              ",nr_inodes=" + std::to_string(kInodesMin + bytes / 2048) +
                              ",uid=" + owner + ",gid=" + owner;
  if (mkdir(path.c_str(), 0755) != 0) return failed("making a mount point");
  if (mount("trialwright", path.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, options.c_str()) != 0) {
    return failed("mounting a memory file system");
  }
  folder = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return folder < 0 ? failed("opening the memory file system") : Failure{};
}

/// The number of the error, or 0.
int look(const Fields& fields, int& file) {
  const int folder = open(tree_path(fields[1]).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return errno;
  open_how how{};
  how.flags = std::strtoull(fields[3].c_str(), nullptr, 10) | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
  file = static_cast<int>(syscall(SYS_openat2, folder, fields[2].c_str(), &how, sizeof how));
  const int failure = errno;
  close(folder);
  return file < 0 ? failure : 0;
}

Failure make_layer(const Keeper& keeper, const Fields& fields) {
  const std::string path = tree_path(fields[1]);
  if (mkdir(path.c_str(), 0755) != 0) return failed("making a mount point");
  const int tree = open_tree(AT_FDCWD, fields[2].c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  if (tree < 0) return failed("opening " + fields[2]);
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  if (keeper.mapped) {
    attributes.attr_set |= MOUNT_ATTR_IDMAP;
    attributes.userns_fd = static_cast<unsigned long long>(keeper.user_namespace);
  }
  Failure failure;
  if (mount_setattr(tree, "", AT_EMPTY_PATH, &attributes, sizeof attributes) != 0) {
    failure = failed("mapping the ids of " + fields[2]);
  } else if (move_mount(tree, "", AT_FDCWD, path.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0) {
    failure = failed("mounting " + fields[2]);
  }
  close(tree);
  return failure;
}

void drop_tree(const Fields& fields) {
  const std::string path = tree_path(fields[1]);
  umount2(path.c_str(), MNT_DETACH);
  rmdir(path.c_str());
}

/// Opens `name` in `folder` as a folder and nothing else, made anew if something else has its name.
int open_folder_in(int folder, const std::string& name, unsigned owner) {
  constexpr int kFlags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  int fd = openat(folder, name.c_str(), kFlags);
  if (fd >= 0) return fd;
  if (errno != ENOENT && unlinkat(folder, name.c_str(), 0) != 0) return -1;
  if (mkdirat(folder, name.c_str(), 0755) != 0) return -1;
  if (fchownat(folder, name.c_str(), owner, owner, AT_SYMLINK_NOFOLLOW) != 0) return -1;
  return openat(folder, name.c_str(), kFlags);
}

Failure make_folder(const Keeper& keeper, const std::string& root, const std::string& path) {
  int folder = open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  for (std::size_t at = 0; folder >= 0 && at < path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    if (end > at) {
      const int next = open_folder_in(folder, path.substr(at, end - at), keeper.owner);
      const int failure = errno;
      close(folder);
      errno = failure;
      folder = next;
    }
    at = end + 1;
  }
  if (folder < 0) return failed("making the mount point " + path);
  close(folder);
  return {};
}

Failure set_limit(const std::string& resource, const std::string& value) {
  const auto which = static_cast<__rlimit_resource_t>(std::atoi(resource.c_str()));
  rlimit wanted{};
  rlimit now{};
  getrlimit(which, &now);
  wanted.rlim_cur = std::min<rlim_t>(std::strtoull(value.c_str(), nullptr, 10), now.rlim_max);
  wanted.rlim_max = wanted.rlim_cur;
  return setrlimit(which, &wanted) == 0 ? Failure{} : failed("limiting resource " + resource);
}

/// Puts the descriptors where the program expects them and nothing else anywhere.
Failure arrange_descriptors(const Keeper& keeper, const std::vector<int>& fds) {
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) return failed("opening /dev/null");
  const int wanted[] = {null, null, fds[1], fds[0], fds[2], keeper.program};
  // First out of the way, then into place, so that none overwrites another.
  int lifted[6];
  for (int i = 0; i < 6; ++i) {
    lifted[i] = fcntl(wanted[i], F_DUPFD_CLOEXEC, 64);
    if (lifted[i] < 0) return failed("arranging descriptors");
  }
  for (int i = 0; i < 6; ++i) {
    if (dup2(lifted[i], i) < 0) return failed("arranging descriptors");
  }
  return close_range(6, ~0U, 0) == 0 ? Failure{} : failed("closing descriptors");
}

Failure do_step(const Keeper& keeper, const Fields& fields, std::size_t& at) {
  const std::string& verb = fields[at];
  if (verb == "overlay") {
    at += 3;
    const unsigned long flags = MS_NOSUID | MS_NODEV;
    return mount("overlay", fields[at - 2].c_str(), "overlay", flags, fields[at - 1].c_str()) == 0
               ? Failure{}
               : failed("mounting an overlay (" + fields[at - 1] + ")");
  }
  if (verb == "folder") {
    at += 3;
    return make_folder(keeper, fields[at - 2], fields[at - 1]);
  }
  if (verb == "limit") {
    at += 3;
    return set_limit(fields[at - 2], fields[at - 1]);
  }
  return "unknown step " + verb;
}

Failure become_box(const Keeper& keeper, Message& message) {
  // Every limit that follows holds for whatever this process starts.
  for (std::size_t i = 3; i < message.fds.size(); ++i) {
    if (write(message.fds[i], "0", 1) != 1) return failed("entering a cgroup");
  }
  if (unshare(CLONE_NEWNS) != 0) return failed("making a mount namespace");
  if (mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) {
    return failed("leaving the keeper's mounts alone");
  }
  const Fields& fields = message.fields;
  std::size_t at = 1;
  while (at < fields.size() && fields[at] != "exec") {
    if (Failure failure = do_step(keeper, fields, at); !failure.empty()) return failure;
  }
  if (keeper.mapped) {
    if (setns(keeper.user_namespace, CLONE_NEWUSER) != 0)
      return failed("entering the user namespace");
    if (setgroups(0, nullptr) != 0) return failed("dropping groups");
    if (setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0)
      return failed("becoming the box's root");
  }
  std::vector<char*> argv;
  for (std::size_t i = at + 1; i < fields.size(); ++i) argv.push_back(message.fields[i].data());
  argv.push_back(nullptr);
  char* environment[] = {nullptr};
  if (Failure failure = arrange_descriptors(keeper, message.fds); !failure.empty()) return failure;
  execve(argv[0], argv.data(), environment);
  return failed(std::string("starting ") + argv[0]);
}

Failure start_box(Keeper& keeper, Message& message, pid_t& pid) {
  if (message.fds.size() < 3) return "a box needs three descriptors";
  pid = fork();
  if (pid < 0) return failed("starting a process");
  if (pid == 0) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    const int said_to = message.fds[1];
    const int copy = fcntl(said_to, F_DUPFD_CLOEXEC, 100);
    const Failure failure = become_box(keeper, message);
    // After the descriptors have been arranged only 2 is left of the two.
    if (write(copy, failure.data(), failure.size()) < 0) {
      if (write(2, failure.data(), failure.size()) < 0) _exit(126);
    }
    _exit(125);
  }
  keeper.boxes.insert(pid);
  return {};
}

void answer(Keeper& keeper, Message& message) {
  const std::string& verb = message.fields[0];
  Failure failure;
  Fields reply = {"done"};
  std::vector<int> fds;
  if (verb == "open") {
    failure = open_keeper(keeper, message.fields);
  } else if (verb == "tree") {
    int folder = -1;
    failure = make_tree(keeper, message.fields, folder);
    if (folder >= 0) fds.push_back(folder);
    if (!failure.empty()) drop_tree(message.fields);
  } else if (verb == "layer") {
    failure = make_layer(keeper, message.fields);
    if (!failure.empty()) drop_tree(message.fields);
  } else if (verb == "look") {
    int file = -1;
    if (const int number = look(message.fields, file); number != 0) {
      reply = {"errno", std::to_string(number)};
    } else {
      fds.push_back(file);
    }
  } else if (verb == "drop") {
    drop_tree(message.fields);
  } else if (verb == "start") {
    pid_t pid = 0;
    failure = start_box(keeper, message, pid);
    reply.push_back(std::to_string(pid));
  } else if (verb == "kill") {
    const auto pid = static_cast<pid_t>(std::strtol(message.fields[1].c_str(), nullptr, 10));
    if (keeper.boxes.count(pid) != 0) kill(pid, SIGKILL);
  } else {
    failure = "unknown request " + verb;
  }
  if (!failure.empty()) reply = {"error", failure};
  send_message(keeper.socket, reply, fds);
  for (const int fd : fds) close(fd);
  for (const int fd : message.fds) close(fd);
}

void reap(Keeper& keeper) {
  for (pid_t pid = 0; (pid = waitpid(-1, nullptr, WNOHANG)) > 0;) keeper.boxes.erase(pid);
}

}  // namespace

int run_keeper(int socket) {
  prctl(PR_SET_NAME, "trialwright-box");
  close_range(static_cast<unsigned>(socket) + 1, ~0U, 0);
  fcntl(socket, F_SETFD, FD_CLOEXEC);
  umask(0022);
  sigset_t child_ended;
  sigemptyset(&child_ended);
  sigaddset(&child_ended, SIGCHLD);
  sigprocmask(SIG_BLOCK, &child_ended, nullptr);
  const int signals = signalfd(-1, &child_ended, SFD_CLOEXEC | SFD_NONBLOCK);
  Keeper keeper;
  keeper.socket = socket;
  keeper.program = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  for (;;) {
    pollfd sources[] = {{socket, POLLIN, 0}, {signals, POLLIN, 0}};
    if (poll(sources, 2, -1) < 0 && errno != EINTR) return 1;
    if (sources[1].revents != 0) {
      signalfd_siginfo info{};
      while (read(signals, &info, sizeof info) > 0) {
      }
      reap(keeper);
    }
    if (sources[0].revents != 0) {
      Message message;
      if (receive_message(socket, message) != Received::Message) return 0;
      answer(keeper, message);
    }
  }
}

}  // namespace trialwright::inside
