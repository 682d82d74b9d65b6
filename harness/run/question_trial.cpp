#include "harness/run/question_trial.h"

#include <cctype>
#include <optional>

#include "base/text.h"
#include "graders/answer_grader.h"
#include "graders/choice_grader.h"
#include "harness/run/reference.h"
#include "harness/run/stored_answers.h"
#include "harness/run/trial_outcome.h"

namespace trialwright {

namespace {

/// Asks the model the question and gives its answer as a trace of one turn.
Result<Trace> ask(const PlannedTrial& planned, const Task& task, const std::string& prompt,
                  const TrialContext& context, EpisodeObserver& observer, std::stop_token stop) {
  const QaTask& question = std::get<QaTask>(task.content);
  Trace trace;
  if (!context.spec.scaffold.qa_prompt.empty()) {
    trace.opening.push_back({Role::System, context.spec.scaffold.qa_prompt, {}, {}});
  }
  const bool plain = !context.model->identity().can_chat;
  trace.opening.push_back({Role::User, plain ? plain_question(prompt) : prompt, {}, {}});
  if (auto told = observer.opened(trace.opening, {}); !told) return told.error();
  CompletionRequest request;
  request.messages = trace.opening;
  if (plain) make_plain(request);
  request.sampling = context.spec.scaffold.sampling;
  request.sampling.seed = planned.seed;
  request.tokens_max = question.tokens_max;
  request.draft_key = draft_key(task.digest);
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

/// "b" of "**b**", of "(B)" or of "B. the second", in capitals; empty if it names nothing.
std::string label_in(std::string_view reply) {
  constexpr std::string_view kAround = " \t\r\n*_`'\"([{}])";
  const std::size_t start = reply.find_first_not_of(kAround);
  if (start == std::string_view::npos) return "";
  const char letter = static_cast<char>(std::toupper(static_cast<unsigned char>(reply[start])));
  if (letter < 'A' || letter > 'Z') return "";
  const std::string_view rest = reply.substr(start + 1);
  const std::size_t next = rest.find_first_not_of(" \t*_`'\"");
  const bool alone = next == std::string_view::npos ||
                     std::string_view(".):]}\r\n").find(rest[next]) != std::string_view::npos;
  return alone ? std::string(1, letter) : "";
}

}  // namespace

void make_plain(CompletionRequest& request) {
  request.plain = true;
  request.stop = {"\n"};
}

Grade grade_named_choice(const ChoiceAnswer& choice, std::string_view reply) {
  const std::string correct = choice_label(choice.correct);
  const std::string label = label_in(reply);
  const bool known = !label.empty() && label <= choice_label(choice.choices.size() - 1);
  Grade grade;
  grade.grader = "named-choice";
  grade.version = "2";
  grade.digest = Hasher().field(grade.grader).field(grade.version).finish().hex();
  grade.score = label == correct ? 1 : 0;
  grade.explanation = label == correct ? "the right choice"
                      : known          ? "chose " + label + ", right is " + correct
                                       : "no choice was made";
  grade.evidence = {{"answer", to_valid_utf8(reply)}, {"correct", correct}};
  return grade;
}

Result<TrialResult> make_question_trial(const PlannedTrial& planned, const Task& task,
                                        const TrialContext& context, TrialRecorder& recorder,
                                        TurnObserver& turns, std::stop_token stop) {
  const QaTask& question = std::get<QaTask>(task.content);
  const auto* choice = std::get_if<ChoiceAnswer>(&question.answer);
  RecordingObserver observer(planned, context.served, recorder, turns);
  const bool has_model = context.spec.agent == AgentKind::Model;
  Trace trace;
  // How the model chose, if it can tell how probable each choice is.
  std::optional<Result<Grade>> scored;
  auto start = context.clock.now();
  if (context.spec.agent == AgentKind::Reference) {
    auto answer = reference_answer(question.answer);
    if (!answer) return without_grade(Verdict::Skipped, "the question has no reference answer");
    trace.answer = *std::move(answer);
  } else if (has_model) {
    // Whoever cannot score is asked for the letter.
    if (choice != nullptr && context.model->identity().can_score) {
      scored = ChoiceGrader(*context.model).grade(task, trace, nullptr, stop);
    }
    if (!scored) {
      const std::string prompt =
          choice == nullptr ? question.prompt : choice_prompt(question, *choice);
      auto asked = ask(planned, task, prompt, context, observer, stop);
      if (!asked) {
        const Error error = asked.error().during("asking the model");
        auto told = recorder.agent_end(EpisodeEnd::Error, error.message, "");
        return told ? broken(error, stop, Verdict::Infra) : told.error();
      }
      trace = *std::move(asked);
      start = context.clock.now();
    }
  }
  if (stop.stop_requested()) return cancelled("the trial was stopped");
  if (auto told = recorder.agent_end(trace.end, "", trace.answer); !told) return told.error();

  if (!scored) {
    scored = choice == nullptr ? AnswerGrader().grade(task, trace, nullptr, stop)
                               : Result<Grade>(grade_named_choice(*choice, trace.answer));
  }
  if (!*scored) return broken(scored->error().during("grading"), stop, Verdict::GraderError);
  TrialResult result = graded(**std::move(scored), trace);
  result.outcome.grading_time = since(context.clock, start);
  add_usage(result.outcome, trace);
  return result;
}

}  // namespace trialwright
