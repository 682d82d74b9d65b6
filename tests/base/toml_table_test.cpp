#include "base/toml_table.h"

#include <gmock/gmock.h>

namespace trialwright {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

TomlTable parsed(std::string_view text) {
  auto table = TomlTable::parse(text);
  CHECK(table, "the test's own document is well-formed");
  return *table;
}

std::string error_of(const TomlTable& table) {
  const auto checked = table.check();
  return checked ? "no error" : checked.error().message;
}

/// What `parse` says of a document that it refuses.
std::string refusal(const std::string& text) {
  const auto table = TomlTable::parse(text);
  return table ? "no error" : table.error().message;
}

TEST(TomlTable, ReadsEveryKindOfField) {
  const TomlTable table = parsed(R"(
text = "a"
half = 0.5
count = 3.0
flag = true
wait = 1.2
list = ["a", "b"]
[env]
A = "1"
[below.deeper]
x = 7
[[item]]
n = 1
[[item]]
n = 2
)");
  EXPECT_EQ(table.text("text"), "a");
  EXPECT_EQ(table.number("half"), 0.5);
  EXPECT_EQ(table.whole("count", 0, 3), 3);
  EXPECT_EQ(table.flag("flag"), true);
  EXPECT_EQ(table.seconds("wait"), std::chrono::seconds(2));
  EXPECT_THAT(table.texts("list"), ElementsAre("a", "b"));
  EXPECT_THAT(table.text_map("env"), ElementsAre(Pair("A", "1")));
  EXPECT_EQ(table.whole("below.deeper.x", 0, 9), 7);
  EXPECT_EQ(table.table("below").table("deeper").number("x"), 7);
  ASSERT_EQ(table.tables("item").size(), 2U);
  EXPECT_EQ(table.tables("item")[1].number("n"), 2);
  EXPECT_THAT(table.keys(),
              ElementsAre("below", "count", "env", "flag", "half", "item", "list", "text", "wait"));
  EXPECT_EQ(error_of(table), "no error");
}

TEST(TomlTable, HasNothingWhereNothingIs) {
  const TomlTable table = parsed("");
  EXPECT_EQ(table.text("x"), std::nullopt);
  EXPECT_EQ(table.table("x").table("y").number("z"), std::nullopt);
  EXPECT_THAT(table.table("x").keys(), IsEmpty());
  EXPECT_THAT(table.tables("x"), IsEmpty());
  EXPECT_TRUE(table.json("x").is_null());
  EXPECT_FALSE(table.is_set("x"));
  EXPECT_EQ(error_of(table), "no error");
}

TEST(TomlTable, NamesLineAndFieldOfTheFirstThatIsWrong) {
  const auto asked = [](std::string_view text, auto ask) {
    const TomlTable table = parsed(text);
    ask(table);
    return error_of(table);
  };
  EXPECT_EQ(asked("\na = 1\nb = 2",
                  [](const TomlTable& t) {
                    EXPECT_EQ(t.text("a"), std::nullopt);
                    (void)t.flag("b");
                  }),
            "line 2: field \"a\" must be a string");
  EXPECT_EQ(asked("[a]\nb = 1.5", [](const TomlTable& t) { (void)t.table("a").whole("b", 0, 9); }),
            "line 2: field \"a.b\" must be a whole number from 0 to 9");
  EXPECT_EQ(asked("a = -1", [](const TomlTable& t) { (void)t.seconds("a"); }),
            "line 1: field \"a\" must be a number of seconds above 0 and at most 30 days");
  EXPECT_EQ(asked("a = nan", [](const TomlTable& t) { (void)t.number("a"); }),
            "line 1: field \"a\" must be a number");
  EXPECT_EQ(asked("a = [\"x\", 1]", [](const TomlTable& t) { (void)t.texts("a"); }),
            "line 1: field \"a\" must be a list of strings");
  EXPECT_EQ(asked("a = 1", [](const TomlTable& t) { (void)t.table("a"); }),
            "line 1: field \"a\" must be a table");
  EXPECT_EQ(asked("a = 1", [](const TomlTable& t) { (void)t.tables("a"); }),
            "line 1: field \"a\" must be a list of tables");
  EXPECT_EQ(asked("a.b = 1", [](const TomlTable& t) { (void)t.text_map("a"); }),
            "line 1: field \"a.b\" must be a string");
  EXPECT_EQ(asked("", [](const TomlTable& t) { t.reject("a", "is missing"); }),
            "field \"a\" is missing");
}

TEST(TomlTable, TellsWhatNobodyAskedFor) {
  const TomlTable table =
      parsed("a = 1\nb.c = 2\nb.d = 3\n[empty]\n[known]\n[whole]\nx = 1\n[[list]]\ny = 1\nz = 1\n");
  (void)table.number("a");
  (void)table.number("b.c");
  (void)table.table("known");
  (void)table.json("whole");
  for (const TomlTable& item : table.tables("list")) (void)item.number("y");
  EXPECT_THAT(table.unread_keys(), ElementsAre("b.d", "empty", "list.z"));
}

TEST(TomlTable, GivesJsonAndKnowsWhatIsSet) {
  const TomlTable table = parsed("a = {x = [1, 2.5, true], d = 2024-05-01}\nzero = 0\nno = []\n");
  EXPECT_EQ(to_text(table.json("a")), R"({"d":"2024-05-01","x":[1,2.5,true]})");
  EXPECT_TRUE(table.is_set("a"));
  EXPECT_FALSE(table.is_set("zero"));
  EXPECT_FALSE(table.is_set("no"));
}

TEST(TomlTable, SaysWhereADocumentIsNotToml) {
  EXPECT_THAT(refusal("a = 1\nb = \n"), testing::StartsWith("line 2: not valid TOML: "));
}

TEST(TomlTable, RefusesNestingThatCouldExhaustTheStack) {
  const auto many = [](const std::string& piece, int count) {
    std::string text;
    for (int i = 0; i < count; ++i) text += piece;
    return text;
  };
  const std::string sentence = "a key or value is nested too deeply";
  EXPECT_EQ(refusal("\n[" + many("a.", 500'000) + "a]"), "line 2: " + sentence);
  EXPECT_EQ(refusal(many("a.", 500'000) + "a = 1"), "line 1: " + sentence);
  EXPECT_EQ(refusal(many("\"a\" . ", 500'000) + "a = 1"), "line 1: " + sentence);
  EXPECT_EQ(refusal("x = \"\"\"\na\"\"\"\"\n" + many("a.", 500'000) + "a = 1"),
            "line 3: " + sentence);
  EXPECT_EQ(refusal("x = {a=\"\"\"a\"\"\"\", " + many("b.", 500'000) + "b=1}"),
            "line 1: " + sentence);
  EXPECT_EQ(refusal("x = " + many("[", 100'000)), "line 1: " + sentence);
  EXPECT_EQ(refusal(many("a={" + many("b.", 60) + "c={", 50)), "line 1: " + sentence);
}

TEST(TomlTable, TakesManyDotsThatNestNothing) {
  std::string text = "list = [";
  for (int i = 0; i < 1000; ++i) text += (i % 10 == 0 ? "\n1.5, " : "1.5, ");
  text += "]\ndots = \"" + std::string(1000, '.') + "\"  # " + std::string(1000, '.') + "\n";
  text += "more = '" + std::string(1000, '[') + "'\n[a.b.c.d]\n[a.b.c.e]\n";
  EXPECT_EQ(parsed(text).texts("none").size(), 0U);
}

}  // namespace
}  // namespace trialwright
