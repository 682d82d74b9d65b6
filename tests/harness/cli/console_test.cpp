#include "harness/cli/console.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace trialwright {
namespace {

TEST(Table, CutsWhatMayBeCutBeforeIdsAndTimes) {
  const std::vector<std::vector<std::string>> rows = {
      {"RUN", "BEGAN", "AGENT"}, {"01M82KQZGRRX", "11-22 21:49", "scripted:/a/long/path"}};
  EXPECT_EQ(table_text(rows, {}, 40, {2}),
            "RUN           BEGAN        AGENT\n"
            "01M82KQZGRRX  11-22 21:49  scripted:/a/…\n");
}

TEST(Table, ShowsTextFromOutsideOnOneLine) {
  EXPECT_EQ(table_text({{"KEY"}, {"a\x1b[2J\nb"}}, {}, 80), "KEY\na\\x1b[2J b\n");
}

TEST(Table, FitsATerminalOfFortyColumns) {
  const std::string word = "0123456789";
  const std::string text = table_text({{word, word, word, word, word, word}}, {}, 40);
  EXPECT_EQ(display_width(text.substr(0, text.size() - 1)), 40);
}

TEST(Table, StaysInsideTheWidthWithWideCharacters) {
  const std::string text = table_text({{"A", "B"}, {"漢字漢字漢字漢字", "✅✅✅✅✅✅✅✅"}}, {}, 24);
  for (const std::string_view line : split(text, '\n')) EXPECT_LE(display_width(line), 24) << line;
}

TEST(CutText, KeepsTheEndOfANameWhereEndsDiffer) {
  EXPECT_EQ(cut_start_to("qa/arithmetic/two-digit-product@2", 16), "…digit-product@2");
  EXPECT_EQ(cut_start_to("short@1", 16), "short@1");
}

}  // namespace
}  // namespace trialwright
