#include "harness/sandbox/grader_view.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <span>

#include "base/text.h"
#include "harness/sandbox/image_files.h"
#include "harness/sandbox/left_files.h"
#include "harness/sandbox/python_path.h"

namespace trialwright {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kPathFileBytesMax = 1U << 20U;
// Each costs an inode of the grader's tree and a moment. Nobody who works needs so many.
constexpr std::size_t kHiddenMax = 8000;

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

/// Builds the view step by step.
///
/// A folder of the system is shown as the image has it, above what the agent added. Between the two
/// lies a mask: a layer of whiteouts, which hide what lies below them and nothing above.
class ViewBuilder {
 public:
  ViewBuilder(const BaseTree& base, const std::vector<std::shared_ptr<const Tree>>& layers,
              const GraderSettings& settings, const Tree& changes, uid_t owner)
      : base_(base),
        image_(base, std::span(layers).subspan(1)),
        settings_(settings),
        changes_(changes.folder(), owner),
        changes_path_(changes.path()),
        left_(*layers.front()) {}

  Result<GraderView> build() {
    choose_program_folders();
    modules_ = image_.python_modules();
    python_folders_ =
        python_folders(settings_.python_path, settings_.working_folder, left_.tree(), image_,
                       [this](const std::string& path) { return shows_image_first(path); });
    if (auto shown = show_usr(); !shown) return shown.error();
    for (const std::string& prefix : prefixes_) {
      if (auto shown = show_prefix(prefix); !shown) return shown.error();
    }
    if (auto restored = restore_links(); !restored) return restored.error();
    if (auto restored = restore_settings(); !restored) return restored.error();
    if (auto hidden = hide_hooks_in_root(); !hidden) return hidden.error();
    if (auto restored = restore_setting_folders(); !restored) return restored.error();
    view_.findings = left_.findings([this](const std::string& path) { return image_.has(path); });
    return std::move(view_);
  }

 private:
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
    std::vector<std::string> lowers = image_.layers_of(path);
    const std::string name = path_in_tree(path);
    if (has_folder(left_.tree(), name)) {
      lowers.push_back(changes_path_ + "/" + mask);
      lowers.push_back(left_.tree().path() + "/" + name);
    }
    return show(path, std::move(lowers));
  }
  /// Hides `path`, relative to the root of a layer of the grader's, and notes what it was.
  Result<void> hide(const std::string& in_changes, const std::string& in_agent) {
    if (is_hidden(in_changes)) return {};
    hidden_.insert(in_changes);
    if (hidden_.size() > kHiddenMax) {
      return invalid("what was left takes the place of more than " + std::to_string(kHiddenMax) +
                     " of the system's files");
    }
    if (auto made = make_parents(in_changes); !made) return made;
    left_.note_hidden(in_agent);
    return changes_.whiteout(in_changes);
  }

