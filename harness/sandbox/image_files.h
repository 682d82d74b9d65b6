#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "harness/sandbox/base_tree.h"
#include "harness/sandbox/keeper.h"

namespace trialwright {

// Libraries and headers for this machine's kind of processor lie in a folder of its name.
inline constexpr const char* kMachineFolders[] = {"x86_64-linux-gnu", "aarch64-linux-gnu"};

/// True if `path` is `folder` or lies in it.
bool lies_in(std::string_view path, std::string_view folder);

/// A folder's path in the one form that paths are compared in: no "." or "..", no slash at the end.
std::string plain_folder(std::string_view path);

/// Where trees keep a path of the machine: "usr/bin/ls", or "root/etc/hosts" outside of /usr.
std::string path_in_tree(const std::string& path);

/// "typing" of "typing.py" or of the package "typing".
std::string python_module_name(const std::string& file);

/// What a task's file tree held before an agent touched it: the base and what was built on it.
///
/// Names are a tree's paths unless they begin with a slash.
class ImageFiles {
 public:
  /// layers  what was built, topmost first.
  ImageFiles(const BaseTree& base, std::span<const std::shared_ptr<const Tree>> layers)
      : base_(base), layers_(layers) {}

  [[nodiscard]] bool has(const std::string& name) const;
  [[nodiscard]] bool has_folder(const std::string& name) const;
  /// Where a link of the image's leads; nothing if it has no link of this name.
  [[nodiscard]] std::optional<std::string> link(const std::string& name) const;
  /// The overlay layers of a folder of the machine, topmost first; none if there is no such folder.
  [[nodiscard]] std::vector<std::string> layers_of(const std::string& path) const;
  /// Errors: as collect_file.
  [[nodiscard]] Result<std::string> content(const std::string& name) const;
  /// What its Pythons find by name.
  [[nodiscard]] std::set<std::string> python_modules() const;

 private:
  [[nodiscard]] bool in_base(const std::string& name) const;

  const BaseTree& base_;
  std::span<const std::shared_ptr<const Tree>> layers_;
};

}  // namespace trialwright
