#pragma once

#include <string>
#include <vector>

#include "harness/cli/command.h"
#include "harness/cli/console.h"
#include "tasks/suite.h"

namespace trialwright {

/// The flags that choose tasks: -k, --tag, --exclude, --sample, --limit, --shard.
std::vector<Flag> selection_flags();

/// A suite and the tasks of it that the user named.
struct SelectedTasks {
  std::string suite_name;   ///< A bundled suite's name, or an absolute path: what finds it again.
  Suite suite;              ///< Without its tasks,
  std::vector<Task> tasks;  ///< which are here, those that were named.
  std::string why_empty;    ///< If a glob or tag fits nothing: which, and what comes near.
};

/// Reads `[SUITE] [GLOB…]` and the selection flags. Without a suite it is the starter suite.
/// Errors: as load_suite and select. An empty selection, by a glob that fits nothing or by all
/// filters together, is no error here.
Result<SelectedTasks> select_tasks(const Arguments& arguments);

/// What --list prints: one chosen task a line. Gives the exit code.
int print_tasks(const std::vector<Task>& tasks, const Console& out);

/// True if one of the tasks is solved on a machine, so that a sandbox must be opened.
bool needs_machine(const std::vector<Task>& tasks);

/// The exit code and message for an empty selection.
int report_empty_selection(const SelectedTasks& selected);

}  // namespace trialwright
