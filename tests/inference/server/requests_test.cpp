// What the bodies of requests say, and how wrong ones are refused.

#include <gtest/gtest.h>

#include "inference/models/chat_completions.h"
#include "inference/server/chat_request.h"
#include "inference/server/text_request.h"

namespace trialwright {
namespace {

Json json_of(std::string_view text) {
  auto json = parse_json(text);
  CHECK(json, "tests write JSON");
  return *std::move(json);
}

ChatRequest chat(std::string_view text) {
  auto read = read_chat_request(json_of(text));
  const auto* error = std::get_if<ApiError>(&read);
  EXPECT_EQ(error, nullptr) << error->message;
  return error == nullptr ? std::get<ChatRequest>(std::move(read)) : ChatRequest{};
}

/// The body with `more` fields put to a right one.
ApiError chat_error(const std::string& more) {
  auto read = read_chat_request(
      json_of(R"({"model": "m", "messages": [{"role": "user", "content": "Hi"}], )" + more + "}"));
  EXPECT_TRUE(std::holds_alternative<ApiError>(read)) << more;
  return std::holds_alternative<ApiError>(read) ? std::get<ApiError>(read) : ApiError{};
}

TextRequest text(std::string_view body) {
  auto read = read_text_request(json_of(body));
  const auto* error = std::get_if<ApiError>(&read);
  EXPECT_EQ(error, nullptr) << error->message;
  return error == nullptr ? std::get<TextRequest>(std::move(read)) : TextRequest{};
}

std::string text_error(std::string_view body) {
  auto read = read_text_request(json_of(body));
  EXPECT_TRUE(std::holds_alternative<ApiError>(read)) << body;
  return std::holds_alternative<ApiError>(read) ? std::get<ApiError>(read).message : "";
}

TEST(ChatRequest, ReadsWhatOurOwnClientWrites) {
  CompletionRequest asked;
  asked.messages = {{Role::System, "Be short.", {}, ""},
                    {Role::User, "List.", {}, ""},
                    {Role::Assistant, "", {{"call_0", "bash", {{"command", "ls"}}}}, ""},
                    {Role::Tool, "a.txt", {}, "call_0"}};
  asked.tools = {{"bash", "Runs a command.", {{"type", "object"}}}};
  asked.sampling = {.temperature = 0.7,
                    .top_k = 40,
                    .top_p = 0.9,
                    .min_p = 0.05,
                    .repetition_penalty = 1.1,
                    .seed = 5};
  asked.tokens_max = 33;
  asked.stop = {"END", "\n\n"};
  asked.alternatives = 3;
  asked.must_call_tool = true;
  const Json body = chat_request_to_json(asked, "m");

  const CompletionRequest read = chat(to_text(body)).completion;
  ASSERT_EQ(read.messages.size(), 4U);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(message_to_json(read.messages[i]), message_to_json(asked.messages[i]));
  }
  ASSERT_EQ(read.tools.size(), 1U);
  EXPECT_EQ(tool_to_json(read.tools[0]), tool_to_json(asked.tools[0]));
  EXPECT_EQ(read.sampling.temperature, 0.7);
  EXPECT_EQ(read.sampling.top_k, 40);
  EXPECT_EQ(read.sampling.top_p, 0.9);
  EXPECT_EQ(read.sampling.min_p, 0.05);
  EXPECT_EQ(read.sampling.repetition_penalty, 1.1);
  EXPECT_EQ(Json(read.sampling.seed), body["seed"]);
  EXPECT_EQ(read.tokens_max, 33);
  EXPECT_EQ(read.stop, asked.stop);
  EXPECT_EQ(read.alternatives, 3);
  EXPECT_TRUE(read.must_call_tool);
  // A call cannot have another form as well, so a form is asked for by itself.
  asked.must_call_tool = false;
  asked.format = OutputFormat{OutputFormat::Kind::JsonSchema, R"({"type":"integer"})"};
  const auto formed = chat(to_text(chat_request_to_json(asked, "m"))).completion;
  ASSERT_TRUE(formed.format);
  EXPECT_EQ(formed.format->source, asked.format->source);
}

TEST(ChatRequest, TakesTheDefaultsOfTheApi) {
  const ChatRequest request = chat(
      R"({"model": "m", "stop": null, "n": null, "user": "me", "logit_bias": {},
          "presence_penalty": 0.0, "messages": [{"role": "developer", "content":
          [{"type": "text", "text": "Be "}, {"type": "text", "text": "short."}]}]})");

