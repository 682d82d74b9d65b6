#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/files.h"
#include "base/random.h"
#include "harness/sandbox/captured_output.h"
#include "harness/sandbox/cgroup.h"
#include "harness/sandbox/grader_view.h"
#include "harness/sandbox/inside/wire.h"
#include "harness/sandbox/tree_writer.h"

namespace trialwright {
namespace {

TEST(CapturedOutput, IsWholeIfItFits) {
  CapturedOutput output(10);
  output.add("abc");
  output.add("defghij");
  const CapturedStream stream = output.finish();
  EXPECT_EQ(stream.head, "abcdefghij");
  EXPECT_EQ(stream.tail, "");
  EXPECT_FALSE(stream.truncated());
}

TEST(CapturedOutput, KeepsHeadAndTailHoweverThePiecesFall) {
  std::string whole;
  for (int i = 0; i < 1000; ++i) whole += std::to_string(i) + ",";
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    RandomStream random(seed, 0);
    const std::uint64_t kept = random.below(300);
    CapturedOutput output(kept);
    for (std::size_t at = 0; at < whole.size();) {
      const std::size_t size = random.below(400);
      output.add(std::string_view(whole).substr(at, size));
      at += size;
    }
    const CapturedStream stream = output.finish();
    EXPECT_EQ(stream.bytes_total, whole.size());
    EXPECT_EQ(stream.head, whole.substr(0, kept - kept / 2));
    EXPECT_EQ(stream.tail, whole.substr(whole.size() - kept / 2));
  }
}

constexpr const char* kHybridMounts =
    "24 1 0:21 / /proc rw - proc proc rw\n"
    "35 31 0:31 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
    "39 31 0:36 / /sys/fs/cgroup/pids rw,relatime shared:7 - cgroup cgroup rw,pids\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";

TEST(CgroupPlace, IsV1WhereV2HasNoControllers) {
  const auto place = find_cgroups(kHybridMounts, "8:pids:/\n4:memory:/a/b\n0::/\n", "hugetlb\n");
  EXPECT_EQ(place.mode, LimitMode::CgroupV1);
  EXPECT_EQ(place.memory, "/sys/fs/cgroup/memory/a/b");
  EXPECT_EQ(place.pids, "/sys/fs/cgroup/pids");
}

TEST(CgroupPlace, IsV2WhereItHasMemoryAndPids) {
  const auto place =
      find_cgroups("30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n",
                   "0::/user.slice/scope\n", "cpuset cpu io memory pids\n");
  EXPECT_EQ(place.mode, LimitMode::CgroupV2);
  EXPECT_EQ(place.memory, "/sys/fs/cgroup/user.slice/scope");
  EXPECT_EQ(place.pids, place.memory);
}

TEST(CgroupPlace, FollowsAContainersPartialMount) {
  const auto place = find_cgroups("30 23 0:26 /docker/x /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
                                  "0::/docker/x/inner\n", "memory pids\n");
  EXPECT_EQ(place.memory, "/sys/fs/cgroup/inner");
}

TEST(CgroupPlace, IsNowhereWithoutCgroups) {
  EXPECT_EQ(find_cgroups("", "", "").mode, LimitMode::Rlimits);
  EXPECT_EQ(find_cgroups("garbage - \n - x\n", ":::\n::\n", "").mode, LimitMode::Rlimits);
}

/// Runs something as an ordinary user, in a process of its own; true if it said so.
template <typename Action>
bool as_ordinary_user(Action action) {
  const pid_t child = fork();
  if (child == 0) {
    const bool became = geteuid() != 0 || (setresgid(65534, 65534, 65534) == 0 &&
                                           setresuid(65534, 65534, 65534) == 0);
    _exit(became && action() ? 0 : 1);
  }
  int status = 1;
  return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(TreeWriter, PassesOverWhatItMayNotReadIfToldTo) {
  auto folder = TemporaryFolder::make("tree");
  ASSERT_TRUE(folder);
  const auto& path = folder->path();
  ASSERT_TRUE(write_file_atomically(path / "from/open", "open"));
  ASSERT_TRUE(write_file_atomically(path / "from/closed", "secret"));
  ASSERT_TRUE(write_file_atomically(path / "from/closed-folder/x", "secret"));
  std::filesystem::create_directory(path / "to");
  for (const auto& [name, mode] :
       std::vector<std::pair<const char*, mode_t>>{{"", 0755},
                                                   {"from", 0755},
                                                   {"from/open", 0644},
                                                   {"from/closed", 0000},
                                                   {"from/closed-folder", 0000},
                                                   {"to", 0777}}) {
    ASSERT_EQ(chmod((path / name).c_str(), mode), 0);
  }
  const FileDescriptor to(open((path / "to").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const TreeWriter writer(to.get(), geteuid());
  EXPECT_TRUE(as_ordinary_user([&] { return !writer.copy(path / "from", "strict"); }));
  EXPECT_TRUE(as_ordinary_user([&] {
    return static_cast<bool>(writer.copy(path / "from", "copy", Unreadable::IsPassedOver));
  }));
  EXPECT_EQ(*read_file(path / "to/copy/open"), "open");
  EXPECT_FALSE(std::filesystem::exists(path / "to/copy/closed"));
  EXPECT_FALSE(std::filesystem::exists(path / "to/copy/closed-folder"));
  chmod((path / "from/closed-folder").c_str(), 0755);
}

TEST(GraderPath, HasTrustedFoldersFirstAndNoRelativeOnes) {
  EXPECT_EQ(
      trusted_first("/app/bin:/usr/bin:.::/opt/x/../y/bin:bin:/bin", {"/usr/bin", "/opt/y/bin"}),
      "/usr/bin:/opt/y/bin:/app/bin:/bin");
}

class WireTest : public ::testing::Test {
 protected:
  void SetUp() override {
    int ends[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    left_ = FileDescriptor(ends[0]);
    right_ = FileDescriptor(ends[1]);
  }
  FileDescriptor left_;
  FileDescriptor right_;
};

TEST_F(WireTest, CarriesAnyBytesAndDescriptors) {
  const std::vector<std::string> fields = {"a", "", std::string("\0\xff\n", 3),
                                           std::string(500'000, 'x')};
  ASSERT_TRUE(inside::send_message(left_.get(), fields, {STDOUT_FILENO}));
  inside::Message message;
  ASSERT_EQ(inside::receive_message(right_.get(), message), inside::Received::Message);
  EXPECT_EQ(message.fields, fields);
  ASSERT_EQ(message.fds.size(), 1U);
  EXPECT_EQ(fcntl(message.fds[0], F_GETFD), FD_CLOEXEC);
  close(message.fds[0]);
}

TEST_F(WireTest, RefusesPacketsThatAreNotItsOwn) {
  for (const std::string& packet : {std::string("x"), std::string("i\xff\xff\xff\x7f", 5),
                                    std::string("i\1", 2), std::string("f"), std::string("i")}) {
    ASSERT_EQ(send(left_.get(), packet.data(), packet.size(), 0),
              static_cast<ssize_t>(packet.size()));
    inside::Message message;
    EXPECT_EQ(inside::receive_message(right_.get(), message), inside::Received::Failed);
  }
  left_.reset();
  inside::Message message;
  EXPECT_EQ(inside::receive_message(right_.get(), message), inside::Received::Ended);
}

}  // namespace
}  // namespace trialwright
