#include "harness/cli/command_line.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <exception>

#include "base/files.h"
#include "base/text.h"
#include "harness/cli/commands.h"

namespace trialwright {

namespace {

/// The command that the words name, and how many words its name took.
struct Found {
  const Command* command = nullptr;
  std::size_t words = 0;
};

Found find_command(std::span<const std::string> words) {
  for (const std::size_t count : {std::size_t{2}, std::size_t{1}}) {
    if (words.size() < count) continue;
    const std::string name = count == 2 ? words[0] + " " + words[1] : words[0];
    for (const Command& command : all_commands()) {
      if (command.name == name) return {&command, count};
    }
  }
  return {};
}

int report_unknown(std::span<const std::string> words) {
  std::vector<std::string> seconds;
  std::vector<std::string> firsts;
  for (const Command& command : all_commands()) {
    const std::size_t space = command.name.find(' ');
    const std::string first = command.name.substr(0, space);
    if (first == words[0]) seconds.push_back(command.name.substr(space + 1));
    firsts.push_back(first);
  }
  if (!seconds.empty()) {
    return report_error(
        invalid("'trialwright " + words[0] + "' needs one of: " + joined(seconds, ", ")));
  }
  firsts.erase(std::unique(firsts.begin(), firsts.end()), firsts.end());
  const auto near = nearest_words(words[0], firsts);
  return report_error(invalid(
      "there is no command \"" + words[0] + "\"" +
      (near.empty() ? "; see 'trialwright help'" : ", did you mean " + near.front() + "?")));
}

bool asks_for_help(std::span<const std::string> words) {
  for (const std::string& word : words) {
    if (word == "--") return false;
    if (word == "--help" || word == "-h") return true;
  }
  return false;
}

/// Of the exception that is being handled.
std::string exception_text() {
  try {
    throw;
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "something was thrown that is no exception";
  }
}

int report_internal(const std::string& what) {
  const Console err(STDERR_FILENO, "auto");
  err.line("trialwright: internal error: " + visible_line(what));
  return kExitInternal;
}

/// Every trial at once takes some twenty descriptors, and shells start programs with few.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

int run_named_command(std::span<const std::string> arguments) {
  const Console out(STDOUT_FILENO, "auto");
  if (!arguments.empty() && (arguments[0] == "--version" || arguments[0] == "-V")) {
    out.line("trialwright " TRIALWRIGHT_VERSION);
    return kExitDone;
  }
  if (arguments.empty() || arguments[0] == "--help" || arguments[0] == "-h") {
    out.write(help_overview(all_commands()));
    return arguments.empty() ? kExitUsage : kExitDone;
  }
  const Found found = find_command(arguments);
  if (found.command == nullptr) return report_unknown(arguments);
  const auto rest = arguments.subspan(found.words);
  if (asks_for_help(rest)) {
    out.write(help_page(*found.command));
    return kExitDone;
  }
  auto parsed = parse_arguments(*found.command, rest);
  if (!parsed) return report_error(parsed.error());
  const std::string color = parsed->text("color", "auto");
  if (color != "auto" && color != "always" && color != "never") {
    return report_error(invalid("--color must be auto, always or never, not \"" + color + "\""));
  }
  choose_colours(color);
  return found.command->run(*parsed);
}

}  // namespace

int run_command_line(std::span<const std::string> arguments) {
  // A reader that goes away, `| head` or a log that was closed, must not end a run that is being
  // recorded; what is written to it is lost.
  std::signal(SIGPIPE, SIG_IGN);
  // What a thread lets out cannot be caught below.
  std::set_terminate([] {
    const bool thrown = std::current_exception() != nullptr;
    std::_Exit(report_internal(thrown ? exception_text() : "the program cannot go on"));
  });
  raise_descriptor_limit();
  try {
    const int code = run_named_command(arguments);
    const int lost = Console::lost_output();
    if (code != kExitDone || lost == 0 || lost == EPIPE) return code;
    report_error(unavailable("writing to standard output: " + errno_text(lost)));
    return kExitUsage;  // Nothing is wrong with what was done, only with the place.
  } catch (...) {
    return report_internal(exception_text());
  }
}

}  // namespace trialwright
