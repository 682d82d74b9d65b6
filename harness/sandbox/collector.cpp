#include "harness/sandbox/collector.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace trialwright {

Result<std::string> collect_open_file(const FileDescriptor& file, std::string_view name,
                                      std::uint64_t bytes_max) {
  const std::string file_name(name);
  struct stat info {};
  if (fstat(file.get(), &info) != 0) {
    return unavailable(file_name + ": " + errno_text(errno));
  }
  if (!S_ISREG(info.st_mode)) return invalid(file_name + " is not a regular file");
  const auto too_large = [&] {
    return invalid(file_name + " is larger than " + std::to_string(bytes_max) + " bytes");
  };
  if (static_cast<std::uint64_t>(info.st_size) > bytes_max) return too_large();
  std::string content;
  std::string piece(64U << 10U, '\0');
  // The size above is only a hint: the file may grow, and files of /proc say 0.
  for (;;) {
    const ssize_t count = ::read(file.get(), piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return invalid("reading " + file_name + ": " + errno_text(errno));
    if (count == 0) return content;
    content.append(piece, 0, static_cast<std::size_t>(count));
    if (content.size() > bytes_max) return too_large();
  }
}

Result<std::string> collect_file(int folder, std::string_view name, std::uint64_t bytes_max) {
  const std::string file_name(name);
  open_how how{};
  how.flags = O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
  const FileDescriptor file(
      static_cast<int>(syscall(SYS_openat2, folder, file_name.c_str(), &how, sizeof how)));
  if (!file) {
    if (errno == ENOENT) return not_found(file_name + " does not exist");
    if (errno == ELOOP) return invalid(file_name + " is a symbolic link");
    if (errno == EXDEV) return invalid(file_name + " leads out of its folder");
    return invalid("opening " + file_name + ": " + errno_text(errno));
  }
  return collect_open_file(file, file_name, bytes_max);
}

}  // namespace trialwright
