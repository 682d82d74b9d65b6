#include "inference/models/http_model.h"

#include <gtest/gtest.h>
#include <httplib.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <ctime>
#include <thread>

#include "base/files.h"

namespace trialwright {
namespace {

using std::chrono::milliseconds;

std::string reply_body(const std::string& text) {
  return R"({"model":"served-1","choices":[{"message":{"role":"assistant","content":")" + text +
         R"("},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":2,)" +
         R"("prompt_tokens_details":{"cached_tokens":3}}})";
}

/// A provider on the loopback that does what a test says.
class Provider {
 public:
  using Answer = std::function<void(int number, httplib::Response& response)>;

  explicit Provider(Answer answer) : answer_(std::move(answer)) {
    server_.Post("/v1/chat/completions",
                 [this](const httplib::Request& request, httplib::Response& response) {
                   const int number = ++requests;
                   {
                     const std::scoped_lock lock(mutex_);
                     body_ = request.body;
                     authorization_ = request.get_header_value("Authorization");
                   }
                   answer_(number, response);
                 });
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();
  }
  ~Provider() {
    server_.stop();
    thread_.join();
  }
  Provider(const Provider&) = delete;
  Provider& operator=(const Provider&) = delete;

  [[nodiscard]] std::string url() const {
    return "http://127.0.0.1:" + std::to_string(port_) + "/v1";
  }
  Json body() {
    const std::scoped_lock lock(mutex_);
    auto json = parse_json(body_);
    CHECK(json, "the model sends JSON");
    return *std::move(json);
  }
  std::string authorization() {
    const std::scoped_lock lock(mutex_);
    return authorization_;
  }

  std::atomic<int> requests = 0;

 private:
  Answer answer_;
  httplib::Server server_;
  std::mutex mutex_;
  std::string body_;
  std::string authorization_;
  int port_ = 0;
  std::thread thread_;
};

/// Listens and takes nobody in: whoever connects waits.
class FullServer {
 public:
  FullServer() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    CHECK(::bind(listening_.get(), generic, size) == 0, "the loopback has a free port");
    CHECK(::listen(listening_.get(), 0) == 0, "a bound socket can listen");
    CHECK(::getsockname(listening_.get(), generic, &size) == 0, "a bound socket has a name");
    port_ = ntohs(address.sin_port);
    for (const FileDescriptor& each : waiting_) (void)::connect(each.get(), generic, size);
  }

  [[nodiscard]] std::string url() const {
    return "http://127.0.0.1:" + std::to_string(port_) + "/v1";
  }

 private:
  static FileDescriptor make_socket(int flags) {
    return FileDescriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
  }

  FileDescriptor listening_ = make_socket(0);
  std::array<FileDescriptor, 3> waiting_ = {make_socket(SOCK_NONBLOCK), make_socket(SOCK_NONBLOCK),
                                            make_socket(SOCK_NONBLOCK)};
  int port_ = 0;
};

Provider::Answer always(std::string body, int status = 200) {
  return [body = std::move(body), status](int, httplib::Response& response) {
    response.status = status;
    response.set_content(body, "application/json");
  };
}

