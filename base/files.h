#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace trialwright {

/// The whole file. Errors: NotFound, Invalid if it is larger than `bytes_max`, Unavailable.
Result<std::string> read_file(const std::filesystem::path& path,
                              std::uint64_t bytes_max = std::uint64_t{1} << 32U);

/// Replaces the file's content in one step: a reader sees the old or the new, never a part.
/// Writes beside the target, flushes to disk, renames. Missing parent folders are made. A symbolic
/// link stays and what it names is replaced; a device or pipe is written to as it stands.
/// Errors: Unavailable; a file is then as it was.
Result<void> write_file_atomically(const std::filesystem::path& path, std::string_view content);

/// A file's bytes in memory, read-only, paged in on use. Movable.
class MappedFile {
 public:
  /// Errors: NotFound, Unavailable. An empty file maps to no bytes.
  static Result<MappedFile> open(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  [[nodiscard]] std::span<const std::byte> bytes() const { return {data_, size_}; }

 private:
  MappedFile(const std::byte* data, std::size_t size) : data_(data), size_(size) {}
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

/// True if something is at the path; false too if that cannot be found out.
bool path_exists(const std::filesystem::path& path);

/// A folder that is removed with everything in it when this goes out of scope.
class TemporaryFolder {
 public:
  /// Under $TMPDIR or /tmp, readable by this user alone. Errors: Unavailable.
  static Result<TemporaryFolder> make(std::string_view prefix = "trialwright");
  ~TemporaryFolder();
  TemporaryFolder(TemporaryFolder&& other) noexcept;
  TemporaryFolder& operator=(TemporaryFolder&& other) noexcept;
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  explicit TemporaryFolder(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

/// Owns a file descriptor.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() { reset(); }
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(other.release()) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;

  [[nodiscard]] int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  /// Gives the descriptor away; this then holds none.
  int release() {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }
  void reset();

 private:
  int fd_ = -1;
};

/// $XDG_CACHE_HOME/trialwright, or ~/.cache/trialwright; $XDG_CONFIG_HOME/trialwright, or
/// ~/.config/trialwright. Without a home /tmp stands in for it. Not made by these calls.
std::filesystem::path user_cache_folder();
std::filesystem::path user_config_folder();

/// The text of an errno value, such as "No such file or directory".
std::string errno_text(int error_number);

}  // namespace trialwright
