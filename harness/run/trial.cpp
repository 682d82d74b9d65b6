#include "harness/run/trial.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "base/files.h"
#include "base/text.h"
#include "graders/answer_grader.h"
#include "graders/choice_grader.h"
#include "graders/tests_grader.h"
#include "harness/agent/episode.h"
#include "results/event_format.h"

namespace trialwright {

namespace {

namespace fs = std::filesystem;
using Micros = std::chrono::microseconds;

Micros since(const Clock& clock, std::chrono::steady_clock::time_point start) {
  return std::chrono::duration_cast<Micros>(clock.now() - start);
}

/// Writes what the episode does into the trial's record as it happens.
class RecordingObserver final : public EpisodeObserver {
 public:
  RecordingObserver(const PlannedTrial& trial, ServedModelWatch& served, TrialRecorder& recorder,
                    TurnObserver& turns)
      : trial_(trial), served_(served), recorder_(recorder), turns_(turns) {}

  Result<void> opened(std::span<const Message> opening,
                      std::span<const ToolDefinition> tools) override {
    return recorder_.opening(opening, tools);
  }
  Result<void> completed(std::span<const Message> sent, const Completion& completion) override {
    turns_.turn_ended(trial_, ++count_);
    if (const auto first = served_.differs_from_first(completion.served_model)) {
      auto noted =
          recorder_.note(kOtherModelServed, {{"first", *first}, {"now", completion.served_model}});
      if (!noted) return noted;
    }
    return recorder_.completion(sent, completion);
  }
  Result<void> observed(const Observation& observation) override {
    return recorder_.observation(observation);
  }

 private:
  const PlannedTrial& trial_;
  ServedModelWatch& served_;
  TrialRecorder& recorder_;
  TurnObserver& turns_;
  int count_ = 0;
};

bool ended_by_limit(EpisodeEnd end) {
  return end == EpisodeEnd::TurnLimit || end == EpisodeEnd::TokenLimit ||
         end == EpisodeEnd::RepeatLimit || end == EpisodeEnd::TimeLimit ||
         end == EpisodeEnd::ContextFull;
}

/// The first line, with digits and paths made alike, so that the same cause gives the same text.
std::string alike(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, text.find('\n')).substr(0, 120)) {
    const bool digit = c >= '0' && c <= '9';
    if (!digit)
      out += c;
    else if (out.empty() || out.back() != '#')
      out += '#';
  }
  return out;
}

void add_usage(TrialOutcome& outcome, const Trace& trace) {
  outcome.turns = static_cast<int>(trace.turns.size());
  for (const Turn& turn : trace.turns) {
    const Usage& usage = turn.completion.usage;
    outcome.prompt_tokens += usage.prompt_tokens;
    outcome.cached_tokens += usage.cached_tokens;
    outcome.completion_tokens += usage.completion_tokens;
    const Timings& timings = turn.completion.timings;
    outcome.model_time += timings.queued + timings.prefill + timings.decode;
  }
}

TrialResult without_grade(Verdict verdict, const std::string& reason) {
  TrialResult result;
  result.outcome.verdict = verdict;
  result.outcome.reason = reason;
  result.outcome.signature = std::string(verdict_name(verdict)) + ": " + alike(reason);
  return result;
}

TrialResult graded(Grade grade, const Trace& trace) {
  TrialResult result;
  TrialOutcome& outcome = result.outcome;
  const bool limited = ended_by_limit(trace.end);
  outcome.verdict = grade.score >= 1 ? Verdict::Passed : limited ? Verdict::Limit : Verdict::Failed;
  outcome.reward = grade.score;
  if (outcome.verdict != Verdict::Passed) {
    outcome.reason = grade.explanation;
    outcome.signature = std::string(episode_end_name(trace.end)) + ": " + alike(grade.explanation);
  }
  result.grades.push_back(std::move(grade));
  return result;
}

/// What an error on the way means: the agent is not to blame for any of them.
Result<TrialResult> broken(const Error& error, std::stop_token stop, Verdict verdict) {
  if (error.kind == ErrorKind::Cancelled || stop.stop_requested()) {
    return cancelled("the trial was stopped");
  }
  return without_grade(verdict, error.message);
}

/// Puts the reference solution into the machine, at /solution.
Result<void> stage_solution(const fs::path& folder, Workspace& workspace) {
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator(folder, error)) {
    if (!entry.is_regular_file()) continue;
    auto content = read_file(entry.path());
    if (!content) return content.error();
    const bool executable =
        (entry.status().permissions() & fs::perms::owner_exec) != fs::perms::none;
    auto written =
        workspace.write_file("/solution/" + fs::relative(entry.path(), folder).generic_string(),
                             *content, executable ? 0755U : 0644U);
    if (!written) return written.error();
  }
  if (error) return unavailable(folder.string() + ": " + error.message());
  return {};
}

