#include "graders/tests_grader.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "base/text.h"
#include "graders/reward.h"

namespace trialwright {

namespace {

constexpr std::size_t kTailBytes = 4000;
constexpr std::size_t kLineBytesMax = 160;

/// The end of what the tests printed, starting at a whole code point.
std::string output_tail(const CapturedStream& stream) {
  std::string text = stream.text();
  if (text.size() > kTailBytes) {
    std::size_t start = text.size() - kTailBytes;
    while (start < text.size() && (static_cast<unsigned char>(text[start]) & 0xC0U) == 0x80U)
      ++start;
    text = "[...]" + text.substr(start);
  }
  return to_valid_utf8(text);
}

/// What the tests printed last: as a rule, what they missed. Empty if they printed nothing.
std::string last_words(const CapturedStream& stream) {
  const std::string text = stream.text();
  std::string_view line;
  for (const std::string_view each : split(text, '\n')) {
    if (!trimmed(each).empty()) line = trimmed(each);
  }
  if (line.empty()) return "";
  std::string words = to_valid_utf8(line.substr(0, kLineBytesMax));
  // Colours and the like would do as they please in a terminal.
  std::replace_if(
      words.begin(), words.end(),
      [](char c) { return static_cast<unsigned char>(c) < 0x20U || c == 0x7F; }, ' ');
  return words + (line.size() > kLineBytesMax ? "[...]" : "");
}

/// "the tests exited with 1", "the tests ran out of their 60 s" …
std::string how_it_ended(const CommandResult& result, std::chrono::seconds timeout) {
  switch (result.end) {
    case CommandEnd::Exited:
      return "the tests exited with " + std::to_string(result.code);
    case CommandEnd::Signaled:
      return "the tests were killed by signal " + std::to_string(result.code);
    case CommandEnd::TimedOut:
      return "the tests ran out of their " + std::to_string(timeout.count()) + " s";
    case CommandEnd::OutOfMemory:
      return "the tests ran out of memory";
    case CommandEnd::Cancelled:
      return "the tests were cancelled";
  }
  CHECK(false, "every end has a sentence");
}

std::string number_text(double number) { return Json(number).dump(); }

/// Adds to the explanation what a CTRF report says.
void explain_ctrf(const Json& ctrf, std::string& explanation) {
  if (!ctrf.is_object() || !ctrf.contains("passed")) return;
  explanation += "; " + ctrf["passed"].dump() + " of " + ctrf["tests"].dump() + " tests passed";
  std::vector<std::string> names;
  for (const Json& name : ctrf["failed"]) names.push_back(name.get<std::string>());
  if (!names.empty()) explanation += ", these did not: " + joined(names, ", ");
}

Result<void> score_reward_files(VerifierWorkspace& workspace, const CommandResult& result,
                                std::chrono::seconds timeout, Grade& grade) {
  const std::string ended = how_it_ended(result, timeout);
  // Tests that were stopped before their own end did not get to say what they found; the program
  // that they tried may have stopped them and written a reward in their place.
  if (result.end != CommandEnd::Exited) return invalid(ended);
  const auto files = read_reward_files(workspace);
  if (!files) return files.error().during(ended);
  if (!files->from_json && !files->from_text) {
    const std::string tail = output_tail(result.out);
    return invalid(ended + " and wrote neither reward.json nor reward.txt in /logs/verifier" +
                   (tail.empty() ? "" : "; their output ends in: " + tail));
  }
  grade.score = files->from_json ? *files->from_json : *files->from_text;
  grade.explanation = std::string("reward ") + number_text(grade.score) + " from " +
                      (files->from_json ? "reward.json" : "reward.txt") + "; " + ended;
  if (files->from_json) grade.evidence["reward_json"] = files->json;
  if (files->from_text) grade.evidence["reward_txt"] = *files->from_text;
  if (files->from_json && files->from_text && *files->from_json != *files->from_text) {
    grade.evidence["rewards_disagree"] = true;
    grade.explanation += "; reward.txt says " + number_text(*files->from_text);
  }
  return {};
}

}  // namespace

TestsGrader::TestsGrader() {
  identity_.name = "tests";
  identity_.version = "2";
  identity_.digest = Hasher().field(identity_.name).field(identity_.version).finish();
}

Result<Grade> TestsGrader::grade(const Task& task, const Trace& /*trace*/,
                                 VerifierWorkspace* workspace, std::stop_token stop) {
  const auto* content = std::get_if<WorkspaceTask>(&task.content);
  if (content == nullptr) return invalid("task " + task.id + " is a question and has no tests");
  if (content->steps.size() != 1)
    return invalid("task " + task.id + " has several steps, which are graded one by one");
  if (workspace == nullptr)
    return invalid("task " + task.id + " has tests and no workspace to run them in");
  return grade_step(task, 0, *workspace, std::move(stop));
}

Result<Grade> TestsGrader::grade_step(const Task& task, std::size_t step,
                                      VerifierWorkspace& workspace, std::stop_token stop) {
  const auto* content = std::get_if<WorkspaceTask>(&task.content);
  if (content == nullptr || step >= content->steps.size())
    return invalid("task " + task.id + " has no step " + std::to_string(step + 1));
  const TaskStep& what = content->steps[step];
  const std::chrono::seconds timeout = what.verifier_timeout.value_or(task.limits.verifier_timeout);

  CommandOptions options;
  options.timeout = timeout;
  options.env = what.verifier_env;
  options.merge_streams = true;
  // A script that asks where it lies finds the folder of the tests.
  const std::array<std::string, 4> argv = {"/bin/bash", "-c", what.test_command,
                                           "/tests/run-tests.sh"};
  const auto result = workspace.run(argv, options, std::move(stop));
  if (!result) return result.error().during("running the tests");
  if (result->end == CommandEnd::Cancelled) return cancelled("the tests were cancelled");

  Grade grade = empty_grade();
  if (result->end == CommandEnd::Exited)
    grade.evidence["exit_code"] = result->code;
  else
    grade.evidence["end"] = command_end_name(result->end);
  grade.evidence["output_tail"] = output_tail(result->out);
  if (content->reward == RewardSource::ExitCode) {
    grade.score = result->end == CommandEnd::Exited && result->code == 0 ? 1 : 0;
    grade.explanation = how_it_ended(*result, timeout);
  } else {
    auto scored = score_reward_files(workspace, *result, timeout, grade);
    if (!scored) return scored.error();
  }
  // What was missed comes first: it is what tells one failure from another.
  const std::string words = grade.score < 1 ? last_words(result->out) : "";
  if (!words.empty()) grade.explanation = words + " (" + grade.explanation + ")";
  if (Json ctrf = read_ctrf(workspace); !ctrf.is_null()) {
    explain_ctrf(ctrf, grade.explanation);
    grade.evidence["ctrf"] = std::move(ctrf);
  }
  return grade;
}

Grade TestsGrader::empty_grade() const {
  Grade grade;
  grade.grader = identity_.name;
  grade.version = identity_.version;
  grade.digest = identity_.digest.hex();
  return grade;
}

Grade TestsGrader::grade_without_verdict(std::string explanation) const {
  Grade grade = empty_grade();
  grade.score = 0;
  grade.explanation = std::move(explanation);
  grade.evidence["no_verdict"] = true;
  return grade;
}

Grade TestsGrader::combine(const WorkspaceTask& task, std::span<const Grade> reached) const {
  CHECK(!reached.empty() && reached.size() <= task.steps.size(),
        "a task ends after one of its steps");
  if (task.steps.size() == 1) return reached.front();
  Grade grade = empty_grade();
  const std::string ending =
      std::to_string(reached.size()) + " of " + std::to_string(task.steps.size()) + " steps";
  if (task.steps_reward == StepsReward::Final) {
    grade.score = reached.size() == task.steps.size() ? reached.back().score : 0;
    grade.explanation = "the last step's reward; reached " + ending;
  } else {
    const double sum =
        std::accumulate(reached.begin(), reached.end(), 0.0,
                        [](double total, const Grade& step) { return total + step.score; });
    grade.score = sum / static_cast<double>(task.steps.size());
    grade.explanation = "the mean of the steps' rewards; reached " + ending;
  }
  Json steps = Json::array();
  for (std::size_t i = 0; i < reached.size(); ++i) {
    steps.push_back({{"step", task.steps[i].name},
                     {"score", reached[i].score},
                     {"explanation", reached[i].explanation},
                     {"evidence", reached[i].evidence}});
  }
  grade.evidence["steps"] = std::move(steps);
  return grade;
}

bool goes_on_after(const TaskStep& step, const Grade& grade) {
  return !step.reward_min || grade.score >= *step.reward_min;
}

}  // namespace trialwright
