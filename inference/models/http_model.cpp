#include "inference/models/http_model.h"

#include <httplib.h>

#include <charconv>
#include <condition_variable>
#include <cstdlib>
#include <ctime>
#include <mutex>
#include <optional>

#include "base/digest.h"
#include "base/random.h"
#include "base/text.h"
#include "inference/chat/tool_call_format.h"
#include "inference/hang_up.h"
#include "inference/models/chat_completions.h"

namespace trialwright {

namespace {

using Moment = std::chrono::steady_clock::time_point;
using std::chrono::milliseconds;

/// How much of a refusal's body is quoted.
constexpr std::size_t kQuoteMax = 300;
/// No provider's wish to wait is followed for longer.
constexpr std::chrono::minutes kRetryAfterMax{5};

/// Sleeps until the moment; false if the stop token woke it.
bool sleep_until(Moment moment, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any woken;
  std::unique_lock lock(mutex);
  woken.wait_until(lock, stop, moment, [] { return false; });
  return !stop.stop_requested();
}

/// RFC 9110, section 10.2.3: a number of seconds or a date.
std::optional<std::chrono::seconds> parse_retry_after(const std::string& text) {
  if (text.empty()) return std::nullopt;
  int seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error == std::errc() && end == text.data() + text.size()) {
    return std::chrono::seconds(std::max(seconds, 0));
  }
  std::tm date{};
  if (::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S", &date) == nullptr) return std::nullopt;
  const std::time_t left = ::timegm(&date) - std::time(nullptr);
  return std::chrono::seconds(std::max<std::time_t>(left, 0));
}

/// What a provider says is wrong: its error's message, or the whole body.
std::string explanation(const std::string& body) {
  if (const auto json = parse_json(body); json && json->is_object() && json->contains("error")) {
    const Json& error = (*json)["error"];
    if (error.is_string()) return error.get<std::string>();
    if (auto message = string_field(error, "message")) return *message;
  }
  return body;
}

/// The beginning of a text, on one line.
std::string quoted(const std::string& whole) {
  std::string text = to_valid_utf8(whole.substr(0, kQuoteMax));
  for (char& c : text) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  return text;
}

Completion ended(FinishReason reason) {
  Completion completion;
  completion.finish = reason;
  return completion;
}

}  // namespace

/// What one request brought.
struct HttpModel::Attempt {
  int status = 0;  ///< 0: there was no whole answer.
  std::string body;
  std::string trouble;  ///< Why there was none.
  std::optional<std::chrono::seconds> retry_after;
  bool is_too_large = false;
  /// The provider was connected and still at it when the attempt's time was over.
  bool took_too_long = false;

  [[nodiscard]] bool may_be_tried_again() const {
    return !is_too_large && (status == 0 || status == 408 || status == 429 || status >= 500);
  }

