#include "base/files.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <vector>

namespace trialwright {

namespace fs = std::filesystem;

namespace {

Error open_error(const fs::path& path, int error_number) {
  const std::string text = "cannot open " + path.string() + ": " + errno_text(error_number);
  return error_number == ENOENT || error_number == ENOTDIR ? not_found(text) : unavailable(text);
}

Result<void> write_all(int fd, std::string_view content) {
  while (!content.empty()) {
    const ssize_t written = ::write(fd, content.data(), content.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return unavailable(errno_text(errno));
    }
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

/// True for devices, pipes and sockets: there is nothing to replace, what is written goes through.
bool takes_a_stream(const fs::path& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode);
}

Result<void> write_stream(const fs::path& path, std::string_view content) {
  const FileDescriptor fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd) return unavailable(errno_text(errno));
  return write_all(fd.get(), content);
}

/// Follows the links at the end of a path, so that a link stays and what it names is replaced.
Result<fs::path> behind_links(fs::path path) {
  constexpr int kLinksMax = 40;  // As the kernel.
  for (int links = 0; links < kLinksMax; ++links) {
    std::error_code not_a_link;
    const fs::path target = fs::read_symlink(path, not_a_link);
    if (not_a_link) return path;
    path = path.parent_path() / target;
  }
  return unavailable(errno_text(ELOOP));
}

}  // namespace

std::string errno_text(int error_number) {
  return std::error_code(error_number, std::generic_category()).message();
}

bool path_exists(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

Result<std::string> read_file(const fs::path& path, std::uint64_t bytes_max) {
  const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return open_error(path, errno);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return unavailable("cannot read " + path.string());
  if (!S_ISREG(status.st_mode)) return invalid(path.string() + " is not a regular file");
  std::string content;
  std::vector<char> buffer(std::size_t{1} << 16U);
  if (static_cast<std::uint64_t>(status.st_size) <= bytes_max) {
    content.reserve(static_cast<std::size_t>(status.st_size));
  }
  while (true) {
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return unavailable("reading " + path.string() + ": " + errno_text(errno));
    if (got == 0) return content;
    content.append(buffer.data(), static_cast<std::size_t>(got));
    if (content.size() > bytes_max) {
      return invalid(path.string() + " is larger than " + std::to_string(bytes_max) + " bytes");
    }
  }
}

namespace {

/// Makes a new file in the same folder, with the rights that any new file gets here; mkstemp would
/// give it those of a secret.
FileDescriptor open_beside(const fs::path& path, std::string& name) {
  static std::atomic<unsigned> count = 0;
  constexpr int kTries = 100;
  FileDescriptor fd;
  for (int i = 0; i < kTries && !fd; ++i) {
    name = path.string() + "." + std::to_string(::getpid()) + "-" + std::to_string(++count);
    fd = FileDescriptor(::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    if (!fd && errno != EEXIST) break;
  }
  return fd;
}

}  // namespace

Result<void> write_file_atomically(const fs::path& given, std::string_view content) {
  const std::string doing = "cannot write " + given.string();
  if (takes_a_stream(given)) {
    auto written = write_stream(given, content);
    return written ? written : written.error().during(doing);
  }
  auto target = behind_links(given);
  if (!target) return target.error().during(doing);
  const fs::path& path = *target;
  std::error_code ignored;
  if (path.has_parent_path()) fs::create_directories(path.parent_path(), ignored);
  std::string temporary;
  const FileDescriptor fd = open_beside(path, temporary);
  if (!fd) return unavailable(doing + ": " + errno_text(errno));
  const auto fail = [&](const std::string& why) {
    ::unlink(temporary.c_str());
    return unavailable(doing + ": " + why);
  };
  if (auto written = write_all(fd.get(), content); !written) return fail(written.error().message);
  struct stat old {};
  if (::stat(path.c_str(), &old) == 0 && ::fchmod(fd.get(), old.st_mode & 07777U) != 0) {
    return fail(errno_text(errno));
  }
  if (::fsync(fd.get()) != 0) return fail(errno_text(errno));
  if (::rename(temporary.c_str(), path.c_str()) != 0) return fail(errno_text(errno));
  // From here the new content is what every reader sees.
  return {};
}

Result<MappedFile> MappedFile::open(const fs::path& path) {
  const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return open_error(path, errno);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return unavailable("cannot read " + path.string());
  if (!S_ISREG(status.st_mode)) return invalid(path.string() + " is not a regular file");
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size == 0) return MappedFile(nullptr, 0);
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (data == MAP_FAILED) {
    return unavailable("cannot map " + path.string() + ": " + errno_text(errno));
  }
  return MappedFile(static_cast<const std::byte*>(data), size);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) {
    // munmap takes a pointer to non-const although it writes nothing.
    ::munmap(const_cast<std::byte*>(data_), size_);
  }
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

Result<TemporaryFolder> TemporaryFolder::make(std::string_view prefix) {
  std::error_code error;
  const fs::path parent = fs::temp_directory_path(error);
  if (error) return unavailable("there is no folder for temporary files: " + error.message());
  std::string path = (parent / (std::string(prefix) + "-XXXXXX")).string();
  if (::mkdtemp(path.data()) == nullptr) {
    return unavailable("cannot make a folder in " + parent.string() + ": " + errno_text(errno));
  }
  return TemporaryFolder(path);
}

TemporaryFolder::~TemporaryFolder() {
  if (path_.empty()) return;
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

TemporaryFolder::TemporaryFolder(TemporaryFolder&& other) noexcept
    : path_(std::exchange(other.path_, {})) {}

TemporaryFolder& TemporaryFolder::operator=(TemporaryFolder&& other) noexcept {
  std::swap(path_, other.path_);
  return *this;
}

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = other.release();
  }
  return *this;
}

void FileDescriptor::reset() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

namespace {

/// A folder of this program by the XDG base directory specification, which asks for absolute paths.
fs::path user_folder(const char* variable, const char* below_home) {
  if (const char* given = std::getenv(variable); given != nullptr && *given == '/') {
    return fs::path(given) / "trialwright";
  }
  const char* home = std::getenv("HOME");
  return fs::path(home != nullptr && *home != '\0' ? home : "/tmp") / below_home / "trialwright";
}

}  // namespace

fs::path user_cache_folder() { return user_folder("XDG_CACHE_HOME", ".cache"); }

fs::path user_config_folder() { return user_folder("XDG_CONFIG_HOME", ".config"); }

}  // namespace trialwright
