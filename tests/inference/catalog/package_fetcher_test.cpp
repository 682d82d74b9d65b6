#include "inference/catalog/package_fetcher.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "base/files.h"
#include "inference/catalog/child_process.h"

namespace trialwright {
namespace {

namespace fs = std::filesystem;

class RunPip : public testing::Test {
 protected:
  void SetUp() override {
    auto folder = TemporaryFolder::make();
    ASSERT_TRUE(folder);
    folder_ = std::make_unique<TemporaryFolder>(*std::move(folder));
    fs::create_directories(folder_->path() / "work");
  }

  /// A program that stands in for Python: pip is asked with "-m", zipfile with "-I".
  std::string script(const std::string& pip, const std::string& zip = "exit 0") {
    const fs::path path = folder_->path() / "python";
    const std::string text =
        "#!/bin/sh\nif [ \"$1\" = -m ]; then\n" + pip + "\nelse\n" + zip + "\nfi\n";
    CHECK(write_file_atomically(path, text), "the folder can be written");
    fs::permissions(path, fs::perms::owner_all);
    return path.string();
  }

  Result<fs::path> fetch(const std::string& python,
                         std::chrono::milliseconds answer_within = std::chrono::seconds(10),
                         std::stop_token stop = {}) {
    PipFetcher fetcher(answer_within, python);
    return fetcher.fetch(
        {"pkg", "1.0", "data/m", 5, Digest{}}, folder_->path() / "work",
        [this](std::uint64_t bytes) { bytes_ = bytes; }, std::move(stop));
  }

  std::unique_ptr<TemporaryFolder> folder_;
  std::uint64_t bytes_ = 0;
};

TEST_F(RunPip, LeavesTheMemberOfTheWheel) {
  auto path = fetch(
      script("echo Collecting pkg; printf zzz > \"$TMPDIR/pkg.whl\"", "printf hello > \"$6\""));
  ASSERT_TRUE(path) << path.error().message;
  EXPECT_EQ(*read_file(*path), "hello");
}

TEST_F(RunPip, SaysWhatPipSaid) {
  auto path = fetch(script("echo 'ERROR: No matching distribution found for pkg==1.0'; exit 1"));
  ASSERT_FALSE(path);
  EXPECT_EQ(path.error().message,
            "pip could not download pkg==1.0: No matching distribution found for pkg==1.0");
}

TEST_F(RunPip, EndsPipWhenNothingComes) {
  auto path = fetch(script("echo Collecting pkg; sleep 1000 & wait"), std::chrono::seconds(1));
  ASSERT_FALSE(path);
  EXPECT_EQ(path.error().message, "nothing came within 1 seconds for package pkg==1.0");
}

TEST_F(RunPip, TriesOnceWithAPipThatNeverSpeaks) {
  const fs::path attempts = folder_->path() / "attempts";
  auto path = fetch(script("echo \"$@\" >> " + attempts.string() + "; sleep 1000 & wait"),
                    std::chrono::seconds(1));
  ASSERT_FALSE(path);
  EXPECT_EQ(path.error().message, "nothing came within 1 seconds for package pkg==1.0");
  auto text = read_file(attempts);
  ASSERT_TRUE(text);
  EXPECT_EQ(std::count(text->begin(), text->end(), '\n'), 1) << *text;
  // Nor does pip itself try again.
  EXPECT_NE(text->find("--retries 0 "), std::string::npos) << *text;
}

TEST_F(RunPip, StopsWhenAsked) {
  std::stop_source stop;
  stop.request_stop();
  auto path = fetch(script("sleep 1000"), std::chrono::seconds(10), stop.get_token());
  ASSERT_FALSE(path);
  EXPECT_EQ(path.error().kind, ErrorKind::Cancelled);
}

TEST_F(RunPip, SaysThatAMemberIsMissing) {
  auto path = fetch(script("printf zzz > \"$TMPDIR/pkg.whl\"", "exit 3"));
  ASSERT_FALSE(path);
  EXPECT_EQ(path.error().message, "package pkg 1.0 has no member data/m");
}

TEST_F(RunPip, TakesTheMemberOutOfARealArchive) {
  fs::create_directories(folder_->path() / "data");
  ASSERT_TRUE(write_file_atomically(folder_->path() / "data/m", "hello"));
  const std::string wheel = (folder_->path() / "real.whl").string();
  auto made = run_child(
      {{"python3", "-m", "zipfile", "-c", wheel, (folder_->path() / "data").string()}, {}, {}, {}});
  if (!made || *made != 0) GTEST_SKIP() << "there is no python3 here";
  auto path = fetch(script("cp " + wheel + " \"$TMPDIR/pkg.whl\"", "exec python3 \"$@\""));
  ASSERT_TRUE(path) << path.error().message;
  EXPECT_EQ(*read_file(*path), "hello");
}

TEST_F(RunPip, SaysThatThereIsNoPython) {
  auto path = fetch("/nowhere/python3");
  ASSERT_FALSE(path);
  EXPECT_EQ(path.error().message, "there is no program /nowhere/python3");
}

TEST(RunChild, GivesEveryLineAndTheStatus) {
  std::string lines;
  auto status = run_child({{"sh", "-c", "echo one; echo two >&2; printf three; exit 7"},
                           {},
                           [&](std::string_view line) { lines += std::string(line) + ";"; },
                           nullptr});
  ASSERT_TRUE(status);
  EXPECT_EQ(*status, 7);
  EXPECT_EQ(lines, "one;two;three;");
}

TEST(RunChild, SetsVariablesOnTopOfItsOwnEnvironment) {
  std::string lines;
  auto status = run_child({{"sh", "-c", "echo $TMPDIR ${PATH:+path}"},
                           {{"TMPDIR", "/x"}},
                           [&](std::string_view line) { lines += line; },
                           nullptr});
  ASSERT_TRUE(status);
  EXPECT_EQ(lines, "/x path");
}

}  // namespace
}  // namespace trialwright
