#include "inference/llm/control_group.h"

#include <gtest/gtest.h>
#include <sched.h>

#include "base/files.h"
#include "inference/llm/cores.h"

namespace trialwright {
namespace {

namespace fs = std::filesystem;

/// A file system with a process in the group /outer/inner.
class ControlGroupTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto folder = TemporaryFolder::make();
    ASSERT_TRUE(folder);
    folder_ = std::make_unique<TemporaryFolder>(*std::move(folder));
    put("proc/self/cgroup", "1:name=systemd:/old\n0::/outer/inner\n");
  }

  void put(const fs::path& path, const std::string& text) const {
    ASSERT_TRUE(write_file_atomically(folder_->path() / path, text));
  }
  [[nodiscard]] std::vector<fs::path> groups() const { return own_control_groups(folder_->path()); }

  std::unique_ptr<TemporaryFolder> folder_;
};

TEST_F(ControlGroupTest, ALimitOfAnOuterGroupBindsToo) {
  put("sys/fs/cgroup/outer/inner/memory.max", "max\n");
  put("sys/fs/cgroup/outer/inner/memory.current", "10\n");
  put("sys/fs/cgroup/outer/memory.max", "1000\n");
  put("sys/fs/cgroup/outer/memory.current", "400\n");
  put("sys/fs/cgroup/outer/memory.stat", "anon 300\ninactive_file 60\nactive_file 40\n");
  EXPECT_EQ(memory_left_in(groups()), 700U);
  put("sys/fs/cgroup/outer/inner/memory.max", "500\n");
  EXPECT_EQ(memory_left_in(groups()), 490U);
  put("sys/fs/cgroup/memory.max", "20\n");
  put("sys/fs/cgroup/memory.current", "30\n");
  EXPECT_EQ(memory_left_in(groups()), 0U);
}

TEST_F(ControlGroupTest, AQuotaOfTimeIsRoundedUpToCores) {
  EXPECT_EQ(cores_granted_by(groups()), std::nullopt);
  put("sys/fs/cgroup/outer/inner/cpu.max", "max 100000\n");
  EXPECT_EQ(cores_granted_by(groups()), std::nullopt);
  put("sys/fs/cgroup/outer/cpu.max", "250000 100000\n");
  EXPECT_EQ(cores_granted_by(groups()), 3);
  put("sys/fs/cgroup/outer/inner/cpu.max", "50000 100000\n");
  EXPECT_EQ(cores_granted_by(groups()), 1);
}

TEST_F(ControlGroupTest, ASystemWithoutGroupsSetsNoLimit) {
  EXPECT_TRUE(own_control_groups(folder_->path() / "nowhere").empty());
  EXPECT_EQ(memory_left_in({}), std::nullopt);
}

TEST(UsableCores, AreThoseThatTheProcessMayRunOn) {
  cpu_set_t before;
  ASSERT_EQ(::sched_getaffinity(0, sizeof(before), &before), 0);
  std::size_t first = 0;
  while (!CPU_ISSET(first, &before)) {
    ++first;
  }
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(first, &one);
  ASSERT_EQ(::sched_setaffinity(0, sizeof(one), &one), 0);
  EXPECT_EQ(usable_cores(), 1);
  ASSERT_EQ(::sched_setaffinity(0, sizeof(before), &before), 0);
  EXPECT_GE(usable_cores(), 1);
  EXPECT_LE(usable_cores(), CPU_COUNT(&before));
}

}  // namespace
}  // namespace trialwright
