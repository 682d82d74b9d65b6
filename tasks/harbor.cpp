#include "tasks/harbor.h"

#include <algorithm>

#include "base/files.h"
#include "base/text.h"
#include "base/toml_table.h"
#include "tasks/dockerfile.h"

namespace trialwright {

namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kFileBytesMax = std::uint64_t{1} << 20U;

/// "2G", "512M" or "64K" in bytes; Harbor's older way to give a size. Nothing if it is no size or
/// larger than any machine.
std::optional<std::uint64_t> size_in_bytes(std::string_view text) {
  text = trimmed(text);
  if (text.size() < 2 || text.size() > 12) return std::nullopt;
  const auto unit = std::string_view("kmg").find(to_lower(text.substr(text.size() - 1)));
  text.remove_suffix(1);
  if (unit == std::string_view::npos || text.find_first_not_of("0123456789") != text.npos) {
    return std::nullopt;
  }
  // At most eleven digits, so neither reading nor comparing overflows.
  const std::uint64_t count = std::stoull(std::string(text));
  const auto shift = 10 * (unit + 1);
  if (count > (static_cast<std::uint64_t>(kMegabytesMax) << 20U) >> shift) return std::nullopt;
  return count << shift;
}

/// Reads one task folder; the parts of the format that this program does not have are collected on
/// the way.
class HarborReader {
 public:
  HarborReader(const fs::path& folder, const TomlTable& toml) : folder_(folder), toml_(toml) {
    content_.folder = folder;
  }

  Result<Task> read(std::string id, const TaskLimits& defaults) {
    Task task;
    task.id = std::move(id);
    task.limits = defaults;
    read_metadata(task);
    read_limits(task.limits);
    find_what_is_missing_here();
    auto environment = read_environment();
    if (!environment) return environment.error();
    auto steps = read_steps();
    if (!steps) return steps.error();
    for (const std::string& key : toml_.unread_keys()) {
      content_.notes.push_back("the field \"" + key + "\" is not known");
    }
    auto checked = toml_.check();
    if (!checked) return checked.error().during("task.toml");
    content_.unsupported = joined(unsupported_, "; ");
    task.content = std::move(content_);
    return task;
  }

 private:
  void read_metadata(Task& task) const {
    std::vector<std::string> tags = toml_.texts("metadata.tags");
    for (std::string& keyword : toml_.texts("task.keywords")) tags.push_back(std::move(keyword));
    for (std::string& tag : tags) {
      if (!tag.empty() && std::find(task.tags.begin(), task.tags.end(), tag) == task.tags.end()) {
        task.tags.push_back(std::move(tag));
      }
    }
    if (Json metadata = toml_.json("metadata"); metadata.is_object()) {
      metadata.erase("tags");
      task.metadata = std::move(metadata);
    }
    if (const auto name = toml_.text("task.name")) task.metadata["name"] = *name;
    if (const auto text = toml_.text("task.description"); text && !text->empty())
      task.metadata["description"] = *text;
    if (toml_.is_set("task.authors")) task.metadata["authors"] = toml_.json("task.authors");
    for (const char* key : {"schema_version", "version", "source", "task.version"}) {
      if (const auto value = toml_.text(key)) task.metadata[key] = *value;
    }
  }

  void read_limits(TaskLimits& limits) const {
    limits.agent_timeout = toml_.seconds("agent.timeout_sec").value_or(limits.agent_timeout);
    limits.verifier_timeout =
        toml_.seconds("verifier.timeout_sec").value_or(limits.verifier_timeout);
    limits.build_timeout =
        toml_.seconds("environment.build_timeout_sec").value_or(limits.build_timeout);
    limits.memory_bytes = read_size("memory").value_or(limits.memory_bytes);
    limits.storage_bytes = read_size("storage").value_or(limits.storage_bytes);
  }

  [[nodiscard]] std::optional<std::uint64_t> read_size(const std::string& name) const {
    const std::string key = "environment." + name;
    if (const auto megabytes = toml_.whole(key + "_mb", 1, kMegabytesMax)) {
      static_cast<void>(toml_.text(key));
      return static_cast<std::uint64_t>(*megabytes) << 20U;
    }
    const auto text = toml_.text(key);
    if (!text) return std::nullopt;
    const auto bytes = size_in_bytes(*text);
    if (!bytes || *bytes == 0) toml_.reject(key, "must be a size such as \"512M\" or \"2G\"");
    return bytes;
  }

