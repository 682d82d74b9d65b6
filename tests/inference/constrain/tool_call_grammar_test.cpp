#include "inference/constrain/tool_call_grammar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/inference/constrain/walk.h"

namespace trialwright {
namespace {

using testing::HasSubstr;
using Mode = ToolCallChoice::Mode;

std::vector<ToolDefinition> tools() {
  const auto schema = [](std::string_view text) {
    auto json = parse_json(text);
    CHECK(json, "the test's schema is JSON");
    return *json;
  };
  return {
      {"read_file", "", schema(R"({"type":"object","properties":{"path":{"type":"string"},
                                   "lines":{"type":"integer","minimum":1}},"required":["path"]})")},
      {"done", "", schema(R"({"type":"object","properties":{}})")},
      {"read", "", schema(R"({"properties":{"n":{"enum":[1,2]}},"required":["n"]})")},
  };
}

std::shared_ptr<const Grammar> grammar_of(ToolCallFormat format, const ToolCallChoice& choice) {
  const auto all = tools();
  auto grammar = compile_tool_calls(format, all, choice);
  CHECK(grammar, "the test's tools are right");
  return *grammar;
}

constexpr const char* kCall = "<tool_call>\n{\"name\": \"done\", \"arguments\": {}}\n</tool_call>";

TEST(ToolCallGrammar, TakesTextAndThenCalls) {
  const auto grammar = grammar_of(ToolCallFormat::Hermes, {});
  const std::string call = kCall;
  for (const std::string& text :
       {std::string(), std::string("Hello <tool> é"), call, "I look.\n" + call, call + "\n" + call,
        std::string("<tool_call>\n{\"name\": \"read_file\", \"arguments\": {\"path\": \"a\", "
                    "\"lines\": 3}}\n</tool_call>")}) {
    EXPECT_TRUE(matches(grammar, text)) << text;
  }
  for (const char* const text :
       {"<tool_call>", "a <tool_call>b", "<tool_call>\n{\"name\": \"undone\", \"arguments\": {}}",
        "<tool_call>\n{\"name\": \"done\", \"arguments\": {\"x\":1}}\n</tool_call>",
        "<tool_call>\n{\"name\": \"read\", \"arguments\": {\"n\": 3}}\n</tool_call>"}) {
    EXPECT_FALSE(matches(grammar, text)) << text;
  }
  EXPECT_FALSE(matches(grammar, call + " and text"));
}

TEST(ToolCallGrammar, RequiresCallsOrOneOfOneTool) {
  const std::string call = kCall;
  const auto required = grammar_of(ToolCallFormat::Hermes, {Mode::Required, "", true});
  EXPECT_TRUE(matches(required, call + "\n" + call));
  EXPECT_FALSE(matches(required, "text"));
  EXPECT_FALSE(matches(required, ""));
  const auto single = grammar_of(ToolCallFormat::Hermes, {Mode::Required, "", false});
  EXPECT_FALSE(matches(single, call + "\n" + call));
  const auto named = grammar_of(ToolCallFormat::Hermes, {Mode::Named, "done", true});
  EXPECT_TRUE(matches(named, call));
  EXPECT_FALSE(matches(named, call + "\n" + call));
  EXPECT_FALSE(
      matches(named, "<tool_call>\n{\"name\": \"read\", \"arguments\": {\"n\": 1}}\n</tool_call>"));
}

TEST(ToolCallGrammar, TakesWholeMessagesOfLlama3) {
  const auto grammar = grammar_of(ToolCallFormat::Llama3, {});
  EXPECT_TRUE(matches(grammar, R"({"name": "done", "parameters": {}})"));
  EXPECT_TRUE(matches(grammar, R"(<|python_tag|>{"name": "read", "parameters": {"n":1}})"));
  EXPECT_TRUE(matches(grammar,
                      R"({"name": "done", "parameters": {}}; {"name": "done", "parameters": {}})"));
  EXPECT_TRUE(matches(grammar, "Just text with {braces}."));
  EXPECT_FALSE(matches(grammar, R"({"name": "undone", "parameters": {}})"));
  EXPECT_FALSE(matches(grammar, R"( {"name": "undone", "parameters": {}})"));
  EXPECT_FALSE(matches(grammar, "<|python_tag|>print(1)"));
}

TEST(ToolCallGrammar, WalksAreReadAsCallsOfTheTools) {
  const WordVocabulary vocabulary({"{\"name\": \"", "<tool_call"});
  RandomStream random(21, 0);
  int calls = 0;
  for (const auto format : {ToolCallFormat::Hermes, ToolCallFormat::Llama3}) {
    for (const auto mode : {Mode::Auto, Mode::Required, Mode::Named}) {
      const auto grammar = grammar_of(format, {mode, "read_file", true});
      for (int i = 0; i < 30; ++i) {
        const Walked walked = random_walk(vocabulary, grammar, random);
        ASSERT_EQ(walked.wrong, "");
        if (!walked.ended) continue;
        const ParsedToolCalls parsed = parse_tool_calls(format, walked.text);
        EXPECT_THAT(parsed.errors, testing::IsEmpty()) << walked.text;
        if (mode != Mode::Auto) {
          EXPECT_FALSE(parsed.calls.empty()) << walked.text;
        }
        calls += static_cast<int>(parsed.calls.size());
        for (const ToolCall& call : parsed.calls) {
          const auto all = tools();
          const auto tool = std::ranges::find(all, call.name, &ToolDefinition::name);
          ASSERT_NE(tool, all.end()) << walked.text;
          if (call.name == "read_file") {
            EXPECT_TRUE(call.arguments["path"].is_string());
          }
          if (call.name == "read") {
            EXPECT_TRUE(call.arguments["n"] == 1 || call.arguments["n"] == 2);
          }
        }
      }
    }
  }
  EXPECT_GT(calls, 100);
}

TEST(ToolCallGrammar, WritesATagAsTheTokenThatTheVocabularyHas) {
  const WordVocabulary vocabulary;
  const auto grammar = grammar_of(ToolCallFormat::Hermes, {Mode::Named, "done", false});
  GrammarConstraint match = vocabulary.match(grammar);
  const TokenId open = vocabulary.id_of("<tool_call>");
  EXPECT_FALSE(match.allows(vocabulary.id_of("<")));
  std::string text;
  std::vector<TokenId> ids;
  while (!match.ended()) {
    // All of it is forced, so no step needs a choice.
    const auto forced = match.forced();
    ASSERT_FALSE(forced.empty()) << text;
    ids.push_back(forced.front());
    text += vocabulary.trie()->bytes(ids.back());
    match.accept(ids.back());
  }
  EXPECT_EQ(ids.front(), open);
  EXPECT_EQ(text, std::string(kCall) + "<end>");
}

TEST(ToolCallGrammar, LetsTextNeitherSpellATagNorHoldItsToken) {
  const WordVocabulary vocabulary;
  GrammarConstraint match = vocabulary.match(grammar_of(ToolCallFormat::Hermes, {}));
  for (const char c : std::string_view("x<tool_call")) {
    match.accept(static_cast<TokenId>(static_cast<unsigned char>(c)));
  }
  EXPECT_FALSE(match.allows('>'));
  EXPECT_TRUE(match.allows('s'));
  EXPECT_TRUE(match.allows(vocabulary.id_of("<tool_call>")));  // A call begins.
  match.accept(vocabulary.id_of("<tool_call>"));
  EXPECT_FALSE(match.allows(vocabulary.id_of("<tool_call>")));
}

TEST(ToolCallGrammar, NamesTheToolThatIsWrong) {
  auto all = tools();
  EXPECT_EQ(error_of(compile_tool_calls(ToolCallFormat::None, all, {})),
            "the model's chat template knows no tools");
  EXPECT_EQ(error_of(compile_tool_calls(ToolCallFormat::Hermes, {}, {})),
            "there are no tools to call");
  EXPECT_EQ(error_of(compile_tool_calls(ToolCallFormat::Hermes, all, {Mode::Named, "x", true})),
            "there is no tool \"x\"");
  all[1].parameters["properties"]["a"] = {{"not", Json::object()}};
  EXPECT_EQ(error_of(compile_tool_calls(ToolCallFormat::Hermes, all, {})),
            "the tool \"done\": #/properties/a: the keyword \"not\" is not supported");
  all[1].name = "read";
  EXPECT_EQ(error_of(compile_tool_calls(ToolCallFormat::Hermes, all, {})),
            "two tools have the name \"read\"");
}

}  // namespace
}  // namespace trialwright
