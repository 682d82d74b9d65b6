#include "harness/sandbox/tree_writer.h"

#include <fcntl.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>

#include "base/files.h"

namespace trialwright {
namespace {

/// While this lives, the files that this thread makes belong to somebody else. Without power over
/// ids it does nothing, and the owner is ourselves anyway.
class ActingAs {
 public:
  explicit ActingAs(uid_t owner) : user_(geteuid()), group_(getegid()) {
    setfsgid(owner);
    setfsuid(owner);
  }
  ~ActingAs() {
    setfsuid(user_);
    setfsgid(group_);
  }
  ActingAs(const ActingAs&) = delete;
  ActingAs& operator=(const ActingAs&) = delete;

 private:
  uid_t user_;
  gid_t group_;
};

bool may_read(const std::filesystem::path& path, bool plain) {
  return faccessat(AT_FDCWD, path.c_str(), plain ? R_OK : R_OK | X_OK, AT_EACCESS) == 0;
}

}  // namespace

Result<void> TreeWriter::done(int outcome, const std::string& path) const {
  if (outcome >= 0) return {};
  return unavailable("making /" + path + " for the sandbox: " + errno_text(errno));
}

Result<void> TreeWriter::make_folder(const std::string& path, mode_t mode) const {
  const ActingAs owner(owner_);
  if (mkdirat(folder_, path.c_str(), 0700) != 0) {
    return errno == EEXIST ? Result<void>() : done(-1, path);
  }
  // Not left to the harness's umask.
  return done(fchmodat(folder_, path.c_str(), mode, 0), path);
}

Result<void> TreeWriter::write(const std::string& path, std::string_view content,
                               mode_t mode) const {
  const ActingAs owner(owner_);
  const FileDescriptor file(
      openat(folder_, path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return done(-1, path);
  while (!content.empty()) {
    const ssize_t count = ::write(file.get(), content.data(), content.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return done(-1, path);
    content.remove_prefix(static_cast<std::size_t>(count));
  }
  return done(fchmod(file.get(), mode), path);
}

Result<void> TreeWriter::link(const std::string& target, const std::string& path) const {
  const ActingAs owner(owner_);
  return done(symlinkat(target.c_str(), folder_, path.c_str()), path);
}

Result<void> TreeWriter::whiteout(const std::string& path) const {
  const ActingAs owner(owner_);
  return done(mknodat(folder_, path.c_str(), S_IFCHR | 0600, makedev(0, 0)), path);
}

Result<void> TreeWriter::copy(const std::filesystem::path& source, const std::string& path,
                              Unreadable unreadable) const {
  namespace fs = std::filesystem;
  std::error_code failure;
  const fs::file_status status = fs::symlink_status(source, failure);
  const auto mode = static_cast<mode_t>(status.permissions()) & 01777;
  if (failure) return unavailable(source.string() + ": " + failure.message());
  if (fs::is_symlink(status)) {
    const fs::path target = fs::read_symlink(source, failure);
    return failure ? Result<void>(unavailable(source.string() + ": " + failure.message()))
                   : link(target.string(), path);
  }
  const bool plain = fs::is_regular_file(status);
  if (unreadable == Unreadable::IsPassedOver && (plain || fs::is_directory(status)) &&
      !may_read(source, plain)) {
    return {};
  }
  if (plain) {
    const auto content = read_file(source);
    return content ? write(path, *content, mode) : Result<void>(content.error());
  }
  if (!fs::is_directory(status)) return {};
  if (auto made = make_folder(path, 0700); !made) return made;
  for (const auto& entry : fs::directory_iterator(source, failure)) {
    auto copied = copy(entry.path(), path + "/" + entry.path().filename().string(), unreadable);
    if (!copied) return copied;
  }
  if (failure) return unavailable(source.string() + ": " + failure.message());
  // Last, because a folder may be read-only.
  const ActingAs owner(owner_);
  return done(fchmodat(folder_, path.c_str(), mode, 0), path);
}

}  // namespace trialwright
