// The server on the loopback: what goes over the wire, and what bounds it.

#include "inference/server/http_server.h"

#include <gtest/gtest.h>
#include <httplib.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <thread>

#include "base/files.h"
#include "inference/models/chat_completions.h"
#include "inference/models/http_model.h"
#include "tests/support/fake_model.h"
#include "tests/support/tiny_chat_model.h"
#include "tests/support/waiting_model.h"

namespace trialwright {
namespace {

using std::chrono::milliseconds;

/// A server that runs beside the test.
class Running {
 public:
  explicit Running(Model& model, ServiceOptions service = {}, HttpServerOptions http = {})
      : service_(model, clock_, std::move(service)) {
    http.on_access = [this](const AccessRecord& record) {
      const std::scoped_lock lock(mutex_);
      records_.push_back(record);
    };
    auto bound = HttpServer::bind(service_, std::move(http));
    CHECK(bound, "the loopback has a free port");
    server_ = *std::move(bound);
    thread_ = std::jthread([this](const std::stop_token& stop) { server_->run(stop); });
  }

  [[nodiscard]] int port() const { return server_->port(); }
  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port()); }
  [[nodiscard]] httplib::Client client() const { return httplib::Client(url()); }
  Service& service() { return service_; }
  void stop() {
    thread_.request_stop();
    thread_.join();
  }
  /// The record of the only request, when it is there.
  AccessRecord only_record() {
    while (true) {
      {
        const std::scoped_lock lock(mutex_);
        if (!records_.empty()) return records_.front();
      }
      std::this_thread::sleep_for(milliseconds(1));
    }
  }

 private:
  SystemClock clock_;
  Service service_;
  std::mutex mutex_;
  std::vector<AccessRecord> records_;
  std::unique_ptr<HttpServer> server_;
  std::jthread thread_;
};

std::string ask(const std::string& model, const std::string& more = "") {
  return R"({"model": ")" + model + R"(", "messages": [{"role": "user", "content": "Hi"}])" + more +
         "}";
}

/// A plain connection, for what no client library does.
class Wire {
 public:
  explicit Wire(int port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0,
          "the server listens");
  }
  void send(std::string_view text) const {
    (void)::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL);
  }
  /// All that comes until the server closes.
  [[nodiscard]] std::string receive() const {
    std::string all;
    char buffer[4096];
    for (ssize_t count = 0; (count = ::recv(socket_.get(), buffer, sizeof(buffer), 0)) > 0;) {
      all.append(buffer, static_cast<std::size_t>(count));
    }
    return all;
  }
  /// At least one byte of what comes next.
  [[nodiscard]] std::string receive_some() const {
    char buffer[4096];
    const ssize_t count = ::recv(socket_.get(), buffer, sizeof(buffer), 0);
    return {buffer, count > 0 ? static_cast<std::size_t>(count) : 0};
  }
  void close() { socket_.reset(); }

 private:
  FileDescriptor socket_;
};

