#include "base/files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>

namespace trialwright {
namespace {

namespace fs = std::filesystem;

TEST(WriteFileAtomically, ReplacesTheContentAndLeavesNothingBeside) {
  auto folder = TemporaryFolder::make();
  ASSERT_TRUE(folder);
  const fs::path path = folder->path() / "deep" / "file";
  ASSERT_TRUE(write_file_atomically(path, "one"));
  ASSERT_TRUE(write_file_atomically(path, "two"));
  auto content = read_file(path);
  ASSERT_TRUE(content);
  EXPECT_EQ(*content, "two");
  EXPECT_EQ(std::distance(fs::directory_iterator(path.parent_path()), fs::directory_iterator()), 1);
}

TEST(WriteFileAtomically, KeepsTheRightsOfAFileAndGivesANewOneTheUsualOnes) {
  auto folder = TemporaryFolder::make();
  ASSERT_TRUE(folder);
  const auto rights = [](const fs::path& path) { return fs::status(path).permissions(); };
  const fs::path secret = folder->path() / "secret";
  ASSERT_TRUE(write_file_atomically(secret, "one"));
  fs::permissions(secret, fs::perms(0600));
  ASSERT_TRUE(write_file_atomically(secret, "two"));
  EXPECT_EQ(rights(secret), fs::perms(0600));

  const mode_t before = ::umask(0027);
  EXPECT_TRUE(write_file_atomically(folder->path() / "new", "text"));
  ::umask(before);
  EXPECT_EQ(rights(folder->path() / "new"), fs::perms(0640));
}

TEST(WriteFileAtomically, KeepsTheOldFileWhenTheTargetCannotBeReplaced) {
  auto folder = TemporaryFolder::make();
  ASSERT_TRUE(folder);
  fs::create_directories(folder->path() / "target" / "child");
  auto written = write_file_atomically(folder->path() / "target", "text");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().kind, ErrorKind::Unavailable);
  EXPECT_TRUE(fs::is_directory(folder->path() / "target" / "child"));
}

TEST(WriteFileAtomically, WritesIntoAPipeInsteadOfReplacingIt) {
  auto folder = TemporaryFolder::make();
  ASSERT_TRUE(folder);
  const fs::path pipe = folder->path() / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const FileDescriptor reader(::open(pipe.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  ASSERT_TRUE(write_file_atomically(pipe, "text"));
  EXPECT_TRUE(fs::is_fifo(pipe));
  std::array<char, 8> got{};
  EXPECT_EQ(::read(reader.get(), got.data(), got.size()), 4);
}

TEST(WriteFileAtomically, KeepsALinkAndReplacesWhatItNames) {
  auto folder = TemporaryFolder::make();
  ASSERT_TRUE(folder);
  const fs::path link = folder->path() / "link";
  fs::create_directory(folder->path() / "there");
  fs::create_symlink("there/file", link);
  for (const char* content : {"new", "replaced"}) {
    ASSERT_TRUE(write_file_atomically(link, content));
    EXPECT_TRUE(fs::is_symlink(link));
    EXPECT_EQ(*read_file(folder->path() / "there/file"), content);
  }
  fs::create_symlink("loop", folder->path() / "loop");
  EXPECT_FALSE(write_file_atomically(folder->path() / "loop", "text"));
}

TEST(ReadFile, RefusesAPipeInsteadOfWaitingForIt) {
  auto folder = TemporaryFolder::make();
  ASSERT_TRUE(folder);
  const fs::path pipe = folder->path() / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  auto content = read_file(pipe);
  ASSERT_FALSE(content);
  EXPECT_EQ(content.error().kind, ErrorKind::Invalid);
}

TEST(ReadFile, SaysWhichFileIsMissing) {
  auto content = read_file("/nowhere/at/all");
  ASSERT_FALSE(content);
  EXPECT_EQ(content.error().kind, ErrorKind::NotFound);
  EXPECT_EQ(content.error().message, "cannot open /nowhere/at/all: No such file or directory");
}

TEST(MappedFile, HoldsTheBytesAndMapsAnEmptyFileToNone) {
  auto folder = TemporaryFolder::make();
  ASSERT_TRUE(folder);
  ASSERT_TRUE(write_file_atomically(folder->path() / "a", "abc"));
  ASSERT_TRUE(write_file_atomically(folder->path() / "b", ""));
  auto full = MappedFile::open(folder->path() / "a");
  ASSERT_TRUE(full);
  EXPECT_EQ(full->bytes().size(), 3U);
  auto empty = MappedFile::open(folder->path() / "b");
  ASSERT_TRUE(empty);
  EXPECT_TRUE(empty->bytes().empty());
}

TEST(TemporaryFolder, IsGoneWithItsContent) {
  fs::path path;
  {
    auto folder = TemporaryFolder::make();
    ASSERT_TRUE(folder);
    path = folder->path();
    ASSERT_TRUE(write_file_atomically(path / "x", "x"));
  }
  EXPECT_FALSE(fs::exists(path));
}

}  // namespace
}  // namespace trialwright
