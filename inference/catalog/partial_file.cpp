#include "inference/catalog/partial_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

namespace trialwright {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kBlock = std::size_t{1} << 20U;

Error write_error(const fs::path& path, int number) {
  if (number == ENOSPC || number == EDQUOT) {
    return unavailable("the disk is full: cannot write " + path.string());
  }
  return unavailable("cannot write " + path.string() + ": " + errno_text(number));
}

}  // namespace

Result<PartialFile> PartialFile::open(fs::path path) {
  FileDescriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!file) return write_error(path, errno);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return write_error(path, errno);
  if (!S_ISREG(status.st_mode)) return unavailable(path.string() + " is not a regular file");
  return PartialFile(std::move(path), std::move(file), static_cast<std::uint64_t>(status.st_size));
}

Result<void> PartialFile::append(std::string_view bytes) {
  std::uint64_t at = size_;
  while (!bytes.empty()) {
    const ssize_t written =
        ::pwrite(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const Error error = write_error(path_, errno);
      (void)cut_to(size_);
      return error;
    }
    at += static_cast<std::uint64_t>(written);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  size_ = at;
  return {};
}

Result<void> PartialFile::go_on_with(const fs::path& source, std::uint64_t begin,
                                     std::uint64_t bytes_max,
                                     const std::function<void(std::uint64_t)>& on_bytes,
                                     const std::stop_token& stop) {
  // A pipe is told from a file by looking at it, not by waiting for a writer.
  const FileDescriptor file(::open(source.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) {
    return errno == ENOENT
               ? not_found(source.string() + " does not exist")
               : unavailable("cannot open " + source.string() + ": " + errno_text(errno));
  }
  struct stat status {};
  if (::fstat(file.get(), &status) != 0 || S_ISDIR(status.st_mode) || S_ISFIFO(status.st_mode)) {
    return unavailable(source.string() + " is not a file");
  }
  if (auto cut = cut_to(begin); !cut) return cut;
  const auto fail = [&](Error error) -> Result<void> {
    (void)cut_to(begin);
    return error;
  };
  std::vector<char> block(kBlock);
  while (true) {
    if (stop.stop_requested())
      return fail(cancelled("copying " + source.string() + " was stopped"));
    const ssize_t got = ::read(file.get(), block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0)
      return fail(unavailable("cannot read " + source.string() + ": " + errno_text(errno)));
    if (got == 0) return {};
    const auto bytes = static_cast<std::size_t>(got);
    // Looked at before it is written, because a device may have no end.
    if (size_ - begin + bytes > bytes_max) {
      return fail(
          integrity(source.string() + " has more than " + std::to_string(bytes_max) + " bytes"));
    }
    if (auto appended = append({block.data(), bytes}); !appended) return fail(appended.error());
    if (on_bytes) on_bytes(size_ - begin);
  }
}

Result<void> PartialFile::cut_to(std::uint64_t size) {
  if (::ftruncate(file_.get(), static_cast<off_t>(size)) != 0) return write_error(path_, errno);
  size_ = size;
  return {};
}

Result<Digest> PartialFile::digest(std::uint64_t begin, std::uint64_t size) const {
  Hasher hasher;
  std::vector<char> block(kBlock);
  while (size > 0) {
    const std::size_t wanted = std::min<std::uint64_t>(size, block.size());
    const ssize_t got = ::pread(file_.get(), block.data(), wanted, static_cast<off_t>(begin));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return unavailable("cannot read " + path_.string() + ": " + errno_text(errno));
    if (got == 0) return unavailable(path_.string() + " ends too early");
    hasher.raw({block.data(), static_cast<std::size_t>(got)});
    begin += static_cast<std::uint64_t>(got);
    size -= static_cast<std::uint64_t>(got);
  }
  return hasher.finish();
}

Result<void> PartialFile::finish_as(const fs::path& target) {
  if (::fsync(file_.get()) != 0) return write_error(path_, errno);
  if (::rename(path_.c_str(), target.c_str()) != 0) return write_error(target, errno);
  return {};
}

}  // namespace trialwright