std::string raw_post(const std::string& body, const std::string& more_headers = "") {
  return "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
         "application/json\r\n" +
         more_headers + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

TEST(HttpServer, OurClientGetsWhatTheModelGivesDirectly) {
  auto folder = TemporaryFolder::make();
  ASSERT_TRUE(folder);
  const auto direct = load_tiny_chat_model(folder->path());
  Running server(*direct);
  HttpModelOptions options;
  options.base_url = server.url() + "/v1";
  options.model = "tiny";
  auto client = HttpModel::make(options);
  ASSERT_TRUE(client);
  for (const double temperature : {0.0, 0.8}) {
    CompletionRequest request;
    request.messages = {{Role::System, "Be brief.", {}, ""}, {Role::User, "Once?", {}, ""}};
    request.tools = {{"bash", "Runs a command.", Json::object()}};
    request.sampling.temperature = temperature;
    request.sampling.seed = 3;
    request.tokens_max = 60;
    request.alternatives = 2;
    request.stop = {"zq"};
    auto over = (*client)->complete(request, {});
    ASSERT_TRUE(over) << over.error().message;
    // The API has one seed, made of seed and stream.
    request.sampling.seed = chat_request_to_json(request, "")["seed"].get<std::uint64_t>();
    auto same = direct->complete(request, {});
    ASSERT_TRUE(same);

    EXPECT_EQ(over->text, same->text);
    EXPECT_EQ(over->finish, same->finish);
    EXPECT_EQ(over->usage.prompt_tokens, same->usage.prompt_tokens);
    EXPECT_EQ(over->usage.completion_tokens, same->usage.completion_tokens);
    ASSERT_EQ(over->tokens.size(), same->tokens.size());
    for (std::size_t i = 0; i < same->tokens.size(); ++i) {
      EXPECT_EQ(over->tokens[i].chosen.logprob, same->tokens[i].chosen.logprob);
      ASSERT_EQ(over->tokens[i].alternatives.size(), 2U);
      EXPECT_EQ(over->tokens[i].alternatives[1].logprob, same->tokens[i].alternatives[1].logprob);
    }
  }
}

TEST(HttpServer, KeepsAConnectionForOneRequestAfterTheOther) {
  FakeModel model(in_turn({saying("one"), saying("two")}));
  Running server(model);
  auto client = server.client();
  client.set_keep_alive(true);
  for (const char* text : {"one", "two"}) {
    const auto answer = client.Post("/v1/chat/completions", ask("fake"), "application/json");
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 200);
    EXPECT_NE(answer->body.find(text), std::string::npos);
  }
  EXPECT_EQ(client.Get("/health")->status, 200);
}

TEST(HttpServer, StreamsEventsAndLogsWhatTheyCost) {
  FakeModel model([](const CompletionRequest& request) -> Result<Completion> {
    for (const char* word : {"Hello", " there"}) request.on_text(word);
    return saying("Hello there");
  });
  Running server(model);
  const auto answer = server.client().Post("/v1/chat/completions",
                                           ask("fake", R"(, "stream": true)"), "application/json");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->get_header_value("Content-Type"), "text/event-stream");
  EXPECT_TRUE(answer->body.ends_with("data: [DONE]\n\n")) << answer->body;
  const AccessRecord record = server.only_record();
  EXPECT_EQ(record.path, "/v1/chat/completions");
  EXPECT_EQ(record.status, 200);
  EXPECT_EQ(record.peer, "127.0.0.1");
  EXPECT_EQ(record.usage.completion_tokens, 3);
}

TEST(HttpServer, RefusesBeforeItReadsABody) {
  FakeModel model(in_turn({saying("never")}));
  Running server(model, {.key = "secret"}, {.body_bytes_max = 2000});
  auto client = server.client();
  const std::string url = "/v1/chat/completions";
  EXPECT_EQ(client.Post(url, ask("fake"), "application/json")->status, 401);
  client.set_bearer_token_auth("wrong");
  EXPECT_EQ(client.Post(url, ask("fake"), "application/json")->status, 401);
  client.set_bearer_token_auth("secret");
  EXPECT_EQ(client.Post(url, ask("fake"), "text/plain")->status, 415);
  EXPECT_EQ(client.Post(url, std::string(3000, ' '), "application/json")->status, 413);
  EXPECT_EQ(client.Post("/v1/nothing", "{}", "application/json")->status, 404);
  EXPECT_EQ(client.Get(url)->status, 405);
  const auto bad = client.Post(url, "{oops", "application/json");
  EXPECT_EQ(bad->status, 400);
  EXPECT_EQ((*parse_json(bad->body))["error"]["type"], "invalid_request_error");
  EXPECT_TRUE(model.requests().empty());
  EXPECT_EQ(client.Post(url, ask("fake"), "application/json")->status, 200);
}

TEST(HttpServer, ABodyInChunksIsBoundedToo) {
  FakeModel model(in_turn({saying("never")}));
  Running server(model, {}, {.body_bytes_max = 2000});
  const Wire wire(server.port());
  wire.send(
      "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
      "Transfer-Encoding: chunked\r\n\r\n");
  for (int i = 0; i < 100; ++i) wire.send("64\r\n" + std::string(100, ' ') + "\r\n");
  EXPECT_NE(wire.receive().find("HTTP/1.1 400"), std::string::npos);
  EXPECT_TRUE(model.requests().empty());
}

