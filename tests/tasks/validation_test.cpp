#include "tasks/validation.h"

#include <gmock/gmock.h>

#include "tests/support/file_tree.h"

namespace trialwright {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

FileTree good_task() {
  return FileTree({{"t/task.toml", ""},
                   {"t/instruction.md", "Do it."},
                   {"t/environment/Dockerfile", "FROM x\n"},
                   {"t/tests/test.sh", "echo 1 > /logs/verifier/reward.txt"},
                   {"t/solution/solve.sh", "true"}});
}

std::vector<std::string> rules(const FileTree& tree) {
  const auto suite = load_suite(tree.path());
  EXPECT_TRUE(suite) << suite.error().message;
  std::vector<std::string> result;
  for (const Finding& finding : check_suite(*suite))
    result.push_back(std::string(severity_name(finding.severity)) + " " + finding.rule);
  return result;
}

TEST(Validation, FindsNothingWhereNothingIsWrong) { EXPECT_THAT(rules(good_task()), IsEmpty()); }

TEST(Validation, FindsWhatKeepsATaskFromMeasuring) {
  FileTree empty = good_task();
  empty.write("t/instruction.md", " \n");
  EXPECT_THAT(rules(empty), ElementsAre("error no-instruction"));

  FileTree silent = good_task();
  silent.write("t/tests/test.sh", "true");
  EXPECT_THAT(rules(silent), ElementsAre("error no-reward"));
}

TEST(Validation, WarnsOfWhatMayNotBeMeant) {
  FileTree tree = good_task();
  std::filesystem::remove_all(tree.path() / "t/solution");
  tree.write("t/instruction.md", "Look at /tests/test.sh.");
  tree.write("t/task.toml", "odd = 1\n[environment]\ngpus = 1\n");
  EXPECT_THAT(rules(tree), ElementsAre("warning unsupported", "warning note",
                                       "warning no-reference", "warning points-at-grading"));
}

TEST(Validation, DoesNotTakeTheAgentsOwnTestsForHiddenOnes) {
  FileTree tree = good_task();
  tree.write("t/instruction.md", "Mend ./tests/y.py and /app/tests/x.py; see http://x.org/tests/.");
  EXPECT_THAT(rules(tree), IsEmpty());
  tree.write("t/instruction.md", "Look at `/tests/x.py`.");
  EXPECT_THAT(rules(tree), ElementsAre("warning points-at-grading"));
}

TEST(Validation, RefusesTasksThatAreTheSame) {
  FileTree tree({});
  for (const std::string name : {"a", "b"}) {
    tree.write(name + "/task.toml", "");
    tree.write(name + "/instruction.md", "Do it.");
    tree.write(name + "/environment/Dockerfile", "FROM x\n");
    tree.write(name + "/tests/test.sh", "echo 1 > /logs/verifier/reward.txt");
    tree.write(name + "/solution/solve.sh", "true");
  }
  const auto suite = load_suite(tree.path());
  const auto findings = check_suite(*suite);
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].rule, "same-as-another");
  EXPECT_EQ(findings[0].severity, Severity::Error);
  EXPECT_THAT(findings[0].message, HasSubstr(suite->tasks[0].id));
}

TEST(Validation, FindsQuestionsThatPassWithNothing) {
  const FileTree tree({{"qa.jsonl", R"({"id": "a", "prompt": "p", "answer": {"exact": ["x", " "]}}
{"id": "b", "prompt": "p", "answer": {"choices": ["x", "x"], "correct": 0}})"}});
  EXPECT_THAT(rules(tree), ElementsAre("error empty-answer", "error equal-choices"));
}

}  // namespace
}  // namespace trialwright