Result<void> run_reference(const TaskStep& step, const TaskLimits& limits, Workspace& workspace,
                           TrialRecorder& recorder, std::stop_token stop) {
  if (!step.solution_folder.empty()) {
    if (auto staged = stage_solution(step.solution_folder, workspace); !staged) return staged;
  }
  CommandOptions options;
  options.timeout = step.agent_timeout.value_or(limits.agent_timeout);
  options.env = step.solution_env;
  options.merge_streams = true;
  const std::vector<std::string> argv = {"bash", "-c", step.solution_command};
  auto result = workspace.run(argv, options, stop);
  if (!result) return result.error();
  if (result->end == CommandEnd::Cancelled) return cancelled("the reference was stopped");
  return recorder.note("reference solution", {{"end", command_end_name(result->end)},
                                              {"code", result->code},
                                              {"output", to_valid_utf8(result->out.text())}});
}

/// One trial of a task that is solved on a machine.
class WorkspaceTrial {
 public:
  WorkspaceTrial(const PlannedTrial& planned, const Task& task, const TrialContext& context,
                 TrialRecorder& recorder, TurnObserver& turns)
      : task_(task),
        content_(std::get<WorkspaceTask>(task.content)),
        context_(context),
        recorder_(recorder),
        observer_(planned, context.served, recorder, turns),
        seed_(planned.seed) {
    trace_.end = EpisodeEnd::NoToolCall;
  }

  Result<TrialResult> make(std::stop_token stop) {
    if (!content_.unsupported.empty()) {
      return without_grade(Verdict::Skipped, "not run here: " + content_.unsupported);
    }
    if (context_.spec.agent == AgentKind::Reference && lacks_solution()) {
      return without_grade(Verdict::Skipped, "the task has no reference solution");
    }
    CHECK(context_.sandbox != nullptr, "a run with workspace tasks opens a sandbox");
    const auto start = context_.clock.now();
    auto image = context_.sandbox->build(content_.environment, task_.limits, stop);
    if (!image) return broken(image.error().during("building the machine"), stop, Verdict::Infra);
    auto machine = context_.sandbox->start(*image, task_.limits, {});
    if (!machine)
      return broken(machine.error().during("starting the machine"), stop, Verdict::Infra);
    setup_time_ = since(context_.clock, start);
    image_ = *std::move(image);
    auto result = take_steps(**machine, stop);
    if (!result) return result;
    result->outcome.setup_time = setup_time_;
    result->outcome.grading_time = grading_time_;
    add_usage(result->outcome, trace_);
    result->outcome.tool_time = std::max(Micros(0), agent_time_ - result->outcome.model_time);
    return result;
  }

 private:
  Result<TrialResult> take_steps(AgentWorkspace& machine, std::stop_token stop) {
    std::vector<Grade> grades;
    for (std::size_t i = 0; i < content_.steps.size(); ++i) {
      const TaskStep& step = content_.steps[i];
      const auto start = context_.clock.now();
      auto acted = act(step, machine, stop);
      agent_time_ += since(context_.clock, start);
      if (!acted) return broken(acted.error(), stop, Verdict::Infra);
      if (stop.stop_requested()) return cancelled("the trial was stopped");
      // From here the agent can no longer act; only graders may look at the state.
      const auto grading_start = context_.clock.now();
      auto grade = grade_step(i, machine, stop);
      grading_time_ += since(context_.clock, grading_start);
      if (!tampering_.empty()) {
        auto recorded = recorder_.agent_end(trace_.end, trace_.error, trace_.answer);
        if (!recorded) return recorded.error();
        return without_grade(Verdict::Invalid, "tampering: " + joined(tampering_, "; "));
      }
      if (!grade) return broken(grade.error().during("grading"), stop, Verdict::GraderError);
      const bool goes_on = goes_on_after(step, *grade) && !ended_by_limit(trace_.end);
      grades.push_back(*std::move(grade));
      if (!goes_on) break;
    }
    auto recorded = recorder_.agent_end(trace_.end, trace_.error, trace_.answer);
    if (!recorded) return recorded.error();
    Grade combined = tests_.combine(content_, grades);
    return graded(std::move(combined), trace_);
  }

