#include "harness/sandbox/python_path.h"

#include <algorithm>
#include <deque>
#include <filesystem>
#include <optional>

#include "base/text.h"

namespace trialwright {
namespace {

namespace fs = std::filesystem;

constexpr int kLinksMax = 40;  // As the kernel's.

class Walk {
 public:
  Walk(const Tree& left, const ImageFiles& image,
       const std::function<bool(const std::string&)>& image_first)
      : left_(left), image_(image), image_first_(image_first) {}

  PythonFolder follow(const std::string& path) const {
    // What cannot be followed here is hidden under the name that it was asked for.
    const PythonFolder lost{plain_folder(path), true};
    std::deque<std::string> ahead;
    put_first(path, ahead);
    std::string at;
    for (int links = 0; !ahead.empty();) {
      const std::string name = std::move(ahead.front());
      ahead.pop_front();
      if (name.empty() || name == ".") continue;
      if (name == "..") {
        at = at.substr(0, std::min(at.rfind('/'), at.size()));
        continue;
      }
      const std::string next = at + "/" + name;
      // What is there depends on who looks, and when.
      if (lies_in(next, "/proc") || lies_in(next, "/dev")) return lost;
      if (const auto target = link_at(next)) {
        if (++links > kLinksMax) return lost;
        if (target->starts_with('/')) at.clear();
        put_first(*target, ahead);
        continue;
      }
      at = next;
      // To Python an archive is a folder too, and so are the paths that go on below it.
      if (is_no_folder(at)) return {at, true};
    }
    return {at, false};
  }

 private:
  static void put_first(const std::string& path, std::deque<std::string>& ahead) {
    const auto names = split(path, '/');
    ahead.insert(ahead.begin(), names.begin(), names.end());
  }
  [[nodiscard]] bool is_agents(const std::string& path) const {
    const std::string name = path_in_tree(path);
    return has_entry(left_, name) && !(image_first_(path) && image_.has(name));
  }
  [[nodiscard]] std::optional<std::string> link_at(const std::string& path) const {
    const std::string name = path_in_tree(path);
    return is_agents(path) ? link_in(left_, name) : image_.link(name);
  }
  /// Of the image's files none is hidden.
  [[nodiscard]] bool is_no_folder(const std::string& path) const {
    return is_agents(path) && !has_folder(left_, path_in_tree(path));
  }

  const Tree& left_;
  const ImageFiles& image_;
  const std::function<bool(const std::string&)>& image_first_;
};

}  // namespace

std::vector<PythonFolder> python_folders(
    std::string_view python_path, const std::string& working_folder, const Tree& left,
    const ImageFiles& image, const std::function<bool(const std::string&)>& image_first) {
  std::vector<PythonFolder> folders;
  if (python_path.empty()) return folders;
  const Walk walk(left, image, image_first);
  for (const std::string_view text : split(python_path, ':')) {
    // To Python no name and a relative one mean a folder below the one that tests start in.
    PythonFolder folder = walk.follow((fs::path(working_folder) / text).string());
    const auto known = std::find_if(folders.begin(), folders.end(),
                                    [&](const auto& other) { return other.path == folder.path; });
    if (known == folders.end()) {
      folders.push_back(std::move(folder));
    } else {
      known->whole = known->whole || folder.whole;
    }
  }
  // Outer folders first: what lies in one that is hidden is hidden with it.
  std::sort(folders.begin(), folders.end(),
            [](const auto& one, const auto& other) { return one.path < other.path; });
  return folders;
}

}  // namespace trialwright
