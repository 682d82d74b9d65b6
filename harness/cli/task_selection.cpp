#include "harness/cli/task_selection.h"

#include <algorithm>
#include <filesystem>

#include "base/text.h"
#include "harness/cli/commands.h"
#include "tasks/selection.h"

namespace trialwright {

namespace {

constexpr const char* kDefaultSuite = "starter";

/// What the operands say: a suite, then globs.
struct Operands {
  std::string suite = kDefaultSuite;
  std::filesystem::path folder;
  std::vector<std::string> globs;
};

bool looks_like_glob(const std::string& word) {
  return word.find_first_of("*?/") != std::string::npos;
}

/// Ids of tasks never start like this.
bool looks_like_path(const std::string& word) {
  return word.starts_with('/') || word.starts_with("./") || word.starts_with("../");
}

Result<Operands> read_operands(const std::vector<std::string>& words) {
  Operands operands;
  operands.globs = words;
  if (!words.empty()) {
    auto folder = find_suite(words.front(), suite_search_path());
    if (folder) {
      // A run is resumed from anywhere, so of a folder its whole path is kept.
      const bool is_bundled = *folder != std::filesystem::path(words.front());
      std::error_code gone;
      operands.suite =
          is_bundled ? words.front() : std::filesystem::canonical(*folder, gone).string();
      operands.folder = *folder;
      operands.globs.erase(operands.globs.begin());
      return operands;
    }
    if (looks_like_path(words.front()) || !looks_like_glob(words.front())) return folder.error();
  }
  auto folder = find_suite(kDefaultSuite, suite_search_path());
  if (!folder) return folder.error();
  operands.folder = *folder;
  return operands;
}

Result<Selection> read_selection(const Arguments& arguments) {
  Selection selection;
  selection.expression = arguments.text("filter");
  selection.tags = arguments.texts("tag");
  selection.exclude = arguments.texts("exclude");
  auto sample = arguments.integer("sample", 0, 1, 1'000'000);
  auto limit = arguments.integer("limit", 0, 1, 1'000'000);
  auto seed = arguments.integer("seed", 0, 0, INT64_MAX);
  for (const auto* number : {&sample, &limit, &seed}) {
    if (!*number) return number->error();
  }
  if (arguments.has("sample")) selection.sample = static_cast<std::size_t>(*sample);
  if (arguments.has("limit")) selection.limit = static_cast<std::size_t>(*limit);
  selection.seed = static_cast<std::uint64_t>(*seed);
  if (arguments.has("shard")) {
    auto shard = parse_shard(arguments.text("shard"));
    if (!shard) return shard.error().during("--shard");
    selection.shard = *shard;
  }
  return selection;
}

}  // namespace

std::vector<Flag> selection_flags() {
  return {
      {"filter", "EXPR", "Only tasks that fit, such as 'tag:git and not slow'.", 'k', false},
      {"tag", "TAG", "Only tasks with this tag (may be repeated: any of them).", '\0', true},
      {"exclude", "GLOB", "Leave out tasks by id, or by 'tag:NAME' (may be repeated).", '\0', true},
      {"sample", "N", "A random sample of N tasks, chosen by --seed.", '\0', false},
      {"limit", "N", "The first N tasks.", '\0', false},
      {"shard", "KIND:I/N", "Part I of N, 'hash:1/4' or 'slice:1/4', after all other filters.",
       '\0', false},
  };
}

Result<SelectedTasks> select_tasks(const Arguments& arguments) {
  auto operands = read_operands(arguments.positionals());
  if (!operands) return operands.error();
  auto selection = read_selection(arguments);
  if (!selection) return selection.error();
  selection->globs = operands->globs;
  auto suite = load_suite(operands->folder);
  if (!suite) return suite.error();
  SelectedTasks selected;
  selected.suite_name = operands->suite;
  auto tasks = select(std::move(suite->tasks), *selection);
  if (tasks) {
    selected.tasks = *std::move(tasks);
  } else if (tasks.error().kind == ErrorKind::NotFound) {
    selected.why_empty = tasks.error().message;
    const auto& words = arguments.positionals();
    // Whoever names a folder that is not there gave, to us, a glob.
    if (!words.empty() && !operands->globs.empty() && operands->globs.front() == words.front() &&
        words.front().find_first_of("*?") == std::string::npos) {
      selected.why_empty += "; nor is there a folder " + words.front();
    }
  } else {
    return tasks.error();
  }
  selected.suite = *std::move(suite);
  selected.suite.tasks.clear();
  return selected;
}

int print_tasks(const std::vector<Task>& tasks, const Console& out) {
  std::string text;
  for (const Task& task : tasks) {
    text += visible_line(task.id + "  [" + joined(task.tags, " ") + "]") + "\n";
  }
  out.write(text);
  return kExitDone;
}

bool needs_machine(const std::vector<Task>& tasks) {
  return std::ranges::any_of(
      tasks, [](const Task& task) { return std::holds_alternative<WorkspaceTask>(task.content); });
}

int report_empty_selection(const SelectedTasks& selected) {
  report_error(
      not_found(!selected.why_empty.empty()
                    ? selected.why_empty
                    : "no task of the suite \"" + selected.suite.name + "\" fits the selection"));
  return kExitEmptySelection;
}

}  // namespace trialwright
