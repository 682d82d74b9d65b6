#include "harness/cli/run_session.h"

#include "base/text.h"
#include "harness/cli/commands.h"
#include "harness/cli/progress.h"
#include "harness/cli/signals.h"
#include "harness/cli/summary.h"
#include "harness/run/plan.h"
#include "harness/sandbox/cgroup.h"
#include "results/run_folder.h"
#include "results/run_reader.h"

namespace trialwright {

namespace {

/// Of everything that the run holds, trials of earlier sessions included.
Result<int> exit_code_of_run(const std::filesystem::path& path, double error_percent_max,
                             const Console& err) {
  auto reader = RunReader::open(path);
  if (!reader) return reader.error();
  auto counts = reader->verdict_counts();
  if (!counts) return counts.error();
  int scored = 0;
  int broken = 0;
  int attempted = 0;
  for (const auto& [verdict, count] : *counts) {
    if (verdict == Verdict::Skipped) continue;
    attempted += count;
    if (enters_score(verdict)) scored += count;
    // Tampering is the agent's doing.
    if (verdict == Verdict::Infra || verdict == Verdict::GraderError) broken += count;
  }
  if (scored == 0) {
    err.line("the run is invalid: no trial was scored");
    return kExitRunInvalid;
  }
  if (100.0 * broken > error_percent_max * attempted) {
    err.line("the run is invalid: " + std::to_string(broken) + " of " +
             counted(attempted, "trial") + " ended in errors of the machine or the graders");
    return kExitRunInvalid;
  }
  return kExitDone;
}

/// What the trials of earlier sessions were served.
Result<std::string> first_served_model(const std::filesystem::path& path) {
  auto reader = RunReader::open(path);
  if (!reader) return reader.error();
  return reader->first_served_model();
}

/// What `resume` finds the run by: its id, or the file where that lies elsewhere.
std::string name_of_run(const std::string& id, const std::filesystem::path& path) {
  if (path == run_file(runs_folder(), id)) return id;
  return std::filesystem::absolute(path).string();
}

}  // namespace

Result<SessionSettings> read_session_settings(const Arguments& arguments) {
  SessionSettings settings;
  auto jobs = arguments.integer("jobs", 1, 1, kJobsMax);
  auto tokens = arguments.integer("max-tokens", 0, 1, INT64_MAX);
  auto seconds = arguments.integer("max-time", 0, 1, 10'000'000);
  for (const auto* number : {&jobs, &tokens, &seconds}) {
    if (!*number) return number->error();
  }
  auto percent = arguments.number("max-error-rate", settings.error_percent_max, 0, 100);
  if (!percent) return percent.error();
  auto progress = progress_style_from_name(arguments.text("progress", "auto"));
  if (!progress) return progress.error();
  settings.jobs = static_cast<int>(*jobs);
  if (arguments.has("max-tokens")) settings.limits.tokens_max = *tokens;
  if (arguments.has("max-time")) settings.limits.time_max = std::chrono::seconds(*seconds);
  settings.error_percent_max = *percent;
  settings.quiet = arguments.has("quiet");
  settings.progress = settings.quiet ? ProgressStyle::None : *progress;
  return settings;
}

std::string limits_warning(const Json& capabilities) {
  if (capabilities.value("limits", "") != limit_mode_name(LimitMode::Rlimits)) return "";
  return "memory is limited for each process and processes for each user, not for each trial: no "
         "control group can be made here";
}

std::vector<Flag> session_flags() {
  return {
      {"jobs", "N", "Trials at once; 1 if left out. The embedded model computes up to 8 together.",
       'j', false},
      {"max-tokens", "N",
       "Start no more trials once N tokens are generated; those under way end as usual (exit 7; "
       "resume goes on).",
       '\0', false},
      {"max-time", "SECONDS",
       "Start no more trials after this time; those under way end as usual (exit 7; resume goes "
       "on).",
       '\0', false},
      {"max-error-rate", "PERCENT",
       "More errors of machine or graders make the run invalid (exit 3); 10 if left out.", '\0',
       false},
      {"progress", "STYLE", "auto, bar, lines or none.", '\0', false},
      {"durable", "", "Commits reach the disk before they count, so a power cut loses nothing.",
       '\0', false},
      {"quiet", "",
       "Print nothing on standard output but the run's id, or its file where --output names one.",
       'q', false},
  };
}

int run_session(RunStore store, const RunSpec& spec, const std::vector<Task>& tasks, Model* model,
                Sandbox* sandbox, const SessionSettings& settings, const Arguments& arguments) {
  const Console out = output_console(arguments);
  const Console err = error_console(arguments);
  auto matched = match_tasks(store.pending(), tasks);
  if (!matched) return report_error(matched.error());

  const SystemClock clock;
  const SignalStop signals;
  const int total = static_cast<int>(store.pending().size());
  auto progress = make_progress(settings.progress, err, total, clock);
  const std::string id = store.run().id;
  const std::string warning = sandbox == nullptr ? "" : limits_warning(sandbox->capabilities());
  if (!warning.empty()) err.line(err.paint("!", Colour::Yellow) + " " + warning);
  if (!settings.quiet) {
    err.line("run " + err.paint(id, Colour::Bold) + "  " + counted(total, "trial") + ", " +
             (spec.model.empty() ? "agent " + std::string(agent_name(spec.agent))
                                 : visible_line(spec.model)) +
             (model == nullptr
                  ? ""
                  : ", " + std::string(protocol_name(spec.scaffold.protocol)) + " tool calls") +
             ", -j " + std::to_string(settings.jobs));
  }

  auto first_served = first_served_model(store.path());
  if (!first_served) return report_error(first_served.error());
  ServedModelWatch served(*first_served);
  const TrialContext context{spec, model, sandbox, clock, served};
  auto made = make_trials(store, *matched, context, settings.limits, settings.jobs, *progress,
                          signals.token());
  progress.reset();
  if (!made) return report_error(made.error().during("run " + id));
  const std::filesystem::path path = store.path();
  auto root = store.finish(made->status);
  if (!root) return report_error(root.error().during("closing run " + id));
  // From here the run is one closed file.
  if (settings.quiet) {
    out.line(name_of_run(id, path));
    if (auto flagged = print_flags(path, err); !flagged) return report_error(flagged.error());
  } else if (auto printed = print_summary(path, out); !printed) {
    return report_error(printed.error());
  } else {
    print_speculation(model, out);
    out.line("root " + root->hex());
  }
  const std::string resume = "'trialwright resume " + name_of_run(id, path) + "' makes the rest";
  if (signals.signal() != 0) {
    err.line("stopped; " + resume);
    return 128 + signals.signal();
  }
  const bool stopped_by_budget = made->status == RunStatus::BudgetStop;
  if (stopped_by_budget) err.line("the run's budget is spent; " + resume);
  auto code = exit_code_of_run(path, settings.error_percent_max, err);
  if (!code) return report_error(code.error());
  // An invalid run is the worse news of the two.
  return *code == kExitDone && stopped_by_budget ? kExitBudgetStop : *code;
}

}  // namespace trialwright
