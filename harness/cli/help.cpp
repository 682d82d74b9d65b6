// Help pages, the manual page and shell completions: all made from the table of commands.

#include <algorithm>
#include <sstream>

#include "base/text.h"
#include "harness/cli/command.h"

namespace trialwright {

namespace {

constexpr std::size_t kColumns = 80;

/// Code points, which is close enough to columns for our own texts.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  }));
}

/// The words of `text` in lines of at most kColumns, every line after the first indented.
std::string wrapped(std::string_view text, std::size_t first_column, std::size_t indent) {
  std::string out;
  std::size_t column = first_column;
  bool line_start = true;
  for (const std::string_view word : split(text, ' ')) {
    if (!line_start && column + 1 + width_of(word) > kColumns) {
      out += "\n" + std::string(indent, ' ');
      column = indent;
      line_start = true;
    }
    if (!line_start) {
      out += ' ';
      ++column;
    }
    out += word;
    column += width_of(word);
    line_start = false;
  }
  return out;
}

std::string flag_heading(const Flag& flag) {
  std::string heading =
      flag.short_name == '\0' ? "    --" : "-" + std::string(1, flag.short_name) + ", --";
  heading += flag.name;
  if (!flag.value_name.empty()) heading += " " + flag.value_name;
  return heading;
}

std::string flag_lines(const std::vector<Flag>& flags) {
  constexpr std::size_t kHelpColumn = 28;
  std::string out;
  for (const Flag& flag : flags) {
    std::string line = "  " + flag_heading(flag);
    if (width_of(line) + 2 > kHelpColumn) {
      out += line + "\n";
      line = std::string(kHelpColumn, ' ');
    } else {
      line += std::string(kHelpColumn - width_of(line), ' ');
    }
    out += line + wrapped(flag.help, kHelpColumn, kHelpColumn) + "\n";
  }
  return out;
}

std::string roff_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else
      out += c;
    if (c == '\n') continue;
  }
  // A line that starts with a dot or quote would be a request.
  for (std::size_t at = 0; (at = out.find("\n.", at)) != std::string::npos; at += 4) {
    out.insert(at + 1, "\\&");
  }
  for (std::size_t at = 0; (at = out.find("\n'", at)) != std::string::npos; at += 4) {
    out.insert(at + 1, "\\&");
  }
  return out;
}

/// The first words of all commands, each once, in order.
std::vector<std::string> first_words(std::span<const Command> commands) {
  std::vector<std::string> words;
  for (const Command& command : commands) {
    const std::string word = command.name.substr(0, command.name.find(' '));
    if (words.empty() || words.back() != word) words.push_back(word);
  }
  return words;
}

std::string second_words(std::span<const Command> commands, const std::string& first) {
  std::vector<std::string> words;
  for (const Command& command : commands) {
    if (command.name.starts_with(first + " "))
      words.push_back(command.name.substr(first.size() + 1));
  }
  return joined(words, " ");
}

std::string flag_words(const Command& command) {
  std::vector<std::string> words = {"--help"};
  for (const Flag& flag : command.flags) words.push_back("--" + flag.name);
  return joined(words, " ");
}

std::string single_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string bash_completion(std::span<const Command> commands) {
  std::ostringstream out;
  out << "# bash completion for trialwright; put it where your shell looks for completions, or\n"
         "#   source <(trialwright completion bash)\n"
         "_trialwright() {\n"
         "  local word=${COMP_WORDS[COMP_CWORD]} first=${COMP_WORDS[1]} second=${COMP_WORDS[2]}\n"
         "  local words=\n"
         "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
         "    words=\""
      << joined(first_words(commands), " ")
      << "\"\n"
         "  else\n"
         "    case \"$first $second\" in\n";
  for (const Command& command : commands) {
    const bool two_words = command.name.find(' ') != std::string::npos;
    out << "      " << single_quoted(command.name) << (two_words ? "" : "' '*") << ") words=\""
        << flag_words(command) << "\" ;;\n";
  }
  for (const std::string& first : first_words(commands)) {
    const std::string seconds = second_words(commands, first);
    if (!seconds.empty()) out << "      '" << first << " '*) words=\"" << seconds << "\" ;;\n";
  }
  out << "    esac\n"
         "  fi\n"
         "  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
         "}\n"
         "complete -o default -F _trialwright trialwright\n";
  return out.str();
}

std::string fish_completion(std::span<const Command> commands) {
  std::ostringstream out;
  out << "# fish completion for trialwright\n";
  const std::string firsts = joined(first_words(commands), " ");
  for (const Command& command : commands) {
    const std::size_t space = command.name.find(' ');
    const std::string first = command.name.substr(0, space);
    if (space == std::string::npos) {
      out << "complete -c trialwright -n 'not __fish_seen_subcommand_from " << firsts << "' -a "
          << first << " -d " << single_quoted(command.summary) << "\n";
    } else {
      out << "complete -c trialwright -n '__fish_seen_subcommand_from " << first << "' -a "
          << command.name.substr(space + 1) << " -d " << single_quoted(command.summary) << "\n";
    }
    for (const Flag& flag : command.flags) {
      out << "complete -c trialwright -n '__fish_seen_subcommand_from " << first << "' -l "
          << flag.name << (flag.value_name.empty() ? "" : " -r");
      if (flag.short_name != '\0') out << " -s " << flag.short_name;
      out << " -d " << single_quoted(flag.help) << "\n";
    }
  }
  return out.str();
}