  /// Notes what the task counts on and a trial here does not have.
  void find_what_is_missing_here() {
    const TomlTable environment = toml_.table("environment");
    if (environment.is_set("healthcheck"))
      unsupported_.emplace_back(
          "it has a health check, for which its entry point would have to run");
    if (environment.is_set("gpus")) unsupported_.emplace_back("it needs a GPU");
    if (environment.is_set("mcp_servers")) unsupported_.emplace_back("it needs MCP servers");
    if (const auto os = environment.text("os"); os && to_lower(*os) != "linux")
      unsupported_.push_back("it needs the system " + *os);
    if (path_exists(folder_ / "environment" / "docker-compose.yaml"))
      unsupported_.emplace_back("it starts services of its own (environment/docker-compose.yaml)");
    if (toml_.is_set("verifier.environment") ||
        toml_.text("verifier.environment_mode").value_or("shared") != "shared")
      unsupported_.emplace_back("its verifier needs a machine of its own");

    const bool internet = environment.flag("allow_internet").value_or(false);
    content_.environment.network_wanted =
        internet || environment.text("network_mode").value_or("no-network") != "no-network";
    if (content_.environment.network_wanted)
      content_.notes.emplace_back("it asks for a network, and no trial has one");
    if (environment.is_set("skills_dir"))
      content_.notes.emplace_back("skills_dir is not shown to the agent");
    for (const char* key : {"agent.user", "verifier.user", "environment.allowed_hosts",
                            "agent.network_mode", "verifier.network_mode", "verifier.collect"}) {
      if (toml_.is_set(key))
        content_.notes.push_back("the field \"" + std::string(key) + "\" has no effect");
    }
    if (environment.number("cpus").value_or(1) > 1)
      content_.notes.emplace_back("it asks for several processors, and trials share the machine's");
    if (toml_.is_set("artifacts"))
      content_.notes.emplace_back("its artifacts are not kept; grading needs none");
    // Which GPUs it wants says nothing beside that it wants any.
    static_cast<void>(environment.is_set("gpu_types"));
  }

  Result<void> read_environment() {
    EnvironmentSpec& environment = content_.environment;
    const bool network_wanted = environment.network_wanted;
    const auto image = toml_.text("environment.docker_image");
    const fs::path context = folder_ / "environment";
    if (path_exists(context / "Dockerfile")) {
      const auto text = read_file(context / "Dockerfile", kFileBytesMax);
      if (!text) return text.error();
      auto dockerfile = parse_dockerfile(*text, context, "/");
      if (!dockerfile) return dockerfile.error().during("environment/Dockerfile");
      environment = std::move(dockerfile->environment);
      for (std::string& reason : dockerfile->unsupported) unsupported_.push_back(std::move(reason));
      for (std::string& note : dockerfile->notes) content_.notes.push_back(std::move(note));
    } else if (image) {
      environment.base = *image;
      environment.working_folder = "/";
    } else {
      return not_found("environment/Dockerfile is missing, and task.toml names no docker_image");
    }
    environment.network_wanted = network_wanted;
    if (const auto folder = toml_.text("environment.workdir")) {
      if (folder->empty() || folder->front() != '/')
        toml_.reject("environment.workdir", "must be an absolute path");
      else
        environment.working_folder = *folder;
    }
    for (auto& [name, value] : variables(toml_, "environment.env")) environment.env[name] = value;
    return {};
  }

