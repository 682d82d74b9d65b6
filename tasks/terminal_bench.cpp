#include "tasks/terminal_bench.h"

#include <algorithm>

#include "base/files.h"
#include "base/text.h"
#include "tasks/context_files.h"
#include "tasks/dockerfile.h"
#include "tasks/terminal_bench_yaml.h"

namespace trialwright {

namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kFileBytesMax = std::uint64_t{1} << 20U;
/// The longest argument that Linux takes (MAX_ARG_STRLEN), less some room.
constexpr std::size_t kScriptBytesMax = 120'000;

Result<std::string> read_script(const fs::path& path) {
  auto script = read_file(path, kScriptBytesMax);
  if (!script) return script.error();
  if (script->find('\0') != std::string::npos) return invalid(path.string() + " holds a zero byte");
  return script;
}

/// Where the image is built: the Dockerfile, and the folder it copies from.
struct BuildPlace {
  fs::path dockerfile;
  fs::path context;
};

Result<BuildPlace> find_build_place(const fs::path& folder, const ComposeFile& compose) {
  const auto contexts = context_files(folder, compose.context);
  if (!contexts) return contexts.error().during("docker-compose.yaml: build.context");
  const fs::path context = contexts->front().path;
  const auto dockerfiles = context_files(context, compose.dockerfile);
  if (!dockerfiles) return dockerfiles.error().during("docker-compose.yaml: build.dockerfile");
  return BuildPlace{dockerfiles->front().path, context};
}

Result<void> read_environment(const fs::path& folder, WorkspaceTask& content,
                              std::vector<std::string>& unsupported) {
  ComposeFile compose;
  if (path_exists(folder / "docker-compose.yaml")) {
    const auto text = read_file(folder / "docker-compose.yaml", kFileBytesMax);
    if (!text) return text.error();
    auto parsed = parse_compose_file(*text);
    if (!parsed) return parsed.error().during("docker-compose.yaml");
    compose = std::move(*parsed);
  }
  const auto place = find_build_place(folder, compose);
  if (!place) return place.error();
  const auto text = read_file(place->dockerfile, kFileBytesMax);
  if (!text) return text.error();
  auto dockerfile = parse_dockerfile(*text, place->context, "/app");
  if (!dockerfile) return dockerfile.error().during("Dockerfile");
  content.environment = std::move(dockerfile->environment);
  for (auto& [name, value] : compose.environment) content.environment.env[name] = value;
  for (auto* from : {&dockerfile->unsupported, &compose.unsupported})
    unsupported.insert(unsupported.end(), from->begin(), from->end());
  for (auto* from : {&dockerfile->notes, &compose.notes})
    content.notes.insert(content.notes.end(), from->begin(), from->end());
  return {};
}

Result<TaskStep> read_step(const fs::path& folder, const TerminalBenchYaml& yaml,
                           WorkspaceTask& content) {
  TaskStep step;
  step.instruction = yaml.instruction;
  auto tests = read_script(folder / "run-tests.sh");
  if (!tests) return tests.error();
  // The script lies beside tests/, not in it, so it travels in the command.
  step.test_command = std::move(*tests);
  if (path_exists(folder / "tests")) step.tests_folder = folder / "tests";
  step.verifier_env["TEST_DIR"] = "/tests";
  if (path_exists(folder / "solution.sh")) {
    step.solution_folder = folder;
    step.solution_command = "bash /solution/solution.sh";
  } else if (path_exists(folder / "solution.yaml")) {
    const auto text = read_file(folder / "solution.yaml", kScriptBytesMax);
    if (!text) return text.error();
    auto commands = parse_solution_yaml(*text);
    if (!commands) return commands.error().during("solution.yaml");
    step.solution_folder = folder;
    step.solution_command = std::move(commands->script);
    for (std::string& note : commands->notes) content.notes.push_back(std::move(note));
  }
  return step;
}

Result<Task> read_task(const fs::path& folder, std::string id, const TaskLimits& defaults) {
  const auto text = read_file(folder / "task.yaml", kFileBytesMax);
  if (!text) return text.error();
  auto yaml = parse_terminal_bench_yaml(*text);
  if (!yaml) return yaml.error().during("task.yaml");

  Task task;
  task.id = std::move(id);
  task.tags = yaml->tags;
  task.metadata = yaml->metadata;
  task.limits = defaults;
  task.limits.agent_timeout = yaml->agent_timeout.value_or(defaults.agent_timeout);
  task.limits.verifier_timeout = yaml->test_timeout.value_or(defaults.verifier_timeout);

  WorkspaceTask content;
  content.folder = folder;
  content.reward = RewardSource::ExitCode;
  content.notes = yaml->notes;
  std::vector<std::string> unsupported = yaml->unsupported;
  auto environment = read_environment(folder, content, unsupported);
  if (!environment) return environment.error();
  auto step = read_step(folder, *yaml, content);
  if (!step) return step.error();
  content.steps.push_back(std::move(*step));
  content.unsupported = joined(unsupported, "; ");
  task.content = std::move(content);
  return task;
}

}  // namespace

TaskLimits terminal_bench_limits() {
  TaskLimits limits;
  limits.agent_timeout = std::chrono::seconds(360);
  limits.verifier_timeout = std::chrono::seconds(60);
  return limits;
}

Result<Task> load_terminal_bench_task(const fs::path& folder, std::string id,
                                      const TaskLimits& defaults) {
  auto task = read_task(folder, std::move(id), defaults);
  if (!task) return task.error().during("loading " + folder.string());
  return task;
}

}  // namespace trialwright
