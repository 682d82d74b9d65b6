#include "inference/chat/tool_call_format.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "base/files.h"

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

ParsedToolCalls mistral(std::string_view message) {
  return parse_tool_calls(ToolCallFormat::MistralArgs, message);
}
ParsedToolCalls harmony(std::string_view message) {
  return parse_tool_calls(ToolCallFormat::Harmony, message);
}

TEST(ToolCalls, OfMistralStandInAList) {
  const auto parsed = parse_tool_calls(
      ToolCallFormat::MistralList,
      "Let me look.[TOOL_CALLS][{\"name\": \"bash\", \"arguments\": {\"command\": \"ls []\"}}, "
      "{\"name\": \"read\", \"arguments\": {}, \"id\": \"VvvODy9mT\"}]");

  ASSERT_EQ(parsed.calls.size(), 2U);
  EXPECT_EQ(parsed.calls[0].name, "bash");
  EXPECT_EQ(parsed.calls[0].arguments, Json({{"command", "ls []"}}));
  EXPECT_EQ(parsed.calls[1].name, "read");
  EXPECT_EQ(parsed.text, "Let me look.");
  EXPECT_TRUE(parsed.errors.empty());
}

TEST(ToolCalls, OfLaterMistralStandBehindTheirNames) {
  const auto parsed = mistral(
      "Both.[TOOL_CALLS]bash[ARGS]{\"command\": \"echo [TOOL_CALLS]\"}"
      "[TOOL_CALLS]read_file[CALL_ID]123456789[ARGS] {\"path\": \"a\"}");

  ASSERT_EQ(parsed.calls.size(), 2U);
  EXPECT_EQ(parsed.calls[0].name, "bash");
  EXPECT_EQ(parsed.calls[0].arguments, Json({{"command", "echo [TOOL_CALLS]"}}));
  EXPECT_EQ(parsed.calls[1].name, "read_file");
  EXPECT_EQ(parsed.calls[1].arguments, Json({{"path", "a"}}));
  EXPECT_EQ(parsed.text, "Both.");
}

TEST(ToolCalls, OfMistralHaveIdsThatItsTemplatesTake) {
  const auto parsed = parse_tool_calls(ToolCallFormat::MistralArgs, "[TOOL_CALLS]a[ARGS]{}", 12);
  ASSERT_EQ(parsed.calls.size(), 1U);
  EXPECT_EQ(parsed.calls[0].id, "call00012");
  const std::vector<Message> messages = {{Role::Assistant, "", parsed.calls, ""}};
  EXPECT_EQ(next_call_number(messages), 13U);
}

TEST(ToolCalls, OfMistralThatCannotBeReadAreExplained) {
  EXPECT_EQ(mistral("[TOOL_CALLS]bash {\"command\": 1}").errors.at(0),
            "The tool call cannot be read; write [TOOL_CALLS]TOOL[ARGS]{…}.");
  EXPECT_EQ(mistral("[TOOL_CALLS][ARGS]{}").errors.at(0),
            "The tool call has no name; write [TOOL_CALLS]TOOL[ARGS]{…}.");
  EXPECT_EQ(mistral("[TOOL_CALLS]bash[ARGS]{\"command\": \"l").errors.at(0),
            "The arguments of the tool call \"bash\" cannot be read: not valid JSON at line 1, "
            "byte 15. Write one JSON object such as {\"path\": \"a.txt\"}, with \\n for line ends "
            "and \\\" for quotes inside strings.");
  EXPECT_EQ(mistral("[TOOL_CALLS][{\"name\": \"a\", \"argu").errors.size(), 1U);
  const auto second = mistral("[TOOL_CALLS]oops[TOOL_CALLS]a[ARGS]{}");
  EXPECT_EQ(second.errors.size(), 1U);
  EXPECT_EQ(second.calls.size(), 1U);
}

TEST(ToolCalls, OfHarmonyGoToFunctionsAndTheFinalChannelIsText) {
  const auto parsed = harmony(
      "<|channel|>analysis<|message|>The user wants a list.<|end|><|start|>assistant<|channel|>"
      "commentary to=functions.bash <|constrain|>json<|message|>{\"command\": \"ls <|end|>\"}"
      "<|call|><|start|>assistant<|channel|>final<|message|> Done: 2 < 3 <|return|>");

  ASSERT_EQ(parsed.calls.size(), 1U);
  EXPECT_EQ(parsed.calls[0].name, "bash");
  EXPECT_EQ(parsed.calls[0].arguments, Json({{"command", "ls <|end|>"}}));
  EXPECT_EQ(parsed.text, "Done: 2 < 3");
}

