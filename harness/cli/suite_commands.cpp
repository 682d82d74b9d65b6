#include <algorithm>

#include "base/clock.h"
#include "base/text.h"
#include "harness/cli/commands.h"
#include "harness/cli/list_command.h"
#include "harness/cli/progress.h"
#include "harness/cli/run_session.h"
#include "harness/cli/signals.h"
#include "harness/cli/task_selection.h"
#include "harness/run/validation.h"
#include "tasks/validation.h"

namespace trialwright {

namespace {

Colour colour_of(ValidationStatus status) {
  if (status == ValidationStatus::Valid) return Colour::Green;
  return is_breach(status) ? Colour::Red : Colour::Yellow;
}

/// Prints the rows and their summary; true if nothing is wrong.
bool print_validation(const std::vector<TaskValidation>& rows, const Console& out) {
  std::map<ValidationStatus, int> counts;
  bool fit = true;
  for (const TaskValidation& row : rows) {
    ++counts[row.status];
    fit = fit && !is_breach(row.status);
    std::string line = visible_line(row.task) + "  " +
                       out.paint(validation_status_name(row.status), colour_of(row.status));
    if (!row.detail.empty()) line += ": " + visible_line(row.detail);
    out.line(line);
  }
  std::string summary = counted(static_cast<std::int64_t>(rows.size()), "task");
  for (const auto& [status, count] : counts) {
    summary += ", " + std::to_string(count) + " " + std::string(validation_status_name(status));
  }
  out.line(summary);
  return fit;
}

bool print_findings(const std::vector<Finding>& findings, const std::vector<Task>& tasks,
                    const Console& out) {
  bool fit = true;
  for (const Finding& finding : findings) {
    const bool chosen = std::any_of(tasks.begin(), tasks.end(),
                                    [&](const Task& task) { return task.id == finding.task_id; });
    if (!chosen) continue;
    const bool error = finding.severity == Severity::Error;
    fit = fit && !error;
    out.line(visible_line(finding.task_id) + "  " +
             out.paint(severity_name(finding.severity), error ? Colour::Red : Colour::Yellow) +
             ": " + visible_line(finding.message) + " [" + finding.rule + "]");
  }
  return fit;
}

/// The plan and the most it can take, before anything is started.
int print_plan(const std::vector<Task>& tasks, std::int64_t repeat, const Console& out) {
  std::chrono::seconds time{0};
  for (const Task& task : tasks) time += agent_time_max({}, task) * repeat;
  const auto count = static_cast<std::int64_t>(tasks.size());
  out.line("plan  " + counted(count, "task") + " × " + counted(repeat, "attempt") +
           " × reference and do-nothing = " + counted(count * repeat * 2, "trial"));
  out.line("at most " + duration_text(time) + " of the references' time");
  return kExitDone;
}

int run_validate(const Arguments& arguments) {
  auto selected = select_tasks(arguments);
  if (!selected) return report_error(selected.error());
  if (selected->tasks.empty()) return report_empty_selection(*selected);
  auto repeat = arguments.integer("repeat", 1, 1, 1000);
  if (!repeat) return report_error(repeat.error());
  auto jobs = arguments.integer("jobs", 1, 1, kJobsMax);
  if (!jobs) return report_error(jobs.error());
  const Console out = output_console(arguments);
  const Console err = error_console(arguments);
  auto style =
      progress_style_from_name(arguments.text("progress", err.is_terminal() ? "auto" : "none"));
  if (!style) return report_error(style.error());
  if (arguments.has("list")) return print_tasks(selected->tasks, out);
  if (arguments.has("dry-run")) return print_plan(selected->tasks, *repeat, out);

  Suite chosen = selected->suite;
  chosen.tasks = selected->tasks;
  const bool static_fit = print_findings(check_suite(chosen), selected->tasks, out);
  std::unique_ptr<Sandbox> sandbox;
  if (needs_machine(selected->tasks)) {
    auto opened = open_bubblewrap_sandbox();
    if (!opened) return report_error(opened.error());
    sandbox = *std::move(opened);
  }
  const SystemClock clock;
  const SignalStop signals;
  const int total = static_cast<int>(selected->tasks.size()) * static_cast<int>(*repeat) * 2;
  auto progress = make_progress(*style, err, total, clock);
  auto rows = validate_tasks(selected->tasks, sandbox.get(), clock, static_cast<int>(*repeat),
                             static_cast<int>(*jobs), *progress, signals.token());
  progress.reset();
  if (!rows) {
    const int code = report_error(rows.error());
    return signals.signal() != 0 ? 128 + signals.signal() : code;
  }
  const bool fit = print_validation(*rows, out);
  const bool broken = std::ranges::any_of(
      *rows, [](const TaskValidation& row) { return row.status == ValidationStatus::Broken; });
  // Nothing is known about such a task.
  if (broken) return kExitRunInvalid;
  return fit && static_fit ? kExitDone : kExitGateFailed;
}

}  // namespace

std::vector<Command> suite_commands() {
  Command validate{
      "validate",
      "[SUITE|PATH] [GLOB…]",
      "Check that references pass and doing nothing fails.",
      "Every task is attempted by its own reference solution and by an agent that does nothing.\n"
      "A task whose reference fails on this machine is reported as 'oracle fails here'; with\n"
      "--repeat N a task that passes once and fails once is 'unstable'. Exits 1 on any breach,\n"
      "and 3 if the machine or a grader failed.\n\n"
      "examples:\n"
      "  trialwright validate starter -j 2\n"
      "  trialwright validate path/to/tasks 'git-*' --repeat 5",
      selection_flags(),
      0,
      SIZE_MAX,
      run_validate};
  for (const Flag& flag :
       {Flag{"repeat", "N", "Attempt everything N times to find unstable tasks.", '\0', false},
        Flag{"jobs", "N", "How many attempts at once; 1 if left out.", 'j', false},
        Flag{"progress", "STYLE", "auto, bar, lines or none.", '\0', false},
        Flag{"seed", "N", "Seed of --sample.", '\0', false},
        Flag{"list", "", "Print the chosen tasks and stop.", '\0', false},
        Flag{"dry-run", "", "Print the plan and the most it can take, and stop.", '\0', false}}) {
    validate.flags.push_back(flag);
  }
  validate.flags = with_common(validate.flags);
  return {list_command(), validate};
}

}  // namespace trialwright