/// Answers when `over` is set, or after a minute: far later than anybody should wait.
Provider::Answer late(const std::atomic<bool>& over) {
  return [&over](int, httplib::Response& response) {
    for (int i = 0; i < 12'000 && !over; ++i) std::this_thread::sleep_for(milliseconds(5));
    response.set_content("{}", "application/json");
  };
}

std::unique_ptr<HttpModel> model_at(const std::string& url, int attempts_max = 3) {
  HttpModelOptions options;
  options.base_url = url;
  options.model = "asked-1";
  options.attempts_max = attempts_max;
  options.first_pause = milliseconds(1);
  options.body_bytes_max = 10'000;
  auto model = HttpModel::make(options);
  CHECK(model, "the options are right");
  return *std::move(model);
}

CompletionRequest request_of(const std::string& text) {
  CompletionRequest request;
  request.messages = {{Role::User, text, {}, ""}};
  return request;
}

std::string error_of(const Provider& provider) {
  auto completion = model_at(provider.url())->complete(request_of("hi"), {});
  return completion ? "" : completion.error().message;
}

TEST(HttpModel, GivesTextUsageAndTheModelThatWasServed) {
  Provider provider(always(reply_body("hello")));
  std::string streamed;
  CompletionRequest request = request_of("hi");
  request.on_text = [&](std::string_view text) { streamed += text; };
  auto completion = model_at(provider.url())->complete(request, {});
  ASSERT_TRUE(completion) << completion.error().message;
  EXPECT_EQ(completion->text, "hello");
  EXPECT_EQ(streamed, "hello");
  EXPECT_EQ(completion->finish, FinishReason::Stop);
  EXPECT_EQ(completion->served_model, "served-1");
  EXPECT_EQ(completion->usage.prompt_tokens, 7);
  EXPECT_EQ(completion->usage.cached_tokens, 3);
  EXPECT_EQ(completion->usage.completion_tokens, 2);
}

TEST(HttpModel, SendsTheConversationToolsAndSampling) {
  Provider provider(always(reply_body("ok")));
  CompletionRequest request = request_of("hi");
  request.messages.push_back({Role::Assistant, "", {{"call_1", "bash", {{"command", "ls"}}}}, ""});
  request.messages.push_back({Role::Tool, "a.txt", {}, "call_1"});
  request.tools = {{"bash", "Runs a command.", {{"type", "object"}}}};
  request.sampling.temperature = 0.5;
  request.sampling.top_k = 20;
  request.stop = {"END"};
  request.tokens_max = 99;
  request.alternatives = 2;
  ASSERT_TRUE(model_at(provider.url())->complete(request, {}));
  const Json body = provider.body();
  EXPECT_EQ(body["model"], "asked-1");
  EXPECT_EQ(body["messages"].size(), 3U);
  EXPECT_EQ(body["messages"][1]["tool_calls"][0]["function"]["arguments"], R"({"command":"ls"})");
  EXPECT_EQ(body["messages"][2]["tool_call_id"], "call_1");
  EXPECT_EQ(body["tools"][0]["function"]["name"], "bash");
  EXPECT_EQ(body["temperature"], 0.5);
  EXPECT_EQ(body["top_k"], 20);
  EXPECT_FALSE(body.contains("min_p"));
  EXPECT_EQ(body["max_tokens"], 99);
  EXPECT_EQ(body["stop"][0], "END");
  EXPECT_EQ(body["top_logprobs"], 2);
}

TEST(HttpModel, SendsOneSeedForSeedAndStream) {
  Provider provider(always(reply_body("ok")));
  const auto model = model_at(provider.url());
  std::vector<std::int64_t> seeds;
  for (const auto& [seed, stream] : {std::pair{1U, 0U}, {1U, 1U}, {2U, 0U}, {1U, 0U}}) {
    CompletionRequest request = request_of("hi");
    request.sampling.seed = seed;
    request.stream = stream;
    ASSERT_TRUE(model->complete(request, {}));
    seeds.push_back(provider.body()["seed"].get<std::int64_t>());
  }
  EXPECT_EQ(seeds[0], seeds[3]);
  EXPECT_NE(seeds[0], seeds[1]);
  EXPECT_NE(seeds[0], seeds[2]);
}

TEST(HttpModel, NumbersCallsWithoutAnIdOnFromTheConversation) {
  Provider provider(always(R"({"choices":[{"message":{"content":null,"tool_calls":[
      {"type":"function","function":{"name":"bash","arguments":"{}"}}]}}]})"));
  CompletionRequest request = request_of("hi");
  request.messages.push_back({Role::Assistant, "", {{"call_0", "bash", {}}}, ""});
  auto completion = model_at(provider.url())->complete(request, {});
  ASSERT_TRUE(completion) << completion.error().message;
  EXPECT_EQ(completion->tool_calls.at(0).id, "call_1");
}

TEST(HttpModel, ReadsToolCallsAndTellsOfThoseItCannotRead) {
  Provider provider(always(
      R"({"choices":[{"finish_reason":"tool_calls","message":{"content":null,"tool_calls":[
      {"id":"a","type":"function","function":{"name":"bash","arguments":"{\"command\":\"ls\"}"}},
      {"id":"b","type":"function","function":{"name":"bash","arguments":"{\"command\""}},
      {"id":"c","type":"function","function":{"name":"bash","arguments":"[1]"}}]}}]})"));
  auto completion = model_at(provider.url())->complete(request_of("hi"), {});
  ASSERT_TRUE(completion) << completion.error().message;
  ASSERT_EQ(completion->tool_calls.size(), 1U);
  EXPECT_EQ(completion->tool_calls[0].id, "a");
  EXPECT_EQ(completion->tool_calls[0].arguments["command"], "ls");
  EXPECT_EQ(completion->tool_call_errors,
            (std::vector<std::string>{
                "the arguments of the call to bash are not valid JSON at line 1, byte 11",
                "the arguments of the call to bash must be a JSON object"}));
}

