#include "inference/server/service.h"

#include <algorithm>
#include <array>

#include "inference/server/chat_reply.h"
#include "inference/server/chat_request.h"
#include "inference/server/text_reply.h"
#include "inference/server/text_request.h"
#include "inference/server/tokenizer_api.h"

namespace trialwright {

namespace {

using Moment = std::chrono::steady_clock::time_point;
using std::chrono::milliseconds;

constexpr std::string_view kModelsPath = "/v1/models";
/// How often a silent request looks whether anybody still waits for it.
constexpr milliseconds kLookEvery{25};
/// How long after its deadline a model may take to say so.
constexpr milliseconds kGrace{2000};

ApiError gone() {
  // nginx's number for a client that has hung up; it is only seen in the log.
  return {.status = 499, .message = "the client has hung up", .type = "client_closed_request"};
}

ApiError unknown_model(const std::string& asked, const std::string& served) {
  return {.status = 404,
          .message = "there is no model \"" + asked + "\" here; this server has \"" + served + "\"",
          .param = "model",
          .code = "model_not_found"};
}

ApiError cancelled_error() {
  return {.status = 503, .message = "the answer was cancelled", .type = "server_error"};
}

ApiError late_error() {
  return {.status = 504,
          .message = "the answer was not ready within the time that requests have here",
          .type = "server_error",
          .code = "timeout"};
}

/// What an answer that did not come to its own end is to a client.
std::optional<ApiError> unfinished(const Completion& completion) {
  if (completion.finish == FinishReason::Deadline) {
    return late_error();
  }
  if (completion.finish == FinishReason::Cancelled) {
    return cancelled_error();
  }
  return std::nullopt;
}

std::string event_text(const Json& json) { return "data: " + to_text(json) + "\n\n"; }

/// Equal or not, in a time that does not tell where they differ.
bool same_digest(const Digest& left, const Digest& right) {
  unsigned difference = 0;
  for (std::size_t i = 0; i < left.bytes.size(); ++i) {
    difference |= static_cast<unsigned>(left.bytes[i] ^ right.bytes[i]);
  }
  return difference == 0;
}

}  // namespace

ApiReply reply_of(const ApiError& error) {
  ApiReply reply;
  reply.status = error.status;
  reply.body = error_to_json(error);
  if (error.status == 401) reply.headers.emplace_back("WWW-Authenticate", "Bearer");
  if (error.status == 429) reply.headers.emplace_back("Retry-After", "1");
  return reply;
}

/// How the events of answers are put into JSON: the difference between the two ways to ask.
struct Service::Wording {
  std::function<Json(std::size_t)> begin{};  ///< May be empty.
  std::function<Json(std::size_t, std::string_view)> text;
  std::function<Json(std::size_t, const ToolCall&, std::size_t)> call{};  ///< With its number.
  std::function<Json(std::size_t, const Answer&)> end;
  std::function<Json(const Usage&)> usage_chunk;
  std::function<Usage(std::span<const Answer>)> usage;
  std::function<Json(std::span<const Answer>)> whole;
  /// What is wrong with a finished answer, if anything.
  std::function<std::optional<ApiError>(const Answer&)> check{};
};

/// Places among the answers that may be computed or wait.
class Service::Seats {
 public:
  Seats(std::atomic<int>& taken, int wanted, int most) : taken_(taken), count_(wanted) {
    is_seated_ = taken_.fetch_add(count_) + count_ <= most;
  }
  ~Seats() { taken_ -= count_; }
  Seats(const Seats&) = delete;
  Seats& operator=(const Seats&) = delete;
  [[nodiscard]] bool is_seated() const { return is_seated_; }

 private:
  std::atomic<int>& taken_;
  int count_;
  bool is_seated_;
};

/// One request while it is answered.
class Service::Work {
 public:
  Work(std::unique_ptr<Seats> seats, std::size_t count, Answers::Make make,
       const Answers::Bounds& bounds, Wording how, Moment end)
      : wording(std::move(how)),
        ended(count),
        end_(end),
        seats_(std::move(seats)),
        sent_(count),
        answers_(count, std::move(make), bounds) {}

