#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"
#include "tasks/task.h"

namespace trialwright {

/// What a task gets where it sets nothing itself, as Terminal-Bench has it.
TaskLimits terminal_bench_limits();

/// Loads a task in the layout of Terminal-Bench 1: task.yaml, Dockerfile, docker-compose.yaml,
/// run-tests.sh, tests/, and solution.sh or solution.yaml.
///
/// The exit status of run-tests.sh decides; TEST_DIR is /tests. Otherwise as `load_harbor_task`.
Result<Task> load_terminal_bench_task(const std::filesystem::path& folder, std::string id,
                                      const TaskLimits& defaults);

}  // namespace trialwright
