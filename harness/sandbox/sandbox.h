#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "tasks/task.h"
#include "tasks/workspace.h"

namespace trialwright {

/// Files of the harness that are put into a box when it starts, read-only for those inside.
struct StagedFolder {
  std::filesystem::path source;  ///< On the host.
  std::string target;            ///< For example "/tests".
};

/// What making a grading machine brought to light about the file tree that an agent left.
struct SealFindings {
  /// Files of the agent's that tests do not see, because they would come before programs or
  /// settings of the system's. No proof of anything. At most 20.
  std::vector<std::string> hidden;
  /// Sentences about what nobody does by accident: a verdict written in the tests' place, or a
  /// hidden file that names the place.
  std::vector<std::string> tampering;
};

/// The second machine of a trial, over a copy-on-write view of the agent's file tree.
class GradingWorkspace : public VerifierWorkspace {
 public:
  [[nodiscard]] virtual SealFindings findings() const { return {}; }
};

/// The machine an agent acts on.
class AgentWorkspace : public Workspace {
 public:
  /// Kills every process in the box and gives a grading machine over a copy-on-write view of its
  /// file tree. What graders change is never seen by the agent. The agent's box may be used again
  /// after the grading machine is gone (tasks with several steps); its processes stay dead.
  /// Errors: Invalid if no machine can be made of the file tree that the agent left; Unavailable.
  virtual Result<std::unique_ptr<GradingWorkspace>> seal(std::vector<StagedFolder> staged) = 0;

  /// From now on commands find programs that stand in for apt-get, pip, curl, uv and pytest first
  /// in PATH, as build steps and tests do: for reference solutions, never for agents. Background
  /// processes end.
  virtual void offer_installers() {}

  /// What the limits caught so far: {"oom_kills": 0, "pids_refused": 0}; a limit that could not be
  /// set on this machine is absent.
  virtual Json usage() = 0;
};

/// A task's starting file tree, built once and shared by its trials.
class SandboxImage {
 public:
  virtual ~SandboxImage() = default;
};

/// Makes machines. Any thread.
class Sandbox {
 public:
  virtual ~Sandbox() = default;

  /// Builds the starting tree of a task: base, copies, run steps (without network).
  /// Errors: Unavailable if the sandbox fails; Invalid if a build step fails, with its output's
  /// end.
  virtual Result<std::shared_ptr<const SandboxImage>> build(const EnvironmentSpec& environment,
                                                            const TaskLimits& limits,
                                                            std::stop_token stop) = 0;

  /// A fresh machine for one trial. `staged` is for the reference agent's /solution; empty for
  /// others. Errors: Unavailable.
  virtual Result<std::unique_ptr<AgentWorkspace>> start(
      const std::shared_ptr<const SandboxImage>& image, const TaskLimits& limits,
      std::vector<StagedFolder> staged) = 0;

  /// What this machine can do, for records and for `doctor`: {"backend", "recipe", "limits",
  /// "kernel", "gaps": [...]}.
  [[nodiscard]] virtual Json capabilities() const = 0;
};

struct BubblewrapOptions {
  /// A folder that holds a whole root, such as debootstrap makes; empty means the host's /usr with
  /// an /etc made for the purpose.
  std::filesystem::path base_folder = {};
  /// Only one id inside, as for a harness that is not root, also if it is.
  bool single_id = false;
};

/// The bubblewrap sandbox, tried out on this machine with a real start.
/// Errors: Unavailable with what is missing and how to mend it.
Result<std::unique_ptr<Sandbox>> open_bubblewrap_sandbox(const BubblewrapOptions& options = {});

}  // namespace trialwright
