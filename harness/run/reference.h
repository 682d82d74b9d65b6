#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>

#include "base/result.h"
#include "results/store.h"
#include "tasks/task.h"
#include "tasks/workspace.h"

namespace trialwright {

// The agent that knows every answer: what a suite can give at most.

/// Puts the files of a solution into the machine, at /solution. Links stay links, so that none
/// brings in a file of the host's.
/// Errors: Invalid if the folder cannot be read or written there; Unavailable.
Result<void> stage_solution(const std::filesystem::path& folder, Workspace& workspace,
                            std::stop_token stop);

/// Runs a step's own solution and notes how it went.
Result<void> run_reference(const TaskStep& step, std::chrono::milliseconds timeout,
                           Workspace& workspace, TrialRecorder& recorder, std::stop_token stop);

/// What it answers; nothing if the question only has a rule for answers.
std::optional<std::string> reference_answer(const Answer& answer);

}  // namespace trialwright
