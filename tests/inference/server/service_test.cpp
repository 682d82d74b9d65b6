// The API over a model, without a network.

#include "inference/server/service.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <thread>

#include "base/files.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_model.h"
#include "tests/support/tiny_chat_model.h"
#include "tests/support/waiting_model.h"

namespace trialwright {
namespace {

using std::chrono::milliseconds;

bool stays() { return false; }

ApiRequest post(std::string path, std::string body) {
  return {.method = "POST", .path = std::move(path), .body = std::move(body)};
}
ApiRequest ask(const std::string& more = "") {
  return post("/v1/chat/completions",
              R"({"model": "fake", "messages": [{"role": "user", "content": "Hi"}])" + more + "}");
}

std::string stream_of(ApiReply& reply) {
  std::string events;
  CHECK(reply.stream, "the reply is a stream");
  EXPECT_TRUE(reply.stream([&](std::string_view event) {
    events += event;
    return true;
  }));
  return events;
}

void expect_golden(const std::string& name, const std::string& text) {
  const auto path = std::filesystem::path(TRIALWRIGHT_GOLDEN_FOLDER) / "inference/server" / name;
  if (std::getenv("UPDATE_GOLDEN") != nullptr) {
    std::filesystem::create_directories(path.parent_path());
    ASSERT_TRUE(write_file_atomically(path, text));
  }
  auto golden = read_file(path);
  ASSERT_TRUE(golden) << golden.error().message;
  EXPECT_EQ(text, *golden) << "UPDATE_GOLDEN=1 rewrites " << path;
}

constexpr const char* kTools =
    R"(, "tools": [{"type": "function", "function": {"name": "bash", "parameters": {}}}])";

/// Says "Héllo, ", calls a tool and ends, telling each as it comes.
Result<Completion> tells_as_it_goes(const CompletionRequest& request) {
  Completion completion = saying("Héllo, you.");
  completion.tool_calls = {{"call_0", "bash", {{"command", "ls \"x\""}}}};
  completion.usage.cached_tokens = 4;
  if (request.on_text) request.on_text("Héllo, ");
  if (request.on_tool_call) request.on_tool_call(completion.tool_calls[0]);
  if (request.on_text) request.on_text("you.");
  return completion;
}

class ServiceTest : public testing::Test {
 protected:
  FakeModel model_{[this](const CompletionRequest& request) { return answer_(request); }};
  FakeModel::Answer answer_ = tells_as_it_goes;
  FakeClock clock_;
  Service service_{model_, clock_, {}};
};

TEST_F(ServiceTest, AnswersAConversation) {
  ApiReply reply = service_.handle(ask(kTools), stays);

  EXPECT_EQ(reply.status, 200);
  expect_golden("chat.json", reply.body.dump(2) + "\n");
  EXPECT_EQ(reply.usage->completion_tokens, 3);
  ASSERT_EQ(model_.requests().size(), 1U);
  EXPECT_EQ(model_.requests()[0].messages[0].content, "Hi");
  EXPECT_TRUE(model_.requests()[0].deadline);
}

TEST_F(ServiceTest, StreamsAConversation) {
  ApiReply reply = service_.handle(
      ask(std::string(kTools) + R"(, "stream": true, "stream_options": {"include_usage": true})"),
      stays);
  expect_golden("chat_stream.txt", stream_of(reply));
  EXPECT_EQ(reply.usage->prompt_tokens, 10);
}

TEST_F(ServiceTest, StreamsWhatAModelTellsOnlyInTheEnd) {
  answer_ = [](const CompletionRequest&) -> Result<Completion> {
    return calling("bash", {{"command", "ls"}});
  };
  ApiReply reply = service_.handle(ask(std::string(kTools) + R"(, "stream": true)"), stays);
  const std::string events = stream_of(reply);
  EXPECT_NE(events.find(R"("name":"bash","arguments":"{\"command\":\"ls\"}")"), std::string::npos);
  EXPECT_NE(events.find(R"("finish_reason":"tool_calls")"), std::string::npos);
  EXPECT_TRUE(events.ends_with("data: [DONE]\n\n"));
}

TEST_F(ServiceTest, SeveralAnswersDrawApart) {
  answer_ = [](const CompletionRequest& request) -> Result<Completion> {
    return saying("answer " + std::to_string(request.stream));
  };
  const ApiReply reply = service_.handle(ask(R"(, "n": 3)"), stays);
  ASSERT_EQ(reply.body["choices"].size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(reply.body["choices"][i]["index"], i);
    EXPECT_EQ(reply.body["choices"][i]["message"]["content"], "answer " + std::to_string(i));
  }
  EXPECT_EQ(reply.body["usage"]["prompt_tokens"], 10);
  EXPECT_EQ(reply.body["usage"]["completion_tokens"], 9);
}

TEST_F(ServiceTest, ErrorsHaveTheShapeOfTheApi) {
  const ApiReply reply = service_.handle(ask(R"(, "n": 99)"), stays);
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(to_text(reply.body),
            R"({"error":{"message":"n must be a whole number from 1 to 16",)"
            R"("type":"invalid_request_error","param":"n","code":"invalid_value"}})");
  EXPECT_EQ(service_.handle(post("/v1/chat/completions", "{oops"), stays).status, 400);
  EXPECT_EQ(service_.handle(post("/v1/chat/completions", "[1]"), stays).status, 400);
}

TEST_F(ServiceTest, FailuresOfTheModelHaveTheirStatus) {
  const std::pair<Error, int> cases[] = {
      {invalid("too long"), 400}, {unavailable("no memory"), 503}, {integrity("damaged"), 500}};
  for (const auto& [error, status] : cases) {
    answer_ = [error = error](const CompletionRequest&) -> Result<Completion> { return error; };
    for (const char* more : {"", R"(, "stream": true)"}) {
      const ApiReply reply = service_.handle(ask(more), stays);
      EXPECT_EQ(reply.status, status);
      EXPECT_EQ(reply.body["error"]["message"], error.message);
    }
  }
  answer_ = [](const CompletionRequest&) -> Result<Completion> {
    Completion completion = saying("half");
    completion.finish = FinishReason::Deadline;
    return completion;
  };
  EXPECT_EQ(service_.handle(ask(), stays).status, 504);
}

TEST_F(ServiceTest, AnErrorAfterTheFirstWordEndsTheStream) {
  answer_ = [](const CompletionRequest& request) -> Result<Completion> {
    if (request.on_text) request.on_text("Hel");
    return integrity("damaged");
  };
  ApiReply reply = service_.handle(ask(R"(, "stream": true)"), stays);
  EXPECT_EQ(reply.status, 200);
  const std::string events = stream_of(reply);
  EXPECT_NE(events.find("\"content\":\"Hel\""), std::string::npos);
  EXPECT_NE(events.find("data: {\"error\":{\"message\":\"damaged\""), std::string::npos);
  EXPECT_EQ(events.find("[DONE]"), std::string::npos);
}

TEST_F(ServiceTest, AModelThatMustCallAndDoesNotIsAnError) {
  answer_ = [](const CompletionRequest&) -> Result<Completion> { return saying("No."); };
  const ApiReply reply =
      service_.handle(ask(std::string(kTools) + R"(, "tool_choice": "required")"), stays);
  EXPECT_EQ(reply.status, 422);
  EXPECT_EQ(reply.body["error"]["param"], "tool_choice");
}

TEST_F(ServiceTest, KnowsItsAddressesAndItsModel) {
  const ApiRequest get{.method = "GET", .path = "/v1/models"};
  EXPECT_EQ(service_.handle(get, stays).body["data"][0]["id"], "fake");
  EXPECT_EQ(service_.handle({.method = "GET", .path = "/v1/models/fake"}, stays).body["id"],
            "fake");
  EXPECT_EQ(service_.handle({.method = "GET", .path = "/v1/models/other"}, stays).status, 404);
  EXPECT_EQ(service_.handle({.method = "GET", .path = "/health"}, stays).body["status"], "ok");
  EXPECT_EQ(service_.handle({.method = "GET", .path = "/v1/chat/completions"}, stays).status, 405);
  EXPECT_EQ(service_.handle(post("/v1/embeddings", "{}"), stays).status, 404);
  const ApiReply other = service_.handle(
      post("/v1/chat/completions",
           R"({"model": "gpt-x", "messages": [{"role": "user", "content": "Hi"}]})"),
      stays);
  EXPECT_EQ(other.status, 404);
  EXPECT_EQ(other.body["error"]["code"], "model_not_found");
}

TEST_F(ServiceTest, OnlyTheRightKeyComesIn) {
  Service guarded(model_, clock_, {.key = "secret"});
  ApiRequest request = ask();
  for (const char* wrong : {"", "secret", "Bearer ", "Bearer secre", "Bearer secret ", "Basic x"}) {
    request.authorization = wrong;
    const ApiReply reply = guarded.handle(request, stays);
    EXPECT_EQ(reply.status, 401) << wrong;
    EXPECT_EQ(reply.body["error"]["code"], "invalid_api_key");
  }
  EXPECT_TRUE(model_.requests().empty());
  request.authorization = "Bearer secret";
  EXPECT_EQ(guarded.handle(request, stays).status, 200);
  EXPECT_EQ(guarded.handle({.method = "GET", .path = "/health"}, stays).status, 200);
}

TEST_F(ServiceTest, OneAnswerTooManyIsSentAway) {
  std::atomic<bool> is_over = false;
  answer_ = [&](const CompletionRequest&) -> Result<Completion> {
    while (!is_over) std::this_thread::sleep_for(milliseconds(1));
    return saying("late");
  };
  Service small(model_, clock_, {.answers_max = 2});
  std::jthread first([&] { EXPECT_EQ(small.handle(ask(R"(, "n": 2)"), stays).status, 200); });
  while (small.answers() < 2) std::this_thread::yield();

  const ApiReply reply = small.handle(ask(), stays);
  EXPECT_EQ(reply.status, 429);
  EXPECT_EQ(reply.headers.at(0), (std::pair<std::string, std::string>("Retry-After", "1")));
  is_over = true;
  first.join();
  EXPECT_EQ(small.answers(), 0);
  EXPECT_EQ(small.handle(ask(), stays).status, 200);
}

TEST_F(ServiceTest, AnswersConversationsOnlyWhereTokensAreNotSeen) {
  EXPECT_EQ(
      service_.handle(post("/v1/completions", R"({"model": "fake", "prompt": "x"})"), stays).status,
      400);
  EXPECT_EQ(service_.handle(ask(R"(, "logprobs": true)"), stays).body["error"]["param"],
            "logprobs");
}

TEST(ServiceOfAWaitingModel, OneWhoHangsUpIsNotWorkedFor) {
  WaitingModel model;
  const FakeClock clock;
  Service service(model, clock, {});
  const ApiRequest request =
      post("/v1/chat/completions",
           R"({"model": "waiting", "messages": [{"role": "user", "content": "Hi"}], "n": 3})");
  const ApiReply reply = service.handle(request, [&] { return model.waiting == 3; });
  EXPECT_EQ(reply.status, 499);
  EXPECT_EQ(model.stopped, 3);
  EXPECT_EQ(service.answers(), 0);
}

TEST(ServiceOfAWaitingModel, OneWhoLeavesAStreamIsNotWorkedFor) {
  WaitingModel model;
  const FakeClock clock;
  Service service(model, clock, {});
  std::atomic<bool> has_left = false;
  {
    ApiReply reply =
        service.handle(post("/v1/chat/completions", R"({"model": "waiting", "stream": true,
             "messages": [{"role": "user", "content": "Hi"}]})"),
                       [&] { return has_left.load(); });
    ASSERT_TRUE(reply.stream);
    EXPECT_FALSE(reply.stream([&](std::string_view event) {
      EXPECT_NE(event.find("Hel"), std::string_view::npos);
      has_left = true;
      return true;
    }));
  }
  EXPECT_EQ(model.stopped, 1);
}

TEST(ServiceOfAWaitingModel, IsCancelledAsAWhole) {
  WaitingModel model;
  const FakeClock clock;
  Service service(model, clock, {});
  service.cancel_all();
  EXPECT_EQ(service
                .handle(post("/v1/chat/completions", R"({"model": "waiting",
                             "messages": [{"role": "user", "content": "Hi"}]})"),
                        stays)
                .status,
            503);
  EXPECT_EQ(model.stopped, model.waiting);
}

TEST(AnswersTest, AReaderWhoLeavesTooMuchUnreadIsTakenForGone) {
  std::atomic<bool> was_stopped = false;
  Answers answers(
      1,
      [&](std::size_t, const Answers::Tell& tell, const std::stop_token& stop) -> Result<Answer> {
        while (!stop.stop_requested()) tell.text("0123456789");
        was_stopped = true;
        return Answer{};
      },
      {.unread_bytes_max = 1000});
  while (!was_stopped) std::this_thread::yield();
  const auto event = answers.next(milliseconds(1000));
  ASSERT_TRUE(event);
  // What was told grew together while nobody read.
  EXPECT_EQ(std::get<std::string>(event->what).size(), 1010U);
}

/// What needs a model with tokens.
class TinyServiceTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto folder = TemporaryFolder::make();
    ASSERT_TRUE(folder);
    model_ = load_tiny_chat_model(folder->path());
  }
  static void TearDownTestSuite() { model_.reset(); }

