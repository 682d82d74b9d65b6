#include "harness/sandbox/image_files.h"

#include <filesystem>

#include "base/files.h"
#include "harness/sandbox/left_files.h"

namespace trialwright {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kSettingBytesMax = 16U << 20U;

/// The names in a folder of the host; none if it cannot be read.
std::vector<std::string> names_on_host(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    names.push_back(entry.path().filename().string());
  }
  return names;
}

/// A name outside of /usr without the "root/" that trees put before it.
std::string below_root(const std::string& name) {
  return name.starts_with("root/") ? name.substr(5) : name;
}

}  // namespace

bool lies_in(std::string_view path, std::string_view folder) {
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

std::string plain_folder(std::string_view path) {
  std::string plain = fs::path(path).lexically_normal().string();
  while (plain.size() > 1 && plain.back() == '/') plain.pop_back();
  return plain;
}

std::string path_in_tree(const std::string& path) {
  return lies_in(path, "/usr") ? path.substr(1) : "root" + path;
}

std::string python_module_name(const std::string& file) { return file.substr(0, file.find('.')); }

bool ImageFiles::has(const std::string& name) const {
  for (const auto& layer : layers_) {
    if (has_entry(*layer, name)) return true;
  }
  return in_base(name);
}

bool ImageFiles::in_base(const std::string& name) const {
  if (has_entry(*base_.tree, name)) return true;
  // The host's own /usr/local is not part of the base, nor is its root.
  const bool whole_root = base_.root_lowers.back() != base_.tree->path() + "/root";
  const bool in_usr = name.starts_with("usr/") && !name.starts_with("usr/local");
  if (!whole_root && !in_usr) return false;
  std::error_code ignored;
  const fs::path root = base_.etc.parent_path();
  return fs::exists(fs::symlink_status(root / below_root(name), ignored));
}

bool ImageFiles::has_folder(const std::string& name) const {
  for (const auto& layer : layers_) {
    if (has_entry(*layer, name)) return trialwright::has_folder(*layer, name);
  }
  if (has_entry(*base_.tree, name)) return trialwright::has_folder(*base_.tree, name);
  if (!in_base(name)) return false;
  std::error_code ignored;
  const fs::path path = base_.etc.parent_path() / below_root(name);
  return fs::is_directory(fs::symlink_status(path, ignored));
}

std::optional<std::string> ImageFiles::link(const std::string& name) const {
  for (const auto& layer : layers_) {
    if (has_entry(*layer, name)) return link_in(*layer, name);
  }
  if (has_entry(*base_.tree, name)) return link_in(*base_.tree, name);
  std::error_code failure;
  if (!in_base(name)) return std::nullopt;
  const fs::path target = fs::read_symlink(base_.etc.parent_path() / below_root(name), failure);
  return failure ? std::nullopt : std::optional<std::string>(target.string());
}

std::vector<std::string> ImageFiles::layers_of(const std::string& path) const {
  const std::string name = path_in_tree(path);
  std::vector<std::string> lowers;
  for (const auto& layer : layers_) {
    if (trialwright::has_folder(*layer, name)) lowers.push_back(layer->path() + "/" + name);
  }
  if (path == "/usr") {
    lowers.insert(lowers.end(), base_.usr_lowers.begin(), base_.usr_lowers.end());
  } else if (path == "/usr/local") {
    lowers.push_back(base_.local_lower);
  } else if (!lies_in(path, "/usr") && in_base(name)) {
    lowers.push_back(base_.root_lowers.back() + path);
  }
  return lowers;
}

Result<std::string> ImageFiles::content(const std::string& name) const {
  for (const auto& layer : layers_) {
    auto content = content_in(*layer, name, kSettingBytesMax);
    if (content) return content;
  }
  auto content = content_in(*base_.tree, name, kSettingBytesMax);
  if (content || !in_base(name)) return content;
  return read_file(base_.etc.parent_path() / below_root(name), kSettingBytesMax);
}

std::set<std::string> ImageFiles::python_modules() const {
  std::set<std::string> modules;
  const auto add = [&](const std::vector<std::string>& names) {
    for (const std::string& name : names) modules.insert(python_module_name(name));
  };
  const fs::path libraries = base_.etc.parent_path() / "usr/lib";
  for (const std::string& name : names_on_host(libraries)) {
    if (!name.starts_with("python3")) continue;
    add(names_on_host(libraries / name));
    add(names_on_host(libraries / name / "dist-packages"));
  }
  for (const auto& layer : layers_) {
    for (const char* prefix : {"usr/lib/", "usr/local/lib/"}) {
      for (const std::string& name : names_in(*layer, prefix)) {
        if (!name.starts_with("python3")) continue;
        add(names_in(*layer, prefix + name + "/dist-packages"));
        add(names_in(*layer, prefix + name + "/site-packages"));
      }
    }
  }
  for (const char* folder : {"dist-packages", "site-packages", ""}) modules.erase(folder);
  return modules;
}

}  // namespace trialwright