  [[nodiscard]] bool lacks_solution() const {
    return std::ranges::any_of(content_.steps,
                               [](const TaskStep& step) { return step.solution_command.empty(); });
  }

  /// Lets the agent, or its stand-in, work on one step.
  Result<void> act(const TaskStep& step, AgentWorkspace& machine, std::stop_token stop) {
    if (context_.spec.agent == AgentKind::Nothing) return {};
    if (context_.spec.agent == AgentKind::Reference) {
      // Solutions install what their image lacks; here everything is there, and no network is.
      machine.offer_installers();
      return run_reference(step, task_.limits, machine, recorder_, stop);
    }
    const auto timeout = context_.spec.trial_timeout.value_or(
        step.agent_timeout.value_or(task_.limits.agent_timeout));
    const auto deadline = context_.clock.now() + timeout;
    if (!episode_) {
      episode_.emplace(EpisodeSettings{context_.spec.scaffold, seed_, deadline}, *context_.model,
                       context_.clock, observer_);
    } else {
      episode_->extend_deadline(deadline);
    }
    auto attempted = episode_->attempt(step.instruction, machine, stop);
    trace_ = episode_->trace();
    return attempted;
  }

  Result<Grade> grade_step(std::size_t step, AgentWorkspace& machine, std::stop_token stop) {
    auto sealed = seal(step, machine);
    if (!sealed) return sealed.error();
    SealFindings findings = (*sealed)->findings();
    if (!task_names_verdict_folder()) {
      tampering_ = std::move(findings.tampering);
      if (!tampering_.empty()) return invalid("the agent tampered with the tests");
    }
    auto grade = tests_.grade_step(task_, step, **sealed, stop);
    const bool no_verdict = !grade && grade.error().kind == ErrorKind::Invalid;
    if (no_verdict && context_.spec.agent == AgentKind::Model && works_untouched(step, stop)) {
      // So it is what the agent left that the tests broke or hung on.
      grade = tests_.grade_without_verdict(grade.error().message +
                                           "; on the untouched task they do give a verdict");
    }
    if (grade && !findings.hidden.empty()) grade->evidence["hidden"] = findings.hidden;
    return grade;
  }

  Result<std::unique_ptr<GradingWorkspace>> seal(std::size_t step, AgentWorkspace& machine) const {
    std::vector<StagedFolder> staged;
    const fs::path& tests = content_.steps[step].tests_folder;
    if (!tests.empty()) staged.push_back({tests, "/tests"});
    return machine.seal(std::move(staged));
  }

  /// True if the tests give a verdict on a machine that no agent has touched.
  bool works_untouched(std::size_t step, std::stop_token stop) {
    auto machine = context_.sandbox->start(image_, task_.limits, {});
    if (!machine) return false;
    auto sealed = seal(step, **machine);
    return sealed && tests_.grade_step(task_, step, **sealed, stop);
  }

  /// A task about tests may well ask for what is tampering elsewhere.
  [[nodiscard]] bool task_names_verdict_folder() const {
    return std::any_of(content_.steps.begin(), content_.steps.end(), [](const TaskStep& step) {
      return step.instruction.find("/logs/verifier") != std::string::npos;
    });
  }

  const Task& task_;
  const WorkspaceTask& content_;
  const TrialContext& context_;
  TrialRecorder& recorder_;
  RecordingObserver observer_;
  std::uint64_t seed_;
  TestsGrader tests_;
  std::shared_ptr<const SandboxImage> image_;
  std::vector<std::string> tampering_;  // What the agent did to the tests; then nothing is graded.
  std::optional<Episode> episode_;
  Trace trace_;
  Micros setup_time_{0};
  Micros agent_time_{0};
  Micros grading_time_{0};
};

/// Asks the model the question and gives its answer as a trace of one turn.
Result<Trace> ask(const PlannedTrial& planned, const Task& task, const TrialContext& context,
                  EpisodeObserver& observer, std::stop_token stop) {
  const QaTask& question = std::get<QaTask>(task.content);
  Trace trace;
  if (!context.spec.scaffold.qa_prompt.empty()) {
    trace.opening.push_back({Role::System, context.spec.scaffold.qa_prompt, {}, {}});
  }
  trace.opening.push_back({Role::User, question.prompt, {}, {}});
  if (auto told = observer.opened(trace.opening, {}); !told) return told.error();
  CompletionRequest request;
  request.messages = trace.opening;
  request.sampling = context.spec.scaffold.sampling;
  request.sampling.seed = planned.seed;
  request.tokens_max = question.tokens_max;
  request.deadline = context.clock.now() + agent_timeout(context.spec, task);
  auto completion = context.model->complete(request, stop);
  if (!completion) return completion.error();
  if (auto told = observer.completed(trace.opening, *completion); !told) return told.error();
  trace.answer = completion->text;
  trace.end = completion->finish == FinishReason::Length     ? EpisodeEnd::TokenLimit
              : completion->finish == FinishReason::Deadline ? EpisodeEnd::TimeLimit
                                                             : EpisodeEnd::Submitted;
  trace.turns.push_back({*std::move(completion), {}});
  return trace;
}

