#include "base/text.h"

#include <gtest/gtest.h>

namespace trialwright {
namespace {

TEST(Utf8, RefusesOverlongFormsSurrogatesAndLooseBytes) {
  for (const std::string_view bad :
       {"\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\x80", "\xE2\x82"}) {
    EXPECT_FALSE(is_utf8(bad));
    EXPECT_TRUE(is_utf8(to_valid_utf8(bad)));
  }
  EXPECT_TRUE(is_utf8("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"));
}

TEST(Utf8, WritesWhatItReads) {
  for (const char32_t value : {U'a', U'\u00e9', U'\u20ac', U'\U0001F600', U'\U0010FFFF'}) {
    std::string text;
    append_utf8(text, value);
    const CodePoint point = decode_utf8(text);
    EXPECT_TRUE(point.valid);
    EXPECT_EQ(point.value, value);
    EXPECT_EQ(point.length, text.size());
  }
}

TEST(Utf8, KnowsHowMuchOfTheTailMayStillBecomeACodePoint) {
  EXPECT_EQ(incomplete_utf8_tail("a\xE2\x82"), 2U);
  EXPECT_EQ(incomplete_utf8_tail("a\xF0"), 1U);
  EXPECT_EQ(incomplete_utf8_tail("a\xE2\x82\xAC"), 0U);
  EXPECT_EQ(incomplete_utf8_tail("\x80\x80"), 0U);
}

TEST(Glob, StarStopsAtASlashAndTwoStarsDoNot) {
  EXPECT_TRUE(glob_matches("files/*", "files/a"));
  EXPECT_FALSE(glob_matches("files/*", "files/a/b"));
  EXPECT_TRUE(glob_matches("files/**", "files/a/b"));
  EXPECT_TRUE(glob_matches("**", "a/b"));
  EXPECT_TRUE(glob_matches("a?c", "abc"));
  EXPECT_FALSE(glob_matches("a?c", "a/c"));
  EXPECT_FALSE(glob_matches("", "a"));
}

TEST(NearestWords, SuggestsWhatWasMeant) {
  EXPECT_EQ(nearest_words("modles", {"models", "run", "show"}), std::vector<std::string>{"models"});
  EXPECT_TRUE(nearest_words("xyzzyxx", {"models", "run"}).empty());
}

TEST(Text, GroupsDigitsAndCountsThings) {
  EXPECT_EQ(grouped(1234567), "1,234,567");
  EXPECT_EQ(grouped(-999), "-999");
  EXPECT_EQ(counted(1, "epoch"), "1 epoch");
  EXPECT_EQ(counted(2000, "task"), "2,000 tasks");
}

TEST(Letters, ChangeCaseInAsciiOnly) {
  EXPECT_EQ(to_upper("aZ-9é"), "AZ-9é");
  EXPECT_EQ(to_lower("aZ-9É"), "az-9É");
  EXPECT_EQ(to_lower('Q'), 'q');
  EXPECT_EQ(name_words("grader_error"), "grader error");
}

TEST(BytesText, NamesTheUnitThatFits) {
  EXPECT_EQ(bytes_text(999), "999 B");
  EXPECT_EQ(bytes_text(1200), "1.2 kB");
  EXPECT_EQ(bytes_text(98'400'000), "98.4 MB");
  EXPECT_EQ(bytes_text(1'117'320'768), "1.12 GB");
}

}  // namespace
}  // namespace trialwright
