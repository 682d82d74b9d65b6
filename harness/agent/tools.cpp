#include "harness/agent/tools.h"

#include <algorithm>

namespace trialwright {

namespace {

constexpr std::uint64_t kFileBytesMax = 1U << 20U;

struct Parameter {
  std::string_view name;
  std::string_view description;
};

Json schema(std::initializer_list<Parameter> parameters, std::size_t required_count) {
  Json properties = Json::object();
  Json required = Json::array();
  for (const Parameter& parameter : parameters) {
    properties[std::string(parameter.name)] = {{"type", "string"},
                                               {"description", parameter.description}};
    if (required.size() < required_count) required.push_back(parameter.name);
  }
  return {{"type", "object"}, {"properties", properties}, {"required", required}};
}

Json parameters_of(std::string_view tool) {
  if (tool == "bash") return schema({{"command", "The command line for bash."}}, 1);
  if (tool == "read_file") return schema({{"path", "The file to read."}}, 1);
  if (tool == "write_file") {
    return schema({{"path", "The file to write."}, {"content", "The whole text of the file."}}, 2);
  }
  if (tool == "edit_file") {
    return schema({{"path", "The file to change."},
                   {"old_text", "The text to replace; it must occur exactly once."},
                   {"new_text", "What stands there afterwards."}},
                  3);
  }
  if (tool == "grep") {
    return schema({{"pattern", "An extended regular expression."},
                   {"path", "A file or folder; the working folder if left out."}},
                  1);
  }
  return schema({{"answer", "A short summary, or the answer if the task asks for one."}}, 0);
}

/// A mistake in a call, told to the agent.
ToolResult mistake(std::string text) { return {std::move(text), true, false, {}}; }

/// The arguments of one call, read with complaints that a model can act on.
class Arguments {
 public:
  explicit Arguments(const ToolCall& call) : call_(call) {}

  std::string take(const std::string& name, bool required) {
    if (!call_.arguments.is_object()) {
      complain("the arguments must be a JSON object");
      return "";
    }
    const auto found = call_.arguments.find(name);
    if (found == call_.arguments.end() || found->is_null()) {
      if (required) complain("argument \"" + name + "\" is missing");
      return "";
    }
    if (!found->is_string()) {
      // Models often write a number or a list where a text is wanted; its JSON is what they mean.
      return to_text(*found);
    }
    return found->get<std::string>();
  }

  /// As `take`, for what becomes an argument of a command or a path, which end at a NUL.
  std::string take_word(const std::string& name, bool required) {
    std::string text = take(name, required);
    if (text.find('\0') != std::string::npos) {
      complain("argument \"" + name + "\" must not hold a NUL character");
    }
    return text;
  }

  [[nodiscard]] const std::string& complaint() const { return complaint_; }

 private:
  void complain(const std::string& what) {
    if (complaint_.empty()) complaint_ = "tool \"" + call_.name + "\": " + what;
  }

