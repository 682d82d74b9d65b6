#include "base/json_cursor.h"

#include <gtest/gtest.h>

namespace trialwright {
namespace {

/// Whether the cursor takes the whole text for one value.
bool accepts(std::string_view text) {
  JsonCursor cursor(text);
  cursor.skip();
  return cursor.finish();
}

TEST(JsonCursor, WalksThroughAKnownForm) {
  JsonCursor cursor(R"( {"ids": {"a": 1, "b": -2}, "on": true, "names": ["x\n", "\ud83d\ude00"],
                         "rest": [1.5e3, null, {"deep": []}]} )");
  std::vector<std::string> seen;
  ASSERT_TRUE(cursor.enter_object());
  while (const auto key = cursor.next_key()) {
    if (*key == "ids") {
      ASSERT_TRUE(cursor.enter_object());
      while (const auto id = cursor.next_key()) {
        seen.push_back(*id + "=" + std::to_string(*cursor.integer()));
      }
    } else if (*key == "names") {
      ASSERT_TRUE(cursor.enter_array());
      while (cursor.next_element()) seen.push_back(*cursor.text());
    } else if (*key == "on") {
      seen.emplace_back(*cursor.boolean() ? "on" : "off");
    } else {
      seen.emplace_back(cursor.skip());
    }
  }
  EXPECT_TRUE(cursor.finish()) << cursor.error().message;
  EXPECT_EQ(seen, (std::vector<std::string>{"a=1", "b=-2", "on", "x\n", "\xF0\x9F\x98\x80",
                                            "[1.5e3, null, {\"deep\": []}]"}));
}

TEST(JsonCursor, AcceptsWhatTheOtherReaderAccepts) {
  for (const char* text : {"",
                           "{}",
                           "[]",
                           "[ ]",
                           "[1,2]",
                           "[1,]",
                           "[,1]",
                           "{,}",
                           "{\"a\"}",
                           "{\"a\":}",
                           "{\"a\":1,}",
                           "{\"a\":1 }",
                           "{\"a\":1}x",
                           "\"\\u00e9\"",
                           "\"\\u\"",
                           "\"\\ud800\"",
                           "\"\\ud800\\u0041\"",
                           "\"\\udc00\"",
                           "\"\\ud83d\\ude00\"",
                           "\"\\x\"",
                           "\"a",
                           "\"\x01\"",
                           "\"\xFF\"",
                           "01",
                           "-",
                           "-0",
                           "1.",
                           "1.5",
                           "1e",
                           "1e+5",
                           "tru",
                           "true",
                           "nul",
                           "null",
                           "[[[]]]",
                           "[[]",
                           "]",
                           "{]",
                           "[}",
                           "{1:2}",
                           "\"\\",
                           "\"\\\"",
                           " 7 ",
                           "7 8",
                           "+1",
                           ".5",
                           "\"\\u12G4\""}) {
    EXPECT_EQ(accepts(text), Json::accept(text)) << text;
  }
}

TEST(JsonCursor, SaysWhatWasExpectedAndWhere) {
  JsonCursor cursor("{\n  \"a\": \"one\"}");
  cursor.enter_object();
  cursor.next_key();
  EXPECT_FALSE(cursor.integer());
  EXPECT_EQ(cursor.error().message, "a whole number was expected at line 2, byte 10");
  // From here on it has failed for good.
  EXPECT_FALSE(cursor.text());
  EXPECT_FALSE(cursor.next_key());
  EXPECT_FALSE(cursor.finish());
}

TEST(JsonCursor, RefusesDeepNestingAndLargeNumbers) {
  EXPECT_TRUE(accepts(std::string(128, '[') + std::string(128, ']')));
  EXPECT_FALSE(accepts(std::string(129, '[') + std::string(129, ']')));
  EXPECT_EQ(JsonCursor("9223372036854775807").integer(), INT64_MAX);
  EXPECT_FALSE(JsonCursor("9223372036854775808").integer());
  EXPECT_FALSE(JsonCursor("1.0").integer());
}

TEST(JsonMembers, AreRawTextsByKey) {
  const auto members = json_members(R"({"a": [1, 2], "b": "x"})");
  ASSERT_TRUE(members);
  EXPECT_EQ(members->at("a"), "[1, 2]");
  EXPECT_EQ(members->at("b"), "\"x\"");
  EXPECT_EQ(json_members(R"({"a": 1, "a": 2})").error().message,
            "a key that occurs twice ends at line 1, byte 16");
  EXPECT_FALSE(json_members("[]"));
  EXPECT_FALSE(json_members("{} {}"));
}

}  // namespace
}  // namespace trialwright
