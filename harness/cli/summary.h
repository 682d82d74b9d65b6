#pragma once

#include <filesystem>

#include "harness/cli/console.h"
#include "inference/model.h"
#include "results/run_reader.h"

namespace trialwright {

/// Prints the table of a run, finished or not: verdict counts, score with interval, one row a tag.
/// Errors: as RunReader.
Result<void> print_summary(const std::filesystem::path& run, const Console& out);

/// Prints only what makes the run's numbers doubtful, a line each. Errors: as RunReader.
Result<void> print_flags(const std::filesystem::path& run, const Console& err);

/// Prints what guessing tokens ahead brought, a line; nothing where nothing was generated.
void print_speculation(const Model* model, const Console& out);

}  // namespace trialwright
