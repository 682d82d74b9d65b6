#include "harness/sandbox/keeper.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "harness/sandbox/inside/keeper.h"
#include "harness/sandbox/inside/wire.h"

extern "C" const char trialwright_box_begin[];
extern "C" const char trialwright_box_end[];

namespace trialwright {
namespace {

// The first of 65536 ids of the machine that boxes use when the harness is root: above the ranges
// that shadow-utils and systemd hand out to users and containers, below the sign bit.
constexpr uid_t kFirstMappedId = 0x7000'0000;
// Whom a root harness becomes for recipe A.
constexpr uid_t kSingleId = kFirstMappedId + 65536;

Result<FileDescriptor> program_in_memory() {
  const FileDescriptor first(memfd_create("trialwright-box", MFD_CLOEXEC));
  // Above the numbers that the keeper gets.
  FileDescriptor file(fcntl(first.get(), F_DUPFD_CLOEXEC, 16));
  if (!file) return unavailable("making a memory file: " + errno_text(errno));
  const char* at = trialwright_box_begin;
  while (at < trialwright_box_end) {
    const auto left = static_cast<std::size_t>(trialwright_box_end - at);
    const ssize_t count = ::write(file.get(), at, left);
    if (count <= 0) return unavailable("writing a memory file: " + errno_text(errno));
    at += count;
  }
  return file;
}

/// Starts the keeper with nothing of ours but its socket, in a session of its own, so that Ctrl-C
/// reaches the harness alone.
Result<pid_t> spawn_keeper(int program, int socket) {
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDWR, 0);
  posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_RDWR, 0);
  posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_RDWR, 0);
  posix_spawn_file_actions_adddup2(&files, socket, 3);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
  const std::string path = "/proc/self/fd/" + std::to_string(program);
  std::string name = "trialwright-box";
  std::string mode = "keeper";
  char* argv[] = {name.data(), mode.data(), nullptr};
  char* environment[] = {nullptr};
  pid_t pid = 0;
  const int failure = posix_spawn(&pid, path.c_str(), &files, &attributes, argv, environment);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  if (failure != 0) return unavailable("starting the sandbox's keeper: " + errno_text(failure));
  return pid;
}

}  // namespace

Tree::~Tree() {
  if (keeper_ == nullptr) return;
  folder_.reset();
  (void)keeper_->ask({"drop", id_});
}

std::string Tree::path() const { return std::string(inside::kKeeperRoot) + "/" + id_; }

FileDescriptor Tree::look(const std::string& path, int flags) const {
  open_how how{};
  how.flags = static_cast<unsigned>(flags) | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
  FileDescriptor file(
      static_cast<int>(syscall(SYS_openat2, folder_.get(), path.c_str(), &how, sizeof how)));
  if (file || errno != EACCES) return file;
  // Making it open by a change of its mode would be seen: a tree may be shared or used again.
  auto reply = keeper_->ask({"look", id_, path, std::to_string(flags)});
  errno = EACCES;
  if (!reply) return {};
  if (reply->fields[0] == "errno" && reply->fields.size() > 1) errno = std::stoi(reply->fields[1]);
  return std::move(reply->file);
}

Result<std::shared_ptr<Keeper>> Keeper::open(BoxIds ids) {
  const uid_t user = geteuid();
  if (ids == BoxIds::Mapped && user != 0) {
    return unavailable("a box with ids of its own needs a harness that is root");
  }
  uid_t owner = user;
  if (ids == BoxIds::Mapped) owner = kFirstMappedId;
  if (ids == BoxIds::Single && user == 0) owner = kSingleId;
  auto program = program_in_memory();
  if (!program) return program.error();
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return unavailable("making a socket: " + errno_text(errno));
  }
  FileDescriptor ours(ends[0]);
  const FileDescriptor theirs(ends[1]);
  const auto process = spawn_keeper(program->get(), theirs.get());
  if (!process) return process.error();
  std::shared_ptr<Keeper> keeper(new Keeper(ids, owner, std::move(ours), *process));
  const auto opened =
      keeper->ask({"open", ids == BoxIds::Mapped ? "mapped" : "single", std::to_string(owner)});
  if (!opened) return opened.error();
  return keeper;
}

Keeper::~Keeper() {
  // The keeper ends when its socket closes, and its boxes with it.
  socket_.reset();
  while (waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

Result<Keeper::Reply> Keeper::ask(const std::vector<std::string>& fields,
                                  const std::vector<int>& fds) {
  const std::lock_guard lock(mutex_);
  inside::Message message;
  if (!inside::send_message(socket_.get(), fields, fds) ||
      inside::receive_message(socket_.get(), message) != inside::Received::Message) {
    return unavailable("the sandbox's keeper process has died");
  }
  Reply reply{std::move(message.fields), {}};
  for (const int fd : message.fds) reply.file = FileDescriptor(fd);
  if (reply.fields[0] == "error") return unavailable(reply.fields[1]);
  return reply;
}

std::string Keeper::next_id() {
  const std::lock_guard lock(mutex_);
  return std::to_string(ids_given_++);
}

Result<Tree> Keeper::make_tree(std::uint64_t bytes_max) {
  const std::string id = next_id();
  auto reply = ask({"tree", id, std::to_string(bytes_max)});
  if (!reply) return reply.error();
  return Tree(shared_from_this(), id, std::move(reply->file));
}

Result<std::string> Keeper::show_folder(const std::filesystem::path& folder) {
  const std::string id = next_id();
  auto reply = ask({"layer", id, folder.string()});
  if (!reply) return reply.error();
  return std::string(inside::kKeeperRoot) + "/" + id;
}

Result<pid_t> Keeper::start(const std::vector<std::string>& steps, const std::vector<int>& fds) {
  std::vector<std::string> fields = {"start"};
  fields.insert(fields.end(), steps.begin(), steps.end());
  auto reply = ask(fields, fds);
  if (!reply) return reply.error();
  return static_cast<pid_t>(std::stol(reply->fields[1]));
}

void Keeper::kill(pid_t box) { (void)ask({"kill", std::to_string(box)}); }

bool Keeper::alive() {
  const std::lock_guard lock(mutex_);
  // Between questions it has nothing to say but its end, which comes before that of its boxes.
  pollfd end{socket_.get(), POLLIN, 0};
  return poll(&end, 1, 0) == 0;
}

}  // namespace trialwright
