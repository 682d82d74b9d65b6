#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "harness/sandbox/cgroup.h"
#include "harness/sandbox/keeper.h"
#include "tasks/workspace.h"

namespace trialwright {

/// A folder of the keeper's that a box shows.
struct BoxMount {
  std::string source;  ///< As the keeper's steps name it.
  std::string target;  ///< Absolute inside.
  bool writable = false;
};

/// How a box is put together.
struct BoxPlan {
  std::vector<std::string> steps;  ///< The keeper's, before bubblewrap.
  std::string root;                ///< What becomes /, as the keeper's steps name it.
  std::vector<BoxMount> mounts;
};

/// A command as the runner wants it.
struct BoxCommand {
  std::vector<std::string> argv;  ///< Not empty.
  std::vector<std::string> env;   ///< KEY=VALUE
  std::string cwd;
};

/// The live part of a machine: its namespaces, its processes and the runner that obeys us.
///
/// One thread at a time. Its end is the end of every process inside.
class Box {
 public:
  /// Starts bubblewrap with the runner and waits for its first word. `cgroup` outlives the box.
  /// Errors: Unavailable, with what bubblewrap said.
  static Result<std::unique_ptr<Box>> start(Keeper& keeper, const std::string& bubblewrap,
                                            const std::string& filter, const BoxPlan& plan,
                                            Cgroup& cgroup);
  ~Box();
  Box(const Box&) = delete;
  Box& operator=(const Box&) = delete;

  /// As Workspace::run. If the box itself ended meanwhile, the command was killed with it, for want
  /// of memory or otherwise: who runs inside can bring that about, so it is a result.
  /// Errors: Unavailable if what ran inside does not end, or if the keeper has ended, which those
  /// inside cannot bring about.
  Result<CommandResult> run(const BoxCommand& command, const CommandOptions& options,
                            const std::stop_token& stop);
  /// Opens a file for reading, following links as those inside would. Errors: NotFound, Invalid;
  /// Unavailable, as below, if the box does not answer in time, which ends it.
  Result<FileDescriptor> open_file(const std::string& path);
  /// Makes or empties a file, and the folders above it. Errors: Invalid, Unavailable.
  Result<FileDescriptor> create_file(const std::string& path, unsigned mode);
  Result<void> make_folder(const std::string& path, unsigned mode);
  Result<void> make_link(const std::string& target, const std::string& path);

  /// False once its runner is gone, whoever ended it. To be asked between commands.
  [[nodiscard]] bool alive() const;
  /// Kills everything inside and waits until it is gone. Errors: Unavailable if it does not go, and
  /// whenever it is asked again.
  Result<void> stop();

 private:
  Box(Keeper& keeper, Cgroup& cgroup, FileDescriptor runner, FileDescriptor said)
      : keeper_(keeper),
        cgroup_(cgroup),
        oom_kills_at_start_(cgroup.oom_kills().value_or(0)),
        runner_(std::move(runner)),
        said_(std::move(said)) {}
  Result<FileDescriptor> ask(const std::vector<std::string>& fields, const std::string& path);
  Result<void> end_all();
  Result<CommandResult> died(std::optional<CommandEnd> known_end);

  Keeper& keeper_;
  Cgroup& cgroup_;
  std::uint64_t oom_kills_at_start_;
  FileDescriptor runner_;  // The runner's socket; the box ends when we close it.
  FileDescriptor said_;  // What bubblewrap says; ends when bubblewrap, and so all inside, is gone.
  pid_t process_ = 0;
  bool alive_ = true;
  std::optional<Error> not_ended_;  // Why what runs inside could not be ended, if it could not.
  // Streams that background processes of earlier commands still hold. Nobody wants to know what
  // they write, but they must not find the other end closed.
  std::vector<FileDescriptor> lingering_;
};

}  // namespace trialwright
