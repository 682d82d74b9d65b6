#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace trialwright {

/// The task.yaml of a Terminal-Bench 1 task.
struct TerminalBenchYaml {
  std::string instruction;
  std::vector<std::string> tags;
  std::optional<std::chrono::seconds> agent_timeout;
  std::optional<std::chrono::seconds> test_timeout;
  Json metadata = Json::object();
  std::vector<std::string> unsupported;  ///< As in WorkspaceTask, one reason each.
  std::vector<std::string> notes;
};

/// Errors: Invalid, with line and field.
Result<TerminalBenchYaml> parse_terminal_bench_yaml(std::string_view text);

/// What the docker-compose.yaml of a Terminal-Bench 1 task says of its service "client".
struct ComposeFile {
  std::string context = ".";
  std::string dockerfile = "Dockerfile";
  /// Without the variables that Terminal-Bench fills in; TEST_DIR is /tests.
  std::map<std::string, std::string> environment;
  std::vector<std::string> unsupported;
  std::vector<std::string> notes;
};

/// Errors: Invalid, with line and field.
Result<ComposeFile> parse_compose_file(std::string_view text);

/// The solution.yaml of a Terminal-Bench 1 task: commands typed into one shell.
struct SolutionScript {
  std::string script;  ///< One command after the other; empty if they cannot be run so.
  std::vector<std::string> notes;
};

/// Errors: Invalid, with line and field.
Result<SolutionScript> parse_solution_yaml(std::string_view text);

}  // namespace trialwright
