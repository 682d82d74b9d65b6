#pragma once

#include <string>
#include <vector>

#include "harness/cli/command.h"
#include "harness/cli/console.h"
#include "harness/cli/progress.h"
#include "harness/run/run.h"

namespace trialwright {

inline constexpr int kJobsMax = 256;

/// How trials are made, not which or with what.
struct SessionSettings {
  int jobs = 1;
  RunLimits limits;
  double error_percent_max = 10;
  ProgressStyle progress = ProgressStyle::Auto;
  bool quiet = false;
};

/// The flags that say so: -j, --max-tokens, --max-time, --max-error-rate, --progress, --durable,
/// -q.
std::vector<Flag> session_flags();
/// What they say. To be read before a run's file is made, so that a wrong flag leaves nothing.
/// Errors: Invalid, naming the flag.
Result<SessionSettings> read_session_settings(const Arguments& arguments);

/// What to say before a run on a sandbox whose limits are weaker than promised; empty if they hold.
std::string limits_warning(const Json& capabilities);

/// Makes the missing trials of an open store and prints the summary.
///
/// Warns once of limits that do not hold, shows progress, stops on SIGINT and SIGTERM, closes the
/// store in order. Returns the exit code.
///
/// sandbox  null where no task needs one.
int run_session(RunStore store, const RunSpec& spec, const std::vector<Task>& tasks, Model* model,
                Sandbox* sandbox, const SessionSettings& settings, const Arguments& arguments);

}  // namespace trialwright
