#include <sys/utsname.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "base/clock.h"
#include "base/text.h"
#include "harness/cli/commands.h"
#include "harness/cli/open_model.h"
#include "harness/cli/run_session.h"
#include "harness/cli/task_selection.h"
#include "harness/run/plan.h"
#include "inference/cpu/isa.h"
#include "results/run_folder.h"

namespace trialwright {

namespace {

constexpr const char* kDefaultModel = "qwen2.5-coder-1.5b";

Result<RunSpec> read_spec(const Arguments& arguments, const SelectedTasks& selected) {
  RunSpec spec;
  spec.suite = selected.suite_name;
  auto agent = agent_from_name(arguments.text("agent", "model"));
  if (!agent) return agent.error().during("--agent");
  spec.agent = *agent;
  if (spec.agent == AgentKind::Model) {
    // The run may be resumed and its trials replayed from another folder.
    spec.model = rooted_model_name(arguments.text("model", kDefaultModel));
  }
  auto scaffold = load_scaffold(arguments.text("scaffold"));
  if (!scaffold) return scaffold.error();
  spec.scaffold = *std::move(scaffold);
  auto sampling = read_sampling(arguments, spec.scaffold.sampling);
  if (!sampling) return sampling.error();
  spec.scaffold.sampling = *sampling;
  if (arguments.has("protocol")) {
    const auto protocol = protocol_from_name(arguments.text("protocol"));
    if (!protocol) return invalid("--protocol must be auto, native or fenced");
    spec.scaffold.protocol = *protocol;
  }
  auto turns = arguments.integer("max-turns", spec.scaffold.limits.turns_max, 1, 10'000);
  auto epochs = arguments.integer("epochs", 1, 1, 10'000);
  auto seed = arguments.integer("seed", 0, 0, INT64_MAX);
  auto timeout = arguments.integer("trial-timeout", 0, 1, 1'000'000);
  auto engine = read_model_options(arguments);
  if (!engine) return engine.error();
  for (const auto* number : {&turns, &epochs, &seed, &timeout}) {
    if (!*number) return number->error();
  }
  spec.scaffold.limits.turns_max = static_cast<int>(*turns);
  spec.epochs = static_cast<int>(*epochs);
  spec.seed = static_cast<std::uint64_t>(*seed);
  if (arguments.has("trial-timeout")) spec.trial_timeout = std::chrono::seconds(*timeout);
  if (arguments.has("context")) spec.context_tokens_max = engine->engine.context_tokens_max;
  return spec;
}

std::string cpu_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name"))
      return std::string(trimmed(line.substr(line.find(':') + 1)));
  }
  return "unknown";
}

Json environment_record(const Model* model, const Sandbox* sandbox, const SelectedTasks& selected,
                        int jobs) {
  struct utsname system {};
  ::uname(&system);
  Json record = {{"trialwright", TRIALWRIGHT_VERSION},
                 {"kernel", std::string(system.sysname) + " " + system.release},
                 {"cpu", cpu_name()},
                 {"cpu_threads", std::thread::hardware_concurrency()},
                 {"instruction_set", isa_name(best_isa())},
                 {"suite", {{"name", selected.suite.name}, {"version", selected.suite.version}}},
                 {"jobs", jobs}};
  if (model != nullptr) {
    const ModelIdentity& identity = model->identity();
    record["model"] = {{"name", identity.name},
                       {"digest", identity.digest},
                       {"provider", identity.provider},
                       {"description", identity.description}};
  }
  if (sandbox != nullptr) record["sandbox"] = sandbox->capabilities();
  return record;
}

/// The plan and the most it can cost, before anything is started.
int print_plan(const RunSpec& spec, const std::vector<Task>& tasks, const Console& out) {
  const auto trials = static_cast<std::int64_t>(tasks.size()) * spec.epochs;
  std::int64_t turns = 0;
  std::int64_t tokens = 0;
  std::chrono::seconds time{0};
  for (const Task& task : tasks) {
    time += agent_time_max(spec, task) * spec.epochs;
    if (spec.agent != AgentKind::Model) continue;
    if (const auto* question = std::get_if<QaTask>(&task.content)) {
      // Endpoints cannot compare choices by their probabilities, and are asked for the letter.
      const bool choice =
          std::holds_alternative<ChoiceAnswer>(question->answer) && !is_endpoint(spec.model);
      turns += choice ? 0 : spec.epochs;
      tokens += choice ? 0 : static_cast<std::int64_t>(question->tokens_max) * spec.epochs;
    } else {
      turns += static_cast<std::int64_t>(spec.scaffold.limits.turns_max) * spec.epochs;
      tokens += static_cast<std::int64_t>(spec.scaffold.limits.tokens_max) * spec.epochs;
    }
  }
  out.line("plan  " + counted(static_cast<std::int64_t>(tasks.size()), "task") + " × " +
           counted(spec.epochs, "epoch") + " = " + counted(trials, "trial"));
  out.line("agent " + std::string(agent_name(spec.agent)) +
           (spec.model.empty() ? "" : " " + visible_line(spec.model)) + "  scaffold " +
           visible_line(spec.scaffold.name) + "  seed " + std::to_string(spec.seed));
  out.line("at most " + counted(turns, "turn") + ", " + counted(tokens, "generated token") + ", " +
           duration_text(time) + " of agents' time");
  return kExitDone;
}

struct OpenParts {
  std::unique_ptr<Model> model;
  std::unique_ptr<Sandbox> sandbox;
};

/// Threads and device as the flags say; what decides a trial's course as the run was told.
Result<EmbeddedModelOptions> model_options_of(const RunSpec& spec, const Arguments& arguments) {
  auto options = read_model_options(arguments);
  if (!options) return options;
  const int recorded = spec.context_tokens_max.value_or(0);
  if (arguments.has("context") && options->engine.context_tokens_max != recorded) {
    return invalid("--context " + std::to_string(options->engine.context_tokens_max) +
                   " is not what the run began with, " +
                   (recorded == 0 ? "the model's own" : std::to_string(recorded)));
  }
  options->engine.context_tokens_max = recorded;
  return options;
}

Result<OpenParts> open_parts(const RunSpec& spec, const std::vector<Task>& tasks,
                             const Arguments& arguments) {
  OpenParts parts;
  if (needs_machine(tasks)) {
    auto sandbox = open_bubblewrap_sandbox();
    if (!sandbox) return sandbox.error();
    parts.sandbox = *std::move(sandbox);
  }
  if (spec.agent == AgentKind::Model) {
    auto options = model_options_of(spec, arguments);
    if (!options) return options.error();
    auto model = open_model(spec.model, *options);
    if (!model) return model.error();
    if (needs_machine(tasks) && !(*model)->identity().can_chat) {
      return invalid("the model \"" + spec.model +
                     "\" has no chat template, so it can answer questions but cannot work in a "
                     "workspace; choose questions only, such as 'qa/**' of the starter suite");
    }
    parts.model = *std::move(model);
  }
  return parts;
}

int run_run(const Arguments& arguments) {
  auto selected = select_tasks(arguments);
  if (!selected) return report_error(selected.error());
  if (selected->tasks.empty()) return report_empty_selection(*selected);
  const Console out = output_console(arguments);
  if (arguments.has("list")) return print_tasks(selected->tasks, out);
  auto spec = read_spec(arguments, *selected);
  if (!spec) return report_error(spec.error());
  auto settings = read_session_settings(arguments);
  if (!settings) return report_error(settings.error());
  if (arguments.has("dry-run")) return print_plan(*spec, selected->tasks, out);

  auto parts = open_parts(*spec, selected->tasks, arguments);
  if (!parts) return report_error(parts.error());
  std::string digest(agent_name(spec->agent));
  if (parts->model) {
    const ModelIdentity& identity = parts->model->identity();
    spec->scaffold.protocol = settled_protocol(spec->scaffold.protocol, spec->model, identity);
    digest = identity.digest;
  } else {
    spec->scaffold.protocol = ToolProtocol::Native;
  }
  const SystemClock clock;
  const auto trials = plan_trials(*spec, selected->tasks, digest);
  const RunRecord record{
      new_run_id(clock), clock.wall_us(), spec_to_json(*spec),
      environment_record(parts->model.get(), parts->sandbox.get(), *selected, settings->jobs)};
  const std::filesystem::path path = arguments.has("output")
                                         ? std::filesystem::path(arguments.text("output"))
                                         : run_file(runs_folder(), record.id);
  auto store = RunStore::create(path, record, trials, clock, {arguments.has("durable")});
  if (!store) return report_error(store.error().during("starting the run"));
  return run_session(*std::move(store), *spec, selected->tasks, parts->model.get(),
                     parts->sandbox.get(), *settings, arguments);
}

Result<std::string> recorded_model_digest(const RunRecord& run) {
  const auto model = run.environment.find("model");
  if (model == run.environment.end()) return integrity("field \"model\" of the record is missing");
  auto digest = string_field(*model, "digest");
  if (!digest) return integrity(digest.error().message).during("field \"model\" of the record");
  return digest;
}

int run_resume(const Arguments& arguments) {
  auto settings = read_session_settings(arguments);
  if (!settings) return report_error(settings.error());
  auto path = resolve_run(runs_folder(), arguments.positionals().front());
  if (!path) return report_error(path.error());
  const SystemClock clock;
  auto store = RunStore::open_for_resume(*path, clock, {arguments.has("durable")});
  if (!store) return report_error(store.error());
  auto spec = recorded_spec(store->run());
  if (!spec) return report_error(spec.error().during(path->string()));
  if (arguments.has("model") && rooted_model_name(arguments.text("model")) != spec->model) {
    return report_error(invalid("--model is not what the run began with, \"" + spec->model + "\""));
  }
  if (auto trusted = check_recorded_endpoint(spec->model, arguments); !trusted) {
    return report_error(trusted.error());
  }
  if (!arguments.has("jobs")) {
    auto jobs = int_field_or(store->run().environment, "jobs", 1);
    if (!jobs) return report_error(integrity(jobs.error().message).during(path->string()));
    settings->jobs = static_cast<int>(std::clamp<std::int64_t>(*jobs, 1, kJobsMax));
  }
  auto folder = find_suite(spec->suite, suite_search_path());
  if (!folder) return report_error(folder.error());
  auto suite = load_suite(*folder);
  if (!suite) return report_error(suite.error());
  auto matched = match_tasks(store->pending(), suite->tasks);
  if (!matched) return report_error(matched.error());
  std::vector<Task> tasks;
  for (const auto& [id, task] : *matched) tasks.push_back(*task);
  auto parts = open_parts(*spec, tasks, arguments);
  if (!parts) return report_error(parts.error());
  std::string digest(agent_name(spec->agent));
  if (parts->model) {
    auto recorded = recorded_model_digest(store->run());
    if (!recorded) return report_error(recorded.error().during(path->string()));
    digest = parts->model->identity().digest;
    if (*recorded != digest) {
      return report_error(
          invalid("the model \"" + spec->model + "\" is another one than when the run began"));
    }
  }
  if (auto same = check_identities(store->pending(), *matched, *spec, digest); !same) {
    return report_error(same.error().during("resuming " + path->string()));
  }
  return run_session(*std::move(store), *spec, tasks, parts->model.get(), parts->sandbox.get(),
                     *settings, arguments);
}

void add(std::vector<Flag>& flags, std::vector<Flag> more) {
  for (Flag& flag : more) flags.push_back(std::move(flag));
}

}  // namespace

std::vector<Command> run_commands() {
  std::vector<Flag> flags = selection_flags();
  add(flags,
      {{"model", "MODEL",
        "A name of 'models list', a GGUF file or a folder with Safetensors, "
        "http://HOST/v1#NAME, or scripted:FILE; qwen2.5-coder-1.5b if left out.",
        'm', false},
       {"agent", "KIND", "model, nothing or reference: the two baselines need no model.", '\0',
        false},
       {"scaffold", "FILE", "A scaffold document (TOML); the bundled one if left out.", '\0',
        false},
       {"protocol", "NAME", "How tools are called: auto, native or fenced.", '\0', false},
       {"epochs", "N", "Attempts at each task; 1 if left out.", 'e', false},
       {"seed", "N", "Seed of every draw, --sample included; 0 if left out.", '\0', false},
       {"max-turns", "N", "Turns in a trial, instead of the scaffold's limit.", '\0', false},
       {"trial-timeout", "SECONDS",
        "Time of an agent in a trial, all steps together, instead of the task's.", '\0', false},
       {"list", "", "Print the chosen tasks and stop.", '\0', false},
       {"dry-run", "", "Print the plan and the most it can cost, and stop.", '\0', false},
       {"output", "FILE", "The run's file; a new one in the runs folder if left out.", 'o',
        false}});
  add(flags, sampling_flags());
  add(flags, session_flags());
  add(flags, engine_flags());
  std::vector<Flag> resume_flags = session_flags();
  resume_flags.push_back({"model", "MODEL",
                          "The run's own model, to confirm an endpoint on another machine.", 'm',
                          false});
  add(resume_flags, engine_flags());
  return {
      {"run", "[SUITE] [GLOB…]", "Make trials of tasks and record them.",
       "Makes every chosen task's trials, grades them, and keeps each step in one SQLite\n"
       "file. SUITE is a bundled suite ('starter' if left out) or a folder of tasks. A run\n"
       "never exits non-zero because an agent failed.\n\n"
       "examples:\n"
       "  trialwright run starter --model qwen2.5-coder-1.5b --epochs 2 -j 2\n"
       "  trialwright run starter 'files/**' -k 'not tag:slow' --limit 5\n"
       "  trialwright run path/to/tasks --agent reference\n"
       "  trialwright run starter --model http://127.0.0.1:8080/v1#my-model",
       with_common(flags), 0, SIZE_MAX, run_run},
      {"resume", "RUN", "Make the trials that a run lacks.",
       "RUN is a run's id or its beginning, 'last', or a file. Only what is missing is made, by\n"
       "trial id; tasks or models that changed since are refused.",
       with_common(resume_flags), 1, 1, run_resume},
  };
}

}  // namespace trialwright