TEST(ToolCalls, OfHarmonyMayNameTheToolBeforeTheChannel) {
  const auto parsed =
      harmony(" to=functions.get_weather<|channel|>commentary json<|message|>{\"city\": \"Rome\"}");
  ASSERT_EQ(parsed.calls.size(), 1U);
  EXPECT_EQ(parsed.calls[0].name, "get_weather");
  EXPECT_EQ(parsed.text, "");
}

TEST(ToolCalls, OfHarmonyThatBreakOffAreExplained) {
  const auto parsed =
      harmony("<|channel|>commentary to=functions.a <|constrain|>json<|message|>{\"x\": 1");
  EXPECT_EQ(parsed.errors.size(), 1U);
  EXPECT_TRUE(parsed.calls.empty());
  EXPECT_EQ(harmony("<|channel|>commentary to=functions.<|message|>{}<|call|>").errors.at(0),
            "The tool call has no name; write to=functions.TOOL before <|message|>{…}.");
}

TEST(ToolCalls, AnAnswerWithoutChannelsIsText) {
  EXPECT_EQ(harmony("Just an answer.").text, "Just an answer.");
  EXPECT_EQ(harmony("<|channel|>analysis<|message|>Hm").text, "");
}

TEST(ToolCalls, UntaggedAfterATagIsText) {
  const auto parsed = hermes(
      "<tool_call>{\"name\": \"a\", \"arguments\": {}}</tool_call>\n"
      "{\"name\": \"b\", \"arguments\": {}}");
  EXPECT_EQ(parsed.calls.size(), 1U);
  EXPECT_EQ(parsed.text, "{\"name\": \"b\", \"arguments\": {}}");
}

TEST(ToolCalls, TheFormatIsToldFromTheTemplate) {
  const std::filesystem::path folder =
      std::filesystem::path(TRIALWRIGHT_SHARED_DATA_FOLDER) / "templates";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << folder << " is absent";
  const std::map<std::string, ToolCallFormat> formats = {
      {"Qwen2.5-Coder-0.5B-Instruct", ToolCallFormat::Hermes},
      {"Qwen-Qwen3-0.6B", ToolCallFormat::Hermes},
      {"NousResearch-Hermes-3-Llama-3.1-8B-tool_use", ToolCallFormat::Hermes},
      {"Qwen3-Coder", ToolCallFormat::None},
      {"GLM-4.6", ToolCallFormat::None},
      {"meta-llama-Llama-3.2-3B-Instruct", ToolCallFormat::Llama3},
      {"meta-llama-Llama-3.1-8B-Instruct", ToolCallFormat::Llama3},
      {"mistralai-Mistral-Nemo-Instruct-2407", ToolCallFormat::MistralList},
      {"Mistral-Small-3.2-24B-Instruct-2506", ToolCallFormat::MistralArgs},
      {"unsloth-mistral-Devstral-Small-2507", ToolCallFormat::MistralArgs},
      {"mistralai-Ministral-3-14B-Reasoning-2512", ToolCallFormat::MistralArgs},
      {"openai-gpt-oss-120b", ToolCallFormat::Harmony},
      {"SmolLM2-135M-Instruct", ToolCallFormat::None},
      {"google-gemma-2-2b-it", ToolCallFormat::None},
  };
  for (const auto& [name, format] : formats) {
    const auto source = read_file(folder / (name + ".jinja"));
    ASSERT_TRUE(source) << name;
    EXPECT_EQ(tool_call_format_of(*source), format) << name;
  }
}

TEST(ToolCalls, OnlyTheFormatsOwnControlTokensBelongToThem) {
  EXPECT_TRUE(belongs_to_calls(ToolCallFormat::Llama3, "<|python_tag|>"));
  EXPECT_TRUE(belongs_to_calls(ToolCallFormat::MistralList, "[TOOL_CALLS]"));
  EXPECT_TRUE(belongs_to_calls(ToolCallFormat::Harmony, "<|channel|>"));
  EXPECT_FALSE(belongs_to_calls(ToolCallFormat::Hermes, "<|im_end|>"));
  EXPECT_FALSE(belongs_to_calls(ToolCallFormat::MistralArgs, "[INST]"));
}

/// What a stream told, in order.
struct Told {
  std::string text;
  std::vector<ToolCall> calls;
  std::vector<std::string> errors;
};