/// What an agent that always knows answers; none if the question only has a rule for answers.
std::optional<std::string> reference_answer(const Answer& answer) {
  if (const auto* exact = std::get_if<ExactAnswer>(&answer)) return exact->accepted.front();
  if (const auto* numeric = std::get_if<NumericAnswer>(&answer))
    return to_text(Json(numeric->value));
  if (const auto* regex = std::get_if<RegexAnswer>(&answer)) return regex->reference;
  if (const auto* schema = std::get_if<SchemaAnswer>(&answer)) return schema->reference;
  return choice_label(std::get<ChoiceAnswer>(answer).correct);
}

/// A multiple choice answered by a stand-in, which has no log-probabilities to compare.
Grade grade_named_choice(const ChoiceAnswer& choice, const std::string& answer) {
  const std::string correct = choice_label(choice.correct);
  Grade grade;
  grade.grader = "named-choice";
  grade.version = "1";
  grade.digest = Hasher().field(grade.grader).field(grade.version).finish().hex();
  grade.score = answer == correct ? 1 : 0;
  grade.explanation = answer == correct ? "the right choice" : "no choice was made";
  grade.evidence = {{"answer", answer}, {"correct", correct}};
  return grade;
}

Result<TrialResult> make_question_trial(const PlannedTrial& planned, const Task& task,
                                        const TrialContext& context, TrialRecorder& recorder,
                                        TurnObserver& turns, std::stop_token stop) {
  const QaTask& question = std::get<QaTask>(task.content);
  const auto* choice = std::get_if<ChoiceAnswer>(&question.answer);
  RecordingObserver observer(planned, context.served, recorder, turns);
  Trace trace;
  if (context.spec.agent == AgentKind::Reference) {
    auto answer = reference_answer(question.answer);
    if (!answer) return without_grade(Verdict::Skipped, "the question has no reference answer");
    trace.answer = *std::move(answer);
  } else if (context.spec.agent == AgentKind::Model && choice == nullptr) {
    auto asked = ask(planned, task, context, observer, stop);
    if (!asked) return broken(asked.error().during("asking the model"), stop, Verdict::Infra);
    trace = *std::move(asked);
  }
  if (stop.stop_requested()) return cancelled("the trial was stopped");
  if (auto told = recorder.agent_end(trace.end, "", trace.answer); !told) return told.error();

  const auto start = context.clock.now();
  Result<Grade> grade = [&]() -> Result<Grade> {
    if (choice == nullptr) return AnswerGrader().grade(task, trace, nullptr, stop);
    if (context.spec.agent != AgentKind::Model) return grade_named_choice(*choice, trace.answer);
    return ChoiceGrader(*context.model).grade(task, trace, nullptr, stop);
  }();
  if (!grade) return broken(grade.error().during("grading"), stop, Verdict::GraderError);
  TrialResult result = graded(*std::move(grade), trace);
  result.outcome.grading_time = since(context.clock, start);
  add_usage(result.outcome, trace);
  return result;
}

}  // namespace

std::optional<std::string> ServedModelWatch::differs_from_first(const std::string& name) {
  const std::lock_guard lock(mutex_);
  if (name.empty()) return std::nullopt;
  if (first_.empty()) first_ = name;
  if (name == first_) return std::nullopt;
  return first_;
}

Result<TrialResult> make_trial(const PlannedTrial& planned, const Task& task,
                               const TrialContext& context, TrialRecorder& recorder,
                               TurnObserver& turns, std::stop_token stop) {
  const auto start = context.clock.now();
  auto result = std::holds_alternative<QaTask>(task.content)
                    ? make_question_trial(planned, task, context, recorder, turns, stop)
                    : WorkspaceTrial(planned, task, context, recorder, turns).make(stop);
  if (!result) return result;
  result->outcome.total_time = since(context.clock, start);
  auto written = recorder.finish(result->outcome, result->grades);
  if (!written) return written.error();
  return result;
}

}  // namespace trialwright
