#include "tasks/suite.h"

#include <gmock/gmock.h>

#include "tests/support/file_tree.h"

namespace trialwright {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

void add_task(const FileTree& tree, const std::string& folder, const std::string& toml = "") {
  tree.write(folder + "/task.toml", toml);
  tree.write(folder + "/instruction.md", "Do it.");
  tree.write(folder + "/environment/Dockerfile", "FROM x\n");
  tree.write(folder + "/tests/test.sh", "true");
}

constexpr const char* kQuestion = R"({"id": "one", "prompt": "p", "answer": {"numeric": 1}})";

std::vector<std::string> ids(const Suite& suite) {
  std::vector<std::string> result;
  for (const Task& task : suite.tasks) result.push_back(task.id);
  return result;
}

Suite loaded(const fs::path& path) {
  auto suite = load_suite(path);
  EXPECT_TRUE(suite) << suite.error().message;
  return suite ? std::move(*suite) : Suite{};
}

std::string error_of(const fs::path& path) {
  const auto suite = load_suite(path);
  EXPECT_FALSE(suite);
  return suite ? "" : suite.error().message;
}

TEST(Suite, HasTasksAndQuestionsInOrder) {
  FileTree tree(
      {{"suite.toml",
        "name = \"mine\"\nversion = \"2\"\n[defaults]\nagent_timeout_sec = 5\ntokens_max = 9\n"},
       {"qa/numbers.jsonl", kQuestion},
       {"other/notes.jsonl", "not questions"}});
  add_task(tree, "files/b", "[agent]\ntimeout_sec = 7\n");
  add_task(tree, "files/a");
  const Suite suite = loaded(tree.path());

  EXPECT_EQ(suite.name, "mine");
  EXPECT_EQ(suite.version, "2");
  EXPECT_THAT(ids(suite), ElementsAre("mine/files/a", "mine/files/b", "mine/qa/numbers/one"));
  EXPECT_EQ(suite.tasks[0].limits.agent_timeout, std::chrono::seconds(5));
  EXPECT_EQ(suite.tasks[1].limits.agent_timeout, std::chrono::seconds(7));
  EXPECT_EQ(std::get<QaTask>(suite.tasks[2].content).tokens_max, 9);
  for (const Task& task : suite.tasks) EXPECT_NE(task.digest, Digest{});
}

TEST(Suite, GivesItsDefaultsToTasksOfEveryKind) {
  FileTree tree({{"qa.jsonl", kQuestion},
                 {"old/task.yaml", "instruction: Do it.\n"},
                 {"old/Dockerfile", "FROM x\n"},
                 {"old/run-tests.sh", "true\n"}});
  add_task(tree, "new");
  const auto limits_of = [&](const std::string& end) {
    for (const Task& task : loaded(tree.path()).tasks)
      if (task.id.ends_with(end)) return task.limits;
    ADD_FAILURE() << end;
    return TaskLimits{};
  };
  EXPECT_EQ(limits_of("/old").agent_timeout, std::chrono::seconds(360));
  EXPECT_EQ(limits_of("/old").verifier_timeout, std::chrono::seconds(60));

  tree.write("suite.toml", "[defaults]\nagent_timeout_sec = 5\nverifier_timeout_sec = 6\n");
  for (const char* end : {"/old", "/new", "/one"}) {
    EXPECT_EQ(limits_of(end).agent_timeout, std::chrono::seconds(5)) << end;
    EXPECT_EQ(limits_of(end).verifier_timeout, std::chrono::seconds(6)) << end;
  }
  tree.write("old/task.yaml", "instruction: Do it.\nmax_agent_timeout_sec: 7\n");
  EXPECT_EQ(limits_of("/old").agent_timeout, std::chrono::seconds(7));
}

TEST(Suite, TakesOnlyWhatItsGlobsFit) {
  FileTree tree({{"suite.toml", "tasks = [\"files/*\"]\nqa = [\"questions/**\"]\n"},
                 {"qa.jsonl", kQuestion},
                 {"questions/deep/x.jsonl", kQuestion}});
  add_task(tree, "files/a");
  add_task(tree, "drafts/b");
  const std::string name = fs::canonical(tree.path()).filename();
  EXPECT_THAT(ids(loaded(tree.path())),
              ElementsAre(name + "/files/a", name + "/questions/deep/x/one"));
}

TEST(Suite, IsAlsoAFolderOfTasksOrOneTask) {
  FileTree tree({});
  add_task(tree, "set/deep/one");
  add_task(tree, "set/two");
  tree.write("set/two/tests/nested/task.toml", "is no task of its own");
  EXPECT_THAT(ids(loaded(tree.path() / "set")), ElementsAre("set/deep/one", "set/two"));
  EXPECT_THAT(ids(loaded(tree.path() / "set/two")), ElementsAre("set/two"));
  EXPECT_EQ(loaded(tree.path() / "set/two").tasks[0].digest,
            loaded(tree.path() / "set").tasks[1].digest);
}

TEST(Suite, NamesWhatIsWrong) {
  FileTree tree({});
  EXPECT_THAT(error_of(tree.path()), HasSubstr("holds no tasks"));
  EXPECT_THAT(error_of(tree.path() / "nowhere"), HasSubstr("is no folder"));

  add_task(tree, "a");
  tree.write("suite.toml", "nam = \"x\"\n");
  EXPECT_THAT(error_of(tree.path()), HasSubstr("suite.toml: field \"nam\" is not known"));
  tree.write("suite.toml", "name = \"a/b\"\n");
  EXPECT_THAT(error_of(tree.path()),
              HasSubstr("suite.toml: line 1: field \"name\" must be made of"));
  tree.write("suite.toml", "tasks = [\"gone/*\"]\n");
  EXPECT_THAT(error_of(tree.path()), HasSubstr("\"gone/*\" fits nothing"));
  tree.write("suite.toml", "[defaults]\nmemory_mb = 0\n");
  EXPECT_THAT(error_of(tree.path()),
              HasSubstr("line 2: field \"defaults.memory_mb\" must be a whole number"));
  fs::remove(tree.path() / "suite.toml");

  tree.write("qa.jsonl", "{}");
  EXPECT_THAT(error_of(tree.path()), HasSubstr("qa.jsonl: line 1: field \"id\" is missing"));
  fs::remove(tree.path() / "qa.jsonl");
  add_task(tree, "bad name");
  EXPECT_THAT(error_of(tree.path()), HasSubstr("must be made of letters"));
}

TEST(Suite, BlamesTheSuitesFolderAndNotTheTaskForASpaceInTheSuitesName) {
  FileTree tree({{"my tasks/qa.jsonl", kQuestion}});
  EXPECT_THAT(error_of(tree.path() / "my tasks"),
              HasSubstr("the suite has the name of its folder, \"my tasks\", which"));
  EXPECT_THAT(error_of(tree.path() / "my tasks"), HasSubstr("give it another by `name` in "));
  add_task(tree, "my tasks/one");
  EXPECT_THAT(error_of(tree.path() / "my tasks/one"), HasSubstr("folder above it, \"my tasks\""));
  tree.write("my tasks/suite.toml", "name = \"mine\"\n");
  EXPECT_THAT(ids(loaded(tree.path() / "my tasks")), ElementsAre("mine/one", "mine/qa/one"));
}

TEST(Suite, RefusesAnIdThatIsThereTwice) {
  FileTree tree({{"qa/a.jsonl", kQuestion}, {"suite.toml", "name = \"s\"\n"}});
  add_task(tree, "qa/a/one");
  EXPECT_THAT(error_of(tree.path()), HasSubstr("two tasks have the id \"s/qa/a/one\""));
}

TEST(FindSuite, LooksForNamesFirstAndPathsThen) {
  const FileTree bundled({{"starter/suite.toml", ""}});
  const FileTree other({{"mine/suite.toml", ""}});
  const std::vector<fs::path> path = {bundled.path()};
  EXPECT_EQ(*find_suite("starter", path), bundled.path() / "starter");
  EXPECT_EQ(*find_suite((other.path() / "mine").string(), path), other.path() / "mine");
  const auto wrong = find_suite("startr", path);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().message,
            "there is no suite \"startr\"; did you mean \"starter\"? (looked in " +
                bundled.path().string() + ")");
  EXPECT_EQ(find_suite("./startr", path).error().message, "there is no folder ./startr");
}

