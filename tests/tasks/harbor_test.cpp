#include "tasks/harbor.h"

#include <gmock/gmock.h>

#include "tests/support/file_tree.h"

namespace trialwright {
namespace {

using std::chrono::seconds;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

/// The smallest task that loads, with another task.toml.
FileTree task_with(const std::string& toml) {
  return FileTree({{"task.toml", toml},
                   {"instruction.md", "Do it.\n"},
                   {"environment/Dockerfile", "FROM debian\nWORKDIR /app\n"},
                   {"tests/test.sh", "echo 1 > /logs/verifier/reward.txt\n"},
                   {"solution/solve.sh", "true\n"}});
}

Task loaded(const FileTree& tree) {
  auto task = load_harbor_task(tree.path(), "s/t", TaskLimits{});
  EXPECT_TRUE(task) << task.error().message;
  return task ? *task : Task{};
}

const WorkspaceTask& content(const Task& task) { return std::get<WorkspaceTask>(task.content); }

std::string error_of(const FileTree& tree) {
  auto task = load_harbor_task(tree.path(), "s/t", TaskLimits{});
  EXPECT_FALSE(task);
  return task ? "" : task.error().message;
}

TEST(HarborTask, ReadsEveryField) {
  const FileTree tree = task_with(R"(
schema_version = "1.1"
[task]
name = "org/name"
keywords = ["k", "easy"]
[metadata]
difficulty = "easy"
tags = ["easy", "git"]
[verifier]
timeout_sec = 30.5
env = { MODE = "strict" }
[agent]
timeout_sec = 90
[environment]
build_timeout_sec = 200
cpus = 1
memory_mb = 512
storage_mb = 64
workdir = "/work"
env = { LANG = "C", GREETING = "${GREETING:-hello}" }
[solution.env]
KEY = "value"
)");
  const Task task = loaded(tree);

  EXPECT_EQ(task.id, "s/t");
  EXPECT_THAT(task.tags, ElementsAre("easy", "git", "k"));
  EXPECT_EQ(task.metadata["difficulty"], "easy");
  EXPECT_EQ(task.metadata["name"], "org/name");
  EXPECT_EQ(task.limits.agent_timeout, seconds(90));
  EXPECT_EQ(task.limits.verifier_timeout, seconds(31));
  EXPECT_EQ(task.limits.build_timeout, seconds(200));
  EXPECT_EQ(task.limits.memory_bytes, std::uint64_t{512} << 20U);
  EXPECT_EQ(task.limits.storage_bytes, std::uint64_t{64} << 20U);
  EXPECT_EQ(content(task).unsupported, "");
  EXPECT_THAT(content(task).notes, testing::IsEmpty());
  EXPECT_EQ(content(task).environment.working_folder, "/work");
  EXPECT_THAT(content(task).environment.env,
              ElementsAre(Pair("GREETING", "hello"), Pair("LANG", "C")));
  ASSERT_EQ(content(task).steps.size(), 1U);
  const TaskStep& step = content(task).steps[0];
  EXPECT_EQ(step.instruction, "Do it.\n");
  EXPECT_EQ(step.test_command, "bash /tests/test.sh");
  EXPECT_EQ(step.tests_folder, tree.path() / "tests");
  EXPECT_EQ(step.solution_command, "bash /solution/solve.sh");
  EXPECT_THAT(step.verifier_env, ElementsAre(Pair("MODE", "strict")));
  EXPECT_THAT(step.solution_env, ElementsAre(Pair("KEY", "value")));
}

TEST(HarborTask, ReadsSizesTheOldWay) {
  const Task task = loaded(task_with("[environment]\nmemory = \"2G\"\nstorage = \"512M\"\n"));
  EXPECT_EQ(task.limits.memory_bytes, std::uint64_t{2} << 30U);
  EXPECT_EQ(task.limits.storage_bytes, std::uint64_t{512} << 20U);
}

TEST(HarborTask, KeepsTheOrderOfItsSteps) {
  FileTree tree = task_with(R"(
multi_step_reward_strategy = "final"
[[steps]]
name = "zeta"
min_reward = 0.5
[steps.agent]
timeout_sec = 7
[[steps]]
name = "alpha"
)");
  std::filesystem::remove_all(tree.path() / "tests");
  for (const std::string name : {"zeta", "alpha"}) {
    tree.write("steps/" + name + "/instruction.md", "Step " + name);
    tree.write("steps/" + name + "/tests/test.sh", "");
  }
  const Task task = loaded(tree);

  ASSERT_EQ(content(task).steps.size(), 2U);
  EXPECT_EQ(content(task).steps_reward, StepsReward::Final);
  EXPECT_EQ(content(task).steps[0].name, "zeta");
  EXPECT_EQ(content(task).steps[0].agent_timeout, seconds(7));
  EXPECT_EQ(content(task).steps[0].reward_min, 0.5);
  EXPECT_EQ(content(task).steps[1].instruction, "Step alpha");
  EXPECT_EQ(content(task).steps[1].solution_command, "");
}

TEST(HarborTask, NamesTheFieldThatIsWrong) {
  EXPECT_THAT(error_of(task_with("[agent]\ntimeout_sec = \"long\"\n")),
              HasSubstr("task.toml: line 2: field \"agent.timeout_sec\" must be a number"));
  EXPECT_THAT(error_of(task_with("[agent]\ntimeout_sec = -1\n")), HasSubstr("above 0"));
  EXPECT_THAT(error_of(task_with("[metadata]\ntags = [1]\n")),
              HasSubstr("field \"metadata.tags\" must be a list of strings"));
  EXPECT_THAT(error_of(task_with("[verifier.env]\nA = 1\n")),
              HasSubstr("field \"verifier.env.A\" must be a string"));
  EXPECT_THAT(error_of(task_with("[environment]\nmemory = \"17179869185G\"\n")),
              HasSubstr("must be a size"));
  EXPECT_THAT(error_of(task_with("[environment]\nmemory = \"lots\"\n")),
              HasSubstr("must be a size such as"));
  EXPECT_THAT(error_of(task_with("[environment]\nworkdir = \"app\"\n")),
              HasSubstr("must be an absolute path"));
  EXPECT_THAT(error_of(task_with("[[steps]]\nname = \"../..\"\n")),
              HasSubstr("must be the name of a folder in steps/"));
  EXPECT_THAT(error_of(task_with("version = \n")), HasSubstr("task.toml: line 1: not valid TOML"));
}

TEST(HarborTask, NamesTheFileThatIsMissing) {
  for (const char* file : {"instruction.md", "environment/Dockerfile", "tests/test.sh"}) {
    const FileTree tree = task_with("");
    std::filesystem::remove(tree.path() / file);
    EXPECT_THAT(error_of(tree), HasSubstr(file));
  }
}

TEST(HarborTask, NamesTheLineOfItsDockerfile) {
  FileTree tree = task_with("");
  tree.write("environment/Dockerfile", "FROM x\nCOPY gone.txt .\n");
  EXPECT_THAT(error_of(tree), HasSubstr("environment/Dockerfile: line 2: COPY: \"gone.txt\""));
}

TEST(HarborTask, SaysWhyItCannotRun) {
  const auto reason = [](const std::string& toml) {
    return content(loaded(task_with(toml))).unsupported;
  };
  EXPECT_THAT(reason("[environment.healthcheck]\ncommand = \"true\"\n"), HasSubstr("health check"));
  EXPECT_THAT(reason("[environment]\ngpus = 1\n"), HasSubstr("GPU"));
  EXPECT_EQ(reason("[environment]\ngpus = 0\nmcp_servers = []\n"), "");
  EXPECT_THAT(reason("[environment]\nos = \"windows\"\n"), HasSubstr("windows"));
  EXPECT_THAT(reason("[verifier]\nenvironment_mode = \"separate\"\n"),
              HasSubstr("a machine of its own"));
  EXPECT_THAT(reason("[verifier.env]\nANTHROPIC_API_KEY = \"${ANTHROPIC_API_KEY}\"\n"),
              HasSubstr("it grades with a model"));
}

TEST(HarborTask, NeverReadsTheHostsVariables) {
  ASSERT_EQ(setenv("TRIALWRIGHT_TEST_SECRET", "secret", 1), 0);
  const Task task = loaded(task_with("[environment.env]\nA = \"${TRIALWRIGHT_TEST_SECRET}\"\n"));
  EXPECT_THAT(content(task).unsupported, HasSubstr("TRIALWRIGHT_TEST_SECRET"));
  for (const auto& [name, value] : content(task).environment.env) EXPECT_NE(value, "secret");
}

TEST(HarborTask, NotesWhatHasNoEffect) {
  const Task task = loaded(task_with("artifacts = [\"/app/out\"]\n[environment]\ncpus = 4\n"));
  EXPECT_THAT(content(task).notes,
              ElementsAre(HasSubstr("several processors"), HasSubstr("artifacts")));
  EXPECT_THAT(content(loaded(task_with("[environment]\ncpus = 1\n"))).notes, testing::IsEmpty());
}

TEST(HarborTask, NotesFieldsItDoesNotKnow) {
  const Task task =
      loaded(task_with("[agent]\ntimeout_secs = 5\n[environment]\nallow_internet = true\n"));
  EXPECT_THAT(content(task).notes, Contains("the field \"agent.timeout_secs\" is not known"));
  EXPECT_THAT(content(task).notes, Contains(HasSubstr("asks for a network")));
  EXPECT_TRUE(content(task).environment.network_wanted);
}

}  // namespace
}  // namespace trialwright