TEST(HttpServer, ABodyInChunksThatIsALittleTooLongIsRefused) {
  FakeModel model(in_turn({saying("never")}));
  Running server(model, {}, {.body_bytes_max = 2000});
  const Wire wire(server.port());
  wire.send(
      "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
      "Transfer-Encoding: chunked\r\n\r\n");
  for (int i = 0; i < 30; ++i) wire.send("64\r\n" + std::string(100, ' ') + "\r\n");
  wire.send("0\r\n\r\n");
  EXPECT_NE(wire.receive().find("HTTP/1.1 413"), std::string::npos);
  EXPECT_TRUE(model.requests().empty());
}

TEST(HttpServer, NothingFollowsARequestWhoseEndIsNotClear) {
  FakeModel model(in_turn({saying("never")}));
  Running server(model);
  for (const std::string& head :
       {std::string("GET /health HTTP/1.1\r\nContent-Length: 40\r\n"),
        std::string("GET /health HTTP/1.1\r\nTransfer-Encoding: chunked\r\n"),
        std::string("POST /v1/chat/completions HTTP/1.1\r\nContent-Type: application/json\r\n"
                    "Content-Length: 2\r\nContent-Length: 40\r\n"),
        std::string("POST /v1/chat/completions HTTP/1.1\r\nContent-Type: application/json\r\n"
                    "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n")}) {
    const Wire wire(server.port());
    wire.send(head + "Host: x\r\n\r\n{}GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n");
    const std::string reply = wire.receive();
    EXPECT_TRUE(reply.starts_with("HTTP/1.1 400")) << head << reply;
    EXPECT_EQ(reply.find("HTTP/1.1 200"), std::string::npos) << head;
  }
  EXPECT_TRUE(model.requests().empty());
}

TEST(HttpServer, ABodyWithoutALengthIsNotWaitedFor) {
  FakeModel model(in_turn({saying("never")}));
  Running server(model);
  const Wire wire(server.port());
  wire.send(
      "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\r\n{");
  EXPECT_NE(wire.receive().find("HTTP/1.1 411"), std::string::npos);
}

TEST(HttpServer, AnswersNoOtherNamesThanThisMachinesIfToldSo) {
  FakeModel model(in_turn({saying("yes")}));
  Running server(model, {}, {.local_names_only = true});
  auto client = server.client();
  EXPECT_EQ(client.Get("/v1/models")->status, 200);
  EXPECT_EQ(client.Get("/v1/models", {{"Host", "evil.example:80"}})->status, 403);
  EXPECT_EQ(client.Get("/v1/models", {{"Host", "[::1]:80"}})->status, 200);
}