  Json text(const std::string& fields) {
    const ApiReply reply =
        service_.handle(post("/v1/completions", R"({"model": "tiny", )" + fields + "}"), stays);
    EXPECT_EQ(reply.status, 200) << to_text(reply.body);
    return reply.body;
  }

  static std::unique_ptr<EmbeddedModel> model_;
  SystemClock clock_;
  Service service_{*model_, clock_, {}};
};

std::unique_ptr<EmbeddedModel> TinyServiceTest::model_;

TEST_F(TinyServiceTest, EachTokenOfAnEchoHasItsOwnLogprob) {
  const std::string prompt = "a\u00e9b";
  const Json body = text(R"("prompt": "aéb", "echo": true, "max_tokens": 0, "logprobs": 2)");
  const Json& choice = body["choices"][0];
  EXPECT_EQ(choice["text"], prompt);
  EXPECT_EQ(choice["finish_reason"], "length");
  const Json& logprobs = choice["logprobs"];
  EXPECT_EQ(logprobs["tokens"], (Json{"a", "bytes:\\xc3", "bytes:\\xa9", "b"}));
  EXPECT_EQ(logprobs["text_offset"], (Json{0, 1, 1, 2}));
  ASSERT_EQ(logprobs["token_logprobs"].size(), 4U);
  EXPECT_TRUE(logprobs["token_logprobs"][0].is_null());
  EXPECT_TRUE(logprobs["top_logprobs"][0].is_null());

  // The other way to the same numbers: scoring what follows a prefix.
  const auto ids = model_->encode_text(prompt).ids;
  ASSERT_EQ(ids.size(), 4U);
  ScoreRequest scored;
  scored.text = "a\u00e9";
  scored.continuations = {"b"};
  const auto last = model_->score(scored, {});
  ASSERT_TRUE(last);
  EXPECT_EQ(logprobs["token_logprobs"][3].get<double>(), (*last)[0].logprob);
  EXPECT_EQ(body["usage"]["completion_tokens"], 0);
  EXPECT_EQ(body["usage"]["prompt_tokens"], 4);
}