TEST(HttpModel, ReadsLogProbabilities) {
  Provider provider(always(
      R"({"choices":[{"finish_reason":"length","message":{"content":"x"},"logprobs":{"content":[
      {"token":"x","logprob":-0.25,"top_logprobs":[{"token":"x","logprob":-0.25},
      {"token":"y","logprob":-2}]}]}}]})"));
  auto completion = model_at(provider.url())->complete(request_of("hi"), {});
  ASSERT_TRUE(completion) << completion.error().message;
  EXPECT_EQ(completion->finish, FinishReason::Length);
  ASSERT_EQ(completion->tokens.size(), 1U);
  EXPECT_EQ(completion->tokens[0].chosen.logprob, -0.25);
  EXPECT_EQ(completion->tokens[0].chosen.id, -1);
  EXPECT_EQ(completion->tokens[0].alternatives.size(), 2U);
}

TEST(HttpModel, TriesAgainWhenTheProviderIsBusyOrFails) {
  for (const int status : {408, 429, 500, 502, 503}) {
    Provider provider([&](int number, httplib::Response& response) {
      response.status = number < 3 ? status : 200;
      response.set_content(number < 3 ? "busy" : reply_body("at last"), "application/json");
    });
    auto completion = model_at(provider.url())->complete(request_of("hi"), {});
    ASSERT_TRUE(completion) << completion.error().message;
    EXPECT_EQ(completion->text, "at last");
    EXPECT_EQ(provider.requests, 3);
  }
}

TEST(HttpModel, GivesUpAfterItsAttemptsAndSaysWhy) {
  Provider provider(always(R"({"error":{"message":"out of\nmemory"}})", 500));
  EXPECT_EQ(error_of(provider), provider.url().substr(0, provider.url().size() - 3) +
                                    " failed 3 times, at last with status 500: out of memory");
  EXPECT_EQ(provider.requests, 3);
}

TEST(HttpModel, DoesNotTryAgainWhenItIsRefused) {
  for (const int status : {400, 413, 422}) {
    Provider provider(always(R"({"error":{"message":"too long"}})", status));
    auto completion = model_at(provider.url())->complete(request_of("hi"), {});
    ASSERT_FALSE(completion);
    EXPECT_EQ(completion.error().kind, ErrorKind::Invalid);
    EXPECT_NE(completion.error().message.find("too long"), std::string::npos);
    EXPECT_EQ(provider.requests, 1);
  }
}

TEST(HttpModel, BlamesTheProviderForRefusingAnyRequest) {
  // A key revoked in the middle of a run says nothing about the request.
  for (const int status : {301, 401, 402, 403, 404}) {
    Provider provider(always(R"({"error":{"message":"no such model"}})", status));
    auto completion = model_at(provider.url())->complete(request_of("hi"), {});
    ASSERT_FALSE(completion) << status;
    EXPECT_EQ(completion.error().kind, ErrorKind::Unavailable) << status;
    EXPECT_NE(completion.error().message.find("no such model"), std::string::npos);
    EXPECT_EQ(provider.requests, 1);
  }
}

TEST(HttpModel, WaitsAsLongAsTheProviderAsks) {
  Provider provider([](int number, httplib::Response& response) {
    response.status = number == 1 ? 429 : 200;
    if (number == 1) response.set_header("Retry-After", "1");
    response.set_content(reply_body("ok"), "application/json");
  });
  auto completion = model_at(provider.url())->complete(request_of("hi"), {});
  ASSERT_TRUE(completion) << completion.error().message;
  EXPECT_GE(completion->timings.queued, std::chrono::seconds(1));
}

TEST(HttpModel, BlamesTheProviderThatIsBusyUntilTheDeadline) {
  Provider provider([](int, httplib::Response& response) {
    response.status = 429;
    // A date far ahead: RFC 9110 allows both forms.
    response.set_header("Retry-After", "Fri, 31 Dec 2100 23:59:59 GMT");
  });
  CompletionRequest request = request_of("hi");
  request.deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  const auto start = std::chrono::steady_clock::now();
  auto completion = model_at(provider.url())->complete(request, {});
  ASSERT_FALSE(completion);
  EXPECT_EQ(completion.error().kind, ErrorKind::Unavailable);
  EXPECT_TRUE(completion.error().message.ends_with(
      " failed 1 time, at last with status 429: , and the deadline comes before another attempt"))
      << completion.error().message;
  EXPECT_EQ(provider.requests, 1);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(15));
}

