#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string_view>

#include "base/digest.h"
#include "base/files.h"
#include "base/result.h"

namespace trialwright {

/// A file that grows at its end until it is whole, and stays where it is between runs.
class PartialFile {
 public:
  /// Opens the file, made if needed, with what it already holds.
  /// Errors: Unavailable.
  static Result<PartialFile> open(std::filesystem::path path);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::uint64_t size() const { return size_; }
  /// Errors: Unavailable, saying so if the disk is full; the file then holds what it held before.
  Result<void> append(std::string_view bytes);
  /// Puts a whole file of at most `bytes_max` bytes in the place of all from `begin` on; `on_bytes`
  /// is told how many have come. Errors: NotFound or Unavailable if the source cannot be opened,
  /// this is then as before; as `append`, Integrity if there are more bytes, and Cancelled, this
  /// then ends at `begin`.
  Result<void> go_on_with(const std::filesystem::path& source, std::uint64_t begin,
                          std::uint64_t bytes_max,
                          const std::function<void(std::uint64_t)>& on_bytes,
                          const std::stop_token& stop);
  /// Cuts off all but the first bytes. Errors: Unavailable.
  Result<void> cut_to(std::uint64_t size);
  /// The digest of a stretch. Errors: Unavailable, also if the file ends before it.
  [[nodiscard]] Result<Digest> digest(std::uint64_t begin, std::uint64_t size) const;
  /// Flushes to disk and moves the file to its own name in one step. Errors: Unavailable.
  Result<void> finish_as(const std::filesystem::path& target);

 private:
  PartialFile(std::filesystem::path path, FileDescriptor file, std::uint64_t size)
      : path_(std::move(path)), file_(std::move(file)), size_(size) {}

  std::filesystem::path path_;
  FileDescriptor file_;
  std::uint64_t size_ = 0;
};

}  // namespace trialwright
