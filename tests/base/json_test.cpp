#include "base/json.h"

#include <gtest/gtest.h>

namespace trialwright {
namespace {

TEST(ParseJson, KeepsTheOrderOfKeys) {
  auto json = parse_json(R"({"b":1,"a":2})");
  ASSERT_TRUE(json);
  EXPECT_EQ(to_text(*json), R"({"b":1,"a":2})");
}

TEST(ParseJson, SaysWhereTheTextGoesWrong) {
  auto json = parse_json("{\n\"a\": ]}");
  ASSERT_FALSE(json);
  EXPECT_EQ(json.error().message, "not valid JSON at line 2, byte 8");
}

TEST(ParseJson, RefusesDeepNestingInsteadOfOverflowingTheStack) {
  auto json = parse_json(std::string(1'000'000, '['));
  ASSERT_FALSE(json);
  EXPECT_EQ(json.error().message, "JSON is nested too deeply");
}

TEST(ParseJson, RefusesMoreMembersThanToldBeforeItReadsThem) {
  const std::string text = R"({"a": [{"b:": 1, "c": {"d": "::"}}, {"e": 2}], "f": 3})";
  EXPECT_TRUE(parse_json(text, kJsonDepthMax, 2));
  auto json = parse_json(text, kJsonDepthMax, 1);
  ASSERT_FALSE(json);
  EXPECT_EQ(json.error().message, "a JSON object has more than 1 members");
}

TEST(Fields, NameWhatIsWrong) {
  auto json = parse_json(R"({"id": 7})");
  ASSERT_TRUE(json);
  EXPECT_EQ(string_field(*json, "id").error().message, "field \"id\" must be a string");
  EXPECT_EQ(string_field(*json, "name").error().message, "field \"name\" is missing");
  EXPECT_EQ(*int_field_or(*json, "id", 0), 7);
  EXPECT_EQ(*int_field_or(*json, "none", 3), 3);
}

}  // namespace
}  // namespace trialwright
