#pragma once

#include <map>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "base/result.h"
#include "harness/sandbox/base_tree.h"
#include "harness/sandbox/box.h"
#include "harness/sandbox/cgroup.h"
#include "harness/sandbox/grader_view.h"
#include "harness/sandbox/keeper.h"
#include "harness/sandbox/sandbox.h"
#include "tasks/task.h"
#include "tasks/workspace.h"

namespace trialwright {

/// What all machines of one sandbox share.
struct MachineRoom {
  std::shared_ptr<Keeper> keeper;
  std::unique_ptr<Cgroups> cgroups;
  BaseTree base;
  std::string bubblewrap;  ///< The program's path.
  std::string filter;      ///< The system call filter's bytes.
};

/// Which of the machines of a trial this is.
enum class MachineRole {
  Build,   ///< Makes an image; has the stand-ins for installers.
  Agent,   ///< An agent acts on it.
  Oracle,  ///< The reference solution runs on it; has the stand-ins.
  Grader,  ///< Tests run on it, over what the agent left; has the stand-ins, trusts no settings.
};

struct MachineSpec {
  MachineRole role = MachineRole::Agent;
  TaskLimits limits;
  std::string working_folder = "/";
  std::map<std::string, std::string> env;           ///< The task's own, over the base's.
  std::vector<std::shared_ptr<const Tree>> layers;  ///< Below its own changes, topmost first.
  std::vector<StagedFolder> staged;
};

/// A box with a file tree and limits, which can be stopped and started again on the same tree.
///
/// One thread at a time.
class Machine {
 public:
  /// Makes the tree and starts the box. Errors: Unavailable.
  static Result<std::unique_ptr<Machine>> start(std::shared_ptr<const MachineRoom> room,
                                                MachineSpec spec);

  /// As Workspace; each starts the box again if it is not alive, as those inside can bring about.
  Result<CommandResult> run(std::span<const std::string> argv, const CommandOptions& options,
                            const std::stop_token& stop);
  Result<std::string> read_file(std::string_view path, std::uint64_t bytes_max);
  Result<void> write_file(std::string_view path, std::string_view content, unsigned mode);
  /// Copies a file or folder of the host, as Dockerfile's COPY does; what is made gets `mode` if it
  /// is given, otherwise the source's. Errors: Invalid, Unavailable.
  Result<void> copy_in(const std::filesystem::path& source, const std::string& target,
                       std::optional<unsigned> mode);

  /// Makes an agent's machine an oracle's; takes effect with the next start of its box.
  void offer_installers();
  /// Kills everything inside. Errors: Unavailable if something does not die.
  Result<void> stop();
  [[nodiscard]] const MachineSpec& spec() const { return spec_; }
  /// What has been changed, as a layer for other machines. The box must be stopped first.
  [[nodiscard]] std::shared_ptr<const Tree> tree() const { return tree_; }
  [[nodiscard]] Json usage() const;
  /// The folder that is /logs/verifier inside a grader's machine.
  [[nodiscard]] int verdict_folder() const { return verdicts_.get(); }
  /// What a grader's machine does not show of the layer below it.
  [[nodiscard]] const SealFindings& findings() const { return view_.findings; }

 private:
  Machine(std::shared_ptr<const MachineRoom> room, MachineSpec spec, Tree tree, Tree harness_files,
          Cgroup cgroup);
  Result<void> prepare_trees();
  Result<void> start_box();
  Result<void> find_working_folder();
  [[nodiscard]] std::map<std::string, std::string> environment(const CommandOptions& options) const;
  Result<Box*> live_box();
  /// Asks the box for something that can be asked twice; again if the box ended over it.
  template <typename Question>
  std::invoke_result_t<Question, Box&> ask(Question question);
  [[nodiscard]] BoxPlan plan() const;
  void plan_overlays(BoxPlan& plan) const;
  [[nodiscard]] std::vector<std::string> lowers_of(const std::string& name) const;
  void plan_limits(BoxPlan& plan) const;
  Result<void> copy_file(const std::filesystem::path& source, const std::string& target,
                         std::optional<unsigned> mode);
  Result<void> copy_entry(const std::filesystem::path& source, const std::string& target,
                          std::optional<unsigned> mode);

  std::shared_ptr<const MachineRoom> room_;
  MachineSpec spec_;
  std::shared_ptr<const Tree> tree_;  // The machine's own changes.
  Tree harness_files_;                // What we stage, where nothing inside can write.
  FileDescriptor verdicts_;
  GraderView view_;  // Of a grader's machine.
  Cgroup cgroup_;
  std::unique_ptr<Box> box_;  // After the cgroup, which it needs to the end.
};

}  // namespace trialwright
