#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/files.h"
#include "harness/sandbox/sandbox.h"
#include "tests/support/sandbox_needed.h"

namespace trialwright {

/// Counts the processes of a machine without starting one: the parts of a pipe would be counted
/// too, or not, depending on which comes first.
inline constexpr const char* kCountProcesses = "all=(/proc/[0-9]*); echo ${#all[@]}";
/// What it prints where nothing else is alive.
inline constexpr const char* kRunnerAndShell = "2\n";

/// Each test runs with both ways of mapping ids: "Mapped" needs root, "Single" is what others get.
enum class Recipe { Mapped, Single };

inline std::string recipe_name(const ::testing::TestParamInfo<Recipe>& info) {
  return info.param == Recipe::Mapped ? "Mapped" : "Single";
}

/// Opens a real sandbox, or skips the test and says why there is none.
class SandboxTest : public ::testing::TestWithParam<Recipe> {
 protected:
  void SetUp() override {
    if (GetParam() == Recipe::Mapped && geteuid() != 0) {
      GTEST_SKIP() << "boxes with ids of their own need root";
    }
    auto opened = open_bubblewrap_sandbox({.single_id = GetParam() == Recipe::Single});
    if (!opened) SKIP_FOR_WANT_OF_A_SANDBOX(opened.error());
    sandbox_ = std::move(*opened);
    limits_.memory_bytes = std::uint64_t{256} << 20U;
    limits_.storage_bytes = std::uint64_t{64} << 20U;
    limits_.processes_max = 64;
  }

  /// A machine with nothing but the base.
  std::unique_ptr<AgentWorkspace> machine() {
    auto image = sandbox_->build(environment_, limits_, {});
    EXPECT_TRUE(image) << (image ? "" : image.error().message);
    if (!image) return nullptr;
    auto started = sandbox_->start(*image, limits_, {});
    EXPECT_TRUE(started) << (started ? "" : started.error().message);
    return started ? std::move(*started) : nullptr;
  }

  static CommandResult run(Workspace& workspace, const std::vector<std::string>& argv,
                           const CommandOptions& options = {}) {
    auto result = workspace.run(argv, options, {});
    EXPECT_TRUE(result) << (result ? "" : result.error().message);
    return result ? *result : CommandResult{};
  }
  static CommandResult bash(Workspace& workspace, const std::string& script,
                            const CommandOptions& options = {}) {
    return run(workspace, {"bash", "-c", script}, options);
  }
  /// What the script printed, out and err together.
  static std::string said_by(Workspace& workspace, const std::string& script) {
    CommandOptions options;
    options.merge_streams = true;
    return bash(workspace, script, options).out.text();
  }
  static std::string python(Workspace& workspace, const std::string& script) {
    CommandOptions options;
    options.merge_streams = true;
    return run(workspace, {"python3", "-c", script}, options).out.text();
  }
  [[nodiscard]] bool has_cgroups() const { return sandbox_->capabilities()["limits"] != "rlimits"; }

  std::unique_ptr<Sandbox> sandbox_;
  EnvironmentSpec environment_;
  TaskLimits limits_;
};

/// Processes of the machine whose command line contains the text.
inline std::vector<pid_t> processes_named(const std::string& text) {
  std::vector<pid_t> found;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
    const auto line = read_file(entry.path() / "cmdline", 1U << 20U);
    if (line && line->find(text) != std::string::npos) {
      found.push_back(static_cast<pid_t>(std::atoi(entry.path().filename().c_str())));
    }
  }
  return found;
}

/// Waits up to ten seconds for something to become true.
template <typename Condition>
bool eventually(Condition condition) {
  for (int i = 0; i < 1000; ++i) {
    if (condition()) return true;
    usleep(10'000);
  }
  return condition();
}

}  // namespace trialwright