TEST_F(TinyServiceTest, TokensAsAPromptAreTheTextThatTheyStandFor) {
  const Json by_text = text(R"("prompt": "Once", "max_tokens": 5, "temperature": 0,
                               "echo": true, "logprobs": 1)");
  const Json by_ids = text(R"("prompt": )" + to_text(Json(model_->encode_text("Once").ids)) +
                           R"(, "max_tokens": 5, "temperature": 0, "echo": true, "logprobs": 1)");
  EXPECT_EQ(by_text["choices"], by_ids["choices"]);
  const Json& logprobs = by_text["choices"][0]["logprobs"];
  EXPECT_EQ(logprobs["tokens"].size(), 9U);
  EXPECT_EQ(logprobs["token_logprobs"].size(), 9U);
  EXPECT_EQ(logprobs["text_offset"].size(), 9U);
  // Greedy: what was chosen is the likeliest.
  for (std::size_t i = 4; i < 9; ++i) EXPECT_EQ(logprobs["top_logprobs"][i].size(), 1U);
}

TEST_F(TinyServiceTest, ManyPromptsAreAnsweredInOrder) {
  const Json together = text(R"("prompt": ["One", "Two", "Three"], "n": 2, "max_tokens": 6)");
  ASSERT_EQ(together["choices"].size(), 6U);
  std::size_t index = 0;
  for (const char* prompt : {"One", "Two", "Three"}) {
    const Json alone = text(R"("n": 2, "max_tokens": 6, "prompt": ")" + std::string(prompt) + "\"");
    for (std::size_t i = 0; i < 2; ++i, ++index) {
      EXPECT_EQ(together["choices"][index]["index"], index);
      EXPECT_EQ(together["choices"][index]["text"], alone["choices"][i]["text"]);
    }
  }
  EXPECT_EQ(together["usage"]["prompt_tokens"], 3 + 3 + 5);
}

