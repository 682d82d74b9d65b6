#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/result.h"

namespace trialwright {

class Keeper;

/// An empty memory file system of a bounded size in the keeper's mount namespace: a place for a
/// file tree that nobody else on the machine can see. It is dropped when this goes out of scope.
class Tree {
 public:
  Tree(std::shared_ptr<Keeper> keeper, std::string id, FileDescriptor folder)
      : keeper_(std::move(keeper)), id_(std::move(id)), folder_(std::move(folder)) {}
  ~Tree();
  Tree(Tree&&) noexcept = default;
  Tree& operator=(Tree&&) = delete;
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  /// Its folder as the harness can use it, with the calls that take a folder's descriptor.
  [[nodiscard]] int folder() const { return folder_.get(); }
  /// Its folder as the keeper's steps name it.
  [[nodiscard]] std::string path() const;
  /// Opens a file below the folder as openat2 does, without following links, also where modes close
  /// it to the harness but not to root inside. Empty, with errno, if that fails.
  [[nodiscard]] FileDescriptor look(const std::string& path, int flags) const;

 private:
  std::shared_ptr<Keeper> keeper_;
  std::string id_;
  FileDescriptor folder_;
};

/// How the ids inside a box relate to the machine's.
enum class BoxIds {
  Mapped,  ///< Recipe B: 65536 ids of their own, root inside; the harness must be root.
  Single,  ///< Recipe A: one id, the harness user's, called root inside.
};

/// The harness's end of the keeper process (harness/sandbox/inside/keeper.h). Any thread.
class Keeper : public std::enable_shared_from_this<Keeper> {
 public:
  /// Starts the keeper. Errors: Unavailable, saying which step the machine refused.
  static Result<std::shared_ptr<Keeper>> open(BoxIds ids);
  ~Keeper();
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

  [[nodiscard]] BoxIds ids() const { return ids_; }
  /// The machine's id of the boxes' root: whom files that the harness makes must belong to.
  [[nodiscard]] uid_t owner() const { return owner_; }

  /// Errors: Unavailable.
  Result<Tree> make_tree(std::uint64_t bytes_max);
  /// Shows a folder of the host to the boxes, read-only, its files owned by the boxes' ids. Gives
  /// the path that steps name it by; it stays as long as the keeper. Errors: Unavailable.
  Result<std::string> show_folder(const std::filesystem::path& folder);
  /// Starts a box by the steps of the keeper's "start"; gives its process id. The descriptors are
  /// the runner's socket, its standard error, the filter, and files that put a process into a
  /// cgroup. Errors: Unavailable.
  Result<pid_t> start(const std::vector<std::string>& steps, const std::vector<int>& fds);
  /// Kills a started box; nothing if it is gone.
  void kill(pid_t box);
  /// False once its process is gone, and all boxes with it.
  bool alive();

 private:
  friend class Tree;
  Keeper(BoxIds ids, uid_t owner, FileDescriptor socket, pid_t process)
      : ids_(ids), owner_(owner), socket_(std::move(socket)), process_(process) {}
  struct Reply {
    std::vector<std::string> fields;
    FileDescriptor file;
  };
  Result<Reply> ask(const std::vector<std::string>& fields, const std::vector<int>& fds = {});
  std::string next_id();

  BoxIds ids_;
  uid_t owner_;
  std::mutex mutex_;  // One question at a time.
  FileDescriptor socket_;
  pid_t process_;
  std::uint64_t ids_given_ = 0;
};

}  // namespace trialwright