  const ToolCall& call_;
  std::string complaint_;
};

std::string absolute_path(const std::string& path, const Workspace& workspace) {
  if (!path.empty() && path.front() == '/') return path;
  return workspace.working_folder() + "/" + path;
}

/// What a command left to read: its output, and how it ended unless that was well.
std::string command_text(const CommandResult& result, const ToolLimits& limits) {
  std::string text = shortened(result.out.text(), limits.chars_max);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  std::string end;
  if (result.end == CommandEnd::TimedOut) {
    end = "[killed after " + std::to_string(limits.timeout.count() / 1000) + " seconds]";
  } else if (result.end == CommandEnd::OutOfMemory) {
    end = "[killed: out of memory]";
  } else if (result.end == CommandEnd::Signaled) {
    end = "[killed by signal " + std::to_string(result.code) + "]";
  } else if (result.code != 0) {
    end = "[exit status " + std::to_string(result.code) + "]";
  } else if (text.empty()) {
    end = "[exit status 0, no output]";
  }
  if (!text.empty() && !end.empty()) text += "\n";
  return text + end;
}

Result<ToolResult> run_command(const std::vector<std::string>& argv, Workspace& workspace,
                               const ToolLimits& limits, std::stop_token stop) {
  CommandOptions options;
  options.timeout = limits.timeout;
  options.merge_streams = true;
  auto result = workspace.run(argv, options, stop);
  if (!result) return result.error();
  return ToolResult{command_text(*result, limits), false, false, {}};
}

/// An error about a path is the agent's to read; a dead workspace is not.
Result<ToolResult> told(const Error& error) {
  if (error.kind == ErrorKind::Unavailable || error.kind == ErrorKind::Cancelled) return error;
  return mistake(error.message);
}

Result<ToolResult> edit_file(const std::string& path, const std::string& old_text,
                             const std::string& new_text, Workspace& workspace,
                             const ToolLimits& limits) {
  auto content = workspace.read_file(path, kFileBytesMax);
  if (!content) return told(content.error());
  if (old_text.empty()) return mistake("old_text must not be empty");
  const std::size_t at = content->find(old_text);
  if (at == std::string::npos) {
    return mistake("nothing was changed: the old text does not occur in " + path +
                   ", which holds:\n" + shortened(*content, limits.chars_max));
  }
  if (content->find(old_text, at + 1) != std::string::npos) {
    return mistake("nothing was changed: the old text occurs more than once in " + path +
                   "; give more of the text around it");
  }
  content->replace(at, old_text.size(), new_text);
  auto written = workspace.write_file(path, *content, 0);
  if (!written) return told(written.error());
  return ToolResult{"edited " + path, false, false, {}};
}

}  // namespace

const std::vector<std::string>& built_in_tool_names() {
  static const std::vector<std::string> kNames = {"bash",      "read_file", "write_file",
                                                  "edit_file", "grep",      "submit"};
  return kNames;
}

bool is_built_in_tool(std::string_view name) {
  return built_in_tool_rank(name) < built_in_tool_names().size();
}

std::size_t built_in_tool_rank(std::string_view name) {
  const auto& names = built_in_tool_names();
  return static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
}

ToolDefinition tool_definition(const std::string& name, const std::string& description) {
  CHECK(is_built_in_tool(name), "scaffolds are checked when they are read");
  return {name, description, parameters_of(name)};
}

Result<ToolResult> call_tool(const ToolCall& call, const std::vector<std::string>& offered,
                             Workspace& workspace, const ToolLimits& limits, std::stop_token stop) {
  if (std::find(offered.begin(), offered.end(), call.name) == offered.end()) {
    return mistake("there is no tool \"" + call.name + "\"; there are: " + joined(offered, ", "));
  }
  Arguments arguments(call);
  if (call.name == "bash") {
    const std::string command = arguments.take_word("command", true);
    if (!arguments.complaint().empty()) return mistake(arguments.complaint());
    return run_command({"bash", "-c", command}, workspace, limits, stop);
  }
  if (call.name == "grep") {
    const std::string pattern = arguments.take_word("pattern", true);
    std::string path = arguments.take_word("path", false);
    if (!arguments.complaint().empty()) return mistake(arguments.complaint());
    if (path.empty()) path = ".";
    return run_command({"grep", "-rnE", "--", pattern, path}, workspace, limits, stop);
  }
  if (call.name == "submit") {
    return ToolResult{"submitted", false, true, arguments.take("answer", false)};
  }
  const std::string path = absolute_path(arguments.take_word("path", true), workspace);
  if (call.name == "read_file") {
    if (!arguments.complaint().empty()) return mistake(arguments.complaint());
    auto content = workspace.read_file(path, kFileBytesMax);
    if (!content) return told(content.error());
    return ToolResult{shortened(*content, limits.chars_max), false, false, {}};
  }
  if (call.name == "write_file") {
    const std::string content = arguments.take("content", true);
    if (!arguments.complaint().empty()) return mistake(arguments.complaint());
    auto written = workspace.write_file(path, content, 0);
    if (!written) return told(written.error());
    return ToolResult{
        "wrote " + std::to_string(content.size()) + " bytes to " + path, false, false, {}};
  }
  const std::string old_text = arguments.take("old_text", true);
  const std::string new_text = arguments.take("new_text", true);
  if (!arguments.complaint().empty()) return mistake(arguments.complaint());
  return edit_file(path, old_text, new_text, workspace, limits);
}

std::string shortened(std::string_view text, int chars_max) {
  std::string valid = to_valid_utf8(text);
  const auto limit = static_cast<std::size_t>(chars_max);
  if (valid.size() <= limit) return valid;
  const std::size_t head_bytes = limit * 2 / 3;
  const std::size_t tail_bytes = limit - head_bytes;
  std::string_view head = std::string_view(valid).substr(0, head_bytes);
  head.remove_suffix(incomplete_utf8_tail(head));
  std::string_view tail = std::string_view(valid).substr(valid.size() - tail_bytes);
  while (!tail.empty() && (static_cast<unsigned char>(tail.front()) & 0xC0U) == 0x80U) {
    tail.remove_prefix(1);
  }
  const std::size_t left_out = valid.size() - head.size() - tail.size();
  return std::string(head) + "\n[... " + std::to_string(left_out) + " bytes left out ...]\n" +
         std::string(tail);
}

}  // namespace trialwright
