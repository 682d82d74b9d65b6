// Every workspace task of the bundled suite tells right from wrong: the attempts of
// starter_suite/*.toml, made in the real sandbox, get the reward that their author says.

#include <gmock/gmock.h>
#include <toml++/toml.h>

#include <atomic>
#include <map>
#include <thread>

#include "harness/sandbox/sandbox.h"
#include "tasks/suite.h"
#include "tests/support/sandbox_needed.h"

namespace trialwright {
namespace {

namespace fs = std::filesystem;

struct Attempt {
  std::string script;
  bool passes = false;
};

std::map<std::string, std::vector<Attempt>> known_attempts() {
  std::map<std::string, std::vector<Attempt>> result;
  const fs::path folder = fs::path(TRIALWRIGHT_SOURCE_FOLDER) / "tests/harness/starter_suite";
  for (const fs::directory_entry& file : fs::directory_iterator(folder)) {
    const toml::table document = toml::parse_file(file.path().string());
    for (const toml::node& node : *document["attempt"].as_array()) {
      const toml::table& attempt = *node.as_table();
      result[attempt["task"].value<std::string>().value()].push_back(
          {attempt["script"].value<std::string>().value(),
           attempt["passes"].value<bool>().value()});
    }
  }
  return result;
}

/// The reward that the task's own tests give after `script`, as they wrote it; or what failed.
std::string reward_after(Sandbox& sandbox, const std::shared_ptr<const SandboxImage>& image,
                         const Task& task, const std::string& script) {
  const TaskStep& step = std::get<WorkspaceTask>(task.content).steps.front();
  auto machine = sandbox.start(image, task.limits, {});
  if (!machine) return machine.error().message;
  const std::vector<std::string> attempt = {"bash", "-c", script};
  if (auto made = (*machine)->run(attempt, {}, {}); !made) return made.error().message;

  auto sealed = (*machine)->seal({{step.tests_folder, "/tests"}});
  if (!sealed) return sealed.error().message;
  const std::vector<std::string> tests = {"bash", "-c", step.test_command};
  if (auto graded = (*sealed)->run(tests, {}, {}); !graded) return graded.error().message;
  auto reward = (*sealed)->read_verdict("reward.txt", 64);
  return reward ? *reward : reward.error().message;
}

class StarterAttempts : public testing::Test {
 protected:
  void SetUp() override {
    auto sandbox = open_bubblewrap_sandbox();
    if (!sandbox) SKIP_FOR_WANT_OF_A_SANDBOX(sandbox.error());
    sandbox_ = std::move(*sandbox);
    auto suite = load_suite(fs::path(TRIALWRIGHT_SOURCE_FOLDER) / "tasks/suites/starter");
    ASSERT_TRUE(suite) << suite.error().message;
    suite_ = std::move(*suite);
  }

  void check(const Task& task, const std::vector<Attempt>& attempts) {
    auto image =
        sandbox_->build(std::get<WorkspaceTask>(task.content).environment, task.limits, {});
    ASSERT_TRUE(image) << task.id << ": " << image.error().message;
    int right = 0;
    int wrong = 0;
    for (const Attempt& attempt : attempts) {
      ++(attempt.passes ? right : wrong);
      EXPECT_EQ(reward_after(*sandbox_, *image, task, attempt.script),
                attempt.passes ? "1\n" : "0\n")
          << task.id << " after\n"
          << attempt.script;
    }
    EXPECT_GE(right, 2) << task.id;
    EXPECT_GE(wrong, 3) << task.id;
  }

  std::unique_ptr<Sandbox> sandbox_;
  Suite suite_;
};

TEST_F(StarterAttempts, GetTheRewardsTheirAuthorMeant) {
  const auto known = known_attempts();
  std::vector<const Task*> tasks;
  for (const Task& task : suite_.tasks) {
    if (std::holds_alternative<WorkspaceTask>(task.content)) tasks.push_back(&task);
  }
  EXPECT_EQ(known.size(), tasks.size());
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t i = next++; i < tasks.size(); i = next++) {
      const auto attempts = known.find(tasks[i]->id);
      if (attempts == known.end()) {
        ADD_FAILURE() << tasks[i]->id << " has no known attempts";
      } else {
        check(*tasks[i], attempts->second);
      }
    }
  };
  std::jthread helper(work);
  work();
}

}  // namespace
}  // namespace trialwright
