#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/digest.h"
#include "inference/model.h"
#include "inference/server/answer_options.h"
#include "inference/server/answers.h"
#include "inference/server/api_error.h"

namespace trialwright {

struct ServiceOptions {
  std::string key{};     ///< What clients must send as their bearer token; empty asks for none.
  int answers_max = 64;  ///< Computed or waiting; a request that would exceed it gets 429.
  std::size_t answers_at_once_max = 8;                            ///< Of one request.
  std::chrono::milliseconds time_max = std::chrono::minutes(10);  ///< For one request.
  std::size_t unread_bytes_max = std::size_t{16} << 20U;          ///< Text that a slow reader left.
};

/// A request as far as the API is concerned.
struct ApiRequest {
  std::string method{};
  std::string path{};  ///< Without the query.
  std::string body{};
  std::string authorization{};  ///< The header's value.
};

/// Takes one event of a stream; false if nobody reads any more.
using EventWriter = std::function<bool(std::string_view)>;

struct ApiReply {
  int status = 200;
  Json body{};
  std::vector<std::pair<std::string, std::string>> headers{};
  /// If set, the answer is a stream of server-sent events, and this writes them all. False if it
  /// had to stop before the end.
  std::function<bool(const EventWriter&)> stream{};
  /// What the request cost so far; of a stream, known when it ends.
  std::shared_ptr<Usage> usage = std::make_shared<Usage>();
};

ApiReply reply_of(const ApiError& error);

/// The OpenAI API over one model, without any network. Any thread.
class Service {
 public:
  /// The model and the clock must outlive the service.
  Service(Model& model, const Clock& clock, ServiceOptions options);

  /// What can be refused before the body is read: a wrong key, an unknown address.
  [[nodiscard]] std::optional<ApiError> refusal(const ApiRequest& head) const;

  /// Answers a request; a stream when its first event is there.
  ///
  /// is_gone  asked now and then, also by the stream: whether the client has hung up. Then, or when
  ///          it reads too slowly, what is being computed for it is cancelled.
  ApiReply handle(const ApiRequest& request, const std::function<bool()>& is_gone);

  /// Cancels everything that is being computed, now and from now on.
  void cancel_all() { is_cancelled_ = true; }
  /// Answers that are being computed or wait.
  [[nodiscard]] int answers() const { return answers_; }

 private:
  class Seats;
  class Work;
  struct Wording;

  [[nodiscard]] ApiReply models(std::string_view id) const;
  ApiReply read_tokens(const ApiRequest& request, const Json& body) const;
  ApiReply chat(const Json& body, const std::function<bool()>& is_gone);
  ApiReply text(const Json& body, const std::function<bool()>& is_gone);
  [[nodiscard]] std::optional<ApiError> check_model(const std::string& name) const;
  [[nodiscard]] ReplyStamp next_stamp(std::string_view prefix);
  ApiReply answer(const AnswerOptions& options, std::size_t count, Answers::Make make,
                  Wording wording, const std::function<bool()>& is_gone);

  Model& model_;
  const Clock& clock_;
  ServiceOptions options_;
  Digest key_digest_;
  std::int64_t started_us_;
  std::atomic<std::uint64_t> requests_ = 0;
  std::atomic<int> answers_ = 0;
  std::atomic<bool> is_cancelled_ = false;
};

}  // namespace trialwright
