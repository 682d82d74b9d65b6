#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "harness/sandbox/collector.h"
#include "harness/sandbox/keeper.h"
#include "harness/sandbox/sandbox.h"

namespace trialwright {

/// True if a tree has something, or a folder, of this name, which may be a path; no links are
/// followed.
bool has_entry(const Tree& tree, const std::string& path);
bool has_folder(const Tree& tree, const std::string& path);
/// The names in a folder of a tree; none if there is no such folder.
std::vector<std::string> names_in(const Tree& tree, const std::string& path);
/// Where a link in a tree leads; nothing if there is no link of this name.
std::optional<std::string> link_in(const Tree& tree, const std::string& path);
/// Errors: as collect_file.
Result<std::string> content_in(const Tree& tree, const std::string& path, std::uint64_t bytes_max);

/// What an agent left in its tree, and what of it tests were not shown.
///
/// Paths are a tree's: "usr/bin/ls" or "root/etc/hosts".
class LeftFiles {
 public:
  explicit LeftFiles(const Tree& tree) : tree_(tree) {}

  [[nodiscard]] const Tree& tree() const { return tree_; }
  [[nodiscard]] std::vector<std::string> names(const std::string& path) const {
    return names_in(tree_, path);
  }
  [[nodiscard]] Result<std::string> content(const std::string& path,
                                            std::uint64_t bytes_max) const {
    return content_in(tree_, path, bytes_max);
  }

  /// Takes note of a file, or of the files in a folder, that tests will not see.
  void note_hidden(const std::string& path);
  /// `in_image` tells whether the image has a path, which is then not the agent's doing.
  [[nodiscard]] SealFindings findings(
      const std::function<bool(const std::string&)>& in_image) const;

 private:
  void note(const std::string& path, int depth);

  const Tree& tree_;
  SealFindings findings_;
  int looked_at_ = 0;
};

}  // namespace trialwright
