#include "tasks/terminal_bench_yaml.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <optional>

#include "base/text.h"
#include "base/toml_table.h"

namespace trialwright {

namespace {

constexpr std::size_t kBytesMax = std::size_t{1} << 20U;

/// Keys of task.yaml that only describe the task.
constexpr std::array<std::string_view, 9> kDescribing = {"author_name",
                                                         "author_email",
                                                         "difficulty",
                                                         "category",
                                                         "expert_time_estimate_min",
                                                         "junior_time_estimate_min",
                                                         "estimated_duration_sec",
                                                         "parser_results",
                                                         "custom_docker_compose_env"};

Error wrong(const YAML::Node& node, std::string_view field, std::string_view what) {
  std::string place;
  if (node.Mark().line >= 0) place = "line " + std::to_string(node.Mark().line + 1) + ": ";
  return invalid(place + "field \"" + std::string(field) + "\" " + std::string(what));
}

/// Anything that yaml-cpp throws is an error of the text.
template <typename Read>
auto reading_yaml(std::string_view text, Read read) -> decltype(read(YAML::Node())) {
  if (text.size() > kBytesMax) return invalid("it is larger than 1 MiB");
  try {
    return read(YAML::Load(std::string(text)));
  } catch (const YAML::Exception& error) {
    const std::string place =
        error.mark.is_null() ? "" : "line " + std::to_string(error.mark.line + 1) + ": ";
    return invalid(place + "not valid YAML: " + error.msg);
  }
}

/// A field of a mapping; null if it is not there.
YAML::Node child(const YAML::Node& map, const char* field) {
  const YAML::Node node = map[field];
  return node.IsDefined() ? node : YAML::Node();
}

std::optional<std::string> scalar(const YAML::Node& node) {
  if (!node.IsScalar()) return std::nullopt;
  return node.Scalar();
}

Result<std::optional<std::chrono::seconds>> read_seconds(const YAML::Node& map, const char* field) {
  const YAML::Node node = child(map, field);
  if (node.IsNull()) return std::optional<std::chrono::seconds>();
  const auto text = scalar(node);
  char* end = nullptr;
  const double value = text ? std::strtod(text->c_str(), &end) : 0;
  if (!text || end == text->c_str() || *end != '\0' || !(value > 0) ||
      value > TomlTable::kSecondsMax)
    return wrong(node, field, "must be a number of seconds above 0 and at most 30 days");
  return std::optional(std::chrono::seconds(static_cast<std::int64_t>(std::ceil(value))));
}

Result<std::vector<std::string>> read_texts(const YAML::Node& map, const char* field) {
  const YAML::Node node = child(map, field);
  std::vector<std::string> texts;
  if (node.IsNull()) return texts;
  if (!node.IsSequence()) return wrong(node, field, "must be a list of strings");
  for (const YAML::Node& element : node) {
    const auto text = scalar(element);
    if (!text) return wrong(element, field, "must be a list of strings");
    texts.push_back(*text);
  }
  return texts;
}

/// The instruction, or, in older files, the base one of several descriptions.
Result<std::string> read_instruction(const YAML::Node& map) {
  if (const auto text = scalar(child(map, "instruction")); text && !trimmed(*text).empty())
    return *text;
  if (!child(map, "instruction").IsNull())
    return wrong(child(map, "instruction"), "instruction", "must be a text that is not empty");
  const YAML::Node descriptions = child(map, "descriptions");
  if (descriptions.IsSequence()) {
    for (const YAML::Node& description : descriptions) {
      if (!description.IsMap() || scalar(child(description, "key")).value_or("") != "base")
        continue;
      if (const auto text = scalar(child(description, "description"))) return *text;
    }
  }
  return wrong(child(map, "instruction"), "instruction", "is missing");
}

Result<TerminalBenchYaml> read_task(const YAML::Node& map) {
  if (!map.IsMap()) return invalid("it must be a mapping");
  TerminalBenchYaml task;
  auto instruction = read_instruction(map);
  if (!instruction) return instruction.error();
  task.instruction = std::move(*instruction);
  auto tags = read_texts(map, "tags");
  if (!tags) return tags.error();
  for (std::string& tag : *tags) {
    // Lists in the wild have commas after their entries.
    while (!tag.empty() && tag.back() == ',') tag.pop_back();
    if (!tag.empty() && std::find(task.tags.begin(), task.tags.end(), tag) == task.tags.end())
      task.tags.push_back(std::move(tag));
  }
  const auto agent_timeout = read_seconds(map, "max_agent_timeout_sec");
  if (!agent_timeout) return agent_timeout.error();
  task.agent_timeout = *agent_timeout;
  const auto test_timeout = read_seconds(map, "max_test_timeout_sec");
  if (!test_timeout) return test_timeout.error();
  task.test_timeout = *test_timeout;

  if (const auto parser = scalar(child(map, "parser_name")).value_or("pytest"); parser != "pytest")
    task.unsupported.push_back("its verdict is read from the tests' output by the parser \"" +
                               parser + "\"");
  if (scalar(child(map, "run_tests_in_same_shell")).value_or("false") == "true")
    task.notes.emplace_back(
        "run_tests_in_same_shell is not followed: the agent's shell is gone then");
  for (const auto& entry : map) {
    const std::string key = scalar(entry.first).value_or("");
    if (std::find(kDescribing.begin(), kDescribing.end(), key) != kDescribing.end()) {
      if (const auto text = scalar(entry.second)) task.metadata[key] = *text;
    } else if (key != "instruction" && key != "descriptions" && key != "tags" &&
               key != "parser_name" && key != "max_agent_timeout_sec" &&
               key != "max_test_timeout_sec" && key != "run_tests_in_same_shell" &&
               key != "disable_asciinema") {
      task.notes.push_back("the field \"" + key + "\" of task.yaml is not known");
    }
  }
  return task;
}

/// True if Terminal-Bench would fill a variable of its own in.
bool is_filled_in(std::string_view text) {
  return text.find("${T_BENCH_") != std::string_view::npos;
}

void read_variable(ComposeFile& compose, std::string_view name, std::string_view value) {
  if (name.empty()) return;
  if (name == "TEST_DIR") {
    compose.environment["TEST_DIR"] = "/tests";
  } else if (value.find("${") != std::string_view::npos) {
    if (!is_filled_in(value))
      compose.unsupported.push_back("docker-compose.yaml wants " + std::string(value) +
                                    " of the host");
  } else {
    compose.environment[std::string(name)] = value;
  }
}

Result<void> read_compose_environment(const YAML::Node& node, ComposeFile& compose) {
  if (node.IsNull()) return {};
  if (node.IsSequence()) {
    for (const YAML::Node& element : node) {
      const auto text = scalar(element);
      const std::size_t equals = text ? text->find('=') : std::string::npos;
      if (equals == std::string::npos)
        return wrong(element, "environment", "must be a list of NAME=value");
      read_variable(compose, std::string_view(*text).substr(0, equals),
                    std::string_view(*text).substr(equals + 1));
    }
    return {};
  }
  if (!node.IsMap()) return wrong(node, "environment", "must be a list or a mapping");
  for (const auto& entry : node)
    read_variable(compose, scalar(entry.first).value_or(""), scalar(entry.second).value_or(""));
  return {};
}

Result<void> read_service(const YAML::Node& service, ComposeFile& compose) {
  const YAML::Node build = child(service, "build");
  if (const auto context = scalar(build)) {
    compose.context = *context;
  } else if (build.IsMap()) {
    compose.context = scalar(child(build, "context")).value_or(compose.context);
    compose.dockerfile = scalar(child(build, "dockerfile")).value_or(compose.dockerfile);
    for (const auto& entry : build) {
      const std::string key = scalar(entry.first).value_or("");
      if (key != "context" && key != "dockerfile")
        compose.unsupported.push_back("docker-compose.yaml sets build." + key);
    }
  } else {
    compose.unsupported.emplace_back("docker-compose.yaml builds nothing");
  }
  auto read = read_compose_environment(child(service, "environment"), compose);
  if (!read) return read;
  for (const YAML::Node& volume : child(service, "volumes")) {
    const auto text = scalar(volume);
    // The logs are Terminal-Bench's own.
    if (!text || !is_filled_in(*text))
      compose.unsupported.push_back("docker-compose.yaml mounts " + text.value_or("a volume"));
  }
  for (const auto& entry : service) {
    const std::string key = scalar(entry.first).value_or("");
    constexpr std::array<std::string_view, 6> kRead = {"build", "environment",    "volumes",
                                                       "image", "container_name", "command"};
    if (std::find(kRead.begin(), kRead.end(), key) != kRead.end()) continue;
    if (key == "devices" || key == "privileged" || key == "depends_on")
      compose.unsupported.push_back("docker-compose.yaml sets " + key);
    else
      compose.notes.push_back("the field \"" + key + "\" of docker-compose.yaml is not followed");
  }
  return {};
}

Result<ComposeFile> read_compose(const YAML::Node& map) {
  if (!map.IsMap() || !child(map, "services").IsMap())
    return invalid("field \"services\" must be a mapping");
  const YAML::Node services = child(map, "services");
  const YAML::Node client = child(services, "client");
  if (!client.IsMap()) return wrong(services, "services.client", "is missing");
  ComposeFile compose;
  for (const auto& entry : services) {
    const std::string name = scalar(entry.first).value_or("");
    if (name != "client") compose.unsupported.push_back("it needs the service \"" + name + "\"");
  }
  auto read = read_service(client, compose);
  if (!read) return read.error();
  return compose;
}

Result<SolutionScript> read_solution(const YAML::Node& list) {
  if (!list.IsSequence()) return invalid("it must be a list of commands");
  SolutionScript solution;
  for (const YAML::Node& entry : list) {
    const auto command = entry.IsMap() ? scalar(child(entry, "command")) : std::nullopt;
    if (!command) return wrong(entry, "command", "must be a text");
    if (scalar(child(entry, "append_enter")).value_or("true") != "true") {
      // Keys for a program that runs in the terminal; there is none here.
      solution.script.clear();
      solution.notes.emplace_back("the reference types keys into a terminal, so it cannot be run");
      return solution;
    }
    solution.script += *command + "\n";
  }
  if (solution.script.empty()) return invalid("it has no commands");
  return solution;
}

}  // namespace

Result<TerminalBenchYaml> parse_terminal_bench_yaml(std::string_view text) {
  return reading_yaml(text, read_task);
}

Result<ComposeFile> parse_compose_file(std::string_view text) {
  return reading_yaml(text, read_compose);
}

Result<SolutionScript> parse_solution_yaml(std::string_view text) {
  return reading_yaml(text, read_solution);
}

}  // namespace trialwright
