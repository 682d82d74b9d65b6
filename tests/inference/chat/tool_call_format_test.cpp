#include "inference/chat/tool_call_format.h"

#include <gtest/gtest.h>

namespace trialwright {
namespace {

ParsedToolCalls hermes(std::string_view message) {
  return parse_tool_calls(ToolCallFormat::Hermes, message);
}
ParsedToolCalls llama(std::string_view message) {
  return parse_tool_calls(ToolCallFormat::Llama3, message);
}

TEST(ToolCalls, AreReadFromBetweenTheTags) {
  const auto parsed = hermes(
      "Let me look.\n<tool_call>\n{\"name\": \"bash\", \"arguments\": {\"command\": "
      "\"ls\"}}\n</tool_call>");

  ASSERT_EQ(parsed.calls.size(), 1U);
  EXPECT_EQ(parsed.calls[0].name, "bash");
  EXPECT_EQ(parsed.calls[0].id, "call_0");
  EXPECT_EQ(parsed.calls[0].arguments, Json({{"command", "ls"}}));
  EXPECT_EQ(parsed.text, "Let me look.");
  EXPECT_TRUE(parsed.errors.empty());
}

TEST(ToolCalls, SeveralOfOneMessageKeepTheirOrder) {
  const auto parsed = hermes(
      "<tool_call>{\"name\": \"a\", \"arguments\": {}}</tool_call> then "
      "<tool_call>{\"name\": \"b\", \"arguments\": {\"x\": [1, {\"y\": null}]}}</tool_call> done");

  ASSERT_EQ(parsed.calls.size(), 2U);
  EXPECT_EQ(parsed.calls[0].name, "a");
  EXPECT_EQ(parsed.calls[1].name, "b");
  EXPECT_EQ(parsed.calls[1].id, "call_1");
  EXPECT_EQ(parsed.text, "then  done");
}

TEST(ToolCalls, OfALaterReplyDoNotTakeTheIdsOfAnEarlierOne) {
  const std::string reply = "<tool_call>{\"name\": \"a\", \"arguments\": {}}</tool_call>";
  std::vector<Message> conversation = {{Role::User, "Go on.", {}, ""}};
  for (int turn = 0; turn < 3; ++turn) {
    auto parsed =
        parse_tool_calls(ToolCallFormat::Hermes, reply + reply, next_call_number(conversation));
    ASSERT_EQ(parsed.calls.size(), 2U);
    EXPECT_EQ(parsed.calls[0].id, "call_" + std::to_string(2 * turn));
    EXPECT_EQ(parsed.calls[1].id, "call_" + std::to_string(2 * turn + 1));
    conversation.push_back({Role::Assistant, "", std::move(parsed.calls), ""});
  }
  // Ids of others, and a conversation whose beginning was dropped.
  conversation.erase(conversation.begin() + 1);
  conversation.push_back({Role::Assistant, "", {{"call_x9", "a", {}}, {"toolu_77", "a", {}}}, ""});
  EXPECT_EQ(next_call_number(conversation), 6U);
}

TEST(ToolCalls, MayLackTheClosingTag) {
  EXPECT_EQ(hermes("<tool_call>\n{\"name\": \"a\", \"arguments\": {}}").calls.size(), 1U);
  EXPECT_EQ(hermes("<tool_call>{\"name\": \"a\", \"arguments\": {}}\n"
                   "<tool_call>{\"name\": \"b\", \"arguments\": {}}</tool_call>")
                .calls.size(),
            2U);
}

TEST(ToolCalls, MayHoldTheTagsInTheirStrings) {
  const auto parsed = hermes(
      "<tool_call>{\"name\": \"write\", \"arguments\": {\"text\": "
      "\"a</tool_call>b<tool_call>\"}}</tool_call>");

  ASSERT_EQ(parsed.calls.size(), 1U);
  EXPECT_EQ(parsed.calls[0].arguments["text"], "a</tool_call>b<tool_call>");
  EXPECT_EQ(parsed.text, "");
}

TEST(ToolCalls, ThatCannotBeReadAreExplainedToTheModel) {
  const auto broken = hermes("<tool_call>{\"name\": \"a\", \"arguments\": {\"x\": }}</tool_call>");
  ASSERT_EQ(broken.errors.size(), 1U);
  EXPECT_EQ(
      broken.errors[0],
      "The tool call cannot be read: not valid JSON at line 1, byte 34. Write one JSON object, "
      "{\"name\": \"TOOL\", \"arguments\": {…}}, with \\n for line ends and \\\" for quotes "
      "inside strings.");
  EXPECT_TRUE(broken.calls.empty());
  EXPECT_EQ(broken.text, "");

  EXPECT_EQ(hermes("<tool_call></tool_call>").errors.at(0),
            "The tool call is empty; write {\"name\": \"TOOL\", \"arguments\": {…}}.");
  EXPECT_EQ(hermes("<tool_call>[1]</tool_call>").errors.at(0),
            "The tool call must be a JSON object: {\"name\": \"TOOL\", \"arguments\": {…}}.");
  EXPECT_EQ(hermes("<tool_call>{\"arguments\": {}}</tool_call>").errors.at(0),
            "The tool call has no \"name\"; write {\"name\": \"TOOL\", \"arguments\": {…}}.");
  EXPECT_EQ(
      hermes("<tool_call>{\"name\": \"a\", \"arguments\": 5}</tool_call>").errors.at(0),
      "\"arguments\" of the tool call \"a\" must be a JSON object such as {\"path\": \"a.txt\"}.");
}

TEST(ToolCalls, BesideABrokenOneAreStillRead) {
  const auto parsed = hermes(
      "<tool_call>{oops</tool_call><tool_call>{\"name\": \"b\", \"arguments\": {}}</tool_call>");

  EXPECT_EQ(parsed.errors.size(), 1U);
  ASSERT_EQ(parsed.calls.size(), 1U);
  EXPECT_EQ(parsed.calls[0].id, "call_0");
}

TEST(ToolCalls, MayHaveNoArgumentsOrQuotedOnes) {
  EXPECT_EQ(hermes("<tool_call>{\"name\": \"submit\"}</tool_call>").calls.at(0).arguments,
            Json::object());
  EXPECT_EQ(hermes("<tool_call>{\"name\": \"a\", \"arguments\": \"{\\\"x\\\": 1}\"}</tool_call>")
                .calls.at(0)
                .arguments,
            Json({{"x", 1}}));
}

TEST(ToolCalls, OfLlamaAreTheWholeMessage) {
  const auto parsed = llama("{\"name\": \"bash\", \"parameters\": {\"command\": \"ls\"}}");
  ASSERT_EQ(parsed.calls.size(), 1U);
  EXPECT_EQ(parsed.calls[0].arguments, Json({{"command", "ls"}}));
  EXPECT_EQ(parsed.text, "");

  EXPECT_EQ(llama("<|python_tag|>{\"name\": \"a\", \"parameters\": {}}").calls.size(), 1U);
  EXPECT_EQ(llama("{\"name\": \"a\", \"parameters\": {}}; {\"name\": \"b\", \"parameters\": {}}")
                .calls.size(),
            2U);
}

TEST(ToolCalls, OfLlamaAreNotSeenInPlainAnswers) {
  for (const std::string_view answer : {"The answer is 4.", "{\"answer\": 4}",
                                        "Use {\"name\": \"a\", \"parameters\": {}} like this."}) {
    const auto parsed = llama(answer);
    EXPECT_TRUE(parsed.calls.empty()) << answer;
    EXPECT_TRUE(parsed.errors.empty()) << answer;
    EXPECT_EQ(parsed.text, answer);
  }
}

TEST(ToolCalls, OfLlamaThatBreakOffAreExplained) {
  const auto parsed = llama("{\"name\": \"a\", \"parameters\": {\"x\": \"ab");
  EXPECT_TRUE(parsed.calls.empty());
  EXPECT_EQ(parsed.errors.size(), 1U);
}

TEST(ToolCalls, AreLeftAloneWithoutAFormat) {
  const auto parsed = parse_tool_calls(ToolCallFormat::None, "<tool_call>{}</tool_call>");
  EXPECT_EQ(parsed.text, "<tool_call>{}</tool_call>");
  EXPECT_TRUE(parsed.calls.empty());
}

TEST(ToolCalls, AreReadWithoutTagsWhereTheyAreWholeAndStartALine) {
  const ParsedToolCalls fenced =
      parse_tool_calls(ToolCallFormat::Hermes,
                       "I list them.\n```json\n{\n  \"name\": \"bash\",\n  \"arguments\": "
                       "{\"command\": \"ls\"}\n}\n```");
  ASSERT_EQ(fenced.calls.size(), 1U);
  EXPECT_EQ(fenced.calls[0].name, "bash");
  EXPECT_EQ(fenced.text, "I list them.");
  EXPECT_EQ(
      parse_tool_calls(ToolCallFormat::Hermes,
                       "{\"name\": \"a\", \"arguments\": {}}\n{\"name\": \"b\", \"arguments\": {}}")
          .calls.size(),
      2U);
}

TEST(ToolCalls, JsonThatIsNoCallStaysText) {
  for (const std::string text :
       {"{\"name\": \"Ada\", \"age\": 36}", "```json\n{\"name\": \"x\"}\n```",
        "{\"name\": \"bash\", \"arg", "Write {\"name\": \"bash\", \"arguments\": {}} here."}) {
    const ParsedToolCalls parsed = parse_tool_calls(ToolCallFormat::Hermes, text);
    EXPECT_TRUE(parsed.calls.empty()) << text;
    EXPECT_TRUE(parsed.errors.empty()) << text;
    EXPECT_EQ(parsed.text, text);
  }
}

}  // namespace
}  // namespace trialwright
