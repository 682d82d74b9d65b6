#include "harness/cli/commands.h"

#include <unistd.h>

namespace trialwright {

namespace {

// What --color said: errors are reported from places that have no arguments.
std::string chosen_colours = "auto";

}  // namespace

const std::vector<Command>& all_commands() {
  static const std::vector<Command> kCommands = [] {
    std::vector<Command> commands;
    for (const auto& group : {run_commands(), suite_commands(), inspection_commands(),
                              model_commands(), engine_commands(), general_commands()}) {
      commands.insert(commands.end(), group.begin(), group.end());
    }
    return commands;
  }();
  return kCommands;
}

std::vector<Flag> common_flags() {
  return {{"color", "WHEN", "auto, always or never; NO_COLOR turns colours off too.", '\0', false}};
}

std::vector<Flag> with_common(std::vector<Flag> flags) {
  for (Flag& flag : common_flags()) flags.push_back(std::move(flag));
  return flags;
}

Console output_console(const Arguments& arguments) {
  return {STDOUT_FILENO, arguments.text("color", "auto")};
}

Console error_console(const Arguments& arguments) {
  return {STDERR_FILENO, arguments.text("color", "auto")};
}

void choose_colours(const std::string& choice) { chosen_colours = choice; }

int report_error(const Error& error) {
  const Console console(STDERR_FILENO, chosen_colours);
  console.line(console.paint("trialwright:", Colour::Red) + " " + visible_line(error.message));
  return exit_code_of(error);
}

}  // namespace trialwright
