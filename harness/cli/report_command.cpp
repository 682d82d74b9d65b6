#include "harness/cli/report_command.h"

#include "base/files.h"
#include "base/text.h"
#include "harness/cli/commands.h"
#include "results/report/report.h"
#include "results/run_folder.h"
#include "results/run_reader.h"

namespace trialwright {

namespace {

/// Errors: Integrity if the record holds something else there.
Result<std::string> suite_name(const RunRecord& run) {
  const auto suite = run.environment.find("suite");
  if (suite == run.environment.end()) return std::string("run");
  auto name = string_field(*suite, "name");
  if (!name) return integrity("the run's environment: field \"suite\": " + name.error().message);
  return name;
}

/// Everything a page tells of a run; the reader must outlive the input.
Result<ReportInput> read_input(RunReader& reader) {
  ReportInput input;
  auto run = reader.run();
  if (!run) return run.error();
  input.run = *std::move(run);
  auto title = suite_name(input.run);
  if (!title) return title.error();
  input.title = *std::move(title);
  auto changes = reader.served_model_changes();
  if (!changes) return changes.error();
  input.served_model_changes = *std::move(changes);
  auto status = reader.status();
  if (!status) return status.error();
  input.status = *status;
  auto root = reader.root();
  if (!root) return root.error();
  input.root = *root;
  auto trials = reader.trials();
  if (!trials) return trials.error();
  auto grades = reader.grades();
  if (!grades) return grades.error();
  std::map<std::string, std::vector<StoredGrade>> by_trial;
  for (StoredGrade& grade : *grades) by_trial[grade.trial_id].push_back(std::move(grade));
  for (TrialSummary& trial : *trials) {
    ReportTrial row;
    for (StoredGrade& grade : by_trial[trial.trial.id]) {
      if (grade.attempt == trial.finished_attempt) row.grades.push_back(std::move(grade));
    }
    row.summary = std::move(trial);
    input.trials.push_back(std::move(row));
  }
  input.trace = [&reader](const std::string& trial_id) { return reader.trace(trial_id); };
  return input;
}

int run_report(const Arguments& arguments) {
  auto megabytes = arguments.integer("max-megabytes", 30, 1, 1000);
  if (!megabytes) return report_error(megabytes.error());
  auto path = resolve_run(
      runs_folder(), arguments.positionals().empty() ? "last" : arguments.positionals().front());
  if (!path) return report_error(path.error());
  auto reader = RunReader::open(*path);
  if (!reader) return report_error(reader.error());
  auto input = read_input(*reader);
  if (!input) return report_error(input.error().during("reading " + path->string()));
  input->bytes_max = static_cast<std::size_t>(*megabytes) << 20U;
  auto page = render_report(*input);
  if (!page) return report_error(page.error());
  const std::string target = arguments.text("output", "report.html");
  const Console out = output_console(arguments);
  if (target == "-") {
    out.write(*page);
    return kExitDone;
  }
  if (auto written = write_file_atomically(target, *page); !written) {
    report_error(written.error().during("writing the report"));
    return kExitUsage;  // Nothing is wrong with the run, only with the place.
  }
  out.line("wrote " + visible_line(target) + ", " + bytes_text(static_cast<double>(page->size())));
  return kExitDone;
}

}  // namespace

Command report_command() {
  return {
      "report",
      "[RUN]",
      "Write a run as one self-contained HTML page.",
      "The page needs no network and shows the agent's text only as text. Transcripts that do not\n"
      "fit the size are left out, failures last.\n\n"
      "example:\n  trialwright report last -o report.html",
      with_common(
          {{"output", "FILE",
            "Where to write it; report.html if left out, '-' for standard output.", 'o', false},
           {"max-megabytes", "N", "How large the page may become; 30 if left out.", '\0', false}}),
      0,
      1,
      run_report};
}

}  // namespace trialwright
