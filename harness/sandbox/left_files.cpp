#include "harness/sandbox/left_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace trialwright {
namespace {

constexpr std::uint64_t kLookedThroughBytesMax = 1U << 20U;
constexpr int kLookedAtMax = 2000;
constexpr int kDepthMax = 12;
constexpr std::size_t kNamedMax = 20;

// Where tests give their verdict. Agents are not told of it.
constexpr const char* kVerdictFolder = "/logs/verifier";

/// The path as those inside know it.
std::string inside(const std::string& path) {
  return path.starts_with("root/") ? path.substr(4) : "/" + path;
}

}  // namespace

bool has_entry(const Tree& tree, const std::string& path) {
  return static_cast<bool>(tree.look(path, O_PATH | O_NOFOLLOW));
}

bool has_folder(const Tree& tree, const std::string& path) {
  return static_cast<bool>(tree.look(path, O_PATH | O_NOFOLLOW | O_DIRECTORY));
}

std::vector<std::string> names_in(const Tree& tree, const std::string& path) {
  std::vector<std::string> names;
  FileDescriptor fd = tree.look(path, O_RDONLY | O_DIRECTORY);
  if (!fd) return names;
  DIR* folder = fdopendir(fd.get());
  if (folder == nullptr) return names;
  fd.release();
  while (const dirent* entry = readdir(folder)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  closedir(folder);
  std::sort(names.begin(), names.end());
  return names;
}

std::optional<std::string> link_in(const Tree& tree, const std::string& path) {
  const FileDescriptor link = tree.look(path, O_PATH | O_NOFOLLOW);
  char target[PATH_MAX];
  const ssize_t length = link ? readlinkat(link.get(), "", target, sizeof target) : -1;
  if (length <= 0) return std::nullopt;
  return std::string(target, static_cast<std::size_t>(length));
}

Result<std::string> content_in(const Tree& tree, const std::string& path, std::uint64_t bytes_max) {
  const FileDescriptor file = tree.look(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY);
  if (file) return collect_open_file(file, path, bytes_max);
  return errno == ENOENT ? not_found(path + " does not exist")
                         : invalid("opening " + path + ": " + errno_text(errno));
}

void LeftFiles::note_hidden(const std::string& path) { note(path, 0); }

void LeftFiles::note(const std::string& path, int depth) {
  if (looked_at_ > kLookedAtMax) return;
  const FileDescriptor file = tree_.look(path, O_PATH | O_NOFOLLOW);
  struct stat info {};
  if (!file || fstat(file.get(), &info) != 0) return;
  if (S_ISDIR(info.st_mode)) {
    if (depth == kDepthMax) return;
    for (const std::string& name : names(path)) {
      // Python leaves these wherever it runs.
      if (name != "__pycache__") note(path + "/" + name, depth + 1);
    }
    return;
  }
  // A character device is the mark of something removed.
  if (S_ISCHR(info.st_mode) || ++looked_at_ > kLookedAtMax) return;
  if (findings_.hidden.size() < kNamedMax) findings_.hidden.push_back(inside(path));
  if (!S_ISREG(info.st_mode)) return;
  const auto text = content(path, kLookedThroughBytesMax);
  if (text && text->find(kVerdictFolder) != std::string::npos) {
    findings_.tampering.push_back(inside(path) + ", which tests could have run, names " +
                                  kVerdictFolder);
  }
}

SealFindings LeftFiles::findings(const std::function<bool(const std::string&)>& in_image) const {
  SealFindings all = findings_;
  for (const char* name : {"reward.txt", "reward.json"}) {
    const std::string path = std::string("root") + kVerdictFolder + "/" + name;
    if (has_entry(tree_, path) && !in_image(path)) {
      all.tampering.push_back(inside(path) + " was written before the tests ran");
    }
  }
  return all;
}

}  // namespace trialwright