std::string zsh_completion(std::span<const Command> commands) {
  // zsh runs the bash function through its own compatibility layer, so there is one truth.
  return "#compdef trialwright\nautoload -U +X bashcompinit && bashcompinit\n" +
         bash_completion(commands);
}

/// Prose in lines of at most kColumns; indented lines are examples and stay as they are.
std::string reflowed(std::string_view text) {
  std::string out;
  std::string paragraph;
  const auto end_paragraph = [&] {
    if (!paragraph.empty()) out += wrapped(paragraph, 0, 0) + "\n";
    paragraph.clear();
  };
  for (const std::string_view line : split(text, '\n')) {
    const bool prose = !line.empty() && !line.starts_with(' ');
    if (prose) paragraph += (paragraph.empty() ? "" : " ") + std::string(line);
    if (!prose || line.ends_with(':')) end_paragraph();
    if (!prose) out += std::string(line) + "\n";
  }
  end_paragraph();
  return out;
}

}  // namespace

std::string help_page(const Command& command) {
  std::string page = "trialwright " + command.name + " - " + command.summary +
                     "\n\nusage: trialwright " + command.name;
  if (!command.flags.empty()) page += " [flags]";
  if (!command.operands.empty()) page += " " + command.operands;
  page += "\n";
  if (!command.details.empty()) page += "\n" + reflowed(command.details);
  if (!command.flags.empty()) page += "\nflags:\n" + flag_lines(command.flags);
  return page;
}

std::string help_overview(std::span<const Command> commands) {
  std::string page =
      "Trialwright runs agents on sandboxed tasks with an embedded model, grades what came out,\n"
      "and keeps every step in one SQLite file per run.\n\n"
      "usage: trialwright COMMAND [flags] [operands]\n\ncommands:\n";
  std::size_t widest = 0;
  for (const Command& command : commands) widest = std::max(widest, command.name.size());
  for (const Command& command : commands) {
    page += "  " + command.name + std::string(widest + 2 - command.name.size(), ' ') +
            command.summary + "\n";
  }
  page +=
      "\nA first run:\n"
      "  trialwright doctor                      what this machine can do\n"
      "  trialwright models pull smollm2-135m    a small model to try\n"
      "  trialwright run starter --model smollm2-135m --limit 5\n"
      "  trialwright report last -o report.html\n\n"
      "'trialwright help COMMAND' tells more. Exit codes: 0 done (failing trials are data),\n"
      "1 a check failed (validate, replay), 2 usage or configuration, 3 run invalid,\n"
      "4 empty selection, 6 integrity, 7 budget spent, 70 internal error, 130/143 stopped\n"
      "by a signal after saving.\n";
  return page;
}

std::string manual_page(std::span<const Command> commands) {
  std::string page =
      ".TH TRIALWRIGHT 1\n.SH NAME\ntrialwright \\- evaluate agents on sandboxed tasks\n"
      ".SH SYNOPSIS\n.B trialwright\n.I COMMAND\n[flags] [operands]\n.SH COMMANDS\n";
  for (const Command& command : commands) {
    page += ".SS " + roff_escaped(command.name + " " + command.operands) + "\n" +
            roff_escaped(command.summary) + "\n";
    if (!command.details.empty()) page += ".PP\n.nf\n" + roff_escaped(command.details) + "\n.fi\n";
    for (const Flag& flag : command.flags) {
      page += ".TP\n.B " + roff_escaped(std::string(trimmed(flag_heading(flag)))) + "\n" +
              roff_escaped(flag.help) + "\n";
    }
  }
  page +=
      ".SH EXIT STATUS\n0 done (failing trials are data), 1 a check failed (validate, replay),\n"
      "2 usage or configuration, 3 run invalid, 4 empty selection, 6 integrity, 7 budget spent,\n"
      "70 internal error, 130 and 143 stopped by a signal after saving.\n"
      ".SH ENVIRONMENT\n.TP\n.B TRIALWRIGHT_RUNS_DIR\nWhere runs are kept; ./runs if unset.\n"
      ".TP\n.B TRIALWRIGHT_SUITES\nWhere suites are looked for first.\n"
      ".TP\n.B TRIALWRIGHT_API_KEY\nThe key that an HTTP endpoint asks for.\n"
      ".TP\n.B NO_COLOR\nIf set, no colours are used.\n";
  return page;
}

Result<std::string> completion_script(std::span<const Command> commands, std::string_view shell) {
  if (shell == "bash") return bash_completion(commands);
  if (shell == "zsh") return zsh_completion(commands);
  if (shell == "fish") return fish_completion(commands);
  return invalid("there is completion for bash, zsh and fish, not for \"" + std::string(shell) +
                 "\"");
}

}  // namespace trialwright