TEST(HttpModel, BlamesTheProviderThatFailsUntilTheDeadline) {
  Provider provider(always("down", 503));
  CompletionRequest request = request_of("hi");
  request.deadline = std::chrono::steady_clock::now() + milliseconds(300);
  auto completion = model_at(provider.url(), 1'000'000)->complete(request, {});
  ASSERT_FALSE(completion);
  EXPECT_EQ(completion.error().kind, ErrorKind::Unavailable);
}

TEST(HttpModel, WaitsForTwoSlowAnswersAndNotForFive) {
  std::atomic<bool> over = false;
  Provider provider(late(over));
  HttpModelOptions options;
  options.base_url = provider.url();
  options.model = "m";
  options.first_pause = milliseconds(1);
  options.answer_within = milliseconds(50);
  auto completion = (*HttpModel::make(options))->complete(request_of("hi"), {});
  over = true;
  ASSERT_FALSE(completion);
  EXPECT_EQ(completion.error().kind, ErrorKind::Unavailable);
  EXPECT_TRUE(completion.error().message.ends_with(
      " failed 2 times, at last with an answer that did not end in time"))
      << completion.error().message;
}

TEST(HttpModel, EndsAtTheDeadlineWhenTheProviderIsSlow) {
  std::atomic<bool> over = false;
  Provider provider(late(over));
  const auto start = std::chrono::steady_clock::now();
  CompletionRequest request = request_of("hi");
  request.deadline = std::chrono::steady_clock::now() + milliseconds(100);
  auto completion = model_at(provider.url())->complete(request, {});
  over = true;
  ASSERT_TRUE(completion) << completion.error().message;
  EXPECT_EQ(completion->finish, FinishReason::Deadline);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

TEST(HttpModel, StopsWhenAskedWhileTheProviderThinks) {
  std::atomic<bool> over = false;
  Provider provider(late(over));
  const auto start = std::chrono::steady_clock::now();
  std::stop_source stop;
  std::thread asking([&] {
    while (provider.requests == 0) std::this_thread::yield();
    stop.request_stop();
  });
  auto completion = model_at(provider.url())->complete(request_of("hi"), stop.get_token());
  asking.join();
  over = true;
  ASSERT_TRUE(completion) << completion.error().message;
  EXPECT_EQ(completion->finish, FinishReason::Cancelled);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

TEST(HttpModel, DoesNotHoldWhoeverAsksForTheStopWhileItConnects) {
  FullServer server;
  std::stop_source stop;
  CompletionRequest request = request_of("hi");
  request.deadline = std::chrono::steady_clock::now() + std::chrono::seconds(3);
  std::thread connecting([&] {
    auto completion = model_at(server.url())->complete(request, stop.get_token());
    ASSERT_TRUE(completion) << completion.error().message;
    EXPECT_EQ(completion->finish, FinishReason::Cancelled);
  });
  std::this_thread::sleep_for(milliseconds(200));
  const auto start = std::chrono::steady_clock::now();
  stop.request_stop();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
  connecting.join();
}

TEST(HttpModel, BlamesTheProviderThatCannotBeReachedUntilTheDeadline) {
  FullServer server;
  CompletionRequest request = request_of("hi");
  request.deadline = std::chrono::steady_clock::now() + milliseconds(300);
  auto completion = model_at(server.url())->complete(request, {});
  ASSERT_FALSE(completion);
  EXPECT_EQ(completion.error().kind, ErrorKind::Unavailable) << completion.error().message;
}

TEST(HttpModel, TriesAgainWhenTheConnectionDrops) {
  Provider provider([](int number, httplib::Response& response) {
    if (number < 2) {
      // Promises more than it sends.
      response.set_content_provider(1000, "application/json",
                                    [](std::size_t, std::size_t, httplib::DataSink& sink) {
                                      sink.write("{", 1);
                                      return false;
                                    });
      return;
    }
    response.set_content(reply_body("ok"), "application/json");
  });
  auto completion = model_at(provider.url())->complete(request_of("hi"), {});
  ASSERT_TRUE(completion) << completion.error().message;
  EXPECT_EQ(completion->text, "ok");
  EXPECT_EQ(provider.requests, 2);
}

TEST(HttpModel, SaysThatNobodyAnswers) {
  const std::string url = Provider(always("")).url();  // Gone by the end of the line.
  auto completion = model_at(url)->complete(request_of("hi"), {});
  ASSERT_FALSE(completion);
  EXPECT_EQ(completion.error().kind, ErrorKind::Unavailable);
  EXPECT_NE(completion.error().message.find(" failed 3 times, at last with "), std::string::npos)
      << completion.error().message;
}

TEST(HttpModel, RefusesAnswersThatAreNoCompletion) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"{\"choices\": [", "not valid JSON at line 1, byte 14"},
      {"[]", "the answer must be an object"},
      {"{}", "field \"choices\" must be an array that is not empty"},
      {R"({"choices":[]})", "field \"choices\" must be an array that is not empty"},
      {R"({"choices":[3]})", "field \"message\" must be an object"},
      {R"({"choices":[{"message":{"content":5}}]})", "field \"content\" must be a string"},
      {R"({"choices":[{"message":{"content":"x","tool_calls":{}}}]})",
       "field \"tool_calls\" must be an array"},
      {R"({"choices":[{"message":{"content":"x"}}],"usage":{"prompt_tokens":"many"}})",
       "usage: field \"prompt_tokens\" must be a whole number"},
      {R"({"choices":[{"message":{"content":"x"}}],"usage":{"prompt_tokens":-4}})",
       "usage: field \"prompt_tokens\" is out of range"},
      {std::string(900, '['), "JSON is nested too deeply"},
  };
  for (const auto& [body, why] : cases) {
    Provider provider(always(body));
    const std::string message = error_of(provider);
    EXPECT_NE(message.find("something else than a chat completion: " + why), std::string::npos)
        << message;
    EXPECT_EQ(provider.requests, 1);
  }
}