  EXPECT_EQ(request.completion.sampling.temperature, 1);
  EXPECT_EQ(request.completion.sampling.seed, 0U);
  EXPECT_EQ(request.options.choices, 1);
  EXPECT_FALSE(request.options.streams);
  EXPECT_EQ(request.completion.messages[0].role, Role::System);
  EXPECT_EQ(request.completion.messages[0].content, "Be short.");
}

TEST(ChatRequest, AChosenToolIsTheOnlyOne) {
  const std::string tools =
      R"("model": "m", "messages": [{"role": "user", "content": "Hi"}], "tools": [
          {"type": "function", "function": {"name": "a"}},
          {"type": "function", "function": {"name": "b", "strict": true}}])";
  const auto named = chat("{" + tools + R"(, "tool_choice":
      {"type": "function", "function": {"name": "b"}}})");
  ASSERT_EQ(named.completion.tools.size(), 1U);
  EXPECT_EQ(named.completion.tools[0].name, "b");
  EXPECT_TRUE(named.completion.must_call_tool);

  EXPECT_TRUE(chat("{" + tools + R"(, "tool_choice": "none"})").completion.tools.empty());
  EXPECT_EQ(chat("{" + tools + R"(, "tool_choice": "auto"})").completion.tools.size(), 2U);
  EXPECT_TRUE(chat("{" + tools + R"(, "tool_choice": "required"})").completion.must_call_tool);
}

TEST(ChatRequest, FormatsComeFromWhicheverField) {
  const std::string start = R"({"model": "m", "messages": [{"role": "user", "content": "Hi"}], )";
  const auto format = [&](const std::string& field) {
    return chat(start + field + "}").completion.format;
  };
  EXPECT_FALSE(format(R"("response_format": {"type": "text"})"));
  EXPECT_EQ(format(R"("response_format": {"type": "json_object"})")->source,
            R"({"type": "object"})");
  EXPECT_EQ(format(R"("regex": "[ab]+")")->kind, OutputFormat::Kind::Regex);
  EXPECT_EQ(format(R"("grammar": "root ::= \"a\"")")->source, "root ::= \"a\"");
  EXPECT_EQ(chat_error(R"("regex": "a", "grammar": "b")").message,
            "grammar cannot be combined with another format");
  EXPECT_EQ(chat_error(R"("response_format": {"type": "json_schema", "json_schema": {}})").param,
            "response_format.json_schema.schema");
}

TEST(ChatRequest, NamesTheFieldThatIsWrong) {
  const struct {
    std::string more;
    std::string param;
    std::string message;
  } cases[] = {
      {R"("temperature": "hot")", "temperature", "temperature must be a number from 0.0 to 100.0"},
      {R"("n": 0)", "n", "n must be a whole number from 1 to 16"},
      {R"("n": 1.5)", "n", "n must be a whole number from 1 to 16"},
      {R"("seed": 18446744073709551615)", "seed",
       "seed must be a whole number from -9223372036854775808 to 9223372036854775807"},
      {R"("stop": [""])", "stop", "stop must hold strings that are not empty"},
      {R"("stream": 1)", "stream", "stream must be true or false"},
      {R"("stream_options": {"include_usage": true})", "stream_options",
       "stream_options needs \"stream\": true"},
      {R"("top_logprobs": 2)", "top_logprobs", "top_logprobs needs \"logprobs\": true"},
      {R"("frequency_penalty": 0.5)", "frequency_penalty",
       "frequency_penalty is not supported, except as 0"},
      {R"("logit_bias": {"50256": -100})", "logit_bias",
       "logit_bias is not supported, except as {}"},
      {R"("tool_choice": "required")", "tool_choice", "tool_choice needs tools"},
      {R"("tools": [{"type": "function", "function": {"name": "a"}}], "tool_choice": "required",
          "response_format": {"type": "json_object"})",
       "tool_choice", "tool_choice asks for a call, which cannot have the form of another format"},
      {R"("tools": [{"type": "web_search"}])", "tools[0].type", "tools[0].type must be function"},
      {R"("audio": {})", "audio", "audio is not supported"},
  };
  for (const auto& [more, param, message] : cases) {
    const ApiError error = chat_error(more);
    EXPECT_EQ(error.status, 400);
    EXPECT_EQ(error.param, param);
    EXPECT_EQ(error.message, message);
  }
}

