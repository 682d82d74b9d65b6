#include "harness/cli/list_command.h"

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <map>

#include "base/files.h"
#include "base/text.h"
#include "harness/cli/commands.h"
#include "harness/cli/task_selection.h"
#include "inference/catalog/catalog.h"
#include "results/run_folder.h"

namespace trialwright {

namespace {

namespace fs = std::filesystem;

std::vector<Flag> task_flags() {
  std::vector<Flag> flags = selection_flags();
  flags.push_back({"seed", "N", "Seed of --sample.", '\0', false});
  return flags;
}

/// As `ls -l` tells a time: without the year where it is this one's.
std::string local_time(std::int64_t microseconds) {
  const auto seconds = static_cast<std::time_t>(microseconds / 1'000'000);
  const std::time_t now = std::time(nullptr);
  std::tm time{};
  std::tm today{};
  ::localtime_r(&seconds, &time);
  ::localtime_r(&now, &today);
  char text[32] = "";
  const bool this_year = time.tm_year == today.tm_year;
  std::strftime(text, sizeof text, this_year ? "%m-%d %H:%M" : "%Y-%m-%d", &time);
  return text;
}

int list_tasks(const Arguments& arguments, const Console& out) {
  auto selected = select_tasks(arguments);
  if (!selected) return report_error(selected.error());
  if (selected->tasks.empty()) return report_empty_selection(*selected);
  std::vector<std::vector<std::string>> rows = {{"TASK", "KIND", "TAGS"}};
  for (const Task& task : selected->tasks) {
    const bool question = std::holds_alternative<QaTask>(task.content);
    rows.push_back({task.id, question ? "qa" : "workspace", joined(task.tags, " ")});
  }
  out.write(table_text(rows, {}, out.table_columns()));
  return kExitDone;
}

int list_tags(const Arguments& arguments, const Console& out) {
  auto selected = select_tasks(arguments);
  if (!selected) return report_error(selected.error());
  if (selected->tasks.empty()) return report_empty_selection(*selected);
  std::map<std::string, int> counts;
  for (const Task& task : selected->tasks) {
    for (const std::string& tag : task.tags) ++counts[tag];
  }
  std::vector<std::vector<std::string>> rows = {{"TAG", "TASKS"}};
  for (const auto& [tag, count] : counts) rows.push_back({tag, std::to_string(count)});
  out.write(table_text(rows, {1}, out.table_columns()));
  return kExitDone;
}

int list_suites(const Console& out) {
  std::vector<std::vector<std::string>> rows = {{"SUITE", "FOLDER"}};
  for (const fs::path& folder : suite_search_path()) {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(folder, ignored)) {
      if (path_exists(entry.path() / "suite.toml")) {
        rows.push_back({entry.path().filename().string(), entry.path().string()});
      }
    }
  }
  out.write(table_text(rows, {}, out.table_columns()));
  return kExitDone;
}

std::string status_text(const RunListing& run) {
  if (!run.problem.empty()) return "unreadable";
  if (run.status == RunStatus::Running && !run.being_written) return "cut off";
  return name_words(run_status_name(run.status));
}

/// A field of a run's configuration; one that a damaged file lacks shows as "?".
std::string spec_text(const RunListing& run, std::string_view field) {
  const auto text = string_field(run.spec, field);
  return text ? *text : "?";
}

/// How much of an id a person must type: enough to tell it from all others of the list.
std::size_t telling_length(const std::vector<RunListing>& runs) {
  std::size_t length = 12;  // All of the time, and a little to spare for runs to come.
  for (std::size_t i = 1; i < runs.size(); ++i) {
    const std::string& id = runs[i].id;
    const auto differ = std::ranges::mismatch(id, runs[i - 1].id);
    length = std::max(length, static_cast<std::size_t>(differ.in1 - id.begin()) + 1);
  }
  return length;
}

int list_runs_of_folder(const Console& out) {
  const auto runs = list_runs(runs_folder());
  if (runs.empty()) {
    out.line("no runs in " + visible_line(runs_folder().string()));
    return kExitDone;
  }
  // A pipe gets whole ids; a person reads the rest of the line, and needs no more than their start.
  const std::size_t id_length = out.is_terminal() ? telling_length(runs) : std::string::npos;
  // The ids are in the order of time, so a narrow screen can do without it.
  const bool with_time = out.table_columns() >= 72;
  std::vector<std::vector<std::string>> rows = {
      {"RUN", "BEGAN", "STATUS", "PASSED", "SUITE", "AGENT"}};
  for (const RunListing& run : runs) {
    const std::string model = spec_text(run, "model");
    const auto passed = run.counts.find(Verdict::Passed);
    int made = 0;
    for (const auto& [verdict, count] : run.counts) made += count;
    std::string counts = std::to_string(passed == run.counts.end() ? 0 : passed->second) + "/" +
                         std::to_string(made);
    if (made < run.trials) counts += " of " + std::to_string(run.trials);
    rows.push_back({run.id.substr(0, id_length), local_time(run.created_us), status_text(run),
                    counts, spec_text(run, "suite"),
                    model.empty() ? spec_text(run, "agent") : model});
  }
  if (!with_time) {
    for (auto& row : rows) row.erase(row.begin() + 1);
    out.write(table_text(rows, {2}, out.table_columns(), {3, 4}));
  } else {
    out.write(table_text(rows, {3}, out.table_columns(), {4, 5}));
  }
  return kExitDone;
}

/// What chooses tasks says nothing about runs and suites.
Result<void> check_alone(const std::string& kind, const Arguments& arguments) {
  const std::string takes_none = "'trialwright list " + kind + "' takes no ";
  if (arguments.positionals().size() > 1) {
    return invalid(takes_none + "operand, so not \"" + arguments.positionals()[1] + "\"");
  }
  for (const Flag& flag : task_flags()) {
    if (arguments.has(flag.name)) return invalid(takes_none + "--" + flag.name);
  }
  return {};
}

int run_list(const Arguments& arguments) {
  const Console out = output_console(arguments);
  const auto& operands = arguments.positionals();
  const std::string kind = operands.empty() ? "runs" : operands.front();
  if (kind == "runs" || kind == "suites") {
    if (auto alone = check_alone(kind, arguments); !alone) return report_error(alone.error());
    return kind == "runs" ? list_runs_of_folder(out) : list_suites(out);
  }
  Arguments rest = arguments;
  rest.drop_first_positional();
  if (kind == "tasks") return list_tasks(rest, out);
  if (kind == "tags") return list_tags(rest, out);
  return report_error(invalid("there are lists of runs, tasks, tags and suites, not of \"" + kind +
                              "\"; for models see 'trialwright models list'"));
}

}  // namespace

Command list_command() {
  return {"list",
          "[runs|tasks|tags|suites] [SUITE] [GLOB…]",
          "List runs, or the tasks, tags or suites there are.",
          "Without operands, the runs in the runs folder, newest first.\n\n"
          "examples:\n"
          "  trialwright list\n"
          "  trialwright list tasks starter -k 'tag:files'\n"
          "  trialwright list tags starter",
          with_common(task_flags()),
          0,
          SIZE_MAX,
          run_list};
}

}  // namespace trialwright
