// A model served to other programs, and talked to in the terminal.

#include <gmock/gmock.h>
#include <httplib.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "base/json.h"
#include "base/text.h"
#include "tests/harness/cli/program.h"
#include "tests/support/tiny_chat_model.h"

namespace trialwright {
namespace {

using testing::HasSubstr;

constexpr const char* kScript = R"({"text": "one"}
{"text": "two"}
{"when": "Robot", "text": "beep"}
)";

class ServeAndChat : public testing::Test {
 protected:
  ProgramResult trialwright(const std::vector<std::string>& arguments,
                            const std::string& input = "") const {
    return run_trialwright(arguments, folder_.path(), input);
  }

  /// The address that a server printed, when it is ready.
  static std::string address_of(const Program& server) {
    while (!server.has_ended()) {
      const std::string line = server.out_so_far();
      const std::size_t at = line.find("http://");
      if (at != std::string::npos && line.ends_with("/v1\n")) {
        return line.substr(at, line.size() - 4 - at);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return "";
  }

  FileTree folder_{{"script.jsonl", kScript},
                   {"tiny.gguf", tiny_chat_model_bytes()},
                   {"base.gguf", tiny_chat_model_bytes(false)}};
};

TEST_F(ServeAndChat, AServerAnswersUntilASignalStopsIt) {
  for (const int signal : {SIGINT, SIGTERM}) {
    Program server({"serve", "tiny.gguf", "--port", "0", "--threads", "1"}, folder_.path());
    const std::string address = address_of(server);
    ASSERT_NE(address, "") << server.err_so_far();
    httplib::Client client(address);
    const auto models = client.Get("/v1/models");
    ASSERT_TRUE(models);
    EXPECT_EQ((*parse_json(models->body))["data"][0]["id"], "tiny");
    const auto answer =
        client.Post("/v1/completions", R"({"model": "tiny", "prompt": "Once", "max_tokens": 3})",
                    "application/json");
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 200);

    server.send(signal);
    const ProgramResult result = server.wait();
    EXPECT_EQ(result.exit_code, 128 + signal);
    EXPECT_THAT(result.err, HasSubstr("127.0.0.1 POST /v1/completions 200 "));
    EXPECT_THAT(result.err, HasSubstr(" prompt=4 cached=0 completion=3\n"));
  }
}

TEST_F(ServeAndChat, AServerAsksForItsKeyAndKeepsQuiet) {
  const std::map<std::string, std::string> environment = {{"SERVE_KEY", "s3cret"}};
  Program server(
      {"serve", "scripted:script.jsonl", "--port", "0", "--quiet", "--api-key-env", "SERVE_KEY"},
      folder_.path(), "", environment);
  const std::string address = address_of(server);
  ASSERT_NE(address, "") << server.err_so_far();
  httplib::Client client(address);
  EXPECT_EQ(client.Get("/v1/models")->status, 401);
  client.set_bearer_token_auth("s3cret");
  EXPECT_EQ(client.Get("/v1/models")->status, 200);
  server.send(SIGTERM);
  EXPECT_EQ(server.wait().err, "");
}

TEST_F(ServeAndChat, AServerThatCannotStartSaysWhy) {
  const ProgramResult no_key = trialwright(
      {"serve", "scripted:script.jsonl", "--api-key-env", "NO_SUCH_KEY", "--port", "0"});
  EXPECT_EQ(no_key.exit_code, 2);
  EXPECT_THAT(no_key.err, HasSubstr("NO_SUCH_KEY"));

  Program first({"serve", "scripted:script.jsonl", "--port", "0"}, folder_.path());
  const std::string address = address_of(first);
  const std::string port = address.substr(address.rfind(':') + 1);
  const ProgramResult taken = trialwright({"serve", "scripted:script.jsonl", "--port", port});
  EXPECT_EQ(taken.exit_code, 3);
  EXPECT_THAT(taken.err, HasSubstr("listening at 127.0.0.1:" + port));
}

TEST_F(ServeAndChat, AChatThroughAPipePrintsAnswersOnly) {
  const ProgramResult result = trialwright({"chat", "scripted:script.jsonl"},
                                           "First\n\nSecond \\\ngoes on\n/tokens\n/reset\nThird\n");
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out, "one\ntwo\none\n");
  EXPECT_THAT(result.err, HasSubstr("prompt "));
  EXPECT_THAT(result.err, HasSubstr("the conversation is forgotten"));
}

TEST_F(ServeAndChat, AChatEndsWhenItIsToldTo) {
  const ProgramResult result =
      trialwright({"chat", "scripted:script.jsonl"}, "/nonsense\n/help\n/quit\nnever\n");
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, HasSubstr("there is no command /nonsense"));
  EXPECT_THAT(result.err, HasSubstr("/system TEXT"));
}

TEST_F(ServeAndChat, ABaseModelIsNobodyToTalkTo) {
  const ProgramResult result = trialwright({"chat", "base.gguf"}, "Hello\n");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("base.gguf is a base model: it has no chat template"));
  EXPECT_THAT(result.err, HasSubstr("trialwright generate base.gguf --raw"));
}

TEST_F(ServeAndChat, AChatRemembersAndSaysTheSameFromTheSameSeed) {
  const std::string input = "Hello\nAnd now?\n";
  const std::vector<std::string> arguments = {"chat",          "tiny.gguf", "--threads", "1",
                                              "--temperature", "0.9",       "-n",        "12"};
  const ProgramResult first = trialwright(arguments, input);
  EXPECT_EQ(first.exit_code, 0) << first.err;
  EXPECT_EQ(trialwright(arguments, input).out, first.out);
  EXPECT_TRUE(first.out.starts_with(trialwright(arguments, "Hello\n").out));
}

}  // namespace
}  // namespace trialwright