Told told_in_pieces(ToolCallFormat format, const std::vector<std::string_view>& pieces) {
  Told told;
  ToolCallStream stream(format, 3,
                        {.on_text = [&](std::string_view text) { told.text += text; },
                         .on_call = [&](const ToolCall& call) { told.calls.push_back(call); }});
  for (const std::string_view piece : pieces) stream.add(piece);
  stream.finish();
  EXPECT_EQ(stream.parsed().text, told.text);
  told.errors = stream.parsed().errors;
  return told;
}

void expect_same(const Told& told, const ParsedToolCalls& whole, std::string_view message) {
  EXPECT_EQ(told.text, whole.text) << message;
  EXPECT_EQ(told.errors, whole.errors) << message;
  ASSERT_EQ(told.calls.size(), whole.calls.size()) << message;
  for (std::size_t i = 0; i < whole.calls.size(); ++i) {
    EXPECT_EQ(told.calls[i].id, whole.calls[i].id);
    EXPECT_EQ(told.calls[i].name, whole.calls[i].name);
    EXPECT_EQ(told.calls[i].arguments, whole.calls[i].arguments);
  }
}

TEST(ToolCallStream, GivesTheSameHoweverTheMessageIsCut) {
  const std::vector<std::string> messages = {
      "Look.\n<tool_call>\n{\"name\": \"a\", \"arguments\": {\"x\": \"</tool_call>\\\"\"}}\n"
      "</tool_call> then <tool_call>{\"name\": \"b\"}<tool_call>{\"name\": 1}</tool_call> \n",
      "  I list.\n```json\n{\"name\": \"a\", \"arguments\": {}}\n```\n{\"name\": \"b\", "
      "\"arguments\": {}}\n``\n{\"x\": 1}\n```",
      "a < b <tool_cal but ```json {\"name\"\n{\"name\": \"x\", \"arguments\": {\"y\": \"z",
      "{\"name\": \"a\", \"parameters\": {}}; {\"name\": \"b\", \"parameters\": {\"x\": \"{\"}}",
      "Text <|python_tag|>{\"name\": \"a\", \"parameters\": {}} oops",
      " {\"answer\": 4} <|python <|python_tag|>print(1)<|eom_id|>",
      "{\"name\": \"a\", \"parameters\": {\"x\": \"ab",
      "Hi [TOOL [TOOL_CALLS][{\"name\": \"a\", \"arguments\": {\"x\": \"]\"}}, {\"name\": \"b\"}] "
      "[TOOL_CALLS]c[CALL_ID]x[ARGS]{\"y\": {}}[TOOL_CALLS]bad[TOOL_CALLS]d[ARGS]5",
      "<|channel|>analysis<|message|>hm <|en<|end|><|start|>assistant to=functions.a<|channel|>"
      "commentary json<|message|>{\"x\": \"<|call|>\"}<|call|><|start|>assistant<|channel|>final"
      "<|message|> So <| it is. <|return|>",
  };
  for (const auto format :
       {ToolCallFormat::None, ToolCallFormat::Hermes, ToolCallFormat::Llama3,
        ToolCallFormat::MistralList, ToolCallFormat::MistralArgs, ToolCallFormat::Harmony}) {
    for (const std::string& message : messages) {
      const std::string_view all = message;
      const ParsedToolCalls whole = parse_tool_calls(format, all, 3);
      for (std::size_t cut = 0; cut <= all.size(); ++cut) {
        expect_same(told_in_pieces(format, {all.substr(0, cut), all.substr(cut)}), whole, all);
      }
      std::vector<std::string_view> bytes;
      for (std::size_t i = 0; i < all.size(); ++i) bytes.push_back(all.substr(i, 1));
      expect_same(told_in_pieces(format, bytes), whole, all);
    }
  }
}

TEST(ToolCallStream, PassesOnAtOnceWhatIsSurelyText) {
  std::string text;
  std::size_t calls = 0;
  ToolCallStream stream(ToolCallFormat::Hermes, 0,
                        {.on_text = [&](std::string_view piece) { text += piece; },
                         .on_call = [&](const ToolCall&) { ++calls; }});
  stream.add("I will look");
  EXPECT_EQ(text, "I will look");
  stream.add(". <tool");
  EXPECT_EQ(text, "I will look.");
  stream.add("_call>{\"name\": \"a\", \"arguments\": {}}");
  EXPECT_EQ(calls, 0U);
  stream.add("</tool_call>");
  EXPECT_EQ(calls, 1U);
  stream.add("\nDone");
  EXPECT_EQ(text, "I will look. \nDone");
}

}  // namespace
}  // namespace trialwright
