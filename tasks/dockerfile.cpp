#include "tasks/dockerfile.h"

#include <algorithm>
#include <array>

#include "base/json.h"
#include "base/text.h"
#include "tasks/context_files.h"
#include "tasks/dockerfile_lexer.h"
#include "tasks/shell_text.h"

namespace trialwright {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kInstructionsMax = 10'000;
/// Linux starts no program with more than a few times this, and every command gets a copy.
constexpr std::size_t kVariableBytesMax = std::size_t{256} << 10U;
constexpr std::size_t kCopiedVariableBytesMax = std::size_t{64} << 20U;

/// Instructions that say how the image is run, not what is in it.
constexpr std::array<std::string_view, 8> kNoted = {"EXPOSE", "LABEL", "MAINTAINER",  "STOPSIGNAL",
                                                    "VOLUME", "CMD",   "HEALTHCHECK", "ONBUILD"};

/// `["a", "b"]`, or nothing if it is not a JSON array of strings: then it is the shell form.
std::optional<std::vector<std::string>> exec_form(std::string_view arguments) {
  if (arguments.empty() || arguments.front() != '[') return std::nullopt;
  const auto json = parse_json(arguments);
  if (!json || !json->is_array()) return std::nullopt;
  std::vector<std::string> words;
  for (const Json& word : *json) {
    if (!word.is_string()) return std::nullopt;
    words.push_back(word.get<std::string>());
  }
  return words;
}

struct Flags {
  std::vector<std::pair<std::string, std::string>> flags;  ///< Name without "--", and value.
  std::string rest;
};

/// Takes `--name=value` off the front.
Flags split_flags(std::string_view arguments) {
  Flags result;
  arguments = trimmed(arguments);
  while (arguments.substr(0, 2) == "--") {
    const std::size_t end = std::min(arguments.find_first_of(" \t"), arguments.size());
    const std::string_view flag = arguments.substr(2, end - 2);
    const std::size_t equals = std::min(flag.find('='), flag.size());
    result.flags.emplace_back(flag.substr(0, equals),
                              equals < flag.size() ? flag.substr(equals + 1) : std::string_view());
    arguments = trimmed(arguments.substr(end));
  }
  result.rest = arguments;
  return result;
}

/// An absolute path without "." and "..", with the slash at its end kept.
std::string absolute_path(std::string_view path, std::string_view working_folder) {
  std::string whole = path.substr(0, 1) == "/"
                          ? std::string(path)
                          : std::string(working_folder) + "/" + std::string(path);
  const std::string_view last = std::string_view(whole).substr(whole.rfind('/') + 1);
  const bool into = last.empty() || last == "." || last == "..";
  std::vector<std::string> parts;
  for (const std::string_view part : split(whole, '/')) {
    if (part.empty() || part == ".") continue;
    if (part != "..")
      parts.emplace_back(part);
    else if (!parts.empty())
      parts.pop_back();
  }
  std::string result = "/" + joined(parts, "/");
  if (into && result != "/") result += '/';
  return result;
}

std::string without_slash(std::string path) {
  if (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

std::string octal(unsigned mode) {
  std::string digits;
  for (; mode != 0 || digits.empty(); mode /= 8)
    digits.insert(0, 1, static_cast<char>('0' + mode % 8));
  return digits;
}

bool is_archive(std::string_view name) {
  constexpr std::array<std::string_view, 8> kEndings = {".tar",  ".tar.gz", ".tgz",     ".tar.bz2",
                                                        ".tbz2", ".tar.xz", ".tar.zst", ".txz"};
  return std::any_of(kEndings.begin(), kEndings.end(), [&](std::string_view ending) {
    return name.size() > ending.size() && name.substr(name.size() - ending.size()) == ending;
  });
}

bool is_remote(std::string_view source) {
  return source.find("://") != std::string_view::npos || source.substr(0, 4) == "git@";
}

/// Reads one Dockerfile from top to bottom.
class DockerfileReader {
 public:
  DockerfileReader(const fs::path& context, std::string_view working_folder)
      : context_(context), first_working_folder_(working_folder) {}

  Result<DockerfileContent> read(const DockerLines& lines) {
    escape_ = lines.escape;
    if (lines.instructions.size() > kInstructionsMax)
      return invalid("it has too many instructions");
    for (const DockerInstruction& instruction : lines.instructions) {
      auto done = read_instruction(instruction);
      if (done) done = check_variables();
      if (!done) {
        return done.error().during("line " + std::to_string(instruction.line) + ": " +
                                   instruction.name);
      }
    }
    if (stages_ == 0) return invalid("it has no FROM");
    if (stages_ > 1) content_.unsupported.emplace_back("it builds in several stages");
    content_.environment.env = env_;
    return std::move(content_);
  }

 private:
  Result<void> read_instruction(const DockerInstruction& instruction) {
    const std::string& name = instruction.name;
    if (name == "FROM") return read_from(instruction);
    if (name == "ARG") return read_arg(instruction);
    if (stages_ == 0) return invalid("only ARG may come before FROM");
    if (name == "RUN") return read_run(instruction);
    if (name == "COPY" || name == "ADD") return read_copy(instruction);
    if (name == "WORKDIR") return read_workdir(instruction);
    if (name == "ENV") return read_env(instruction);
    if (name == "SHELL") return read_shell(instruction);
    if (name == "USER") {
      // A trial has one user, so this matters only where the task counts on having few rights.
      note(name + " " + instruction.arguments +
           " is not followed: every command has the same user");
      return {};
    }
    if (name == "ENTRYPOINT") {
      note("ENTRYPOINT is not run");
      return {};
    }
    if (std::find(kNoted.begin(), kNoted.end(), name) != kNoted.end()) {
      // What labels an image or starts a container changes no file, so it is worth a note only
      // where somebody could count on it.
      if (name != "LABEL" && name != "MAINTAINER" && name != "CMD") note(name + " has no effect");
      return {};
    }
    return invalid("is no instruction of a Dockerfile");
  }

  /// Variables made of variables, and a copy of all of them for every command, could fill the
  /// memory.
  [[nodiscard]] Result<void> check_variables() const {
    if (variable_bytes_ > kVariableBytesMax)
      return invalid("the variables are larger than 256 KiB together");
    if (copied_variable_bytes_ > kCopiedVariableBytesMax)
      return invalid("the variables of all commands are larger than 64 MiB together");
    return {};
  }

  void set_variable(std::map<std::string, std::string>& variables, const std::string& name,
                    std::string value) {
    std::string& place = variables[name];
    variable_bytes_ += name.size() + value.size();
    variable_bytes_ -= std::min(variable_bytes_, place.size());
    place = std::move(value);
  }

  Result<void> read_from(const DockerInstruction& instruction) {
    const Flags flags = split_flags(instruction.arguments);
    for (const auto& [flag, value] : flags.flags) {
      if (flag != "platform") return invalid("--" + flag + " is not known");
      note("FROM --platform=" + value + " is not followed");
    }
    auto words = docker_words(flags.rest, escape_, lookup_in(global_args_));
    if (!words) return words.error();
    const bool named = words->size() == 3 && to_lower((*words)[1]) == "as";
    if (words->size() != 1 && !named) return invalid("must be an image, or an image AS a name");
    if (words->front().empty()) return invalid("names no image");
    ++stages_;
    // Only the last stage is kept; several are unsupported in any case.
    content_.environment = EnvironmentSpec{};
    content_.environment.base = words->front();
    content_.environment.working_folder = without_slash(absolute_path(first_working_folder_, "/"));
    env_.clear();
    args_.clear();
    shell_.clear();
    return {};
  }

  Result<void> read_arg(const DockerInstruction& instruction) {
    auto words = docker_words(instruction.arguments, escape_,
                              stages_ == 0 ? lookup_in(global_args_) : lookup());
    if (!words) return words.error();
    if (words->empty()) return invalid("names no variable");
    for (const std::string& word : *words) {
      const std::size_t equals = std::min(word.find('='), word.size());
      const std::string name = word.substr(0, equals);
      if (!is_variable_name(name)) return invalid("\"" + name + "\" is no variable's name");
      if (equals < word.size()) {
        set_variable(stages_ == 0 ? global_args_ : args_, name, word.substr(equals + 1));
      } else if (const auto global = global_args_.find(name);
                 stages_ > 0 && global != global_args_.end()) {
        set_variable(args_, name, global->second);
      } else if (stages_ > 0) {
        note("ARG " + name + " has no value");
      }
    }
    return {};
  }

  Result<void> read_env(const DockerInstruction& instruction) {
    const std::string& text = instruction.arguments;
    const std::size_t name_end = text.find_first_of("= \t");
    if (name_end == std::string::npos) return invalid("\"" + text + "\" has no value");
    if (text[name_end] != '=') {
      // The old form: one variable, and the rest of the line is its value.
      if (!is_variable_name(text.substr(0, name_end))) {
        return invalid("\"" + text.substr(0, name_end) + "\" is no variable's name");
      }
      auto value = docker_word(trimmed(std::string_view(text).substr(name_end)), escape_, lookup());
      if (!value) return value.error();
      set_variable(env_, text.substr(0, name_end), *std::move(value));
      return {};
    }
    // Values of one line do not see each other.
    auto words = docker_words(text, escape_, lookup());
    if (!words) return words.error();
    for (const std::string& word : *words) {
      const std::size_t equals = word.find('=');
      if (equals == std::string::npos) return invalid("\"" + word + "\" has no value");
      if (!is_variable_name(word.substr(0, equals))) {
        return invalid("\"" + word.substr(0, equals) + "\" is no variable's name");
      }
      set_variable(env_, word.substr(0, equals), word.substr(equals + 1));
    }
    return {};
  }

  Result<void> read_workdir(const DockerInstruction& instruction) {
    auto path = docker_word(instruction.arguments, escape_, lookup());
    if (!path) return path.error();
    if (path->empty()) return invalid("names no folder");
    EnvironmentSpec& environment = content_.environment;
    environment.working_folder = without_slash(absolute_path(*path, environment.working_folder));
    // The last working folder is made by whoever builds the tree, but a later WORKDIR may follow.
    if (environment.working_folder != "/" &&
        environment.working_folder != without_slash(absolute_path(first_working_folder_, "/"))) {
      run("mkdir -p " + shell_quoted(environment.working_folder), "/");
    }
    return {};
  }

  Result<void> read_shell(const DockerInstruction& instruction) {
    const auto words = exec_form(instruction.arguments);
    if (!words || words->empty()) return invalid("must be a JSON array of strings");
    shell_ = *words;
    return {};
  }

  Result<void> read_run(const DockerInstruction& instruction) {
    const Flags flags = split_flags(instruction.arguments);
    for (const auto& [flag, value] : flags.flags) {
      if (flag == "mount" && (value.find("type=cache") != std::string::npos ||
                              value.find("type=tmpfs") != std::string::npos)) {
        note("RUN --mount=" + value + " is not followed");
      } else if (flag == "network" || flag == "security" || flag == "mount") {
        if (flag == "network" && value == "none") continue;
        unsupported("RUN --" + flag + "=" + value);
      } else {
        return invalid("--" + flag + " is not known");
      }
    }
    if (flags.rest.empty()) return invalid("has no command");
    if (const auto words = exec_form(flags.rest)) {
      if (words->empty()) return invalid("has no command");
      run(shell_joined(*words), content_.environment.working_folder);
      return {};
    }
    const std::string command = run_text(flags.rest, instruction.heredocs);
    std::vector<std::string> words = shell_;
    words.push_back(command);
    run(shell_.empty() ? command : shell_joined(words), content_.environment.working_folder);
    return {};
  }

  /// A command with its heredocs. If the line is a heredoc and nothing else, its body is the
  /// script.
  static std::string run_text(const std::string& line, const std::vector<Heredoc>& heredocs) {
    if (heredocs.empty()) return line;
    const bool body_is_script = heredocs.size() == 1 && line.substr(0, 2) == "<<" &&
                                line.find_first_of(" \t;|&>") == std::string::npos;
    if (body_is_script) {
      const std::string& body = heredocs.front().body;
      return body.substr(0, 2) == "#!" ? shell_script_file(body) : body;
    }
    std::string text = line + "\n";
    for (const Heredoc& heredoc : heredocs) text += heredoc.body + heredoc.name + "\n";
    return text;
  }

  Result<void> read_copy(const DockerInstruction& instruction) {
    const bool add = instruction.name == "ADD";
    const Flags flags = split_flags(instruction.arguments);
    std::optional<unsigned> mode;
    for (const auto& [flag, value] : flags.flags) {
      if (flag == "from" && !add) {
        unsupported("COPY --from=" + value);
        return {};
      }
      if (flag == "chown") {
        note(instruction.name + " --chown=" + value +
             " is not followed: files belong to the trial's user");
      } else if (flag == "chmod") {
        if (value.empty() || value.size() > 4 ||
            value.find_first_not_of("01234567") != std::string::npos) {
          return invalid("--chmod=" + value + " must be an octal number of at most four digits");
        }
        mode = static_cast<unsigned>(std::stoul(value, nullptr, 8));
      } else if (flag == "link" || flag == "keep-git-dir") {
        // Changes how layers are kept, not what is in them.
      } else if (flag == "parents" || flag == "exclude" || flag == "checksum") {
        unsupported(instruction.name + " --" + flag);
        return {};
      } else {
        return invalid("--" + flag + " is not known");
      }
    }
    auto words = copy_words(flags.rest);
    if (!words) return words.error();
    if (words->size() < 2) return invalid("must name a source and a target");
    const std::string target = absolute_path(words->back(), content_.environment.working_folder);
    words->pop_back();
    if (words->size() > 1 && target.back() != '/') {
      return invalid("has several sources, so its target must end in /");
    }
    std::size_t heredoc = 0;
    for (const std::string& source : *words) {
      if (source.substr(0, 2) == "<<" && heredoc < instruction.heredocs.size()) {
        auto done = copy_heredoc(instruction.heredocs[heredoc++], target, mode);
        if (!done) return done;
      } else if (is_remote(source)) {
        if (!add) return invalid("\"" + source + "\" is not in the build context");
        unsupported("ADD of " + source);
      } else {
        auto done = copy_files(source, target, mode, add, words->size() > 1);
        if (!done) return done;
      }
    }
    return {};
  }

  Result<std::vector<std::string>> copy_words(const std::string& text) {
    if (auto words = exec_form(text)) {
      for (std::string& word : *words) {
        auto expanded = docker_word(word, escape_, lookup());
        if (!expanded) return expanded.error();
        word = *expanded;
      }
      return *words;
    }
    return docker_words(text, escape_, lookup());
  }

  Result<void> copy_files(const std::string& source, const std::string& target,
                          std::optional<unsigned> mode, bool add, bool several) {
    const auto files = context_files(context_, source);
    if (!files) return files.error();
    if (files->size() > 1 && !several && target.back() != '/') {
      return invalid("\"" + source + "\" fits several files, so the target must end in /");
    }
    note_ignore_file();
    for (const ContextFile& file : *files) {
      if (!file.is_folder && add && is_archive(file.name)) {
        unpack(file, without_slash(target));
        continue;
      }
      const bool into = !file.is_folder && target.back() == '/';
      const std::string exact = into ? target + file.name : without_slash(target);
      content_.environment.steps.emplace_back(CopyStep{file.path, exact, mode});
    }
    return {};
  }

  /// ADD unpacks an archive into its target.
  void unpack(const ContextFile& archive, const std::string& target) {
    const std::string parked = "/.trialwright-add/" + archive.name;
    content_.environment.steps.emplace_back(CopyStep{archive.path, parked});
    run("mkdir -p " + shell_quoted(target) + " && tar -xf " + shell_quoted(parked) + " -C " +
            shell_quoted(target) + " && rm -r /.trialwright-add",
        "/");
  }

  Result<void> copy_heredoc(const Heredoc& heredoc, const std::string& target,
                            std::optional<unsigned> mode) {
    std::string content = heredoc.body;
    if (heredoc.expand) {
      auto expanded = docker_heredoc_text(heredoc.body, escape_, lookup());
      if (!expanded) return expanded.error();
      content = *expanded;
    }
    const std::string path = target.back() == '/' ? target + heredoc.name : target;
    run("mkdir -p " + shell_quoted(without_slash(path.substr(0, path.rfind('/') + 1))) + "\n" +
            shell_write_file(shell_quoted(path), content) + "chmod " + octal(mode.value_or(0644)) +
            " " + shell_quoted(path),
        "/");
    return {};
  }

  void note_ignore_file() {
    std::error_code error;
    if (fs::exists(context_ / ".dockerignore", error)) note(".dockerignore is not followed");
  }

  void run(std::string command, std::string cwd) {
    RunStep step;
    step.command = std::move(command);
    step.cwd = std::move(cwd);
    step.env = args_;
    // A variable of ENV hides an argument of the same name.
    for (const auto& [name, value] : env_) step.env[name] = value;
    copied_variable_bytes_ += variable_bytes_;
    content_.environment.steps.emplace_back(std::move(step));
  }

  [[nodiscard]] VariableLookup lookup() const {
    return [this](std::string_view name) -> std::optional<std::string> {
      const std::string key(name);
      if (const auto found = env_.find(key); found != env_.end()) return found->second;
      if (const auto found = args_.find(key); found != args_.end()) return found->second;
      return std::nullopt;
    };
  }

  static VariableLookup lookup_in(const std::map<std::string, std::string>& variables) {
    return [&variables](std::string_view name) -> std::optional<std::string> {
      const auto found = variables.find(std::string(name));
      if (found == variables.end()) return std::nullopt;
      return found->second;
    };
  }

  static bool is_variable_name(std::string_view name) {
    return !name.empty() && name.find_first_of(" \t\"'$\\") == std::string_view::npos;
  }

  void note(std::string text) { add_once(content_.notes, "the Dockerfile's " + std::move(text)); }
  void unsupported(const std::string& what) {
    add_once(content_.unsupported, "its Dockerfile has " + what);
  }
  static void add_once(std::vector<std::string>& list, std::string text) {
    if (std::find(list.begin(), list.end(), text) == list.end()) list.push_back(std::move(text));
  }

  const fs::path& context_;
  std::string first_working_folder_;
  char escape_ = '\\';
  int stages_ = 0;
  std::map<std::string, std::string> global_args_;
  std::map<std::string, std::string> args_;
  std::map<std::string, std::string> env_;
  std::size_t variable_bytes_ = 0;  ///< Of all variables, names included; at least what they have.
  std::size_t copied_variable_bytes_ = 0;  ///< The same, over all commands.
  std::vector<std::string> shell_;
  DockerfileContent content_;
};

}  // namespace

Result<DockerfileContent> parse_dockerfile(std::string_view text, const fs::path& context,
                                           std::string_view working_folder) {
  const auto lines = split_dockerfile(text);
  if (!lines) return lines.error();
  return DockerfileReader(context, working_folder).read(*lines);
}

}  // namespace trialwright
