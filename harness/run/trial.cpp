#include "harness/run/trial.h"

#include <algorithm>
#include <filesystem>

#include "base/text.h"
#include "graders/tests_grader.h"
#include "harness/run/question_trial.h"
#include "harness/run/reference.h"
#include "harness/run/stored_answers.h"
#include "harness/run/trial_outcome.h"

namespace trialwright {

namespace {

namespace fs = std::filesystem;
using Micros = std::chrono::microseconds;

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
      if (stop.stop_requested()) return cancelled("the trial was stopped");
      if (!acted) {
        auto ended = note_end(machine);
        return ended ? broken(acted.error(), stop, Verdict::Infra) : ended.error();
      }
      // From here the agent can no longer act; only graders may look at the state.
      const auto grading_start = context_.clock.now();
      auto grade = grade_step(i, machine, stop);
      grading_time_ += since(context_.clock, grading_start);
      const bool last = !grade || i + 1 == content_.steps.size() || !goes_on_after(step, *grade) ||
                        trial_limit_met();
      if (last) {
        if (auto ended = note_end(machine); !ended) return ended.error();
      }
      if (!tampering_.empty()) {
        return without_grade(Verdict::Invalid, "tampering: " + joined(tampering_, "; "));
      }
      if (!grade) return broken(grade.error().during("grading"), stop, Verdict::GraderError);
      grades.push_back(*std::move(grade));
      if (last) break;
    }
    return graded(tests_.combine(content_, grades), trace_);
  }

  /// True if the agent met a limit of the trial. A step's time is its own, and the next has
  /// another.
  [[nodiscard]] bool trial_limit_met() const {
    const bool own_time = trace_.end == EpisodeEnd::TimeLimit && !context_.spec.trial_timeout;
    return ended_by_limit(trace_.end) && !own_time;
  }

  /// Records that the agent will not act again, and which of the machine's limits it met.
  Result<void> note_end(AgentWorkspace& machine) {
    auto ended = recorder_.agent_end(trace_.end, trace_.error, trace_.answer);
    if (!ended) return ended;
    const Json usage = machine.usage();
    // How often is a matter of chance, and equal runs have equal records.
    const bool memory = usage.value("oom_kills", 0) > 0;
    const bool processes = usage.value("pids_refused", 0) > 0;
    if (!memory && !processes) return {};
    return recorder_.note("limits of the machine were met",
                          {{"memory", memory}, {"processes", processes}});
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
      return run_reference(step, time_for(step), machine, recorder_, stop);
    }
    const auto deadline = context_.clock.now() + time_for(step);
    if (!episode_) {
      episode_.emplace(
          EpisodeSettings{context_.spec.scaffold, seed_, deadline, draft_key(task_.digest)},
          *context_.model, context_.clock, observer_);
    } else {
      episode_->extend_deadline(deadline);
    }
    auto attempted = episode_->attempt(step.instruction, machine, stop);
    trace_ = episode_->trace();
    return attempted;
  }

  /// A step's own time, or what is left of the time that was set for the whole trial.
  [[nodiscard]] std::chrono::milliseconds time_for(const TaskStep& step) const {
    using std::chrono::milliseconds;
    if (!context_.spec.trial_timeout) {
      return step.agent_timeout.value_or(task_.limits.agent_timeout);
    }
    const auto used = std::chrono::duration_cast<milliseconds>(agent_time_);
    return std::max(*context_.spec.trial_timeout - used, milliseconds(1));
  }

  Result<Grade> grade_step(std::size_t step, AgentWorkspace& machine, std::stop_token stop) {
    auto sealed = seal(step, machine);
    if (!sealed) {
      const Error& error = sealed.error();
      const bool left_unfit = error.kind == ErrorKind::Invalid &&
                              context_.spec.agent == AgentKind::Model &&
                              works_untouched(step, stop);
      return left_unfit ? Result<Grade>(tests_.grade_without_verdict(error.message)) : error;
    }
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
