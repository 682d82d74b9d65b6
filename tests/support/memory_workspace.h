#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "harness/sandbox/sandbox.h"

namespace trialwright {

/// A machine whose files are in a map and whose commands are a function.
///
/// `Base` is Workspace, AgentWorkspace or GradingWorkspace.
struct MemoryMachine {
  using Command = std::function<Result<CommandResult>(const std::vector<std::string>& argv,
                                                      std::map<std::string, std::string>& files)>;
  std::map<std::string, std::string> files;
  std::map<std::string, unsigned> modes;  ///< Of the files that were written.
  Command command;
  std::vector<std::vector<std::string>> commands_run;
  Json usage = Json::object();  ///< What its limits caught.
};

template <typename Base>
class MemoryWorkspaceOf : public Base {
 public:
  explicit MemoryWorkspaceOf(std::shared_ptr<MemoryMachine> machine)
      : machine_(std::move(machine)) {}

  Result<CommandResult> run(std::span<const std::string> argv, const CommandOptions&,
                            std::stop_token) override {
    const std::vector<std::string> words(argv.begin(), argv.end());
    machine_->commands_run.push_back(words);
    if (!machine_->command) return CommandResult{};
    return machine_->command(words, machine_->files);
  }
  Result<std::string> read_file(std::string_view path, std::uint64_t) override {
    const auto found = machine_->files.find(std::string(path));
    if (found == machine_->files.end()) return not_found("no file " + std::string(path));
    return found->second;
  }
  Result<void> write_file(std::string_view path, std::string_view content, unsigned mode) override {
    machine_->files[std::string(path)] = std::string(content);
    const auto [entry, is_new] = machine_->modes.try_emplace(std::string(path), 0644U);
    if (mode != 0) entry->second = mode;
    return {};
  }
  [[nodiscard]] std::string working_folder() const override { return "/app"; }

  MemoryMachine& machine() { return *machine_; }

 protected:
  std::shared_ptr<MemoryMachine> machine_;
};

using MemoryWorkspace = MemoryWorkspaceOf<Workspace>;

/// What a command prints and how it exits.
inline CommandResult printed(std::string text, int code = 0) {
  CommandResult result;
  result.code = code;
  result.out.bytes_total = text.size();
  result.out.head = std::move(text);
  return result;
}

/// The graders' view of a memory machine. The verdict is what /logs/verifier holds.
class MemoryGradingWorkspace final : public MemoryWorkspaceOf<GradingWorkspace> {
 public:
  MemoryGradingWorkspace(std::shared_ptr<MemoryMachine> machine, SealFindings findings)
      : MemoryWorkspaceOf(std::move(machine)), findings_(std::move(findings)) {}
  [[nodiscard]] SealFindings findings() const override { return findings_; }
  Result<std::string> read_verdict(std::string_view name, std::uint64_t bytes_max) override {
    return read_file("/logs/verifier/" + std::string(name), bytes_max);
  }

 private:
  SealFindings findings_;
};

/// A file that makes a memory machine's tree one that no grading machine can be made of.
inline constexpr const char* kUnfit = "/app/unfit";

class MemoryAgentWorkspace final : public MemoryWorkspaceOf<AgentWorkspace> {
 public:
  using MemoryWorkspaceOf::MemoryWorkspaceOf;
  Result<std::unique_ptr<GradingWorkspace>> seal(std::vector<StagedFolder>) override {
    if (machine_->files.count(kUnfit) > 0) return invalid("no machine can be made of this");
    auto copy = std::make_shared<MemoryMachine>(*machine_);
    SealFindings findings;
    if (copy->files.erase("/logs/verifier/reward.txt") > 0) {
      findings.tampering = {"/logs/verifier/reward.txt was written before the tests ran"};
    }
    return std::unique_ptr<GradingWorkspace>(
        std::make_unique<MemoryGradingWorkspace>(copy, std::move(findings)));
  }
  Json usage() override { return machine_->usage; }
};

/// A sandbox without a machine: every box starts empty and runs `command`.
class MemorySandbox final : public Sandbox {
 public:
  explicit MemorySandbox(MemoryMachine::Command command) : command_(std::move(command)) {}

  Result<std::shared_ptr<const SandboxImage>> build(const EnvironmentSpec&, const TaskLimits&,
                                                    std::stop_token) override {
    return std::shared_ptr<const SandboxImage>(std::make_shared<SandboxImage>());
  }
  Result<std::unique_ptr<AgentWorkspace>> start(const std::shared_ptr<const SandboxImage>&,
                                                const TaskLimits&,
                                                std::vector<StagedFolder>) override {
    auto machine = std::make_shared<MemoryMachine>();
    machine->command = command_;
    machine->usage = usage_;
    return std::unique_ptr<AgentWorkspace>(std::make_unique<MemoryAgentWorkspace>(machine));
  }
  [[nodiscard]] Json capabilities() const override { return {{"backend", "memory"}}; }
  /// What the limits of machines that start from now on will have caught.
  void set_usage(Json usage) { usage_ = std::move(usage); }

 private:
  Json usage_ = Json::object();
  MemoryMachine::Command command_;
};

}  // namespace trialwright
