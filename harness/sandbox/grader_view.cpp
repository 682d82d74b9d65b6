#include "harness/sandbox/grader_view.h"

#include <algorithm>
#include <set>

#include "base/files.h"
#include "base/text.h"
#include "harness/sandbox/left_files.h"

namespace trialwright {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kSettingBytesMax = 16U << 20U;
constexpr std::uint64_t kPathFileBytesMax = 1U << 20U;

// Where pytest looks for settings above /tests.
constexpr const char* kPytestSettings[] = {"pytest.ini", ".pytest.ini",    "tox.ini",
                                           "setup.cfg",  "pyproject.toml", "conftest.py"};

// What the loader, shells and OpenSSL read before a program's first line.
constexpr const char* kSettings[] = {
    "etc/ld.so.cache",  "etc/ld.so.conf",  "etc/nsswitch.conf",   "etc/profile",
    "etc/bash.bashrc",  "etc/environment", "etc/ssl/openssl.cnf", "root/.bash_profile",
    "root/.bash_login", "root/.profile",   "root/.bash_logout",   "root/.zshenv"};
constexpr const char* kSettingFolders[] = {"alternatives", "ld.so.conf.d", "perl", "profile.d",
                                           "zsh"};

// By these a Python takes another folder's library for its own.
constexpr const char* kPythonHomes[] = {"pyvenv.cfg", "pybuilddir.txt"};

bool is_python_home(const std::string& name) {
  return std::find(std::begin(kPythonHomes), std::end(kPythonHomes), name) !=
         std::end(kPythonHomes);
}

bool is_hook(const std::string& name) {
  return name.starts_with("sitecustomize") || name.starts_with("usercustomize");
}

std::string module_name(const std::string& file) { return file.substr(0, file.find('.')); }

/// True if `path` is `folder` or lies in it.
bool lies_in(const std::string& path, const std::string& folder) {
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

/// The names in a folder of the host; none if it cannot be read.
std::vector<std::string> names_on_host(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    names.push_back(entry.path().filename().string());
  }
  return names;
}

/// Builds the view step by step.
///
/// A folder of the system is shown as the image has it, above what the agent added. Between the two
/// lies a mask: a layer of whiteouts, which hide what lies below them and nothing above.
class ViewBuilder {
 public:
  ViewBuilder(const BaseTree& base, const std::vector<std::shared_ptr<const Tree>>& layers,
              const GraderSettings& settings, const Tree& changes, uid_t owner)
      : base_(base),
        layers_(layers),
        settings_(settings),
        changes_(changes.folder(), owner),
        changes_path_(changes.path()),
        left_(*layers.front()) {}

  Result<GraderView> build() {
    choose_program_folders();
    collect_modules();
    if (auto shown = show_usr(); !shown) return shown.error();
    for (const std::string& prefix : prefixes_) {
      if (auto shown = show_prefix(prefix); !shown) return shown.error();
    }
    if (auto restored = restore_links(); !restored) return restored.error();
    if (auto restored = restore_settings(); !restored) return restored.error();
    if (auto hidden = hide_hooks_in_root(); !hidden) return hidden.error();
    if (auto restored = restore_setting_folders(); !restored) return restored.error();
    view_.findings = left_.findings([this](const std::string& path) { return in_image(path); });
    return std::move(view_);
  }

 private:
  /// True if the image has something at a path of a tree, such as "usr/bin/ls" or "root/etc/x".
  [[nodiscard]] bool in_image(const std::string& path) const {
    for (std::size_t i = 1; i < layers_.size(); ++i) {
      if (has_entry(*layers_[i], path)) return true;
    }
    return in_base(path);
  }
  [[nodiscard]] bool in_base(const std::string& path) const {
    if (has_entry(*base_.tree, path)) return true;
    // The host's own /usr/local is not part of the base, nor is its root.
    const bool whole_root = base_.root_lowers.back() != base_.tree->path() + "/root";
    const bool in_usr = path.starts_with("usr/") && !path.starts_with("usr/local");
    if (!whole_root && !in_usr) return false;
    std::error_code ignored;
    const fs::path root = base_.etc.parent_path();
    const std::string below = path.starts_with("root/") ? path.substr(5) : path;
    return fs::exists(fs::symlink_status(root / below, ignored));
  }
  /// Where trees keep a path of the machine.
  static std::string tree_path(const std::string& path) {
    return lies_in(path, "/usr") ? path.substr(1) : "root" + path;
  }

