#include "inference/kv/cache_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/digest.h"
#include "base/files.h"
#include "inference/kv/prefix_cache.h"
#include "tests/inference/kv/filled_sequence.h"

namespace trialwright {
namespace {

using ::testing::HasSubstr;

class CacheFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto folder = TemporaryFolder::make();
    ASSERT_TRUE(folder);
    folder_.emplace(std::move(*folder));
    path_ = folder_->path() / "cache.twkv";
    KvSequence one(pool_);
    fill(one, counting(1, 40));
    KvSequence other = one.fork();
    fill(other, counting(300, 9));
    sequences_.push_back(std::move(one));
    sequences_.push_back(std::move(other));
    ASSERT_TRUE(write_cache_file(path_, "abc", small_layout(), sequences_));
  }

  Result<std::vector<KvSequence>> read(const std::string& model = "abc", int pages_max = 100) {
    return read_cache_file(path_, model, fresh_, pages_max);
  }

  std::optional<TemporaryFolder> folder_;
  std::filesystem::path path_;
  KvPagePool pool_{small_layout()};
  KvPagePool fresh_{small_layout()};
  std::vector<KvSequence> sequences_;
};

TEST_F(CacheFileTest, SequencesComeBackSharingTheirPages) {
  const auto read_back = read();
  ASSERT_TRUE(read_back) << read_back.error().message;
  ASSERT_EQ(read_back->size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ((*read_back)[i].ids(), sequences_[i].ids());
    EXPECT_EQ(stored((*read_back)[i]), sequences_[i].ids());
  }
  EXPECT_EQ(fresh_.in_use(), pool_.in_use());
}

TEST_F(CacheFileTest, WhatDoesNotFitIsLeftOut) {
  const auto read_back = read("abc", 4);
  ASSERT_TRUE(read_back);
  ASSERT_EQ(read_back->size(), 1U);
  EXPECT_EQ((*read_back)[0].ids(), sequences_[1].ids());
}

TEST_F(CacheFileTest, AnotherModelIsRefused) {
  const auto read_back = read("abd");
  ASSERT_FALSE(read_back);
  EXPECT_EQ(read_back.error().kind, ErrorKind::Invalid);
  EXPECT_THAT(read_back.error().message, HasSubstr("of another model"));
  KvPagePool other(KvPageLayout::make(3, 1, 16));
  EXPECT_FALSE(read_cache_file(path_, "abc", other, 100));
}

TEST_F(CacheFileTest, EveryChangedByteAndEveryCutIsFound) {
  const auto content = read_file(path_);
  ASSERT_TRUE(content);
  for (std::size_t i = 0; i < content->size(); i += 37) {
    std::string changed = *content;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    ASSERT_TRUE(write_file_atomically(path_, changed));
    EXPECT_FALSE(read()) << i;
    ASSERT_TRUE(write_file_atomically(path_, std::string_view(*content).substr(0, i)));
    EXPECT_FALSE(read()) << i;
  }
  EXPECT_EQ(fresh_.in_use(), 0);
}

TEST_F(CacheFileTest, AFileThatLiesWithTheRightDigestIsFound) {
  const auto content = read_file(path_);
  ASSERT_TRUE(content);
  // The last page number of the last sequence.
  std::string lying = content->substr(0, content->size() - 32);
  lying[lying.size() - 4] = 77;
  const Digest digest = sha256(lying);
  lying.append(digest.bytes.begin(), digest.bytes.end());
  ASSERT_TRUE(write_file_atomically(path_, lying));
  const auto read_back = read();
  ASSERT_FALSE(read_back);
  EXPECT_EQ(read_back.error().kind, ErrorKind::Integrity);
}

TEST_F(CacheFileTest, AMissingFileIsNotFound) {
  path_ = folder_->path() / "nothing";
  EXPECT_EQ(read().error().kind, ErrorKind::NotFound);
}

}  // namespace
}  // namespace trialwright
