#include "tasks/task_digest.h"

#include <algorithm>
#include <vector>

namespace trialwright {

namespace {

namespace fs = std::filesystem;

/// Raised when the same task must get another digest.
constexpr std::string_view kFormat = "trialwright-task-1";

Error cannot_read(const fs::path& path, const std::error_code& error) {
  return unavailable("cannot read " + path.string() + ": " + error.message());
}

void add(Hasher& hasher, const std::map<std::string, std::string>& variables) {
  hasher.field(static_cast<std::int64_t>(variables.size()));
  for (const auto& [name, value] : variables) hasher.field(name).field(value);
}

Result<void> add_file(Hasher& hasher, const fs::path& path) {
  std::error_code error;
  const fs::perms permissions = fs::status(path, error).permissions();
  if (error) return cannot_read(path, error);
  const auto content = sha256_file(path);
  if (!content) return content.error();
  const bool executable = (permissions & fs::perms::owner_exec) != fs::perms::none;
  hasher.field(executable ? "program" : "file").field(content->hex());
  return {};
}

/// What lies in a folder, sorted, so that the order of the file system does not matter.
Result<void> add_folder(Hasher& hasher, const fs::path& folder) {
  std::error_code error;
  std::vector<fs::directory_entry> entries;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    entries.push_back(*entry);
  }
  if (error) return cannot_read(folder, error);
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return a.path().filename().string() < b.path().filename().string();
  });
  hasher.field("folder").field(static_cast<std::int64_t>(entries.size()));
  for (const fs::directory_entry& entry : entries) {
    const fs::path& path = entry.path();
    hasher.field(path.filename().string());
    const fs::file_type type = entry.symlink_status(error).type();
    Result<void> added;
    if (type == fs::file_type::symlink) {
      const fs::path target = fs::read_symlink(path, error);
      if (error) return cannot_read(path, error);
      hasher.field("link").field(target.string());
    } else if (type == fs::file_type::directory) {
      added = add_folder(hasher, path);
    } else if (type == fs::file_type::regular) {
      added = add_file(hasher, path);
    } else {
      return invalid(path.string() + " is neither a file, a folder nor a link");
    }
    if (!added) return added;
  }
  return {};
}

Result<void> add_path(Hasher& hasher, const fs::path& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) return add_folder(hasher, path);
  // Copied into a folder, a file keeps its name.
  hasher.field(path.filename().string());
  return add_file(hasher, path);
}

void add_limits(Hasher& hasher, const TaskLimits& limits) {
  hasher.field(limits.agent_timeout.count())
      .field(limits.verifier_timeout.count())
      .field(limits.build_timeout.count())
      .field(static_cast<std::int64_t>(limits.memory_bytes))
      .field(static_cast<std::int64_t>(limits.storage_bytes))
      .field(limits.processes_max);
}

Result<void> add_environment(Hasher& hasher, const EnvironmentSpec& environment) {
  hasher.field(environment.base).field(environment.working_folder);
  add(hasher, environment.env);
  hasher.field(static_cast<std::int64_t>(environment.steps.size()));
  for (const BuildStep& step : environment.steps) {
    if (const auto* copy = std::get_if<CopyStep>(&step)) {
      hasher.field("copy").field(copy->target);
      if (copy->mode) hasher.field("mode").field(*copy->mode);
      auto added = add_path(hasher, copy->source);
      if (!added) return added;
    } else {
      const auto& run = std::get<RunStep>(step);
      hasher.field("run").field(run.command).field(run.cwd);
      add(hasher, run.env);
    }
  }
  return {};
}

Result<void> add_workspace_task(Hasher& hasher, const WorkspaceTask& task) {
  auto added = add_environment(hasher, task.environment);
  if (!added) return added;
  hasher.field(task.reward == RewardSource::RewardFile ? "reward-file" : "exit-code");
  hasher.field(task.steps_reward == StepsReward::Mean ? "mean" : "final");
  hasher.field(static_cast<std::int64_t>(task.steps.size()));
  for (const TaskStep& step : task.steps) {
    hasher.field(step.name).field(step.instruction).field(step.test_command);
    add(hasher, step.verifier_env);
    hasher.field(step.agent_timeout.value_or(std::chrono::seconds(0)).count());
    hasher.field(step.verifier_timeout.value_or(std::chrono::seconds(0)).count());
    hasher.field(step.reward_min ? Json(*step.reward_min).dump() : "");
    if (step.tests_folder.empty()) {
      hasher.field("no tests");
    } else {
      added = add_folder(hasher, step.tests_folder);
      if (!added) return added;
    }
  }
  return {};
}

/// A reference is left out, as a solution is: it shows that a task can be solved and decides
/// nothing.
void add_answer(Hasher& hasher, const Answer& answer) {
  if (const auto* exact = std::get_if<ExactAnswer>(&answer)) {
    hasher.field("exact").field(exact->ignore_case ? 1 : 0);
    hasher.field(static_cast<std::int64_t>(exact->accepted.size()));
    for (const std::string& text : exact->accepted) hasher.field(text);
  } else if (const auto* numeric = std::get_if<NumericAnswer>(&answer)) {
    hasher.field("numeric")
        .field(Json(numeric->value).dump())
        .field(Json(numeric->tolerance).dump());
  } else if (const auto* regex = std::get_if<RegexAnswer>(&answer)) {
    hasher.field("regex").field(regex->pattern);
  } else if (const auto* schema = std::get_if<SchemaAnswer>(&answer)) {
    hasher.field("schema").field(to_text(schema->schema));
  } else {
    const auto& choice = std::get<ChoiceAnswer>(answer);
    hasher.field("choices").field(static_cast<std::int64_t>(choice.correct));
    for (const std::string& text : choice.choices) hasher.field(text);
  }
}

}  // namespace

Result<Digest> digest_task(const Task& task) {
  Hasher hasher;
  hasher.field(kFormat);
  if (const auto* question = std::get_if<QaTask>(&task.content)) {
    // Limits of time and space mean nothing to a question.
    hasher.field("qa").field(question->prompt).field(question->tokens_max);
    add_answer(hasher, question->answer);
  } else {
    hasher.field("workspace");
    add_limits(hasher, task.limits);
    auto added = add_workspace_task(hasher, std::get<WorkspaceTask>(task.content));
    if (!added) return added.error().during("digest of " + task.id);
  }
  return hasher.finish();
}

}  // namespace trialwright
