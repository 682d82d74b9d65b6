#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <re2/re2.h>

#include "base/text.h"
#include "tests/inference/constrain/walk.h"

namespace trialwright {
namespace {

using testing::HasSubstr;

const std::vector<std::string>& patterns() {
  static const std::vector<std::string> all = {
      "abc",
      "a|bc|",
      "(a|b)*c+d?",
      "[a-c]{2,4}x{3}",
      R"(\d{4}-\d\d-\d\d)",
      R"([^a-y]+\w\W)",
      R"((?:ab|a)(?:c|bcd)*)",
      R"(\s*\S+\s*)",
      ".*é.",
      "[à-ü日本]+",
      "(a*)*b",
      "(?P<word>[A-Z][a-z]*)( (?P<next>[A-Z][a-z]*)){0,3}",
      R"(\x41\x{42}\n?\.\[\]\\)",
      "a{0}b{,2}",
      "x*?y+?",
      "^start.*end$",
  };
  return all;
}

TEST(Regex, AgreesWithRe2OnRandomTexts) {
  RandomStream random(7, 0);
  const std::string letters = "abcdxyzABZ019 .-\n\\[]{},2éà日";
  int matched = 0;
  for (const std::string& pattern : patterns()) {
    const auto grammar = compile_regex(pattern);
    ASSERT_TRUE(grammar) << grammar.error().message;
    const RE2 expected(pattern);
    ASSERT_TRUE(expected.ok()) << pattern;
    for (int i = 0; i < 400; ++i) {
      std::string text;
      for (std::uint64_t n = random.below(7); n > 0; --n)
        text += letters[random.below(letters.size())];
      const bool wanted = is_utf8(text) && RE2::FullMatch(text, expected);
      matched += wanted ? 1 : 0;
      EXPECT_EQ(matches(*grammar, text), wanted) << pattern << " on " << text;
    }
  }
  EXPECT_GT(matched, 50);
}

TEST(Regex, WalksEndInTextsThatRe2Matches) {
  RandomStream random(8, 0);
  const WordVocabulary vocabulary;
  for (const std::string& pattern : patterns()) {
    const auto grammar = compile_regex(pattern);
    ASSERT_TRUE(grammar) << grammar.error().message;
    for (int i = 0; i < 5; ++i) {
      const Walked walked = random_walk(vocabulary, *grammar, random);
      ASSERT_EQ(walked.wrong, "") << pattern;
      if (walked.ended) {
        EXPECT_TRUE(RE2::FullMatch(walked.text, RE2(pattern))) << pattern << " on " << walked.text;
      }
    }
  }
}

TEST(Regex, DescribesTheTextAsAWhole) {
  const auto grammar = compile_regex("b+");
  ASSERT_TRUE(grammar);
  EXPECT_TRUE(matches(*grammar, "bb"));
  EXPECT_FALSE(matches(*grammar, "abb"));
  EXPECT_FALSE(matches(*grammar, ""));
}

TEST(Regex, NamesTheByteOfWhatItCannotRead) {
  EXPECT_EQ(error_of(compile_regex("ab(c")),
            "byte 2 of the regular expression: the group does not end");
  EXPECT_EQ(error_of(compile_regex("a)")),
            "byte 1 of the regular expression: \")\" closes nothing");
  EXPECT_EQ(error_of(compile_regex("*a")),
            "byte 0 of the regular expression: there is nothing to repeat");
  EXPECT_EQ(error_of(compile_regex("[b-a]")),
            "byte 1 of the regular expression: the range of characters is wrong");
  EXPECT_EQ(error_of(compile_regex("[a")),
            "byte 0 of the regular expression: the class does not end");
  EXPECT_EQ(error_of(compile_regex("x{3,2}")),
            "byte 1 of the regular expression: the repetition's maximum is below its minimum");
  EXPECT_EQ(error_of(compile_regex("a\\")),
            "byte 1 of the regular expression: nothing follows the backslash");
  EXPECT_EQ(error_of(compile_regex("\xFF")), "the regular expression is not UTF-8");
}

TEST(Regex, RefusesWhatNoAutomatonDoes) {
  for (const char* const pattern : {R"((a)\1)", "(?=a)b", "(?<!a)b", R"(\bword\b)", "(?i)a",
                                    R"(\p{L})", "[[:alpha:]]", "a(^b)", "a$b", "a**"}) {
    EXPECT_THAT(error_of(compile_regex(pattern)), HasSubstr("byte ")) << pattern;
  }
}

TEST(Regex, RefusesExpressionsThatNeedTooManyStates) {
  EXPECT_THAT(error_of(compile_regex("((a{1000}){1000}){1000}")), HasSubstr("states"));
  EXPECT_THAT(error_of(compile_regex("(((a?){1000}){1000}){1000}")), HasSubstr("states"));
  EXPECT_TRUE(compile_regex("(){1000000000}((){99999}){99999}a"));
  EXPECT_THAT(error_of(compile_regex(std::string(100'000, '('))), HasSubstr("nested too deep"));
}

TEST(Regex, RefusesWhatNothingMatches) {
  EXPECT_THAT(error_of(compile_regex("a[^\\x00-\\x{10FFFF}]")), HasSubstr("no text can match"));
}

}  // namespace
}  // namespace trialwright
