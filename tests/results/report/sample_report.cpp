#include "tests/results/report/sample_report.h"

#include "base/digest.h"

namespace trialwright {

namespace {

struct Row {
  const char* task;
  const char* tag;
  Verdict first;
  Verdict second;
  const char* signature;
};

constexpr std::array kRows = {
    Row{"files/move-by-suffix", "files", Verdict::Passed, Verdict::Passed, ""},
    Row{"files/permissions", "files", Verdict::Failed, Verdict::Passed,
        "the file is not executable"},
    Row{"text/count-lines", "text", Verdict::Failed, Verdict::Failed,
        "line_count.txt holds the file name too"},
    Row{"text/sort-unique", "text", Verdict::Passed, Verdict::Passed, ""},
    Row{"data/json-field", "data", Verdict::Limit, Verdict::Passed, "out of turns"},
    Row{"data/sum-column", "data", Verdict::Failed, Verdict::Failed, "answer.txt does not exist"},
    Row{"shell/grep-count", "shell", Verdict::Passed, Verdict::Infra, "the sandbox died"},
    Row{"shell/chmod-and-run", "shell", Verdict::GraderError, Verdict::Passed,
        "test.sh cannot be started"},
    Row{"bugs/off-by-one", "bugs", Verdict::Invalid, Verdict::Failed,
        "the tests were changed by the agent"},
    Row{"bugs/missing-return", "bugs", Verdict::Skipped, Verdict::Failed,
        "answer.txt does not exist"},
};

TrialOutcome outcome_of(Verdict verdict, const char* signature, int number) {
  TrialOutcome outcome;
  outcome.verdict = verdict;
  if (enters_score(verdict))
    outcome.reward = verdict == Verdict::Passed ? 1.0 : verdict == Verdict::Limit ? 0.25 : 0.0;
  if (verdict != Verdict::Passed) {
    outcome.reason = signature;
    outcome.signature = signature;
  }
  outcome.turns = 3 + number % 5;
  outcome.prompt_tokens = 4200 + 731 * number;
  outcome.cached_tokens = 3100 + 500 * number;
  outcome.completion_tokens = 180 + 37 * number;
  outcome.setup_time = std::chrono::milliseconds(41);
  outcome.model_time = std::chrono::milliseconds(5200 + 900 * number);
  outcome.tool_time = std::chrono::milliseconds(310);
  outcome.grading_time = std::chrono::milliseconds(120);
  outcome.total_time =
      outcome.setup_time + outcome.model_time + outcome.tool_time + outcome.grading_time;
  return outcome;
}

Turn turn_of(std::string text, std::string tool, Json arguments, std::string observation,
             bool is_error) {
  Turn turn;
  turn.completion.text = std::move(text);
  turn.completion.tool_calls = {{"call_0", std::move(tool), std::move(arguments)}};
  turn.completion.usage = {1840, 1700, 64};
  turn.completion.timings.prefill = std::chrono::milliseconds(220);
  turn.completion.timings.decode = std::chrono::milliseconds(1900);
  turn.observations = {{"call_0", std::move(observation), is_error}};
  return turn;
}

Trace sample_trace(bool hostile) {
  Trace trace;
  trace.opening = {
      {Role::System, "You work in a shell. Use the tools, check your work, then submit.", {}, ""},
      {Role::User,
       "Count the lines of access.log and write the number, alone, to line_count.txt.",
       {},
       ""}};
  std::string listing;
  for (int i = 1; i <= 60; ++i)
    listing +=
        "10.0.0." + std::to_string(i) + " - - \"GET /page/" + std::to_string(i * 7) + "\" 200\n";
  trace.turns.push_back(turn_of("I look at the file first.", "bash",
                                {{"command", "ls -l\ncat access.log"}}, listing, false));
  trace.turns.push_back(
      turn_of("", "bash", {{"command", "wc -l access.log > line_count.txt"}}, "", false));
  trace.turns.push_back(turn_of("", "read_file", {{"path", "line_counts.txt"}, {"max_lines", 20}},
                                "no such file: line_counts.txt", true));
  if (hostile)
    trace.turns.push_back(turn_of(hostile_text(), hostile_text(),
                                  {{hostile_text(), hostile_text()}}, hostile_text(), false));
  trace.turns.back().completion.tool_call_errors = {
      "The tool call has no \"name\"; write {\"name\": \"TOOL\", \"arguments\": {…}}."};
  trace.answer = "The number of lines is in line_count.txt.";
  return trace;
}

}  // namespace

std::string hostile_text() {
  return "</script></pre></details><script>document.title='owned'</script><img src=x "
         "onerror=\"document.title='owned'\">"
         "<style>body{display:none}</style>\" ' &amp; <!-- ]]> \x1b[31mred\x1b[0m "
         "\u202eesrever\u202c \u200bhidden\ufeff "
         "\xff\xfe javascript:alert(1)";
}

ReportInput sample_report() {
  ReportInput input;
  input.title = "starter with qwen2.5-coder-1.5b";
  input.run.id = "20261121-180233-starter-7f3a";
  input.run.created_us = 1'795'284'153'000'000;
  input.run.spec = {{"suite", "starter"},
                    {"model", {{"name", "qwen2.5-coder-1.5b"}, {"provider", "embedded"}}},
                    {"sampling", {{"temperature", 0.0}, {"seed", 7}}},
                    {"epochs", 2},
                    {"limits", {{"turns", 12}, {"tokens", 8192}, {"seconds", 120}}}};
  input.run.environment = {{"cpu", "avx512-vnni"}, {"version", "0.1.0"}, {"note", hostile_text()}};
  input.root = sha256("the sample's root");
  int number = 0;
  for (int epoch = 1; epoch <= 2; ++epoch) {
    for (const Row& row : kRows) {
      ReportTrial trial;
      PlannedTrial& planned = trial.summary.trial;
      planned.task = row.task;
      planned.id = sha256(planned.task + std::to_string(epoch)).hex();
      planned.task_digest = sha256(planned.task);
      planned.epoch = epoch;
      planned.seed = 7;
      planned.tags = {row.tag};
      trial.summary.attempts = trial.summary.finished_attempt = 1;
      trial.summary.outcome =
          outcome_of(epoch == 1 ? row.first : row.second, row.signature, ++number);
      if (enters_score(trial.summary.outcome->verdict)) {
        StoredGrade grade;
        grade.grade = {"tests",
                       "1",
                       *trial.summary.outcome->reward,
                       "2 of 3 tests pass",
                       {{"passed", 2}, {"failed", {"test_count"}}},
                       ""};
        trial.grades.push_back(std::move(grade));
      }
      input.trials.push_back(std::move(trial));
    }
  }
  // One that was never tried.
  input.trials.back().summary.outcome.reset();
  input.trials.back().summary.attempts = 0;
  input.trials.back().grades.clear();
  const std::string hostile_trial = input.trials[2].summary.trial.id;
  input.trace = [hostile_trial](const std::string& id) -> Result<Trace> {
    return sample_trace(id == hostile_trial);
  };
  return input;
}

}  // namespace trialwright