  /// The next event, or why there is none any more.
  std::variant<Answers::Event, ApiError> next(const std::function<bool()>& is_gone,
                                              const std::atomic<bool>& is_cancelled) {
    while (true) {
      if (is_cancelled) return cancelled_error();
      // First, because a slow reader always finds something that waits.
      if (std::chrono::steady_clock::now() > end_) return late_error();
      if (auto event = answers_.next(kLookEvery)) {
        if (auto error = record(*event)) return *std::move(error);
        return *std::move(event);
      }
      if (is_gone()) return gone();
    }
  }

  [[nodiscard]] bool is_done() const { return done_ == ended.size(); }

  /// The events that tell a client of `event`.
  std::string events_of(const Answers::Event& event) {
    const std::size_t index = event.index;
    Sent& sent = sent_[index];
    std::string events;
    if (!sent.has_begun && wording.begin) events += event_text(wording.begin(index));
    sent.has_begun = true;
    if (const auto* text = std::get_if<std::string>(&event.what)) {
      sent.text += text->size();
      return events + event_text(wording.text(index, *text));
    }
    if (const auto* call = std::get_if<ToolCall>(&event.what)) {
      return events + event_text(wording.call(index, *call, sent.calls++));
    }
    // What a provider that tells only whole answers has not told yet.
    const Completion& completion = ended[index].completion;
    if (sent.text < completion.text.size()) {
      events +=
          event_text(wording.text(index, std::string_view(completion.text).substr(sent.text)));
    }
    for (; sent.calls < completion.tool_calls.size() && wording.call; ++sent.calls) {
      events += event_text(wording.call(index, completion.tool_calls[sent.calls], sent.calls));
    }
    return events + event_text(wording.end(index, ended[index]));
  }

  Wording wording;
  std::vector<Answer> ended;  ///< In order; what is not there yet is empty.

 private:
  struct Sent {
    bool has_begun = false;
    std::size_t text = 0;
    std::size_t calls = 0;
  };

  std::optional<ApiError> record(Answers::Event& event) {
    auto* result = std::get_if<Result<Answer>>(&event.what);
    if (result == nullptr) return std::nullopt;
    if (!*result) return api_error_of(result->error());
    Answer& answer = ended[event.index];
    answer = std::move(**result);
    ++done_;
    if (auto error = unfinished(answer.completion)) return error;
    return wording.check ? wording.check(answer) : std::nullopt;
  }

