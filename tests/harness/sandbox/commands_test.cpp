#include <csignal>
#include <thread>

#include "harness/agent/tools.h"
#include "tests/harness/sandbox/sandbox_fixture.h"

namespace trialwright {
namespace {

using std::chrono::milliseconds;

class SandboxCommands : public SandboxTest {};
INSTANTIATE_TEST_SUITE_P(Both, SandboxCommands, ::testing::Values(Recipe::Mapped, Recipe::Single),
                         recipe_name);

TEST_P(SandboxCommands, GiveStatusAndBothStreams) {
  auto box = machine();
  const auto result = bash(*box, "echo out; echo err >&2; exit 3");
  EXPECT_EQ(result.end, CommandEnd::Exited);
  EXPECT_EQ(result.code, 3);
  EXPECT_EQ(result.out.text(), "out\n");
  EXPECT_EQ(result.err.text(), "err\n");
  EXPECT_GT(result.wall.count(), 0);
}

TEST_P(SandboxCommands, TellTheSignalThatEndedThem) {
  auto box = machine();
  const auto result = bash(*box, "kill -SEGV $$");
  EXPECT_EQ(result.end, CommandEnd::Signaled);
  EXPECT_EQ(result.code, SIGSEGV);
}

TEST_P(SandboxCommands, ThatDoNotExistEndAsAShellWouldSay) {
  auto box = machine();
  const auto missing = run(*box, {"no-such-program"});
  EXPECT_EQ(missing.code, 127);
  EXPECT_EQ(missing.err.text(), "no-such-program: No such file or directory\n");
  EXPECT_EQ(run(*box, {"/etc/passwd"}).code, 126);
  CommandOptions elsewhere;
  elsewhere.cwd = "/nowhere";
  EXPECT_EQ(run(*box, {"true"}, elsewhere).err.text(), "/nowhere: No such file or directory\n");
}

TEST_P(SandboxCommands, StartInTheWorkingFolderOrWhereTold) {
  auto box = machine();
  EXPECT_EQ(bash(*box, "pwd").out.text(), "/app\n");
  EXPECT_EQ(box->working_folder(), "/app");
  CommandOptions options;
  options.cwd = "/usr";
  EXPECT_EQ(bash(*box, "pwd", options).out.text(), "/usr\n");
}

TEST_P(SandboxCommands, GetInputAndThenItsEnd) {
  auto box = machine();
  CommandOptions options;
  options.input = std::string(300'000, 'x') + "end";
  EXPECT_EQ(bash(*box, "wc -c", options).out.text(), "300003\n");
  // Nobody reads it: that must not harm the harness.
  EXPECT_EQ(bash(*box, "exec 0<&-; sleep 0.1; echo closed", options).out.text(), "closed\n");
  EXPECT_EQ(bash(*box, "cat; echo nothing").out.text(), "nothing\n");
}

TEST_P(SandboxCommands, GetTheGivenEnvironmentAndTheTasks) {
  environment_.env = {{"FROM_TASK", "1"}, {"BOTH", "task"}};
  auto box = machine();
  CommandOptions options;
  options.env = {{"FROM_CALL", "2"}, {"BOTH", "call"}};
  EXPECT_EQ(bash(*box, "echo $FROM_TASK $FROM_CALL $BOTH $HOME", options).out.text(),
            "1 2 call /root\n");
}

TEST_P(SandboxCommands, KeepTheOrderOfMergedStreams) {
  auto box = machine();
  CommandOptions options;
  options.merge_streams = true;
  const auto result = bash(*box, "echo 1; echo 2 >&2; echo 3", options);
  EXPECT_EQ(result.out.text(), "1\n2\n3\n");
  EXPECT_EQ(result.err.bytes_total, 0U);
}

TEST_P(SandboxCommands, TakeArgumentsOfAnySortAndLength) {
  auto box = machine();
  const std::string odd = "a b\n\"'$(x)\t\xff";
  EXPECT_EQ(run(*box, {"printf", "%s", odd}).out.text(), odd);
  EXPECT_EQ(run(*box, {"bash", "-c", "echo ${#1}", "-", std::string(100'000, 'y')}).out.text(),
            "100000\n");
  EXPECT_EQ(run(*box, {"echo", std::string(300'000, 'y')}).code, 126);
}

TEST_P(SandboxCommands, KeepStartAndEndOfLongOutput) {
  auto box = machine();
  CommandOptions options;
  options.output_bytes_max = 1000;
  const auto result = bash(*box, "echo first; head -c 300000000 /dev/zero; echo last", options);
  EXPECT_EQ(result.out.bytes_total, 300'000'011U);
  EXPECT_EQ(result.out.head.substr(0, 6), "first\n");
  EXPECT_EQ(result.out.tail.substr(result.out.tail.size() - 5), "last\n");
  EXPECT_EQ(result.out.head.size() + result.out.tail.size(), 1000U);
}

TEST_P(SandboxCommands, AreKilledAtTheirTimeoutWithAllTheyStarted) {
  auto box = machine();
  CommandOptions options;
  options.timeout = milliseconds(500);
  // A grandchild in a session of its own, orphaned at once, deaf to polite signals.
  const auto result = bash(
      *box, "(setsid bash -c 'trap \"\" TERM INT HUP; sleep 7001 & wait' &) ; echo hi; sleep 7001",
      options);
  EXPECT_EQ(result.end, CommandEnd::TimedOut);
  EXPECT_EQ(result.out.text(), "hi\n");
  EXPECT_LT(result.wall, std::chrono::seconds(5));
  EXPECT_TRUE(eventually([] { return processes_named("7001").empty(); }));
  EXPECT_EQ(bash(*box, "echo still here").out.text(), "still here\n");
}

TEST_P(SandboxCommands, LeaveEarlierDaemonsAloneWhenTheyTimeOut) {
  auto box = machine();
  bash(*box, "setsid sleep 7002 >/dev/null 2>&1 &");
  CommandOptions options;
  options.timeout = milliseconds(300);
  EXPECT_EQ(bash(*box, "sleep 7003 & (sleep 7003 &); sleep 7003", options).end,
            CommandEnd::TimedOut);
  EXPECT_TRUE(eventually([] { return processes_named("7003").empty(); }));
  EXPECT_EQ(processes_named("7002").size(), 1U);
  box.reset();
  EXPECT_TRUE(processes_named("7002").empty());
}

TEST_P(SandboxCommands, DoNotWaitForWhatRunsInTheBackground) {
  auto box = machine();
  const auto result = bash(*box, "(while true; do echo tick; sleep 0.01; done) & echo started");
  EXPECT_LT(result.wall, std::chrono::seconds(5));
  EXPECT_NE(result.out.text().find("started"), std::string::npos);
  // It still has somewhere to write to.
  EXPECT_EQ(bash(*box, "sleep 0.2; pgrep -c bash").code, 0);
}

TEST_P(SandboxCommands, StopWhenAskedTo) {
  auto box = machine();
  std::stop_source source;
  std::jthread later([&] {
    usleep(200'000);
    source.request_stop();
  });
  const std::vector<std::string> command = {"sleep", "7004"};
  const auto result = box->run(command, {}, source.get_token());
  ASSERT_TRUE(result);
  EXPECT_EQ(result->end, CommandEnd::Cancelled);
  EXPECT_TRUE(eventually([] { return processes_named("7004").empty(); }));
}

TEST_P(SandboxCommands, ReadAndWriteFiles) {
  auto box = machine();
  ASSERT_TRUE(box->write_file("/app/new/folder/a.sh", "echo made\n", 0755));
  EXPECT_EQ(run(*box, {"/bin/sh", "/app/new/folder/a.sh"}).out.text(), "made\n");
  EXPECT_EQ(bash(*box, "stat -c '%a %U' /app/new/folder/a.sh").out.text(), "755 root\n");
  ASSERT_TRUE(box->write_file("/app/new/folder/a.sh", "x", 0644));
  EXPECT_EQ(*box->read_file("/app/new/folder/a.sh", 10), "x");
  bash(*box, "ln -s /app/new link; echo hidden > /tmp/h");
  EXPECT_EQ(*box->read_file("/app/link/folder/a.sh", 10), "x");
  EXPECT_EQ(*box->read_file("/tmp/h", 10), "hidden\n");
}

TEST_P(SandboxCommands, LeaveAFilesModeAloneUnlessOneIsGiven) {
  auto box = machine();
  ASSERT_TRUE(box->write_file("/app/new.txt", "x", 0));
  bash(*box, "echo 'echo old' > run.sh; chmod 755 run.sh");
  ASSERT_TRUE(box->write_file("/app/run.sh", "#!/bin/sh\necho new\n", 0));
  EXPECT_EQ(said_by(*box, "stat -c %a new.txt run.sh; ./run.sh"), "644\n755\nnew\n");
}

TEST_P(SandboxCommands, OfTheFileToolsGiveFilesThatOthersCanUse) {
  auto box = machine();
  bash(*box, "printf '#!/bin/sh\necho old\n' > run.sh; chmod 755 run.sh");
  const ToolLimits limits;
  const auto wrote = call_tool({"1", "write_file", {{"path", "new.txt"}, {"content", "x"}}},
                               {"write_file"}, *box, limits, {});
  ASSERT_TRUE(wrote);
  EXPECT_FALSE(wrote->is_error) << wrote->text;
  const auto edited =
      call_tool({"2", "edit_file", {{"path", "run.sh"}, {"old_text", "old"}, {"new_text", "new"}}},
                {"edit_file"}, *box, limits, {});
  ASSERT_TRUE(edited);
  EXPECT_FALSE(edited->is_error) << edited->text;
  EXPECT_EQ(said_by(*box, "stat -c %a new.txt run.sh; ./run.sh"), "644\n755\nnew\n");
}

TEST_P(SandboxCommands, RefuseFilesThatAreNone) {
  auto box = machine();
  bash(*box, "mkfifo fifo; mkdir folder; ln -s loop loop; head -c 100 /dev/zero > big");
  for (const char* path : {"/app/fifo", "/app/folder", "/app/loop", "/dev/zero", "/app/big"}) {
    const auto content = box->read_file(path, 50);
    ASSERT_FALSE(content) << path;
    EXPECT_EQ(content.error().kind, ErrorKind::Invalid) << path;
  }
  EXPECT_EQ(box->read_file("/app/none", 50).error().kind, ErrorKind::NotFound);
  for (const char* path :
       {"/app/folder", "/proc/sys/kernel/x", "/dev/null", "/app/big/x", "/app/fifo"}) {
    const auto written = box->write_file(path, "x", 0644);
    ASSERT_FALSE(written) << path;
    EXPECT_EQ(written.error().kind, ErrorKind::Invalid) << path;
  }
}

}  // namespace
}  // namespace trialwright
