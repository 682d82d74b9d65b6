#pragma once

#include <string>
#include <vector>

#include "harness/cli/command.h"
#include "harness/cli/console.h"
#include "harness/cli/exit_code.h"

namespace trialwright {

// One function a group of commands; all_commands() puts them together.
std::vector<Command> run_commands();         ///< run, resume
std::vector<Command> suite_commands();       ///< list, validate
std::vector<Command> inspection_commands();  ///< show, search, verify, replay, report
std::vector<Command> model_commands();       ///< models list, models pull, models show
std::vector<Command> engine_commands();      ///< generate, chat, serve, bench, tokenize, template
std::vector<Command> general_commands();     ///< doctor, completion, help

/// Flags that belong to every command: --color.
std::vector<Flag> common_flags();
/// `flags` with the common ones after them.
std::vector<Flag> with_common(std::vector<Flag> flags);

/// Standard output and standard error, with colours as --color says.
Console output_console(const Arguments& arguments);
Console error_console(const Arguments& arguments);

/// What --color says, for errors that are reported from now on.
void choose_colours(const std::string& choice);

/// Prints `trialwright: MESSAGE` on standard error, as one line whatever is in it, and gives the
/// error's exit code.
int report_error(const Error& error);

}  // namespace trialwright