class SharedTasks : public testing::TestWithParam<std::pair<const char*, std::size_t>> {};

TEST_P(SharedTasks, AllLoad) {
  const fs::path folder = fs::path(TRIALWRIGHT_SHARED_DATA_FOLDER) / "agentic" / GetParam().first;
  if (!fs::exists(folder)) GTEST_SKIP() << "the shared benchmark data is not here";
  const Suite suite = loaded(folder);
  EXPECT_EQ(suite.tasks.size(), GetParam().second);
  for (const Task& task : suite.tasks) {
    const auto& content = std::get<WorkspaceTask>(task.content);
    const bool runs = task.id != "harbor/llm-judge-example" &&
                      task.id != "harbor/reward-kit-example" &&
                      task.id != "harbor/hello-healthcheck";
    EXPECT_EQ(content.unsupported.empty(), runs) << task.id << ": " << content.unsupported;
    for (const TaskStep& step : content.steps) {
      EXPECT_FALSE(step.instruction.empty()) << task.id;
      EXPECT_FALSE(step.solution_command.empty()) << task.id;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, SharedTasks,
                         testing::Values(std::pair("harbor", 8U), std::pair("terminal_bench", 16U),
                                         std::pair("terminal_bench_evoeval", 14U),
                                         std::pair("terminal_bench_polyglot", 7U)),
                         [](const auto& format) { return std::string(format.param.first); });

}  // namespace
}  // namespace trialwright