  /// The request itself was read and found wrong, so another one may fare better. A missing key, an
  /// unknown model or a moved address would refuse every request.
  [[nodiscard]] bool is_about_the_request() const {
    return status == 400 || status == 413 || status == 422;
  }
};

Result<std::unique_ptr<HttpModel>> HttpModel::make(HttpModelOptions options) {
  const bool is_http = options.base_url.starts_with("http://");
  if (!is_http && !options.base_url.starts_with("https://")) {
    return invalid("the model's address \"" + options.base_url +
                   "\" must begin with https:// or http://");
  }
  if (options.model.empty()) return invalid("the model at " + options.base_url + " needs a name");
  const std::size_t slash = options.base_url.find('/', options.base_url.find("://") + 3);
  const std::string host = options.base_url.substr(0, slash);
  std::string path = slash == std::string::npos ? "" : options.base_url.substr(slash);
  while (path.ends_with('/')) path.pop_back();
  if (!httplib::Client(host).is_valid()) {
    return invalid("the model's address \"" + options.base_url + "\" is not one");
  }
  std::string key;
  if (!options.key_variable.empty()) {
    const char* value = std::getenv(options.key_variable.c_str());
    if (value == nullptr || *value == '\0') {
      return invalid("the environment variable " + options.key_variable +
                     ", which should hold the key for " + host + ", is not set");
    }
    key = value;
  }
  return std::unique_ptr<HttpModel>(
      new HttpModel(std::move(options), host, path + "/chat/completions", std::move(key)));
}

HttpModel::HttpModel(HttpModelOptions options, std::string host, std::string path, std::string key)
    : options_(std::move(options)),
      host_(std::move(host)),
      path_(std::move(path)),
      key_(std::move(key)) {
  identity_.name = options_.model;
  identity_.digest = Hasher().field(host_ + path_).field(options_.model).finish().hex();
  identity_.provider = "http";
  identity_.description = options_.model + " at " + host_;
  identity_.native_tools = true;
  identity_.can_score = false;
}

Result<Completion> HttpModel::complete(const CompletionRequest& request, std::stop_token stop) {
  const std::string body = to_text(chat_request_to_json(request, options_.model));
  const Moment begun = std::chrono::steady_clock::now();
  const Moment deadline = request.deadline.value_or(Moment::max());
  int slow_answers = 0;
  for (int number = 1;; ++number) {
    if (stop.stop_requested()) return ended(FinishReason::Cancelled);
    const Moment asked = std::chrono::steady_clock::now();
    if (asked >= deadline) return ended(FinishReason::Deadline);
    const Attempt attempt = ask(body, deadline, stop);
    const Moment now = std::chrono::steady_clock::now();
    if (stop.stop_requested()) return ended(FinishReason::Cancelled);
    if (attempt.status == 200) {
      auto completion = read(attempt.body, request);
      if (!completion) return completion;
      completion->timings.queued = elapsed(begun, asked);
      completion->timings.decode = elapsed(asked, now);
      if (request.on_text && !completion->text.empty()) request.on_text(completion->text);
      return completion;
    }
    // Only here has the model used up the time. Below, the provider failed, and what it kept the
    // model from saying must not count against the model.
    if (now >= deadline && attempt.took_too_long) return ended(FinishReason::Deadline);
    const std::string what =
        attempt.status == 0
            ? without_key(attempt.trouble)
            // The key goes first: half of one that a cut went through would not be found.
            : "status " + std::to_string(attempt.status) + ": " +
                  quoted(without_key(explanation(attempt.body)));
    if (attempt.is_too_large) return unavailable(host_ + ": " + what);
    if (!attempt.may_be_tried_again()) {
      const std::string message = host_ + " refused the request with " + what;
      return attempt.is_about_the_request() ? invalid(message) : unavailable(message);
    }
    const Moment again = now + pause_after(attempt, number, request);
    if (attempt.took_too_long) ++slow_answers;
    const bool is_last =
        number >= options_.attempts_max || slow_answers >= options_.slow_answers_max;
    if (is_last || again >= deadline) {
      return unavailable(host_ + " failed " + counted(number, "time") + ", at last with " + what +
                         (is_last ? "" : ", and the deadline comes before another attempt"));
    }
    if (!sleep_until(again, stop)) return ended(FinishReason::Cancelled);
  }
}

HttpModel::Attempt HttpModel::ask(const std::string& body, Moment deadline,
                                  const std::stop_token& stop) const {
  const Moment end = std::min(deadline, std::chrono::steady_clock::now() + options_.answer_within);
  const auto left = [&] {
    // Rounded up, so that an answer is never given up just before the deadline.
    return std::max(milliseconds(1),
                    std::chrono::ceil<milliseconds>(end - std::chrono::steady_clock::now()));
  };
  httplib::Client client(host_);
  client.set_connection_timeout(std::min<milliseconds>(left(), std::chrono::seconds(10)));
  client.set_read_timeout(left());
  client.set_write_timeout(left());
  const HangUp hang_up(client, stop);
  Attempt attempt;
  if (stop.stop_requested()) return attempt;

  httplib::Request request;
  request.method = "POST";
  request.path = path_;
  request.headers.emplace("Content-Type", "application/json");
  if (!key_.empty()) request.headers.emplace("Authorization", "Bearer " + key_);
  request.body = body;
  bool is_late = false;
  request.content_receiver = [&](const char* data, std::size_t size, std::uint64_t, std::uint64_t) {
    attempt.is_too_large = attempt.body.size() + size > options_.body_bytes_max;
    // A server that sends a byte now and then must not hold us past the end.
    is_late = std::chrono::steady_clock::now() >= end;
    if (attempt.is_too_large || is_late) return false;
    attempt.body.append(data, size);
    return true;
  };
  const httplib::Result result = client.send(request);
  if (attempt.is_too_large) {
    attempt.trouble =
        "the answer has more than " + std::to_string(options_.body_bytes_max) + " bytes";
  } else if (!result) {
    attempt.took_too_long = is_late || (result.error() == httplib::Error::Read &&
                                        std::chrono::steady_clock::now() >= end);
    attempt.trouble = attempt.took_too_long ? "an answer that did not end in time"
                                            : httplib::to_string(result.error());
  } else {
    attempt.status = result->status;
    attempt.retry_after = parse_retry_after(result->get_header_value("Retry-After"));
  }
  return attempt;
}

Result<Completion> HttpModel::read(const std::string& body,
                                   const CompletionRequest& request) const {
  const auto refuse = [&](const Error& error) {
    return unavailable(host_ + " answered with something else than a chat completion: " +
                       without_key(error.message));
  };
  auto json = parse_json(body);
  if (!json) return refuse(json.error());
  auto completion = completion_from_json(*json, next_call_number(request.messages));
  if (!completion) return refuse(completion.error());
  return completion;
}

milliseconds HttpModel::pause_after(const Attempt& attempt, int number,
                                    const CompletionRequest& request) const {
  milliseconds pause = options_.first_pause;
  for (int i = 1; i < number && pause < options_.pause_max; ++i) pause *= 2;
  pause = std::min(pause, options_.pause_max);
  // Requests that failed together should not come back together; the draw is the request's own.
  const double draw =
      uniform_at(request.sampling.seed, ~request.stream, static_cast<std::uint64_t>(number));
  pause = std::chrono::duration_cast<milliseconds>(pause * (1 - draw / 2));
  if (!attempt.retry_after) return pause;
  return std::max<milliseconds>(
      pause, std::min<std::chrono::seconds>(*attempt.retry_after, kRetryAfterMax));
}

std::string HttpModel::without_key(std::string text) const {
  if (key_.empty()) return text;
  for (std::size_t at = text.find(key_); at != std::string::npos; at = text.find(key_, at)) {
    text.replace(at, key_.size(), "***");
    at += 3;
  }
  return text;
}

Result<std::vector<ContinuationScore>> HttpModel::score(const ScoreRequest& request,
                                                        std::stop_token stop) {
  (void)request;
  (void)stop;
  return invalid("model " + options_.model + " at " + host_ +
                 " cannot score continuations: the chat-completions API has no way to ask for it");
}

}  // namespace trialwright