  /// The layers of a folder as the image has it, topmost first.
  [[nodiscard]] std::vector<std::string> image_layers(const std::string& path) const {
    const std::string name = tree_path(path);
    std::vector<std::string> lowers;
    for (std::size_t i = 1; i < layers_.size(); ++i) {
      if (has_folder(*layers_[i], name)) lowers.push_back(layers_[i]->path() + "/" + name);
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

  Result<void> show(const std::string& path, std::vector<std::string> lowers) {
    const std::string changes = "view-" + std::to_string(view_.folders.size());
    for (const std::string& folder : {changes, changes + "-work"}) {
      if (auto made = changes_.make_folder(folder); !made) return made;
    }
    view_.folders.push_back({path, std::move(lowers), changes});
    return {};
  }

  /// Shows the image's folder above what the agent added, which `mask` hides in part.
  Result<void> show_with_additions(const std::string& path, const std::string& mask) {
    std::vector<std::string> lowers = image_layers(path);
    const std::string name = tree_path(path);
    if (has_folder(left_.tree(), name)) {
      lowers.push_back(changes_path_ + "/" + mask);
      lowers.push_back(left_.tree().path() + "/" + name);
    }
    return show(path, std::move(lowers));
  }
  /// Hides `path`, relative to the root of a layer of the grader's, and notes what it was.
  Result<void> hide(const std::string& in_changes, const std::string& in_agent) {
    if (auto made = make_parents(in_changes); !made) return made;
    left_.note_hidden(in_agent);
    return changes_.whiteout(in_changes);
  }

  Result<void> make_parents(const std::string& path) {
    for (std::size_t at = path.find('/'); at != std::string::npos; at = path.find('/', at + 1)) {
      if (auto made = changes_.make_folder(path.substr(0, at)); !made) return made;
    }
    return {};
  }

  /// Which folders of PATH can be trusted: the system's, and those that the image made outside of
  /// the agent's own places.
  void choose_program_folders() {
    prefixes_ = {"/usr/local"};
    for (const char* folder : {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin",
                               "/sbin", "/bin", "/usr/games", "/usr/local/games"}) {
      view_.trusted.emplace_back(folder);
    }
    for (const std::string_view text : split(settings_.path, ':')) {
      const std::string folder = fs::path(text).lexically_normal().string();
      const bool known = std::count(view_.trusted.begin(), view_.trusted.end(), folder) != 0;
      if (known || !can_be_shown(folder) || !in_image(tree_path(folder))) continue;
      const std::string prefix = prefix_of(folder);
      const bool exact = lies_in(folder, "/usr") && !lies_in(folder, "/usr/local");
      // A link of the image's to a folder elsewhere is not a folder of programs.
      if (!exact && image_layers(prefix).empty()) continue;
      if (lies_in(prefix, settings_.working_folder) || lies_in(settings_.working_folder, prefix)) {
        continue;
      }
      view_.trusted.push_back(folder);
      const bool shown = std::count(prefixes_.begin(), prefixes_.end(), prefix) != 0;
      if (!exact && !shown) prefixes_.push_back(prefix);
    }
    // Outer folders first, because they are mounted in this order.
    std::sort(prefixes_.begin(), prefixes_.end());
  }
  /// Mount options are text with separators, so only plain names can be mounted.
  static bool can_be_shown(const std::string& folder) {
    constexpr std::string_view kPlain =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+-/";
    return folder.size() > 1 && folder.front() == '/' && folder.back() != '/' &&
           folder.find_first_not_of(kPlain) == std::string::npos;
  }
  /// "/opt/venv" of "/opt/venv/bin": what lies beside programs decides what they do.
  static std::string prefix_of(const std::string& folder) {
    const fs::path path(folder);
    const std::string parent = path.parent_path().string();
    const bool programs = path.filename() == "bin" || path.filename() == "sbin";
    const bool own_tree = std::count(parent.begin(), parent.end(), '/') > 1;
    return programs && own_tree ? parent : folder;
  }

  [[nodiscard]] bool is_program_of_image(const std::string& name) const {
    return std::any_of(view_.trusted.begin(), view_.trusted.end(), [&](const std::string& folder) {
      return in_image(tree_path(folder) + "/" + name);
    });
  }

  void collect_modules() {
    const auto add = [this](const std::vector<std::string>& names) {
      for (const std::string& name : names) modules_.insert(module_name(name));
    };
    const fs::path libraries = base_.etc.parent_path() / "usr/lib";
    for (const std::string& name : names_on_host(libraries)) {
      if (!name.starts_with("python3")) continue;
      add(names_on_host(libraries / name));
      add(names_on_host(libraries / name / "dist-packages"));
    }
    for (std::size_t i = 1; i < layers_.size(); ++i) {
      for (const char* prefix : {"usr/lib/", "usr/local/lib/"}) {
        for (const std::string& name : names_in(*layers_[i], prefix)) {
          if (!name.starts_with("python3")) continue;
          add(names_in(*layers_[i], prefix + name + "/dist-packages"));
          add(names_in(*layers_[i], prefix + name + "/site-packages"));
        }
      }
    }
    for (const char* folder : {"dist-packages", "site-packages", ""}) modules_.erase(folder);
  }

  /// /usr is the image's, apart from programs with names that the image does not have.
  Result<void> show_usr() {
    if (auto made = changes_.make_folder("mask-usr"); !made) return made;
    for (const std::string& name : left_.names("usr")) {
      const bool programs = name == "bin" || name == "sbin";
      if (name == "local") continue;
      if (!programs || !has_folder(left_.tree(), "usr/" + name)) {
        if (auto hidden = hide("mask-usr/" + name, "usr/" + name); !hidden) return hidden;
        continue;
      }
      for (const std::string& program : left_.names("usr/" + name)) {
        const std::string path = name + "/" + program;
        const bool plain = program.find('.') == std::string::npos;
        if (plain && !is_program_of_image(program)) continue;
        if (auto hidden = hide("mask-usr/" + path, "usr/" + path); !hidden) return hidden;
      }
    }
    return show_with_additions("/usr", "mask-usr");
  }

  /// A place for programs that are not the distribution's: what the agent added is its work, unless
  /// it would come before something of the image's.
  Result<void> show_prefix(const std::string& prefix) {
    const std::string mask = "mask-" + std::to_string(view_.folders.size());
    if (auto made = changes_.make_folder(mask); !made) return made;
    const std::string tree = tree_path(prefix);
    const bool is_program_folder =
        std::count(view_.trusted.begin(), view_.trusted.end(), prefix) != 0;
    if (is_program_folder) {
      if (auto hidden = hide_programs(mask, tree); !hidden) return hidden;
    }
    for (const std::string& name : left_.names(tree)) {
      const std::string in_mask = mask + "/" + name;
      const std::string in_agent = tree + "/" + name;
      Result<void> done;
      if (is_python_home(name) && !is_program_folder) {
        done = hide(in_mask, in_agent);
      } else if (name == "bin" || name == "sbin" || name == "games") {
        done = hide_programs(in_mask, in_agent);
      } else if (name == "lib") {
        done = hide_in_libraries(in_mask, in_agent);
      } else if (name == "include") {
        done = hide_like(in_mask, in_agent, "usr/include");
      } else if (name == "share") {
        done = hide_named(in_mask, in_agent, "perl");
      }
      if (!done) return done;
    }
    return show_with_additions(prefix, mask);
  }

  Result<void> hide_programs(const std::string& in_mask, const std::string& in_agent) {
    for (const std::string& name : left_.names(in_agent)) {
      if (!is_python_home(name) && !is_program_of_image(name)) continue;
      auto hidden = hide(in_mask + "/" + name, in_agent + "/" + name);
      if (!hidden) return hidden;
    }
    return {};
  }

  /// Hides what has the name of something in a folder of the image's /usr.
  Result<void> hide_like(const std::string& in_mask, const std::string& in_agent,
                         const std::string& in_usr) {
    for (const std::string& name : left_.names(in_agent)) {
      const bool same = in_image(in_usr + "/" + name) ||
                        std::any_of(std::begin(kMachineFolders), std::end(kMachineFolders),
                                    [&](const char* machine) {
                                      return in_image(in_usr + "/" + machine + "/" + name);
                                    });
      const bool folder = std::count(std::begin(kMachineFolders), std::end(kMachineFolders), name);
      Result<void> done;
      if (folder) {
        done = hide_like(in_mask + "/" + name, in_agent + "/" + name, in_usr);
      } else if (same || name.starts_with("perl")) {
        done = hide(in_mask + "/" + name, in_agent + "/" + name);
      }
      if (!done) return done;
    }
    return {};
  }

  Result<void> hide_named(const std::string& in_mask, const std::string& in_agent,
                          std::string_view start) {
    for (const std::string& name : left_.names(in_agent)) {
      if (!name.starts_with(start)) continue;
      auto hidden = hide(in_mask + "/" + name, in_agent + "/" + name);
      if (!hidden) return hidden;
    }
    return {};
  }

  Result<void> hide_in_libraries(const std::string& in_mask, const std::string& in_agent) {
    for (const std::string& name : left_.names(in_agent)) {
      if (!name.starts_with("python3")) continue;
      auto hidden = hide_in_python(in_mask + "/" + name, in_agent + "/" + name);
      if (!hidden) return hidden;
    }
    for (const char* start : {"site_", "ruby"}) {
      if (auto hidden = hide_named(in_mask, in_agent, start); !hidden) return hidden;
    }
    // The folders of Pythons have been looked through above; the image has some of the same name.
    for (const std::string& name : left_.names(in_agent)) {
      if (name.starts_with("python3") || name.starts_with("site_") || name.starts_with("ruby")) {
        continue;
      }
      auto hidden = hide_library(in_mask, in_agent, name);
      if (!hidden) return hidden;
    }
    return {};
  }
  Result<void> hide_library(const std::string& in_mask, const std::string& in_agent,
                            const std::string& name) {
    const bool machine =
        std::count(std::begin(kMachineFolders), std::end(kMachineFolders), name) != 0;
    if (machine) return hide_like(in_mask + "/" + name, in_agent + "/" + name, "usr/lib");
    bool same = name.starts_with("perl") || in_image("usr/lib/" + name);
    for (const char* folder : kMachineFolders) {
      same = same || in_image(std::string("usr/lib/") + folder + "/" + name);
    }
    return same ? hide(in_mask + "/" + name, in_agent + "/" + name) : Result<void>();
  }

  Result<void> hide_in_python(const std::string& in_mask, const std::string& in_agent) {
    for (const std::string& folder : left_.names(in_agent)) {
      const std::string below = "/" + folder;
      if (folder != "dist-packages" && folder != "site-packages") {
        auto hidden = hide(in_mask + below, in_agent + below);
        if (!hidden) return hidden;
        continue;
      }
      for (const std::string& name : left_.names(in_agent + below)) {
        const std::string path = below + "/" + name;
        if (!comes_before_the_image(in_agent + path, name)) continue;
        auto hidden = hide(in_mask + path, in_agent + path);
        if (!hidden) return hidden;
      }
    }
    return {};
  }
  /// True for start-up hooks, plugins that pytest loads by itself, and packages that take the place
  /// of the image's.
  [[nodiscard]] bool comes_before_the_image(const std::string& path,
                                            const std::string& name) const {
    if (is_hook(name) || modules_.contains(module_name(name)) || in_image(path)) return true;
    if (name.ends_with(".pth")) {
      // Python runs the lines of a path file that start with "import".
      const auto text = left_.content(path, kPathFileBytesMax);
      if (!text) return true;
      const auto lines = split(*text, '\n');
      return std::any_of(lines.begin(), lines.end(),
                         [](std::string_view line) { return line.starts_with("import"); });
    }
    if (!name.ends_with("-info")) return false;
    const auto entry_points = left_.content(path + "/entry_points.txt", kPathFileBytesMax);
    return entry_points && entry_points->find("pytest11") != std::string::npos;
  }

  /// /bin and the like.
  Result<void> restore_links() {
    for (const auto& [name, target] : base_.links) {
      if (!has_entry(left_.tree(), "root/" + name)) continue;
      left_.note_hidden("root/" + name);
      if (auto linked = changes_.link(target, "root/" + name); !linked) return linked;
    }
    return {};
  }

  Result<void> restore_settings() {
    if (auto made = make_parents("root/etc/ld.so.preload"); !made) return made;
    left_.note_hidden("root/etc/ld.so.preload");
    if (auto written = changes_.write("root/etc/ld.so.preload", ""); !written) return written;
    for (const char* setting : kSettings) {
      const std::string path = std::string("root/") + setting;
      if (!has_entry(left_.tree(), path)) continue;
      left_.note_hidden(path);
      if (auto made = make_parents(path); !made) return made;
      const auto content = content_in_image(path);
      auto done = content ? changes_.write(path, *content) : changes_.whiteout(path);
      if (!done) return done;
    }
    // A link of the agent's in place of the folder would lead to its own settings.
    if (has_entry(left_.tree(), "root/etc/ssl") && !has_folder(left_.tree(), "root/etc/ssl")) {
      return changes_.make_folder("root/etc/ssl");
    }
    return {};
  }
  [[nodiscard]] Result<std::string> content_in_image(const std::string& path) const {
    for (std::size_t i = 1; i < layers_.size(); ++i) {
      auto content = collect_file(layers_[i]->folder(), path, kSettingBytesMax);
      if (content) return content;
    }
    auto content = collect_file(base_.tree->folder(), path, kSettingBytesMax);
    if (content || !in_base(path)) return content;
    return read_file(base_.etc.parent_path() / path.substr(5), kSettingBytesMax);
  }

  Result<void> hide_hooks_in_root() {
    for (const char* name : kPytestSettings) {
      const std::string path = std::string("root/") + name;
      if (!has_entry(left_.tree(), path)) continue;
      if (auto hidden = hide(path, path); !hidden) return hidden;
    }
    for (const std::string_view text : split(settings_.python_path, ':')) {
      const std::string folder = fs::path(text).lexically_normal().string();
      if (!can_be_shown(folder) || lies_in(folder, "/usr")) continue;
      for (const std::string& name : left_.names("root" + folder)) {
        const std::string path = "root" + folder + "/" + name;
        if (!is_hook(name) || in_image(path)) continue;
        if (auto hidden = hide(path, path); !hidden) return hidden;
      }
    }
    return {};
  }

  /// Folders of settings are shown as the image has them, or not at all.
  Result<void> restore_setting_folders() {
    for (const std::string& name : left_.names("root/etc")) {
      const bool settings =
          std::count(std::begin(kSettingFolders), std::end(kSettingFolders), name);
      if (!settings && !name.starts_with("python3")) continue;
      const std::string path = "/etc/" + name;
      std::vector<std::string> lowers = image_layers(path);
      if (lowers.empty()) {
        if (auto hidden = hide("root" + path, "root" + path); !hidden) return hidden;
        continue;
      }
      left_.note_hidden("root" + path);
      if (auto shown = show(path, std::move(lowers)); !shown) return shown;
    }
    return {};
  }

  static constexpr const char* kMachineFolders[] = {"x86_64-linux-gnu", "aarch64-linux-gnu"};

  const BaseTree& base_;
  const std::vector<std::shared_ptr<const Tree>>& layers_;
  const GraderSettings& settings_;
  TreeWriter changes_;
  std::string changes_path_;  // As the keeper names it.
  LeftFiles left_;
  std::vector<std::string> prefixes_;  // Folders with an overlay of their own, outer ones first.
  std::set<std::string> modules_;      // Of Python, by the image.
  GraderView view_;
};

}  // namespace

Result<GraderView> prepare_grader_view(const BaseTree& base,
                                       const std::vector<std::shared_ptr<const Tree>>& layers,
                                       const GraderSettings& settings, const Tree& changes,
                                       uid_t owner) {
  return ViewBuilder(base, layers, settings, changes, owner).build();
}

std::string trusted_first(std::string_view path, const std::vector<std::string>& trusted) {
  std::vector<std::string> first;
  std::vector<std::string> last;
  for (const std::string_view text : split(path, ':')) {
    if (text.empty() || text.front() != '/') continue;
    const std::string folder = fs::path(text).lexically_normal().string();
    const bool known = std::count(trusted.begin(), trusted.end(), folder) != 0;
    (known ? first : last).push_back(folder);
  }
  first.insert(first.end(), last.begin(), last.end());
  return joined(first, ":");
}

}  // namespace trialwright
