#pragma once

#include <span>
#include <string>

namespace trialwright {

/// Runs the program as a user calls it and gives the exit code (DESIGN: 0 done, 1 gate failed, 2
/// usage or configuration, 3 run invalid, 4 empty selection, 6 integrity, 70 internal, 130/143
/// signals). To be called once: it sets what the whole process does on SIGPIPE and when it cannot
/// go on.
///
/// arguments  without the program's own name.
int run_command_line(std::span<const std::string> arguments);

}  // namespace trialwright