  Result<void> read_steps() {
    const std::vector<TomlTable> steps = toml_.tables("steps");
    const std::string strategy = toml_.text("multi_step_reward_strategy").value_or("mean");
    if (strategy == "final")
      content_.steps_reward = StepsReward::Final;
    else if (strategy != "mean")
      toml_.reject("multi_step_reward_strategy", "must be \"mean\" or \"final\"");
    const auto verifier_env = variables(toml_, "verifier.env");
    const auto solution_env = variables(toml_, "solution.env");
    if (steps.empty()) {
      auto step = read_step(folder_, "");
      if (!step) return step.error();
      step->verifier_env = verifier_env;
      step->solution_env = solution_env;
      content_.steps.push_back(std::move(*step));
      return {};
    }
    for (const TomlTable& table : steps) {
      const std::string name = table.text("name").value_or("");
      if (name.empty() || name.find('/') != std::string::npos || name == "." || name == "..") {
        table.reject("name", "must be the name of a folder in steps/");
        return {};
      }
      auto step = read_step(folder_ / "steps" / name, name);
      if (!step) return step.error().during("step \"" + name + "\"");
      step->agent_timeout = table.seconds("agent.timeout_sec");
      step->verifier_timeout = table.seconds("verifier.timeout_sec");
      step->verifier_env = verifier_env;
      for (auto& [key, value] : variables(table, "verifier.env")) step->verifier_env[key] = value;
      step->solution_env = solution_env;
      read_reward_min(table, *step);
      if (table.is_set("healthcheck"))
        unsupported_.push_back("step \"" + name + "\" has a health check");
      static_cast<void>(table.is_set("artifacts"));
      content_.steps.push_back(std::move(*step));
    }
    return {};
  }

  void read_reward_min(const TomlTable& table, TaskStep& step) {
    if (table.json("min_reward").is_object()) {
      const auto least = table.number("min_reward.reward");
      if (!least || table.json("min_reward").size() != 1)
        unsupported_.push_back("step \"" + step.name + "\" gates on rewards with names");
      step.reward_min = least;
    } else {
      step.reward_min = table.number("min_reward");
    }
  }

  Result<TaskStep> read_step(const fs::path& folder, const std::string& name) {
    TaskStep step;
    step.name = name;
    auto instruction = read_file(folder / "instruction.md", kFileBytesMax);
    if (!instruction) return instruction.error();
    step.instruction = std::move(*instruction);
    const bool has_own_tests = path_exists(folder / "tests" / "test.sh");
    if (!name.empty() && path_exists(folder_ / "tests")) {
      if (has_own_tests) unsupported_.push_back("step \"" + name + "\" shares files of tests/");
    }
    if (!name.empty() && path_exists(folder / "workdir"))
      unsupported_.push_back("step \"" + name + "\" adds files (workdir/)");
    step.tests_folder = has_own_tests ? folder / "tests" : folder_ / "tests";
    if (!path_exists(step.tests_folder / "test.sh")) {
      return not_found("tests/test.sh is missing");
    }
    step.test_command = "bash /tests/test.sh";
    if (path_exists(folder / "solution" / "solve.sh")) {
      step.solution_folder = folder / "solution";
      step.solution_command = "bash /solution/solve.sh";
    }
    return step;
  }

  /// A table of variables. Those that stand for one of the host's keep their default, or make the
  /// task unsupported: nothing of the host's environment enters a sandbox.
  std::map<std::string, std::string> variables(const TomlTable& table, const std::string& key) {
    std::map<std::string, std::string> result = table.text_map(key);
    for (auto& [name, value] : result) {
      if (value.size() < 4 || value.substr(0, 2) != "${" || value.back() != '}') continue;
      const std::string inner = value.substr(2, value.size() - 3);
      const std::size_t otherwise = inner.find(":-");
      if (otherwise != std::string::npos) {
        value = inner.substr(otherwise + 2);
        continue;
      }
      const bool is_key = to_lower(inner).find("api_key") != std::string::npos;
      unsupported_.push_back((is_key ? "it grades with a model: " : "") + key + " wants " + inner +
                             " of the host");
    }
    return result;
  }

  const fs::path& folder_;
  const TomlTable& toml_;
  WorkspaceTask content_;
  std::vector<std::string> unsupported_;
};

}  // namespace

Result<Task> load_harbor_task(const fs::path& folder, std::string id, const TaskLimits& defaults) {
  const std::string doing = "loading " + folder.string();
  const auto text = read_file(folder / "task.toml", kFileBytesMax);
  if (!text) return text.error().during(doing);
  const auto toml = TomlTable::parse(*text);
  if (!toml) return toml.error().during(doing + ": task.toml");
  auto task = HarborReader(folder, *toml).read(std::move(id), defaults);
  if (!task) return task.error().during(doing);
  return task;
}

}  // namespace trialwright
