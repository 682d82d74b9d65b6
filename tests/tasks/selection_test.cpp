#include "tasks/selection.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>

#include "tasks/task_expression.h"

namespace trialwright {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Task task(std::string id, std::vector<std::string> tags = {}) {
  Task result;
  result.id = std::move(id);
  result.tags = std::move(tags);
  return result;
}

/// Out of order, as a file system might give them.
std::vector<Task> some_tasks() {
  return {task("s/text/sort", {"text"}), task("s/files/copy", {"files", "slow"}),
          task("s/git/rebase", {"git"}), task("s/files/move", {"files"}), task("s/qa/one", {"qa"})};
}

std::vector<std::string> ids(const std::vector<Task>& tasks) {
  std::vector<std::string> result;
  for (const Task& each : tasks) result.push_back(each.id);
  return result;
}

std::vector<std::string> selected(const Selection& selection) {
  auto tasks = select(some_tasks(), selection);
  EXPECT_TRUE(tasks) << tasks.error().message;
  return tasks ? ids(*tasks) : std::vector<std::string>{};
}

std::vector<std::string> fitting(const std::string& expression) {
  return selected({.expression = expression});
}

std::string error_of(const Selection& selection) {
  auto tasks = select(some_tasks(), selection);
  EXPECT_FALSE(tasks);
  return tasks ? "" : tasks.error().message;
}

std::string error_of_expression(const std::string& text) {
  const auto expression = TaskExpression::parse(text);
  EXPECT_FALSE(expression) << text;
  return expression ? "" : expression.error().message;
}

TEST(Selection, TakesAllTasksInOrderOfTheirIds) {
  EXPECT_THAT(selected({}), ElementsAre("s/files/copy", "s/files/move", "s/git/rebase", "s/qa/one",
                                        "s/text/sort"));
}

TEST(Selection, TakesGlobsWithAndWithoutTheSuite) {
  EXPECT_THAT(selected({.globs = {"files/**"}}), ElementsAre("s/files/copy", "s/files/move"));
  EXPECT_THAT(selected({.globs = {"s/*/sort", "git/rebase"}}),
              ElementsAre("s/git/rebase", "s/text/sort"));
  EXPECT_THAT(selected({.globs = {"**"}}), testing::SizeIs(5));
}

TEST(Selection, TakesTagsAndLeavesOutWhatIsExcluded) {
  EXPECT_THAT(selected({.tags = {"git", "text"}}), ElementsAre("s/git/rebase", "s/text/sort"));
  EXPECT_THAT(selected({.tags = {"files"}, .exclude = {"tag:slow"}}), ElementsAre("s/files/move"));
  EXPECT_THAT(selected({.exclude = {"files/*", "tag:qa"}}),
              ElementsAre("s/git/rebase", "s/text/sort"));
}

TEST(Selection, SaysWhatAMisspeltNameCouldHaveMeant) {
  EXPECT_EQ(error_of({.globs = {"file/**"}}),
            "no task has an id like \"file/**\"; did you mean files/** or s/files/**?");
  EXPECT_EQ(error_of({.globs = {"git/rebas"}}),
            "no task has an id like \"git/rebas\"; did you mean git/rebase or s/git/rebase?");
  EXPECT_EQ(error_of({.tags = {"gti"}}), "no task has the tag \"gti\"; did you mean git?");
  EXPECT_THAT(error_of({.exclude = {"tag:sloow"}}), HasSubstr("did you mean slow"));
}

TEST(Selection, TellsASlipFromAnEmptySelection) {
  const auto kind_of = [](const Selection& selection) {
    return select(some_tasks(), selection).error().kind;
  };
  EXPECT_EQ(kind_of({.globs = {"file/**"}}), ErrorKind::NotFound);
  EXPECT_EQ(kind_of({.globs = {"file/**", "git/*"}}), ErrorKind::Invalid);
  EXPECT_EQ(kind_of({.exclude = {"tag:sloow"}}), ErrorKind::Invalid);
  EXPECT_EQ(kind_of({.tags = {"git", "gti"}}), ErrorKind::Invalid);
}

TEST(Selection, MayBeEmpty) {
  EXPECT_THAT(selected({.expression = "tag:git and tag:qa"}), IsEmpty());
}

TEST(Expression, JoinsWords) {
  EXPECT_THAT(fitting("tag:files and not slow"), ElementsAre("s/files/move"));
  EXPECT_THAT(fitting("tag:git or tag:qa"), ElementsAre("s/git/rebase", "s/qa/one"));
  EXPECT_THAT(fitting("not (tag:git or tag:files or qa)"), ElementsAre("s/text/sort"));
  EXPECT_THAT(fitting("id:files/*"), ElementsAre("s/files/copy", "s/files/move"));
  EXPECT_THAT(fitting("id:s/**/*o* and not id:qa/one"),
              ElementsAre("s/files/copy", "s/files/move", "s/text/sort"));
  EXPECT_THAT(fitting("rebas"), ElementsAre("s/git/rebase"));
  EXPECT_THAT(fitting("not not copy"), ElementsAre("s/files/copy"));
  EXPECT_THAT(fitting("\"copy\""), ElementsAre("s/files/copy"));
}

TEST(Expression, BindsAndCloserThanOr) {
  EXPECT_THAT(fitting("git or files and copy"), ElementsAre("s/files/copy", "s/git/rebase"));
  EXPECT_THAT(fitting("(git or files) and copy"), ElementsAre("s/files/copy"));
  EXPECT_THAT(fitting("not git and not files"), ElementsAre("s/qa/one", "s/text/sort"));
}

TEST(Expression, PointsAtTheColumn) {
  EXPECT_EQ(error_of_expression("git and"), "column 8: a word, \"not\" or ( is missing here");
  EXPECT_EQ(error_of_expression("git files"), "column 5: \"and\" or \"or\" is missing here");
  EXPECT_EQ(error_of_expression("(git or files"), "column 1: this ( is never closed");
  EXPECT_EQ(error_of_expression("git)"), "column 4: this ) was never opened");
  EXPECT_EQ(error_of_expression("or git"), "column 1: a word, \"not\" or ( is missing here");
  EXPECT_EQ(error_of_expression("a and status:fail"),
            "column 7: \"status:\" is not known; known are tag: and id:");
  EXPECT_EQ(error_of_expression("tag:"), "column 1: nothing follows tag:");
  EXPECT_EQ(error_of_expression("a or \"b"), "column 6: this \" is never closed");
  EXPECT_EQ(error_of_expression("  "), "the expression is empty");
  EXPECT_THAT(error_of_expression(std::string(1000, '(')), HasSubstr("nested too deeply"));
  EXPECT_EQ(error_of({.expression = "git and"}),
            "the expression 'git and': column 8: a word, \"not\" or ( is missing here");
}

std::vector<Task> many_tasks() {
  std::vector<Task> tasks;
  for (int i = 0; i < 1000; ++i) tasks.push_back(task("s/" + std::to_string(i)));
  return tasks;
}

TEST(Sample, DependsOnSeedAndIdsAlone) {
  std::vector<Task> backwards = many_tasks();
  std::reverse(backwards.begin(), backwards.end());
  const auto first = ids(*select(many_tasks(), {.sample = 20, .seed = 7}));
  EXPECT_EQ(first.size(), 20U);
  EXPECT_EQ(ids(*select(backwards, {.sample = 20, .seed = 7})), first);
  EXPECT_NE(ids(*select(many_tasks(), {.sample = 20, .seed = 8})), first);
  EXPECT_EQ(ids(*select(many_tasks(), {.sample = 5000, .seed = 7})).size(), 1000U);

  // A larger sample of the same seed holds the smaller one.
  const auto more = ids(*select(many_tasks(), {.sample = 50, .seed = 7}));
  EXPECT_TRUE(std::includes(more.begin(), more.end(), first.begin(), first.end()));
}

TEST(Shards, ShareOutEveryTaskOnce) {
  for (const auto kind : {Shard::Kind::Hash, Shard::Kind::Slice}) {
    std::multiset<std::string> seen;
    for (std::uint32_t part = 1; part <= 7; ++part) {
      const auto tasks = select(many_tasks(), {.shard = Shard{kind, part, 7}});
      EXPECT_GT(tasks->size(), 100U);
      for (const Task& each : *tasks) seen.insert(each.id);
    }
    EXPECT_EQ(seen.size(), 1000U);
    EXPECT_EQ(std::set<std::string>(seen.begin(), seen.end()).size(), 1000U);
  }
}

TEST(Shards, ApplyAfterEveryOtherFilter) {
  std::set<std::string> seen;
  for (std::uint32_t part = 1; part <= 3; ++part) {
    const auto tasks = select(
        many_tasks(), {.sample = 30, .limit = 12, .shard = Shard{Shard::Kind::Hash, part, 3}});
    for (const Task& each : *tasks) seen.insert(each.id);
  }
  const auto whole = ids(*select(many_tasks(), {.sample = 30, .limit = 12}));
  EXPECT_EQ(seen, std::set<std::string>(whole.begin(), whole.end()));
}

TEST(Shards, OfAHashKeepATaskWhenOthersGo) {
  const Shard shard{Shard::Kind::Hash, 2, 5};
  const auto all = ids(*select(many_tasks(), {.shard = shard}));
  const auto fewer = ids(*select(many_tasks(), {.exclude = {"s/1*"}, .shard = shard}));
  EXPECT_TRUE(std::includes(all.begin(), all.end(), fewer.begin(), fewer.end()));
}

TEST(Shards, AreReadFromText) {
  const auto shard = parse_shard("slice:2/10");
  ASSERT_TRUE(shard);
  EXPECT_EQ(shard->kind, Shard::Kind::Slice);
  EXPECT_EQ(shard->part, 2U);
  EXPECT_EQ(shard->parts, 10U);
  for (const char* text :
       {"", "hash", "hash:", "hash:1", "hash:0/2", "hash:3/2", "hash:1/0", "mod:1/2", "hash:1/2/3",
        "hash:-1/2", "hash:1/9999999", ":1/2", "hash:a/b"}) {
    const auto wrong = parse_shard(text);
    ASSERT_FALSE(wrong) << text;
    EXPECT_THAT(wrong.error().message, HasSubstr("must look like hash:1/4"));
  }
}

}  // namespace
}  // namespace trialwright