TEST(HttpServer, WhatIsNoHttpIsRefusedAndSlowHeadersAreNotWaitedFor) {
  FakeModel model(in_turn({saying("never")}));
  Running server(model, {},
                 {.header_bytes_max = 4096,
                  .header_within = milliseconds(100),
                  .idle_within = milliseconds(100)});
  const Wire nonsense(server.port());
  nonsense.send("\x16\x03\x01 what is this\r\n\r\n");
  EXPECT_NE(nonsense.receive().find("400"), std::string::npos);
  const Wire endless(server.port());
  endless.send("GET /health HTTP/1.1\r\n" + std::string(10'000, 'a'));
  EXPECT_NE(endless.receive().find("400"), std::string::npos);
  const Wire slow(server.port());
  slow.send("GET /health HTTP/1.1\r\nHost:");
  EXPECT_NE(slow.receive().find("400"), std::string::npos);
  const Wire silent(server.port());
  EXPECT_EQ(silent.receive(), "");
}

TEST(HttpServer, AClientThatHangsUpCancelsItsAnswer) {
  WaitingModel model;
  Running server(model);
  for (const char* more : {"", R"(, "stream": true)"}) {
    const int before = model.stopped;
    Wire wire(server.port());
    wire.send(raw_post(ask("waiting", more)));
    while (model.waiting == before) std::this_thread::sleep_for(milliseconds(1));
    wire.close();
    while (model.stopped == before) std::this_thread::sleep_for(milliseconds(1));
  }
  EXPECT_EQ(server.only_record().status, 499);
  while (server.service().answers() > 0) std::this_thread::sleep_for(milliseconds(1));
}

TEST(HttpServer, OneWhoDoesNotReadHoldsUpNobody) {
  // More text than the sockets of both sides hold.
  const std::string word(1 << 16, 'x');
  FakeModel model([&](const CompletionRequest& request) -> Result<Completion> {
    Completion completion = saying("");
    for (int i = 0; i < 256 && request.on_text; ++i) {
      request.on_text(word);
      completion.text += word;
    }
    return completion;
  });
  Running server(model, {.unread_bytes_max = std::size_t{1} << 30U},
                 {.write_within = milliseconds(500)});
  const Wire lazy(server.port());
  lazy.send(raw_post(ask("fake", R"(, "stream": true)")));
  EXPECT_NE(lazy.receive_some().find("200"), std::string::npos);
  const auto answer = server.client().Post("/v1/chat/completions", ask("fake"), "application/json");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200);
}

TEST(HttpServer, OneWhoReadsLittleByLittleIsNotWrittenToForEver) {
  const std::string word(1 << 16, 'x');
  FakeModel model([&](const CompletionRequest& request) -> Result<Completion> {
    Completion completion = saying("");
    for (int i = 0; i < 256 && request.on_text; ++i) {
      request.on_text(word);
      completion.text += word;
    }
    return completion;
  });
  Running server(model, {.unread_bytes_max = std::size_t{1} << 30U},
                 {.header_within = milliseconds(200),
                  .body_within = milliseconds(200),
                  .reply_within = milliseconds(200)});
  const Wire dripping(server.port());
  dripping.send(raw_post(ask("fake", R"(, "stream": true)")));
  std::size_t bytes = 0;
  for (std::string some; !(some = dripping.receive_some()).empty(); bytes += some.size()) {
    std::this_thread::sleep_for(milliseconds(2));
  }
  EXPECT_LT(bytes, std::size_t{256} << 16U);
  EXPECT_EQ(server.only_record().status, 499);
}

TEST(HttpServer, OneConnectionTooManyIsSentAway) {
  WaitingModel model;
  Running server(model, {}, {.connections_max = 1});
  Wire first(server.port());
  first.send(raw_post(ask("waiting")));
  while (model.waiting == 0) std::this_thread::sleep_for(milliseconds(1));
  const Wire second(server.port());
  EXPECT_NE(second.receive().find("503"), std::string::npos);
  first.close();
  while (server.service().answers() > 0) std::this_thread::sleep_for(milliseconds(1));
}

TEST(HttpServer, StopsByFinishingWhatItCanAndCancellingTheRest) {
  WaitingModel model;
  Running server(model, {}, {.finish_within = milliseconds(50)});
  const Wire wire(server.port());
  wire.send(raw_post(ask("waiting")));
  while (model.waiting == 0) std::this_thread::sleep_for(milliseconds(1));
  const Wire idle(server.port());
  server.stop();

  EXPECT_EQ(model.stopped, 1);
  EXPECT_NE(wire.receive().find("HTTP/1.1 503"), std::string::npos);
  EXPECT_EQ(idle.receive(), "");
}

TEST(HttpServer, TellsWhyItCannotListen) {
  FakeModel model(in_turn({saying("yes")}));
  const SystemClock clock;
  Service service(model, clock, {});
  auto first = HttpServer::bind(service, {});
  ASSERT_TRUE(first);
  const auto second = HttpServer::bind(service, {.port = (*first)->port()});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, ErrorKind::Unavailable);
  const auto nowhere = HttpServer::bind(service, {.host = "no such host"});
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().kind, ErrorKind::Invalid);
}

}  // namespace
}  // namespace trialwright
