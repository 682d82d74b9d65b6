#include <algorithm>

#include "base/clock.h"
#include "base/text.h"
#include "harness/cli/commands.h"
#include "harness/cli/open_model.h"
#include "harness/cli/report_command.h"
#include "harness/cli/signals.h"
#include "harness/cli/summary.h"
#include "harness/run/replay.h"
#include "harness/run/spec.h"
#include "results/run_folder.h"
#include "results/run_reader.h"
#include "results/terminal_text.h"
#include "results/transcript.h"

namespace trialwright {

namespace {

Result<void> show_trial(RunReader& reader, const std::string& trial_id, bool full,
                        const Console& out) {
  auto trial = reader.trial(trial_id);
  if (!trial) return trial.error();
  auto trace = reader.trace(trial_id);
  if (!trace && trace.error().kind != ErrorKind::NotFound) return trace.error();
  auto grades = reader.grades(trial_id);
  if (!grades) return grades.error();
  TranscriptOptions options;
  options.width = out.columns();
  options.colour = out.has_colours();
  if (full) options.lines_max = 0;
  out.write(render_transcript(*trial, trace ? *trace : Trace{}, *grades, options));
  return {};
}

/// The first folder of the tasks' ids, if all have the same: the suite's name. A trial is found
/// without it.
std::string_view common_folder(const std::vector<TrialSummary>& trials) {
  if (trials.empty()) return "";
  const std::string_view first = trials.front().trial.task;
  const std::string_view folder = first.substr(0, first.find('/') + 1);
  const bool shared = std::ranges::all_of(
      trials, [&](const TrialSummary& trial) { return trial.trial.task.starts_with(folder); });
  return shared ? folder : "";
}

std::vector<std::string> outcome_cells(const TrialSummary& trial) {
  if (!trial.outcome) return {"· missing", "-", "-", "-"};
  const TrialOutcome& outcome = *trial.outcome;
  return {std::string(verdict_glyph(outcome.verdict)) + " " +
              std::string(verdict_name(outcome.verdict)),
          outcome.reward ? to_text(Json(*outcome.reward)) : "-", std::to_string(outcome.turns),
          duration_text(outcome.total_time)};
}

/// One trial a line, each by a name that `show` takes.
Result<void> show_trials(RunReader& reader, const Console& out) {
  auto trials = reader.trials();
  if (!trials) return trials.error();
  // Whoever reads a file or a pipe gets everything; a screen what fits on it.
  const bool whole = !out.is_terminal();
  const std::size_t skipped = whole ? 0 : common_folder(*trials).size();
  constexpr int kBesideName = 38;
  const int name_columns = std::max(12, out.table_columns() - kBesideName);
  std::vector<std::vector<std::string>> rows = {{"TRIAL", "VERDICT", "REWARD", "TURNS", "TIME"}};
  if (whole) rows.front().emplace_back("ID");
  for (const TrialSummary& trial : *trials) {
    const std::string name =
        trial.trial.task.substr(skipped) + "@" + std::to_string(trial.trial.epoch);
    std::vector<std::string> row = {cut_start_to(visible_line(name), name_columns)};
    for (std::string& cell : outcome_cells(trial)) row.push_back(std::move(cell));
    if (whole) row.push_back(trial.trial.id.substr(0, 10));
    rows.push_back(std::move(row));
  }
  out.write(table_text(rows, {2, 3, 4}, out.table_columns()));
  return {};
}

int run_show(const Arguments& arguments) {
  const std::string text =
      arguments.positionals().empty() ? "last" : arguments.positionals().front();
  auto reference = resolve_run_or_trial(runs_folder(), text);
  if (!reference) return report_error(reference.error());
  auto reader = RunReader::open(reference->run);
  if (!reader) return report_error(reader.error());
  const Console out = output_console(arguments);
  if (!reference->trial_id.empty()) {
    auto shown = show_trial(*reader, reference->trial_id, arguments.has("full"), out);
    return shown ? kExitDone : report_error(shown.error());
  }
  if (auto shown = show_trials(*reader, out); !shown) return report_error(shown.error());
  out.line("");
  auto printed = print_summary(reference->run, out);
  return printed ? kExitDone : report_error(printed.error());
}

int run_search(const Arguments& arguments) {
  const auto& operands = arguments.positionals();
  auto limit = arguments.integer("limit", 100, 1, 100'000);
  if (!limit) return report_error(limit.error());
  auto path = resolve_run(runs_folder(), operands.size() > 1 ? operands[1] : "last");
  if (!path) return report_error(path.error());
  auto reader = RunReader::open(*path);
  if (!reader) return report_error(reader.error());
  auto hits = reader->search(operands.front(), static_cast<std::size_t>(*limit));
  if (!hits) return report_error(hits.error());
  const Console out = output_console(arguments);
  for (const SearchHit& hit : *hits) {
    const std::string trial = visible_line(hit.task) + "@" + std::to_string(hit.epoch);
    const std::string event = "#" + std::to_string(hit.sequence) + " " + visible_line(hit.kind);
    out.line(out.paint(trial, Colour::Bold) + " " + out.paint(event, Colour::Dim) + "  " +
             visible_line(hit.excerpt));
  }
  if (hits->empty()) error_console(arguments).line("nothing found in " + path->string());
  return kExitDone;
}

int run_verify(const Arguments& arguments) {
  auto path = resolve_run(
      runs_folder(), arguments.positionals().empty() ? "last" : arguments.positionals().front());
  if (!path) return report_error(path.error());
  auto reader = RunReader::open(*path);
  if (!reader) return report_error(reader.error());
  auto report = reader->verify();
  if (!report) return report_error(report.error());
  const Console out = output_console(arguments);
  for (const StoreProblem& problem : report->problems) {
    out.line(out.paint("✗", Colour::Red) + " " + visible_line(problem.what));
  }
  const std::string all = counted(report->trials, "trial") + " (" + grouped(report->finished) +
                          " finished), " + counted(report->events, "event") + ", " +
                          counted(report->blobs, "text") + ", " + counted(report->grades, "grade");
  if (!report->problems.empty()) {
    out.line("checked " + all + ": not as written are " +
             counted(static_cast<std::int64_t>(report->problems.size()), "row"));
    return kExitIntegrity;
  }
  out.line(out.paint("✓", Colour::Green) + " " + all + ": everything is as it was written");
  out.line("root " + report->root.hex());
  return kExitDone;
}

int run_replay(const Arguments& arguments) {
  auto reference = resolve_trial(runs_folder(), arguments.positionals().front());
  if (!reference) return report_error(reference.error());
  auto reader = RunReader::open(reference->run);
  if (!reader) return report_error(reader.error());
  auto record = reader->run();
  if (!record) return report_error(record.error());
  auto spec = recorded_spec(*record);
  if (!spec) return report_error(spec.error().during(reference->run.string()));
  const std::string name = arguments.text("model", spec->model);
  if (name.empty()) {
    return report_error(invalid("the run had no model, so there is nothing to replay"));
  }
  if (auto trusted = check_recorded_endpoint(name, arguments); !trusted) {
    return report_error(trusted.error());
  }
  auto options = read_model_options(arguments);
  if (!options) return report_error(options.error());
  if (!arguments.has("context"))
    options->engine.context_tokens_max = spec->context_tokens_max.value_or(0);
  auto model = open_model(name, *options);
  if (!model) return report_error(model.error());
  const SignalStop signals;
  auto report =
      replay_trial(*reader, reference->trial_id, **model,
                   {.guess_from_trace = arguments.has("guess-from-trace")}, signals.token());
  if (!report) {
    const int code = report_error(report.error());
    return signals.signal() != 0 ? 128 + signals.signal() : code;
  }
  const Console out = output_console(arguments);
  if (report->same) {
    out.line(out.paint("✓ same", Colour::Green) + "  " + counted(report->tokens, "token") + " in " +
             counted(report->turns, "turn"));
    return kExitDone;
  }
  const auto shown = [](std::int32_t token) {
    return token < 0 ? std::string("the end of the turn") : "token " + std::to_string(token);
  };
  out.line(out.paint("✗ different", Colour::Red) + "  turn " + std::to_string(report->turn) +
           ", position " + std::to_string(report->position) + ": recorded " +
           shown(report->recorded_token) + ", now " + shown(report->replayed_token) + "; " +
           counted(report->tokens, "token") + " before it as recorded");
  return kExitGateFailed;
}

}  // namespace

std::vector<Command> inspection_commands() {
  std::vector<Flag> replay_flags = engine_flags();
  replay_flags.push_back(
      {"model", "MODEL",
       "Another model than the run's, or its own, to confirm an endpoint on another machine.", 'm',
       false});
  replay_flags.push_back({"guess-from-trace", "",
                          "Let the model guess from the recorded tokens: faster, same result.",
                          '\0', false});
  return {
      {"show", "[RUN|TRIAL]", "Show a run's trials, or one trial's transcript.",
       "RUN is an id or its beginning, 'last' (if left out), or a file. TRIAL is the beginning of "
       "a\n"
       "trial's id or TASK@EPOCH, in the last run or after 'RUN:'.\n\n"
       "examples:\n"
       "  trialwright show\n"
       "  trialwright show files/rename@1\n"
       "  trialwright show 01JB8:3f2a",
       with_common({{"full", "", "Show long texts whole.", '\0', false}}), 0, 1, run_show},
      {"search", "TEXT [RUN]", "Find a text in a run's transcripts.", "",
       with_common({{"limit", "N", "Stop after N hits; 100 if left out.", '\0', false}}), 1, 2,
       run_search},
      {"verify", "[RUN]", "Check that a run's file is as it was written.",
       "Recomputes every hash and chain. Exits 6 if a row was changed, naming it.", with_common({}),
       0, 1, run_verify},
      {"replay", "TRIAL", "Ask the model a trial's questions again and compare tokens.",
       "Exits 1 and names the first token that differs, if one does. Commands are not run again.",
       with_common(replay_flags), 1, 1, run_replay},
      report_command(),
  };
}

}  // namespace trialwright
