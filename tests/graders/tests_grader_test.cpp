#include "graders/tests_grader.h"

#include <gmock/gmock.h>

#include <cmath>

#include "tests/support/fake_verifier_workspace.h"

namespace trialwright {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

Task task_with(RewardSource source) {
  WorkspaceTask content;
  content.reward = source;
  content.steps.resize(1);
  content.steps[0].test_command = "bash /tests/test.sh";
  content.steps[0].verifier_env = {{"MODE", "strict"}};
  Task task;
  task.id = "s/t";
  task.limits.verifier_timeout = seconds(30);
  task.content = std::move(content);
  return task;
}

CommandResult ended(CommandEnd end, int code, std::string output = "") {
  CommandResult result;
  result.end = end;
  result.code = code;
  result.out.bytes_total = output.size();
  result.out.head = std::move(output);
  return result;
}

Result<Grade> graded(FakeVerifierWorkspace& workspace,
                     RewardSource source = RewardSource::RewardFile) {
  return TestsGrader().grade(task_with(source), Trace{}, &workspace, {});
}

Grade grade_of(FakeVerifierWorkspace& workspace, RewardSource source = RewardSource::RewardFile) {
  auto grade = graded(workspace, source);
  EXPECT_TRUE(grade) << grade.error().message;
  return grade ? *grade : Grade{};
}

std::string error_of(FakeVerifierWorkspace& workspace) {
  auto grade = graded(workspace);
  EXPECT_FALSE(grade);
  return grade ? "" : grade.error().message;
}

/// A workspace whose tests wrote these files.
FakeVerifierWorkspace wrote(std::map<std::string, std::string> verdicts) {
  FakeVerifierWorkspace workspace;
  workspace.verdicts = std::move(verdicts);
  return workspace;
}

TEST(TestsGrader, RunsTheTestsAsTheTaskSays) {
  auto workspace = wrote({{"reward.txt", "1\n"}});
  const Grade grade = grade_of(workspace);

  ASSERT_EQ(workspace.runs.size(), 1U);
  const auto& [argv, options] = workspace.runs[0];
  EXPECT_THAT(argv, ElementsAre("/bin/bash", "-c", "bash /tests/test.sh", "/tests/run-tests.sh"));
  EXPECT_EQ(options.timeout, seconds(30));
  EXPECT_THAT(options.env, ElementsAre(Pair("MODE", "strict")));
  EXPECT_EQ(grade.grader, "tests");
  EXPECT_EQ(grade.score, 1);
  EXPECT_EQ(grade.explanation, "reward 1.0 from reward.txt; the tests exited with 0");
}

TEST(TestsGrader, ReadsRewardsInEveryForm) {
  for (const auto& [name, text, score] : std::vector<std::tuple<std::string, std::string, double>>{
           {"reward.txt", "0", 0},
           {"reward.txt", " 0.25 \n", 0.25},
           {"reward.txt", "1e-1", 0.1},
           {"reward.txt", "+1.0", 1},
           {"reward.json", "0.5", 0.5},
           {"reward.json", R"({"reward": 1, "other": 0})", 1},
           {"reward.json", R"({"quality": 0.75})", 0.75}}) {
    auto workspace = wrote({{name, text}});
    EXPECT_EQ(grade_of(workspace).score, score) << name << ": " << text;
  }
}

TEST(TestsGrader, TakesMinusZeroForZero) {
  for (const auto& [name, text] : std::map<std::string, std::string>{
           {"reward.txt", "-0"}, {"reward.json", R"({"reward": -0.0})"}}) {
    auto workspace = wrote({{name, text}});
    EXPECT_FALSE(std::signbit(grade_of(workspace).score)) << name;
  }
}

TEST(TestsGrader, IgnoresTheExitStatusWhereAFileDecides) {
  auto workspace = wrote({{"reward.txt", "1"}});
  workspace.next_result = ended(CommandEnd::Exited, 1);
  const Grade grade = grade_of(workspace);
  EXPECT_EQ(grade.score, 1);
  EXPECT_EQ(grade.evidence["exit_code"], 1);
}

TEST(TestsGrader, TellsBothRewardsWhereTheyDisagree) {
  auto workspace = wrote({{"reward.txt", "1"}, {"reward.json", R"({"reward": 0.5})"}});
  const Grade grade = grade_of(workspace);
  EXPECT_EQ(grade.score, 0.5);
  EXPECT_THAT(grade.explanation, HasSubstr("reward 0.5 from reward.json"));
  EXPECT_THAT(grade.explanation, HasSubstr("reward.txt says 1.0"));
  EXPECT_EQ(grade.evidence["reward_json"]["reward"], 0.5);
  EXPECT_EQ(grade.evidence["reward_txt"], 1.0);
  EXPECT_EQ(grade.evidence["rewards_disagree"], true);
}

TEST(TestsGrader, NeverTakesAMissingRewardForAFailure) {
  FakeVerifierWorkspace workspace;
  workspace.next_result = ended(CommandEnd::Exited, 127, "pytest: command not found\n");
  EXPECT_EQ(error_of(workspace),
            "the tests exited with 127 and wrote neither reward.json nor reward.txt in "
            "/logs/verifier; their output ends in: pytest: command not found\n");
}

TEST(TestsGrader, RefusesRewardsThatAreNone) {
  for (const auto& [name, text, message] :
       std::vector<std::tuple<std::string, std::string, std::string>>{
           {"reward.txt", "", "reward.txt: it is empty"},
           {"reward.txt", "yes", "reward.txt: \"yes\" is no number"},
           {"reward.txt", "1 2", "is no number"},
           {"reward.txt", "1.5", "reward.txt: the reward 1.5 is not from 0 to 1"},
           {"reward.txt", "-1", "is not from 0 to 1"},
           {"reward.txt", "nan", "is not from 0 to 1"},
           {"reward.txt", "0x1", "is no number"},
           {"reward.json", "", "reward.json: not valid JSON"},
           {"reward.json", "{}", "reward.json: it has no field \"reward\""},
           {"reward.json", R"({"a": 1, "b": 1})", "it has no field \"reward\""},
           {"reward.json", R"({"reward": "1"})", "field \"reward\" must be a number"},
           {"reward.json", "[1]", "must be a number or an object"},
           {"reward.json", "2", "is not from 0 to 1"},
           {"reward.txt", std::string(100'000, ' '), "too large"}}) {
    auto workspace = wrote({{name, text}});
    EXPECT_THAT(error_of(workspace), HasSubstr(message));
  }
}

TEST(TestsGrader, DoesNotFallBackToTheOtherFileWhereOneIsBroken) {
  auto workspace = wrote({{"reward.txt", "1"}, {"reward.json", "garbage"}});
  EXPECT_THAT(error_of(workspace), HasSubstr("reward.json: not valid JSON"));
}

TEST(TestsGrader, FailsWhereTheTestsRunOutOfTime) {
  auto workspace = wrote({{"reward.txt", "1"}});
  workspace.next_result = ended(CommandEnd::TimedOut, 0);
  EXPECT_EQ(error_of(workspace), "the tests ran out of their 30 s");
}

TEST(TestsGrader, BelievesNoRewardOfTestsThatWereKilled) {
  // A program under test can kill the tests and write a reward in their place.
  auto workspace = wrote({{"reward.txt", "1"}});
  workspace.next_result = ended(CommandEnd::Signaled, 9);
  EXPECT_EQ(error_of(workspace), "the tests were killed by signal 9");
  workspace.next_result = ended(CommandEnd::OutOfMemory, 9);
  EXPECT_EQ(error_of(workspace), "the tests ran out of memory");
}

TEST(TestsGrader, PassesOnWhatTheWorldDoesWrong) {
  FakeVerifierWorkspace dead;
  dead.next_result = unavailable("the sandbox died");
  EXPECT_EQ(error_of(dead), "running the tests: the sandbox died");

  auto unreadable = wrote({{"reward.txt", "1"}});
  unreadable.broken_verdicts.emplace("reward.json", invalid("it is a FIFO"));
  EXPECT_THAT(error_of(unreadable), HasSubstr("reward.json: it is a FIFO"));

  FakeVerifierWorkspace cancelled_workspace;
  cancelled_workspace.next_result = ended(CommandEnd::Cancelled, 0);
  EXPECT_EQ(graded(cancelled_workspace).error().kind, ErrorKind::Cancelled);
}

TEST(TestsGrader, TakesTheExitStatusWhereItDecides) {
  for (const auto& [result, score, explanation] :
       std::vector<std::tuple<CommandResult, double, std::string>>{
           {ended(CommandEnd::Exited, 0), 1, "the tests exited with 0"},
           {ended(CommandEnd::Exited, 1), 0, "the tests exited with 1"},
           {ended(CommandEnd::Signaled, 9), 0, "the tests were killed by signal 9"},
           {ended(CommandEnd::TimedOut, 0), 0, "the tests ran out of their 30 s"},
           {ended(CommandEnd::OutOfMemory, 0), 0, "the tests ran out of memory"}}) {
    auto workspace = wrote({{"reward.txt", "1"}});  // Not asked for.
    workspace.next_result = result;
    const Grade grade = grade_of(workspace, RewardSource::ExitCode);
    EXPECT_EQ(grade.score, score);
    EXPECT_EQ(grade.explanation, explanation);
  }
}

TEST(TestsGrader, QuotesTheLastLineOfTestsThatFailed) {
  auto workspace = wrote({{"reward.txt", "0"}});
  workspace.next_result =
      ended(CommandEnd::Exited, 0, "checking\nnotes.txt: \x1b[31mexpected 3 lines, found 2\r\n \n");
  EXPECT_EQ(grade_of(workspace).explanation,
            "notes.txt:  [31mexpected 3 lines, found 2 (reward 0.0 from reward.txt; the tests "
            "exited with 0)");
  EXPECT_EQ(grade_of(workspace, RewardSource::ExitCode).explanation, "the tests exited with 0");

  workspace.next_result = ended(CommandEnd::Exited, 1, std::string(1000, 'x'));
  EXPECT_LT(grade_of(workspace, RewardSource::ExitCode).explanation.size(), 250U);
  workspace.verdicts["reward.txt"] = "1";
  EXPECT_EQ(grade_of(workspace).explanation, "reward 1.0 from reward.txt; the tests exited with 1");
}

TEST(TestsGrader, KeepsTheEndOfTheOutput) {
  auto workspace = wrote({{"reward.txt", "0"}});
  std::string output;
  for (int i = 0; i < 3000; ++i) output += "é";
  workspace.next_result = ended(CommandEnd::Exited, 1, output + "the end\xFF");
  const auto tail = grade_of(workspace).evidence["output_tail"].get<std::string>();
  EXPECT_LT(tail.size(), 4100U);
  EXPECT_THAT(tail, testing::StartsWith("[...]é"));
  EXPECT_THAT(tail, testing::EndsWith("the end\xEF\xBF\xBD"));
}

TEST(TestsGrader, KeepsWhatACtrfReportSays) {
  auto workspace = wrote({{"reward.txt", "0"}, {"ctrf.json", R"({"results": {"tests": [
      {"name": "one", "status": "passed"}, {"name": "two", "status": "failed"}, 7]}})"}});
  const Grade grade = grade_of(workspace);
  EXPECT_EQ(grade.evidence["ctrf"]["passed"], 1);
  EXPECT_THAT(grade.explanation, HasSubstr("1 of 3 tests passed, these did not: two"));

  auto broken = wrote({{"reward.txt", "1"}, {"ctrf.json", R"({"results": 7})"}});
  EXPECT_EQ(grade_of(broken).evidence["ctrf"]["unreadable"], "it has no list results.tests");
}

Task stepped_task(StepsReward how) {
  Task task = task_with(RewardSource::RewardFile);
  auto& content = std::get<WorkspaceTask>(task.content);
  content.steps.resize(3);
  content.steps[0].reward_min = 0.5;
  content.steps[1].verifier_timeout = seconds(5);
  content.steps_reward = how;
  return task;
}

Grade with_score(double score) {
  Grade grade;
  grade.score = score;
  return grade;
}

TEST(TestsGrader, GradesStepsOneByOne) {
  auto workspace = wrote({{"reward.txt", "1"}});
  const Task task = stepped_task(StepsReward::Mean);
  TestsGrader grader;
  EXPECT_THAT(grader.grade(task, Trace{}, &workspace, {}).error().message, HasSubstr("one by one"));
  ASSERT_TRUE(grader.grade_step(task, 1, workspace, {}));
  EXPECT_EQ(workspace.runs.back().second.timeout, seconds(5));
  EXPECT_FALSE(grader.grade_step(task, 3, workspace, {}));
}

TEST(TestsGrader, RollsStepsUp) {
  const TestsGrader grader;
  const std::vector<Grade> all = {with_score(1), with_score(0.5), with_score(0)};
  const std::vector<Grade> two = {with_score(1), with_score(0.5)};
  const auto mean = std::get<WorkspaceTask>(stepped_task(StepsReward::Mean).content);
  const auto final = std::get<WorkspaceTask>(stepped_task(StepsReward::Final).content);
  EXPECT_DOUBLE_EQ(grader.combine(mean, all).score, 0.5);
  EXPECT_DOUBLE_EQ(grader.combine(mean, two).score, 0.5);
  EXPECT_DOUBLE_EQ(grader.combine(final, all).score, 0);
  EXPECT_DOUBLE_EQ(grader.combine(final, two).score, 0);
  EXPECT_EQ(grader.combine(mean, two).evidence["steps"].size(), 2U);
  EXPECT_TRUE(goes_on_after(mean.steps[0], with_score(0.5)));
  EXPECT_FALSE(goes_on_after(mean.steps[0], with_score(0.4)));
  EXPECT_TRUE(goes_on_after(mean.steps[1], with_score(0)));
}

TEST(TestsGrader, RefusesWhatHasNoTests) {
  Task question;
  question.content = QaTask{};
  FakeVerifierWorkspace workspace;
  EXPECT_FALSE(TestsGrader().grade(question, Trace{}, &workspace, {}));
  EXPECT_FALSE(TestsGrader().grade(task_with(RewardSource::ExitCode), Trace{}, nullptr, {}));
}

}  // namespace
}  // namespace trialwright