  /// True if a path of a layer of the grader's, or a folder above it, is hidden already.
  [[nodiscard]] bool is_hidden(const std::string& path) const {
    for (std::size_t at = path.size(); at != std::string::npos && at > 0;
         at = path.rfind('/', at - 1)) {
      if (hidden_.contains(path.substr(0, at))) return true;
    }
    return false;
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
      const std::string folder = plain_folder(text);
      const bool known = std::count(view_.trusted.begin(), view_.trusted.end(), folder) != 0;
      if (known || !can_be_shown(folder) || !image_.has(path_in_tree(folder))) continue;
      const std::string prefix = prefix_of(folder);
      const bool exact = lies_in(folder, "/usr") && !lies_in(folder, "/usr/local");
      // A link of the image's to a folder elsewhere is not a folder of programs.
      if (!exact && image_.layers_of(prefix).empty()) continue;
      const std::string own = plain_folder(settings_.working_folder);
      if (lies_in(prefix, own) || lies_in(own, prefix)) continue;
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
      return image_.has(path_in_tree(folder) + "/" + name);
    });
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
    if (auto hidden = hide_hooks_in("mask-usr", "/usr"); !hidden) return hidden;
    return show_with_additions("/usr", "mask-usr");
  }

  /// A place for programs that are not the distribution's: what the agent added is its work, unless
  /// it would come before something of the image's.
  Result<void> show_prefix(const std::string& prefix) {
    const std::string mask = "mask-" + std::to_string(view_.folders.size());
    if (auto made = changes_.make_folder(mask); !made) return made;
    const std::string tree = path_in_tree(prefix);
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
    if (auto hidden = hide_hooks_in(mask, prefix); !hidden) return hidden;
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
      const bool same = image_.has(in_usr + "/" + name) ||
                        std::any_of(std::begin(kMachineFolders), std::end(kMachineFolders),
                                    [&](const char* machine) {
                                      return image_.has(in_usr + "/" + machine + "/" + name);
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
    bool same = name.starts_with("perl") || image_.has("usr/lib/" + name);
    for (const char* folder : kMachineFolders) {
      same = same || image_.has(std::string("usr/lib/") + folder + "/" + name);
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
    if (is_hook(name) || modules_.contains(python_module_name(name)) || image_.has(path))
      return true;
    // Its lines are run, or name folders that come before those of the system's packages.
    if (name.ends_with(".pth")) return true;
    if (!name.ends_with("-info")) return false;
    const auto entry_points = left_.content(path + "/entry_points.txt", kPathFileBytesMax);
    // What cannot be read here may be read by tests.
    if (!entry_points) return entry_points.error().kind != ErrorKind::NotFound;
    return entry_points->find("pytest11") != std::string::npos;
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
      if (auto done = restore_file(path); !done) return done;
    }
    // A link of the agent's in place of the folder would lead to its own settings.
    if (has_entry(left_.tree(), "root/etc/ssl") && !has_folder(left_.tree(), "root/etc/ssl")) {
      return changes_.make_folder("root/etc/ssl");
    }
    return {};
  }
  Result<void> hide_hooks_in_root() {
    for (const char* name : kPytestSettings) {
      const std::string path = std::string("root/") + name;
      if (!has_entry(left_.tree(), path)) continue;
      if (auto hidden = hide(path, path); !hidden) return hidden;
    }
    for (const PythonFolder& folder : python_folders_) {
      if (!overlay_of(folder.path).empty()) continue;
      const std::string path = "root" + folder.path;
      auto done = folder.whole ? hide(path, path) : restore_hooks(folder.path);
      if (!done) return done;
    }
    return {};
  }
  /// The innermost folder with an overlay of its own in which `path` lies; "" if there is none.
  [[nodiscard]] std::string overlay_of(const std::string& path) const {
    std::string innermost = lies_in(path, "/usr") ? "/usr" : "";
    for (const std::string& prefix : prefixes_) {
      if (lies_in(path, prefix) && prefix.size() > innermost.size()) innermost = prefix;
    }
    return innermost;
  }
  [[nodiscard]] bool shows_image_first(const std::string& path) const {
    return !overlay_of(path).empty() ||
           std::any_of(base_.links.begin(), base_.links.end(),
                       [&](const auto& link) { return path == "/" + link.first; });
  }
  /// Hides the start-up hooks to which PYTHONPATH leads in a folder with an overlay of its own.
  Result<void> hide_hooks_in(const std::string& mask, const std::string& prefix) {
    for (const PythonFolder& folder : python_folders_) {
      if (overlay_of(folder.path) != prefix) continue;
      const std::string in_mask = mask + folder.path.substr(prefix.size());
      const std::string in_agent = path_in_tree(folder.path);
      if (folder.whole) {
        // The agent's is not shown if it is no folder.
        if (folder.path == prefix) continue;
        if (auto hidden = hide(in_mask, in_agent); !hidden) return hidden;
        continue;
      }
      for (const std::string& name : left_.names(in_agent)) {
        if (!is_hook(name)) continue;
        auto hidden = hide(in_mask + "/" + name, in_agent + "/" + name);
        if (!hidden) return hidden;
      }
    }
    return {};
  }
  Result<void> restore_hooks(const std::string& folder) {
    for (const std::string& name : left_.names("root" + folder)) {
      if (!is_hook(name)) continue;
      const std::string path = "root" + folder + "/" + name;
      if (!image_.has(path)) {
        if (auto hidden = hide(path, path); !hidden) return hidden;
        continue;
      }
      left_.note_hidden(path);
      auto restored = image_.has_folder(path) && can_be_shown(folder + "/" + name)
                          ? show(folder + "/" + name, image_.layers_of(folder + "/" + name))
                          : restore_file(path);
      if (!restored) return restored;
    }
    return {};
  }
  /// A file as the image has it; hidden if the image has none.
  Result<void> restore_file(const std::string& path) {
    if (auto made = make_parents(path); !made) return made;
    const auto content = image_.content(path);
    return content ? changes_.write(path, *content) : changes_.whiteout(path);
  }

  /// Folders of settings are shown as the image has them, or not at all.
  Result<void> restore_setting_folders() {
    for (const std::string& name : left_.names("root/etc")) {
      const bool settings =
          std::count(std::begin(kSettingFolders), std::end(kSettingFolders), name);
      if (!settings && !name.starts_with("python3")) continue;
      const std::string path = "/etc/" + name;
      std::vector<std::string> lowers = image_.layers_of(path);
      if (lowers.empty()) {
        if (auto hidden = hide("root" + path, "root" + path); !hidden) return hidden;
        continue;
      }
      left_.note_hidden("root" + path);
      if (auto shown = show(path, std::move(lowers)); !shown) return shown;
    }
    return {};
  }

  const BaseTree& base_;
  ImageFiles image_;
  const GraderSettings& settings_;
  TreeWriter changes_;
  std::string changes_path_;  // As the keeper names it.
  LeftFiles left_;
  std::vector<std::string> prefixes_;  // Folders with an overlay of their own, outer ones first.
  std::set<std::string> modules_;      // Of Python, by the image.
  std::vector<PythonFolder> python_folders_;
  std::set<std::string> hidden_;  // In the grader's tree.
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
    const std::string folder = plain_folder(text);
    const bool known = std::count(trusted.begin(), trusted.end(), folder) != 0;
    (known ? first : last).push_back(folder);
  }
  first.insert(first.end(), last.begin(), last.end());
  return joined(first, ":");
}

}  // namespace trialwright