TEST_F(TinyServiceTest, TheSameSeedGivesTheSameAnswerStreamedOrNot) {
  const std::string fields = R"("prompt": "Once", "max_tokens": 40, "seed": 7, "logprobs": 0)";
  const Json whole = text(fields);
  ApiReply reply = service_.handle(
      post("/v1/completions", R"({"model": "tiny", "stream": true, )" + fields + "}"), stays);
  std::string streamed;
  Json logprobs;
  const std::string events = stream_of(reply);
  for (std::size_t at = 0; at < events.size();) {
    const std::size_t end = events.find("\n\n", at);
    const std::string data = events.substr(at + 6, end - at - 6);
    at = end + 2;
    if (data == "[DONE]") break;
    const auto json = parse_json(data);
    ASSERT_TRUE(json);
    streamed += (*json)["choices"][0]["text"].get<std::string>();
    if (!(*json)["choices"][0]["logprobs"].is_null()) logprobs = (*json)["choices"][0]["logprobs"];
  }
  EXPECT_EQ(streamed, whole["choices"][0]["text"]);
  EXPECT_EQ(logprobs, whole["choices"][0]["logprobs"]);
  EXPECT_NE(text(R"("prompt": "Once", "max_tokens": 40, "seed": 8)")["choices"][0]["text"],
            whole["choices"][0]["text"]);
}

TEST_F(TinyServiceTest, ReadsAndWritesTokens) {
  const ApiReply ids = service_.handle(post("/tokenize", R"({"prompt": "é<|im_end|>"})"), stays);
  EXPECT_EQ(to_text(ids.body), R"({"count":3,"tokens":[195,169,257]})");
  const ApiReply back = service_.handle(post("/detokenize", R"({"tokens": [195, 169]})"), stays);
  EXPECT_EQ(to_text(back.body), R"({"prompt":"é"})");
  EXPECT_EQ(service_.handle(post("/detokenize", R"({"tokens": [-1]})"), stays).status, 400);
  const ApiReply info = service_.handle({.method = "GET", .path = "/tokenizer_info"}, stays);
  EXPECT_EQ(to_text(info.body), R"({"bos_token":null,"eos_token":"<|im_end|>"})");
}

TEST_F(TinyServiceTest, APromptThatDoesNotFitIsTheClientsMistake) {
  const ApiReply reply =
      service_.handle(post("/v1/completions", R"({"model": "tiny", "prompt": ")" +
                                                  std::string(3000, 'x') + R"(", "stream": true})"),
                      stays);
  EXPECT_EQ(reply.status, 400);
}

}  // namespace
}  // namespace trialwright
