// Whatever the body of a request to our server is, it is answered or refused in the API's shape.

#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "inference/server/service.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_model.h"

using namespace trialwright;

namespace {

/// A model of bytes that repeats its prompt.
class ByteModel final : public TokenModel {
 public:
  [[nodiscard]] EncodedText encode_text(std::string_view text) const override {
    EncodedText encoded;
    for (const char c : text) encoded.ids.push_back(static_cast<unsigned char>(c));
    return encoded;
  }
  [[nodiscard]] std::string_view token_bytes(std::int32_t id) const override {
    static const std::string kBytes = [] {
      std::string bytes;
      for (int byte = 0; byte < 256; ++byte) bytes += static_cast<char>(byte);
      return bytes;
    }();
    if (id < 0 || id > 255) return {};
    return std::string_view(kBytes).substr(static_cast<std::size_t>(id), 1);
  }
  [[nodiscard]] std::int32_t bos_id() const override { return -1; }
  [[nodiscard]] std::int32_t eos_id() const override { return 0; }
  [[nodiscard]] bool is_shown(std::int32_t id) const override { return id != 0; }
  Result<Completion> continue_ids(std::span<const std::int32_t> prompt,
                                  const CompletionRequest& request, std::stop_token) override {
    Completion completion;
    for (const std::int32_t id : prompt.first(std::min<std::size_t>(prompt.size(), 64))) {
      if (request.on_text) request.on_text("x");
      completion.text += 'x';
      completion.tokens.push_back({{id, -0.5}, {{id, -0.5}}});
    }
    return completion;
  }
  Result<std::vector<GeneratedToken>> prompt_logprobs(std::span<const std::int32_t> ids, int,
                                                      std::stop_token) override {
    std::vector<GeneratedToken> tokens;
    for (const std::int32_t id : ids) tokens.push_back({{id, -1}, {}});
    return tokens;
  }
};

/// Answers conversations with what it was asked, and calls every tool.
class EchoModel final : public Model {
 public:
  EchoModel() {
    identity_.name = "m";
    identity_.native_tools = true;
  }
  [[nodiscard]] const ModelIdentity& identity() const override { return identity_; }
  Result<Completion> complete(const CompletionRequest& request, std::stop_token) override {
    CHECK(!request.messages.empty(), "a conversation has messages");
    Completion completion;
    completion.text = request.messages.back().content;
    if (request.on_text && !completion.text.empty()) request.on_text(completion.text);
    for (const ToolDefinition& tool : request.tools) {
      completion.tool_calls.push_back({"call_0", tool.name, Json::object()});
    }
    return completion;
  }
  Result<std::vector<ContinuationScore>> score(const ScoreRequest&, std::stop_token) override {
    return invalid("not asked");
  }
  TokenModel* tokens() override { return &bytes_; }

 private:
  ModelIdentity identity_;
  ByteModel bytes_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static EchoModel model;
  static const FakeClock clock;
  static Service service(model, clock, {});
  const std::string body(reinterpret_cast<const char*>(data), size);
  for (const char* path : {"/v1/chat/completions", "/v1/completions", "/tokenize", "/detokenize"}) {
    const ApiReply reply =
        service.handle({.method = "POST", .path = path, .body = body}, [] { return false; });
    if (reply.stream) {
      std::string events;
      CHECK(reply.stream([&](std::string_view event) {
        events += event;
        return true;
      }),
            "a stream goes to its end");
      CHECK(events.starts_with("data: ") && events.ends_with("\n\n"), "it is made of events");
      continue;
    }
    CHECK(parse_json(to_text(reply.body), kOwnJsonDepthMax), "the reply is JSON");
    CHECK(reply.status == 200 || reply.body["error"]["message"].is_string(),
          "an error says what is wrong");
  }
  CHECK(service.answers() == 0, "nothing is left behind");
  return 0;
}
