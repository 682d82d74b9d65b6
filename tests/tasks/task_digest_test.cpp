#include "tasks/task_digest.h"

#include <gtest/gtest.h>

#include "tasks/harbor.h"
#include "tests/support/file_tree.h"

namespace trialwright {
namespace {

FileTree small_task() {
  return FileTree({{"task.toml", "[agent]\ntimeout_sec = 10\n"},
                   {"instruction.md", "Do it."},
                   {"environment/Dockerfile", "FROM x\nCOPY data /data\n"},
                   {"environment/data/file", "content"},
                   {"environment/unused", "content"},
                   {"tests/test.sh", "true"},
                   {"solution/solve.sh", "true"}});
}

std::string digest_of(const FileTree& tree, const std::string& id = "s/t") {
  const auto task = load_harbor_task(tree.path(), id, TaskLimits{});
  EXPECT_TRUE(task) << task.error().message;
  const auto digest = digest_task(*task);
  EXPECT_TRUE(digest) << digest.error().message;
  return digest->hex();
}

TEST(TaskDigest, DoesNotDependOnPlaceOrName) {
  const FileTree one = small_task();
  const FileTree two = small_task();
  EXPECT_EQ(digest_of(one), digest_of(two, "other/name"));
}

TEST(TaskDigest, ChangesWithWhatDecidesTheOutcome) {
  const std::string before = digest_of(small_task());
  for (const auto& [name, content] : std::initializer_list<std::pair<const char*, const char*>>{
           {"task.toml", "[agent]\ntimeout_sec = 11\n"},
           {"task.toml", "[agent]\ntimeout_sec = 10\n[verifier.env]\nA = \"\"\n"},
           {"instruction.md", "Do it!"},
           {"environment/Dockerfile", "FROM x\nCOPY data /data\nRUN true\n"},
           {"environment/data/file", "other"},
           {"environment/data/more", ""},
           {"environment/data/folder/", ""},
           {"tests/test.sh", "false"},
           {"tests/extra", ""}}) {
    const FileTree tree = small_task();
    tree.write(name, content);
    EXPECT_NE(digest_of(tree), before) << name;
  }
}

TEST(TaskDigest, StaysWithWhatDoesNot) {
  const std::string before = digest_of(small_task());
  for (const auto& [name, content] : std::initializer_list<std::pair<const char*, const char*>>{
           {"task.toml", "[agent]\ntimeout_sec = 10.0\n[metadata]\ntags = [\"new\"]\n"},
           {"solution/solve.sh", "another way"},
           {"environment/unused", "other"},
           {"README.md", "words"}}) {
    const FileTree tree = small_task();
    tree.write(name, content);
    EXPECT_EQ(digest_of(tree), before) << name;
  }
}

TEST(TaskDigest, CountsExecuteBitsAndLinks) {
  namespace fs = std::filesystem;
  const std::string before = digest_of(small_task());
  const FileTree executable = small_task();
  fs::permissions(executable.path() / "environment/data/file", fs::perms::owner_exec,
                  fs::perm_options::add);
  EXPECT_NE(digest_of(executable), before);

  const FileTree readable = small_task();
  fs::permissions(readable.path() / "environment/data/file",
                  fs::perms::group_write | fs::perms::others_read, fs::perm_options::add);
  EXPECT_EQ(digest_of(readable), before);

  const FileTree link = small_task();
  fs::remove(link.path() / "environment/data/file");
  fs::create_symlink("/nowhere", link.path() / "environment/data/file");
  EXPECT_NE(digest_of(link), before);
}

TEST(TaskDigest, TellsQuestionsApart) {
  const auto digest = [](QaTask question) {
    Task task;
    task.content = std::move(question);
    return digest_task(task)->hex();
  };
  const std::string one = digest({.prompt = "p", .answer = ExactAnswer{{"a"}, false}});
  EXPECT_NE(one, digest({.prompt = "q", .answer = ExactAnswer{{"a"}, false}}));
  EXPECT_NE(one, digest({.prompt = "p", .answer = ExactAnswer{{"a"}, true}}));
  EXPECT_NE(one, digest({.prompt = "p", .answer = RegexAnswer{"a"}}));
  EXPECT_NE(one, digest({.prompt = "p", .answer = ExactAnswer{{"a"}, false}, .tokens_max = 1}));
  EXPECT_EQ(one, digest({.prompt = "p", .answer = ExactAnswer{{"a"}, false}}));
}

TEST(TaskDigest, StaysWhenAQuestionGetsAReference) {
  const auto digest = [](Answer answer) {
    Task task;
    task.content = QaTask{.prompt = "p", .answer = std::move(answer)};
    return digest_task(task)->hex();
  };
  EXPECT_EQ(digest(RegexAnswer{"a"}), digest(RegexAnswer{"a", "a"}));
  EXPECT_EQ(digest(SchemaAnswer{Json::object()}), digest(SchemaAnswer{Json::object(), "{}"}));
}

}  // namespace
}  // namespace trialwright
