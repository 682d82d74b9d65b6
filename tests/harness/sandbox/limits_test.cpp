#include <fcntl.h>

#include <csignal>
#include <thread>

#include "tests/harness/sandbox/sandbox_fixture.h"

namespace trialwright {
namespace {

using std::chrono::milliseconds;

class SandboxLimits : public SandboxTest {
 protected:
  /// Those inside cannot stop a runner, but who knows what can. False if there is not exactly one.
  static bool stop_the_runner() {
    int stopped = 0;
    for (const pid_t pid : processes_named("/proc/self/fd/5")) {
      const auto line = read_file("/proc/" + std::to_string(pid) + "/cmdline", 4096);
      const bool is_runner = line && line->starts_with("/proc/self/fd/5");
      if (is_runner && kill(pid, SIGSTOP) == 0) ++stopped;
    }
    return stopped == 1;
  }
};
INSTANTIATE_TEST_SUITE_P(Both, SandboxLimits, ::testing::Values(Recipe::Mapped, Recipe::Single),
                         recipe_name);

TEST_P(SandboxLimits, AForkBombIsStoppedAndCounted) {
  if (!has_cgroups()) GTEST_SKIP() << "no cgroups here";
  auto box = machine();
  const std::string count = python(*box,
                                   "import os, time\n"
                                   "n = 0\n"
                                   "try:\n"
                                   "  while n < 1000:\n"
                                   "    if os.fork() == 0: time.sleep(100)\n"
                                   "    n += 1\n"
                                   "except OSError: pass\n"
                                   "print(n)");
  EXPECT_GT(std::stoi(count), 10);
  EXPECT_LT(std::stoi(count), limits_.processes_max);
  EXPECT_GT(box->usage()["pids_refused"], 0);
  // The tests have a machine of their own.
  auto grading = box->seal({});
  ASSERT_TRUE(grading);
  EXPECT_EQ(bash(**grading, "echo fine").out.text(), "fine\n");
}

TEST_P(SandboxLimits, AForkBombDiesAtItsTimeout) {
  auto box = machine();
  CommandOptions options;
  options.timeout = milliseconds(1000);
  const auto result = bash(*box, "bomb() { bomb | bomb & }; bomb; sleep 100", options);
  EXPECT_EQ(result.end, CommandEnd::TimedOut);
  EXPECT_EQ(bash(*box, "echo alive").out.text(), "alive\n");
  // What was killed takes a moment to be gone.
  EXPECT_TRUE(
      eventually([&] { return bash(*box, kCountProcesses).out.text() == kRunnerAndShell; }));
}

TEST_P(SandboxLimits, AMemoryBombIsToldFromAnOrdinaryEndWhateverItsStatus) {
  if (!has_cgroups()) GTEST_SKIP() << "no cgroups here";
  auto box = machine();
  EXPECT_EQ(box->usage()["oom_kills"], 0);
  const auto result = bash(*box, "python3 -c 'x = bytearray(1 << 30)'; exit 0");
  EXPECT_EQ(result.end, CommandEnd::OutOfMemory);
  EXPECT_GE(box->usage()["oom_kills"], 1);
  EXPECT_EQ(bash(*box, "echo alive").end, CommandEnd::Exited);
}

TEST_P(SandboxLimits, ABoxThatIsKilledForItsMemoryBetweenCommandsIsStartedAgain) {
  if (!has_cgroups()) GTEST_SKIP() << "no cgroups here";
  auto box = machine();
  // The runner becomes the kernel's first choice, and dies while no command runs.
  bash(*box,
       "echo 1000 > /proc/1/oom_score_adj; echo kept > f; "
       "(setsid python3 -c 'import time; time.sleep(0.3); b = bytearray(1 << 30); time.sleep(9)' "
       ">/dev/null 2>&1 &)");
  EXPECT_TRUE(eventually([&] { return box->usage()["oom_kills"] > 0; }));
  EXPECT_EQ(bash(*box, "cat f").out.text(), "kept\n");
  EXPECT_EQ(*box->read_file("/app/f", 100), "kept\n");
}

TEST_P(SandboxLimits, ABoxThatIsKilledForItsMemoryIsToldFromAnotherEnd) {
  if (!has_cgroups()) GTEST_SKIP() << "no cgroups here";
  auto box = machine();
  const auto result =
      bash(*box, "echo 1000 > /proc/1/oom_score_adj; python3 -c 'b = bytearray(1 << 30)'");
  EXPECT_EQ(result.end, CommandEnd::OutOfMemory);
  EXPECT_EQ(bash(*box, "echo alive").out.text(), "alive\n");
}

TEST_P(SandboxLimits, ABoxWhoseRunnerIsStarvedFromInsideIsStartedAgain) {
  auto box = machine();
  // No descriptors left: the runner ends at once, or cannot take the next command's streams.
  const std::string starve = "import resource; resource.prlimit(1, resource.RLIMIT_NOFILE, (0, 0))";
  python(*box, starve);
  const auto next = bash(*box, "echo fine");
  EXPECT_TRUE(next.out.text() == "fine\n" || next.end == CommandEnd::Signaled);
  EXPECT_EQ(bash(*box, "echo alive").out.text(), "alive\n");
  python(*box, starve);
  EXPECT_TRUE(box->write_file("/app/f", "written", 0644));
  EXPECT_EQ(*box->read_file("/app/f", 100), "written");
}

TEST_P(SandboxLimits, ABoxThatDoesNotAnswerIsStartedAgain) {
  auto box = machine();
  bash(*box, "echo kept > f");
  ASSERT_TRUE(stop_the_runner());
  EXPECT_EQ(*box->read_file("/app/f", 100), "kept\n");
}

TEST_P(SandboxLimits, ACommandThatDoesNotDieAtItsTimeoutHasTimedOutNonetheless) {
  auto box = machine();
  const std::jthread later([] {
    EXPECT_TRUE(eventually([] { return !processes_named("7301").empty(); }));
    EXPECT_TRUE(stop_the_runner());
  });
  CommandOptions options;
  options.timeout = milliseconds(1000);
  const auto result = bash(*box, "echo hi; sleep 7301", options);
  EXPECT_EQ(result.end, CommandEnd::TimedOut);
  EXPECT_EQ(result.out.text(), "hi\n");
  EXPECT_GE(result.wall, milliseconds(1000));
  EXPECT_EQ(bash(*box, "echo alive").out.text(), "alive\n");
}

TEST_P(SandboxLimits, ABoxThatCannotBeEndedIsNotStartedBesideItself) {
  if (GetParam() == Recipe::Single) GTEST_SKIP() << "once is enough for what takes so long";
  auto box = machine();
  const auto monitors = processes_named("--as-pid-1");
  ASSERT_FALSE(monitors.empty());
  // To us this stream's end is the end of the box. Whoever holds it open stands for a process that
  // does not die.
  const std::string stream = "/proc/" + std::to_string(monitors.front()) + "/fd/2";
  const FileDescriptor held(open(stream.c_str(), O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(held);
  EXPECT_EQ(box->seal({}).error().kind, ErrorKind::Unavailable);
  const std::vector<std::string> command = {"true"};
  const auto next = box->run(command, {}, {});
  ASSERT_FALSE(next);
  EXPECT_EQ(next.error().kind, ErrorKind::Unavailable);
}

TEST_P(SandboxLimits, ACommandWhoseKeeperDiesIsNotSaidToHaveBeenKilled) {
  auto box = machine();
  const std::jthread later([] {
    EXPECT_TRUE(eventually([] { return !processes_named("7302").empty(); }));
    int killed = 0;
    for (const pid_t pid : processes_named(std::string("trialwright-box\0keeper", 22))) {
      const auto status = read_file("/proc/" + std::to_string(pid) + "/status", 4096);
      const bool ours =
          status && status->find("PPid:\t" + std::to_string(getpid()) + "\n") != status->npos;
      if (ours && kill(pid, SIGKILL) == 0) ++killed;
    }
    EXPECT_EQ(killed, 1);
  });
  const std::vector<std::string> command = {"sleep", "7302"};
  const auto result = box->run(command, {}, {});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::Unavailable);
}

TEST_P(SandboxLimits, ADiskCannotBeFilledBeyondItsSize) {
  auto box = machine();
  EXPECT_NE(said_by(*box, "for i in 1 2 3; do head -c 30000000 /dev/zero > /app/$i; done")
                .find("No space left"),
            std::string::npos);
  EXPECT_NE(said_by(*box, "head -c 30000000 /dev/zero > /var/tmp/x").find("No space left"),
            std::string::npos);
  const auto written = box->write_file("/app/more", std::string(4'000'000, 'x'), 0644);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().kind, ErrorKind::Invalid);
}

TEST_P(SandboxLimits, FilesOfNoBytesAreLimitedToo) {
  auto box = machine();
  EXPECT_NE(python(*box,
                   "import os\n"
                   "try:\n"
                   "  for i in range(200000): os.close(os.open(f'/tmp/{i}', os.O_CREAT))\n"
                   "except OSError as e: print(e.strerror)")
                .find("No space left"),
            std::string::npos);
}

TEST_P(SandboxLimits, SharedMemoryIsLimited) {
  auto box = machine();
  EXPECT_NE(
      said_by(*box, "cd /dev/shm; head -c 40000000 /dev/zero > a; head -c 40000000 /dev/zero > b")
          .find("No space left"),
      std::string::npos);
}

TEST_P(SandboxLimits, AFileCannotEvenPretendToBeHuge) {
  auto box = machine();
  EXPECT_NE(bash(*box, "truncate -s 10T sparse").code, 0);
  EXPECT_EQ(bash(*box, "ulimit -c").out.text(), "0\n");
}

TEST_P(SandboxLimits, AreSaidToHoldOrNot) {
  const Json capabilities = sandbox_->capabilities();
  EXPECT_EQ(capabilities["backend"], "bubblewrap");
  EXPECT_EQ(capabilities["base"]["tree"].get<std::string>().rfind("host /usr, ", 0), 0U);
  EXPECT_EQ(capabilities["base"]["fingerprint"].get<std::string>().size(), 64U);
  EXPECT_TRUE(capabilities["gaps"].is_array());
}

}  // namespace
}  // namespace trialwright