TEST(ChatRequest, NamesTheMessageThatIsWrong) {
  const auto error_of = [](const std::string& messages) {
    auto read = read_chat_request(json_of(R"({"model": "m", "messages": )" + messages + "}"));
    EXPECT_TRUE(std::holds_alternative<ApiError>(read)) << messages;
    return std::get<ApiError>(read).message;
  };
  EXPECT_EQ(error_of("[]"), "messages must be a list that is not empty");
  EXPECT_EQ(error_of("[5]"), "messages[0] must be an object");
  EXPECT_EQ(error_of(R"([{"role": "god", "content": ""}])"),
            "messages[0].role must be system, developer, user, assistant or tool");
  EXPECT_EQ(error_of(R"([{"role": "user"}])"), "messages[0].content is missing");
  EXPECT_EQ(error_of(R"([{"role": "user", "content": [{"type": "image_url"}]}])"),
            "messages[0].content[0].type must be text: the model reads nothing else");
  EXPECT_EQ(error_of(R"([{"role": "tool", "content": "x"}])"),
            "messages[0].tool_call_id is missing");
  EXPECT_EQ(error_of(R"([{"role": "assistant", "tool_calls": [{"id": "1", "type": "function",
                          "function": {"name": "a", "arguments": "[1]"}}]}])"),
            "messages[0].tool_calls[0].function.arguments must be a string that holds a JSON "
            "object");
}

TEST(TextRequest, TakesTextsAndTokens) {
  EXPECT_EQ(text(R"({"model": "m", "prompt": "Hi"})").prompts,
            std::vector<TextPrompt>{std::string("Hi")});
  EXPECT_EQ(text(R"({"model": "m", "prompt": ["Hi", "Ho"]})").prompts.size(), 2U);
  EXPECT_EQ(text(R"({"model": "m", "prompt": [1, 2]})").prompts,
            (std::vector<TextPrompt>{std::vector<std::int32_t>{1, 2}}));
  EXPECT_EQ(text(R"({"model": "m", "prompt": [[1, 2], [3]]})").prompts.size(), 2U);
  EXPECT_EQ(text_error(R"({"model": "m"})"), "prompt is missing");
  EXPECT_EQ(text_error(R"({"model": "m", "prompt": [[1], []]})"),
            "prompt must hold texts, or lists of token ids that are not empty");
  EXPECT_EQ(text_error(R"({"model": "m", "prompt": [-1]})"),
            "prompt must hold texts, or lists of token ids that are not empty");
}

TEST(TextRequest, TellsLogprobsOfNothingFromNone) {
  const auto none = text(R"({"model": "m", "prompt": "Hi"})");
  EXPECT_FALSE(none.has_logprobs);
  EXPECT_EQ(none.completion.tokens_max, 16);
  const auto zero = text(R"({"model": "m", "prompt": "Hi", "logprobs": 0, "echo": true,
                             "max_tokens": 0, "best_of": 1, "suffix": null})");
  EXPECT_TRUE(zero.has_logprobs);
  EXPECT_TRUE(zero.echoes);
  EXPECT_EQ(zero.completion.tokens_max, 0);
  EXPECT_EQ(text_error(R"({"model": "m", "prompt": "Hi", "best_of": 3})"),
            "best_of is not supported, except as 1");
  EXPECT_EQ(text_error(R"({"model": "m", "prompt": "Hi", "suffix": "x"})"),
            "suffix is not supported, except as \"\"");
}

}  // namespace
}  // namespace trialwright
