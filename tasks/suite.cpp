#include "tasks/suite.h"

#include <algorithm>
#include <cstdlib>
#include <set>

#include "base/files.h"
#include "base/text.h"
#include "base/toml_table.h"
#include "tasks/harbor.h"
#include "tasks/qa.h"
#include "tasks/task_digest.h"
#include "tasks/terminal_bench.h"

namespace trialwright {

namespace {

namespace fs = std::filesystem;

constexpr int kDepthMax = 4;
constexpr std::size_t kTasksMax = 100'000;
constexpr std::uint64_t kSuiteBytesMax = std::uint64_t{1} << 20U;
constexpr std::uint64_t kQaBytesMax = std::uint64_t{256} << 20U;
constexpr int kAncestorsMax = 5;

bool is_task_folder(const fs::path& folder) {
  return path_exists(folder / "task.toml") || path_exists(folder / "task.yaml");
}

/// Paths below the suite's folder, sorted.
struct Contents {
  std::vector<std::string> task_folders;
  std::vector<std::string> question_files;
};

Result<void> look_through(const fs::path& root, const std::string& below, int depth,
                          Contents& found) {
  std::vector<std::string> folders;
  std::error_code error;
  for (fs::directory_iterator entry(root / below, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.empty() || name.front() == '.') continue;
    std::error_code unknown;
    if (entry->is_directory(unknown)) {
      folders.push_back(below + name);
    } else if (name.size() > 6 && name.substr(name.size() - 6) == ".jsonl") {
      found.question_files.push_back(below + name);
    }
  }
  if (error) return unavailable("cannot read " + (root / below).string() + ": " + error.message());
  for (const std::string& folder : folders) {
    if (found.task_folders.size() > kTasksMax) return invalid("it holds too many tasks");
    if (is_task_folder(root / folder)) {
      found.task_folders.push_back(folder);
    } else if (depth < kDepthMax) {
      auto looked = look_through(root, folder + "/", depth + 1, found);
      if (!looked) return looked;
    }
  }
  return {};
}

/// What suite.toml says, or what holds without it.
struct Settings {
  TaskLimits limits;
  TaskLimits terminal_bench_limits = trialwright::terminal_bench_limits();
  int tokens_max = 256;
  std::optional<std::vector<std::string>> task_globs;
  std::optional<std::vector<std::string>> question_globs;
};

/// Replaces the limits that the suite sets.
void read_limits(const TomlTable& defaults, TaskLimits& limits) {
  limits.agent_timeout = defaults.seconds("agent_timeout_sec").value_or(limits.agent_timeout);
  limits.verifier_timeout =
      defaults.seconds("verifier_timeout_sec").value_or(limits.verifier_timeout);
  limits.build_timeout = defaults.seconds("build_timeout_sec").value_or(limits.build_timeout);
  if (const auto megabytes = defaults.whole("memory_mb", 1, kMegabytesMax))
    limits.memory_bytes = static_cast<std::uint64_t>(*megabytes) << 20U;
  if (const auto megabytes = defaults.whole("storage_mb", 1, kMegabytesMax))
    limits.storage_bytes = static_cast<std::uint64_t>(*megabytes) << 20U;
  limits.processes_max =
      static_cast<int>(defaults.whole("processes_max", 1, 1 << 20).value_or(limits.processes_max));
}

Result<void> read_settings(const fs::path& file, Suite& suite, Settings& settings) {
  const auto text = read_file(file, kSuiteBytesMax);
  if (!text) return text.error();
  const auto toml = TomlTable::parse(*text);
  if (!toml) return toml.error();
  const auto name = toml->text("name");
  if (name && !is_id_part(*name))
    toml->reject("name", "must be made of letters, digits, '.', '_' and '-'");
  suite.name = name.value_or(suite.name);
  suite.version = toml->text("version").value_or("");
  suite.description = toml->text("description").value_or("");
  if (auto globs = toml->texts("tasks"); toml->is_set("tasks")) settings.task_globs = globs;
  if (auto globs = toml->texts("qa"); toml->is_set("qa")) settings.question_globs = globs;

  const TomlTable defaults = toml->table("defaults");
  read_limits(defaults, settings.limits);
  read_limits(defaults, settings.terminal_bench_limits);
  settings.tokens_max =
      static_cast<int>(defaults.whole("tokens_max", 1, 1 << 20).value_or(settings.tokens_max));
  auto checked = toml->check();
  if (!checked) return checked;
  if (const auto unknown = toml->unread_keys(); !unknown.empty())
    return invalid("field \"" + unknown.front() + "\" is not known");
  return {};
}

/// Keeps the paths that fit a glob. Errors: NotFound for a glob that fits none.
Result<std::vector<std::string>> fitting(const std::vector<std::string>& paths,
                                         const std::vector<std::string>& globs,
                                         std::string_view field) {
  std::set<std::string> kept;
  for (const std::string& glob : globs) {
    bool fits = false;
    for (const std::string& path : paths) {
      if (!glob_matches(glob, path)) continue;
      kept.insert(path);
      fits = true;
    }
    if (!fits) {
      return not_found("suite.toml: field \"" + std::string(field) + "\": \"" + glob +
                       "\" fits nothing in the suite");
    }
  }
  return std::vector<std::string>(kept.begin(), kept.end());
}

Result<Task> load_task(const fs::path& folder, std::string id, const Settings& settings) {
  if (id.find_first_not_of(kIdCharacters) != std::string::npos) {
    return invalid("the name of " + folder.string() +
                   " must be made of letters, digits, '.', '_' and '-'");
  }
  auto task = path_exists(folder / "task.toml")
                  ? load_harbor_task(folder, std::move(id), settings.limits)
                  : load_terminal_bench_task(folder, std::move(id), settings.terminal_bench_limits);
  if (!task) return task;
  const auto digest = digest_task(*task);
  if (!digest) return digest.error();
  task->digest = *digest;
  return task;
}

Result<void> load_questions(const fs::path& root, const std::string& file, const Settings& settings,
                            Suite& suite) {
  const fs::path path = root / file;
  const auto text = read_file(path, kQaBytesMax);
  if (!text) return text.error();
  const std::string stem = file.substr(0, file.size() - std::string_view(".jsonl").size());
  if (stem.find_first_not_of(kIdCharacters) != std::string::npos) {
    return invalid("the name of " + path.string() +
                   " must be made of letters, digits, '.', '_' and '-'");
  }
  auto tasks = parse_qa(*text, suite.name + "/" + stem + "/", settings.tokens_max);
  if (!tasks) return tasks.error().during("loading " + path.string());
  for (Task& task : *tasks) {
    task.limits = settings.limits;
    const auto digest = digest_task(task);
    if (!digest) return digest.error();
    task.digest = *digest;
    suite.tasks.push_back(std::move(task));
  }
  return {};
}

Result<void> sort_by_id(std::vector<Task>& tasks) {
  std::sort(tasks.begin(), tasks.end(), [](const Task& a, const Task& b) { return a.id < b.id; });
  const auto twice = std::adjacent_find(tasks.begin(), tasks.end(),
                                        [](const Task& a, const Task& b) { return a.id == b.id; });
  if (twice != tasks.end()) return invalid("two tasks have the id \"" + twice->id + "\"");
  return {};
}

Result<Suite> load_one_task(const fs::path& folder) {
  Suite suite;
  suite.folder = folder;
  suite.name = folder.parent_path().filename().string();
  const std::string name = folder.filename().string();
  if (!suite.name.empty() && !is_id_part(suite.name)) {
    return invalid("the task's id would begin with the name of the folder above it, \"" +
                   suite.name + "\", which is not made of letters, digits, '.', '_' and '-'");
  }
  auto task = load_task(folder, suite.name.empty() ? name : suite.name + "/" + name, Settings{});
  if (!task) return task.error();
  suite.tasks.push_back(std::move(*task));
  return suite;
}

}  // namespace

Result<Suite> load_suite(const fs::path& path) {
  std::error_code error;
  const fs::path root = fs::canonical(path, error);
  if (error || !fs::is_directory(root, error)) return not_found(path.string() + " is no folder");
  const bool has_settings = path_exists(root / "suite.toml");
  if (!has_settings && is_task_folder(root)) return load_one_task(root);

  Suite suite;
  suite.folder = root;
  suite.name = root.filename().string();
  Settings settings;
  if (has_settings) {
    auto read = read_settings(root / "suite.toml", suite, settings);
    if (!read) return read.error().during("loading " + (root / "suite.toml").string());
  }
  if (!is_id_part(suite.name)) {
    return invalid("the suite has the name of its folder, \"" + suite.name +
                   "\", which is not made of letters, digits, '.', '_' and '-'; give it another by "
                   "`name` in " +
                   (root / "suite.toml").string());
  }

  Contents contents;
  auto looked = look_through(root, "", 1, contents);
  if (!looked) return looked.error().during("loading " + root.string());
  if (settings.task_globs) {
    auto kept = fitting(contents.task_folders, *settings.task_globs, "tasks");
    if (!kept) return kept.error().during("loading " + root.string());
    contents.task_folders = std::move(*kept);
  }
  if (settings.question_globs) {
    auto kept = fitting(contents.question_files, *settings.question_globs, "qa");
    if (!kept) return kept.error().during("loading " + root.string());
    contents.question_files = std::move(*kept);
  } else {
    std::erase_if(contents.question_files, [](const std::string& file) {
      return file != "qa.jsonl" && !glob_matches("qa/*.jsonl", file);
    });
  }

  for (const std::string& folder : contents.task_folders) {
    auto task = load_task(root / folder, suite.name + "/" + folder, settings);
    if (!task) return task.error();
    suite.tasks.push_back(std::move(*task));
  }
  for (const std::string& file : contents.question_files) {
    auto loaded = load_questions(root, file, settings, suite);
    if (!loaded) return loaded.error();
  }
  if (suite.tasks.empty()) return not_found(root.string() + " holds no tasks");
  auto sorted = sort_by_id(suite.tasks);
  if (!sorted) return sorted.error().during("loading " + root.string());
  return suite;
}

std::vector<fs::path> suite_search_path() {
  std::vector<fs::path> folders;
  if (const char* variable = std::getenv("TRIALWRIGHT_SUITES"); variable != nullptr) {
    for (const std::string_view folder : split(variable, ':'))
      if (!folder.empty()) folders.emplace_back(folder);
  }
  std::error_code error;
  fs::path above = fs::read_symlink("/proc/self/exe", error).parent_path();
  for (int i = 0; i < kAncestorsMax && !above.empty(); ++i) {
    for (const char* below : {"share/trialwright/suites", "tasks/suites"})
      if (fs::is_directory(above / below, error)) folders.push_back(above / below);
    if (above == above.parent_path()) break;
    above = above.parent_path();
  }
  return folders;
}

Result<fs::path> find_suite(std::string_view name_or_path,
                            const std::vector<fs::path>& search_path) {
  const fs::path path(name_or_path);
  std::error_code error;
  const bool is_path = name_or_path.find('/') != std::string_view::npos || name_or_path == "." ||
                       name_or_path == "..";
  std::set<std::string> names;
  if (!is_path && !name_or_path.empty()) {
    for (const fs::path& folder : search_path) {
      if (fs::is_directory(folder / path, error)) return folder / path;
      for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
           entry.increment(error)) {
        names.insert(entry->path().filename().string());
      }
    }
  }
  if (fs::is_directory(path, error)) return path;
  if (is_path) return not_found("there is no folder " + path.string());
  const std::vector<std::string> known(names.begin(), names.end());
  std::string message = "there is no suite \"" + std::string(name_or_path) + "\"";
  if (const auto near = nearest_words(name_or_path, known); !near.empty())
    message += "; did you mean \"" + near.front() + "\"?";
  else if (!known.empty())
    message += "; bundled are " + joined(known, ", ");
  std::vector<std::string> searched;
  for (const fs::path& folder : search_path) searched.push_back(folder.string());
  if (!searched.empty()) message += " (looked in " + joined(searched, ", ") + ")";
  return not_found(message);
}

}  // namespace trialwright