TEST(HttpModel, RefusesAnswersThatAreTooLarge) {
  Provider provider(always(reply_body(std::string(20'000, 'x'))));
  const std::string message = error_of(provider);
  EXPECT_TRUE(message.ends_with(": the answer has more than 10000 bytes")) << message;
  EXPECT_EQ(provider.requests, 1);
}

TEST(HttpModel, SendsTheKeyAndNeverShowsIt) {
  ::setenv("TRIALWRIGHT_TEST_KEY", "secret-123", 1);
  Provider provider(always(R"({"error":{"message":"bad key secret-123"}})", 401));
  HttpModelOptions options;
  options.base_url = provider.url();
  options.model = "m";
  options.key_variable = "TRIALWRIGHT_TEST_KEY";
  auto model = HttpModel::make(options);
  ASSERT_TRUE(model);
  auto completion = (*model)->complete(request_of("hi"), {});
  ::unsetenv("TRIALWRIGHT_TEST_KEY");
  ASSERT_FALSE(completion);
  EXPECT_EQ(provider.authorization(), "Bearer secret-123");
  EXPECT_EQ(completion.error().message.find("secret-123"), std::string::npos);
  EXPECT_NE(completion.error().message.find("bad key ***"), std::string::npos);
}

TEST(HttpModel, ShowsNoPartOfAKeyThatLiesAcrossTheCut) {
  ::setenv("TRIALWRIGHT_TEST_KEY", "secret-123", 1);
  Provider provider(always(std::string(295, 'x') + "secret-123", 401));
  HttpModelOptions options;
  options.base_url = provider.url();
  options.model = "m";
  options.key_variable = "TRIALWRIGHT_TEST_KEY";
  auto completion = (*HttpModel::make(options))->complete(request_of("hi"), {});
  ::unsetenv("TRIALWRIGHT_TEST_KEY");
  ASSERT_FALSE(completion);
  EXPECT_EQ(completion.error().message.find("secr"), std::string::npos)
      << completion.error().message;
}

TEST(HttpModel, RefusesOptionsThatCannotWork) {
  EXPECT_EQ(HttpModel::make({"host/v1", "m", ""}).error().message,
            "the model's address \"host/v1\" must begin with https:// or http://");
  EXPECT_EQ(HttpModel::make({"http://host/v1", "", ""}).error().message,
            "the model at http://host/v1 needs a name");
  EXPECT_EQ(HttpModel::make({"http://host/v1", "m", "TRIALWRIGHT_NO_SUCH"}).error().message,
            "the environment variable TRIALWRIGHT_NO_SUCH, which should hold the key for "
            "http://host, is not set");
}

TEST(HttpModel, IsIdentifiedByAddressAndName) {
  const auto first = model_at("http://127.0.0.1:1/v1");
  const auto second = model_at("http://127.0.0.1:2/v1");
  EXPECT_EQ(first->identity().provider, "http");
  EXPECT_NE(first->identity().digest, second->identity().digest);
  EXPECT_EQ(first->identity().digest, model_at("http://127.0.0.1:1/v1/")->identity().digest);
  EXPECT_FALSE(first->score({}, {}));
}

}  // namespace
}  // namespace trialwright