  Moment end_;  ///< What is not ready then is given up, whatever the model does.
  std::unique_ptr<Seats> seats_;
  std::vector<Sent> sent_;
  std::size_t done_ = 0;
  Answers answers_;  ///< Last, so that its threads end first.
};

Service::Service(Model& model, const Clock& clock, ServiceOptions options)
    : model_(model),
      clock_(clock),
      options_(std::move(options)),
      key_digest_(sha256(options_.key)),
      started_us_(clock.wall_us()) {}

std::optional<ApiError> Service::refusal(const ApiRequest& head) const {
  constexpr std::array<std::string_view, 4> kPosts = {"/v1/chat/completions", "/v1/completions",
                                                      "/tokenize", "/detokenize"};
  constexpr std::array<std::string_view, 3> kGets = {"/health", kModelsPath, "/tokenizer_info"};
  const bool is_post = std::ranges::find(kPosts, head.path) != kPosts.end();
  const bool is_get = std::ranges::find(kGets, head.path) != kGets.end() ||
                      head.path.starts_with(std::string(kModelsPath) + "/");
  if (!is_post && !is_get) {
    return ApiError{
        .status = 404, .message = "there is no " + head.path + " here", .code = "unknown_url"};
  }
  const std::string method = is_post ? "POST" : "GET";
  if (head.method != method) {
    return ApiError{.status = 405, .message = head.path + " takes " + method + " only"};
  }
  if (options_.key.empty() || head.path == "/health") return std::nullopt;
  constexpr std::string_view kScheme = "Bearer ";
  const std::string_view given = head.authorization;
  const bool is_bearer = given.starts_with(kScheme);
  const Digest digest = sha256(is_bearer ? given.substr(kScheme.size()) : std::string_view());
  if (is_bearer && same_digest(digest, key_digest_)) return std::nullopt;
  return ApiError{
      .status = 401,
      .message = given.empty() ? "a key is needed: Authorization: Bearer KEY" : "the key is wrong",
      .code = "invalid_api_key"};
}

ApiReply Service::handle(const ApiRequest& request, const std::function<bool()>& is_gone) {
  if (const auto refused = refusal(request)) return reply_of(*refused);
  if (request.path == "/health") {
    ApiReply reply;
    reply.body = {{"status", "ok"}, {"answers", answers()}};
    return reply;
  }
  if (request.path.starts_with(kModelsPath)) {
    return models(std::string_view(request.path).substr(kModelsPath.size()));
  }
  if (request.path == "/tokenizer_info") return read_tokens(request, {});
  auto body = parse_json(request.body, kJsonDepthMax, kStrangersMembersMax);
  if (!body) return reply_of({.message = "the body is " + body.error().message});
  if (request.path.ends_with("tokenize")) return read_tokens(request, *body);
  return request.path == "/v1/completions" ? text(*body, is_gone) : chat(*body, is_gone);
}

ApiReply Service::models(std::string_view id) const {
  const ModelIdentity& identity = model_.identity();
  const Json model = {{"id", identity.name},
                      {"object", "model"},
                      {"created", started_us_ / 1'000'000},
                      {"owned_by", "trialwright"},
                      {"description", identity.description},
                      {"context_tokens_max", identity.context_tokens_max},
                      {"sha256", identity.digest}};
  ApiReply reply;
  if (id.empty()) {
    reply.body = {{"object", "list"}, {"data", Json::array({model})}};
    return reply;
  }
  if (id.substr(1) != identity.name) {
    return reply_of(unknown_model(std::string(id.substr(1)), identity.name));
  }
  reply.body = model;
  return reply;
}

ApiReply Service::read_tokens(const ApiRequest& request, const Json& body) const {
  const TokenModel* tokens = model_.tokens();
  if (tokens == nullptr) {
    return reply_of({.status = 404, .message = "this model does not tell its tokens"});
  }
  ApiReply reply;
  if (request.path == "/tokenizer_info") {
    reply.body = tokenizer_info(*tokens);
    return reply;
  }
  auto read = request.path == "/tokenize" ? tokenize(body, *tokens) : detokenize(body, *tokens);
  if (const auto* error = std::get_if<ApiError>(&read)) return reply_of(*error);
  reply.body = std::get<Json>(std::move(read));
  return reply;
}

std::optional<ApiError> Service::check_model(const std::string& name) const {
  if (name == model_.identity().name) return std::nullopt;
  return unknown_model(name, model_.identity().name);
}

ReplyStamp Service::next_stamp(std::string_view prefix) {
  const ModelIdentity& identity = model_.identity();
  return {.id = std::string(prefix) + "-" + std::to_string(started_us_) + "-" +
                std::to_string(++requests_),
          .created = clock_.wall_us() / 1'000'000,
          .model = identity.name,
          .fingerprint = "fp_" + identity.digest.substr(0, 12)};
}

ApiReply Service::answer(const AnswerOptions& options, std::size_t count, Answers::Make make,
                         Wording wording, const std::function<bool()>& is_gone) {
  const std::size_t at_once = std::min(count, options_.answers_at_once_max);
  auto seats = std::make_unique<Seats>(answers_, static_cast<int>(at_once), options_.answers_max);
  if (!seats->is_seated()) {
    return reply_of({.status = 429,
                     .message = "too many requests are being answered; try again",
                     .type = "rate_limit_error",
                     .code = "rate_limit_exceeded"});
  }
  // From here on the request is computed, until it is answered or its work is destroyed.
  const auto work = std::make_shared<Work>(
      std::move(seats), count, std::move(make),
      Answers::Bounds{.threads_max = at_once, .unread_bytes_max = options_.unread_bytes_max},
      std::move(wording), std::chrono::steady_clock::now() + options_.time_max + kGrace);
  ApiReply reply;
  auto first = work->next(is_gone, is_cancelled_);
  if (!options.streams) {
    while (std::holds_alternative<Answers::Event>(first) && !work->is_done()) {
      first = work->next(is_gone, is_cancelled_);
    }
  }
  *reply.usage = work->wording.usage(work->ended);
  if (const auto* error = std::get_if<ApiError>(&first)) {
    ApiReply refused = reply_of(*error);
    refused.usage = reply.usage;
    return refused;
  }
  if (!options.streams) {
    reply.body = work->wording.whole(work->ended);
    return reply;
  }
  reply.stream = [this, work, is_gone, usage = reply.usage, tells_usage = options.streams_usage,
                  event = std::get<Answers::Event>(std::move(first))](const EventWriter& write) {
    std::variant<Answers::Event, ApiError> next = event;
    while (true) {
      *usage = work->wording.usage(work->ended);
      if (const auto* error = std::get_if<ApiError>(&next)) {
        return error->status != 499 && write(event_text(error_to_json(*error)));
      }
      if (!write(work->events_of(std::get<Answers::Event>(next)))) return false;
      if (work->is_done()) break;
      next = work->next(is_gone, is_cancelled_);
    }
    if (tells_usage && !write(event_text(work->wording.usage_chunk(*usage)))) return false;
    return write("data: [DONE]\n\n");
  };
  return reply;
}

ApiReply Service::chat(const Json& body, const std::function<bool()>& is_gone) {
  auto read = read_chat_request(body);
  if (const auto* error = std::get_if<ApiError>(&read)) return reply_of(*error);
  const auto request = std::make_shared<ChatRequest>(std::get<ChatRequest>(std::move(read)));
  if (const auto error = check_model(request->options.model)) return reply_of(*error);
  if (!request->completion.tools.empty() && !model_.identity().native_tools) {
    return reply_of({.message = "the chat template of " + model_.identity().name +
                                " has no format for tool calls that we know",
                     .param = "tools",
                     .code = "unsupported_parameter"});
  }
  TokenModel* const tokens = model_.tokens();
  if (request->has_logprobs && tokens == nullptr) {
    return reply_of({.message = "this model does not tell its tokens",
                     .param = "logprobs",
                     .code = "unsupported_parameter"});
  }
  request->completion.deadline = std::chrono::steady_clock::now() + options_.time_max;

  const ReplyStamp stamp = next_stamp("chatcmpl");
  auto make = [this, request](std::size_t index, const Answers::Tell& tell,
                              const std::stop_token& stop) -> Result<Answer> {
    CompletionRequest completion = request->completion;
    completion.stream = index;
    if (request->options.streams) {
      completion.on_text = tell.text;
      completion.on_tool_call = tell.call;
    }
    auto made = model_.complete(completion, stop);
    if (!made) return made.error();
    return Answer{*std::move(made)};
  };
  Wording wording;
  wording.begin = [=](std::size_t index) {
    return chat_chunk(stamp, *request, index, role_delta());
  };
  wording.text = [=](std::size_t index, std::string_view text) {
    return chat_chunk(stamp, *request, index, text_delta(text));
  };
  wording.call = [=](std::size_t index, const ToolCall& call, std::size_t number) {
    return chat_chunk(stamp, *request, index, call_delta(call, number));
  };
  wording.end = [=](std::size_t index, const Answer& answer) {
    return chat_end_chunk(stamp, *request, index, answer.completion, tokens);
  };
  wording.usage_chunk = [=](const Usage& usage) { return chat_usage_chunk(stamp, usage); };
  wording.usage = chat_usage;
  wording.whole = [=](std::span<const Answer> answers) {
    return chat_reply(stamp, *request, answers, tokens);
  };
  wording.check = [=](const Answer& answer) -> std::optional<ApiError> {
    const bool may_be_cut = answer.completion.finish == FinishReason::Length;
    if (!request->completion.must_call_tool || may_be_cut || !answer.completion.tool_calls.empty())
      return std::nullopt;
    return ApiError{.status = 422,
                    .message = "the model did not call a tool, as tool_choice asks",
                    .type = "model_error",
                    .param = "tool_choice"};
  };
  return answer(request->options, static_cast<std::size_t>(request->options.choices),
                std::move(make), std::move(wording), is_gone);
}

namespace {

/// Makes one answer to a text prompt: what its tokens say of the prompt, and how it goes on.
Result<Answer> continue_prompt(TokenModel& tokens, const TextRequest& request, std::size_t index,
                               const Answers::Tell& tell, const std::stop_token& stop) {
  const auto choices = static_cast<std::size_t>(request.options.choices);
  const TextPrompt& prompt = request.prompts[index / choices];
  Answer answer;
  if (const auto* text = std::get_if<std::string>(&prompt)) {
    answer.prompt = tokens.encode_text(*text);
  } else {
    answer.prompt.ids = std::get<std::vector<std::int32_t>>(prompt);
  }
  if (request.echoes && request.has_logprobs) {
    auto read = tokens.prompt_logprobs(answer.prompt.ids, request.completion.alternatives, stop);
    if (!read) return read.error();
    answer.prompt_tokens = *std::move(read);
  }
  if (request.echoes && request.completion.tokens_max == 0) {
    // Only the prompt is asked about.
    answer.completion.finish = FinishReason::Length;
    answer.completion.usage.prompt_tokens = static_cast<int>(answer.prompt.ids.size());
    return answer;
  }
  CompletionRequest completion = request.completion;
  completion.stream = index % choices;
  if (request.options.streams) completion.on_text = tell.text;
  auto made = tokens.continue_ids(answer.prompt.ids, completion, stop);
  if (!made) return made.error();
  answer.completion = *std::move(made);
  return answer;
}

}  // namespace

ApiReply Service::text(const Json& body, const std::function<bool()>& is_gone) {
  auto read = read_text_request(body);
  if (const auto* error = std::get_if<ApiError>(&read)) return reply_of(*error);
  const auto request = std::make_shared<TextRequest>(std::get<TextRequest>(std::move(read)));
  if (const auto error = check_model(request->options.model)) return reply_of(*error);
  TokenModel* const tokens = model_.tokens();
  if (tokens == nullptr) {
    return reply_of({.message = model_.identity().name +
                                " answers conversations only; ask /v1/chat/completions"});
  }
  request->completion.deadline = std::chrono::steady_clock::now() + options_.time_max;

  const ReplyStamp stamp = next_stamp("cmpl");
  auto make = [request, tokens](std::size_t index, const Answers::Tell& tell,
                                const std::stop_token& stop) {
    return continue_prompt(*tokens, *request, index, tell, stop);
  };
  Wording wording;
  wording.text = [=](std::size_t index, std::string_view text) {
    return text_chunk(stamp, *request, index, text);
  };
  wording.end = [=](std::size_t index, const Answer& answer) {
    return text_end_chunk(stamp, *request, index, answer, *tokens);
  };
  wording.usage_chunk = [=](const Usage& usage) { return text_usage_chunk(stamp, usage); };
  wording.usage = [=](std::span<const Answer> answers) { return text_usage(*request, answers); };
  wording.whole = [=](std::span<const Answer> answers) {
    return text_reply(stamp, *request, answers, *tokens);
  };
  const std::size_t count =
      request->prompts.size() * static_cast<std::size_t>(request->options.choices);
  return answer(request->options, count, std::move(make), std::move(wording), is_gone);
}

}  // namespace trialwright
