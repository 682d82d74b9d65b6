#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "inference/model.h"

namespace trialwright {

struct HttpModelOptions {
  /// Where the API begins, for example "https://host/v1"; "/chat/completions" is added.
  std::string base_url;
  std::string model;  ///< The name sent to the provider.
  /// The environment variable that holds the key; empty sends none.
  std::string key_variable;
  int attempts_max = 5;
  /// The pause after the first failed attempt; it doubles each time up to `pause_max`, and a part
  /// of up to one half is taken off at random. A Retry-After longer than that is honoured.
  std::chrono::milliseconds first_pause{500};
  std::chrono::milliseconds pause_max = std::chrono::seconds(60);
  /// For one attempt, where the request's deadline does not come first.
  std::chrono::milliseconds answer_within = std::chrono::minutes(5);
  /// How many answers may run out of that time. Another attempt costs the same time and tokens, so
  /// these are fewer than `attempts_max`.
  int slow_answers_max = 2;
  std::uint64_t body_bytes_max = std::uint64_t{16} << 20U;
};

/// A model behind an OpenAI-compatible chat-completions endpoint.
///
/// 408, 429, 5xx, and connections that fail or go silent are tried again; other refusals are not.
/// `complete` gives Invalid where the provider refuses the request as it stands (400, 413, 422),
/// and Unavailable where it refuses any request (a revoked key, an unknown model), does not answer
/// or answers with something else than a completion. Deadline is for an answer that was on its way:
/// a provider that fails until the deadline is Unavailable. It cannot score. The key is sent in the
/// Authorization header and appears nowhere else.
class HttpModel final : public Model {
 public:
  /// Errors: Invalid if the address is none, or the key's variable is not set.
  static Result<std::unique_ptr<HttpModel>> make(HttpModelOptions options);

  [[nodiscard]] const ModelIdentity& identity() const override { return identity_; }
  Result<Completion> complete(const CompletionRequest& request, std::stop_token stop) override;
  Result<std::vector<ContinuationScore>> score(const ScoreRequest& request,
                                               std::stop_token stop) override;

 private:
  struct Attempt;

  HttpModel(HttpModelOptions options, std::string host, std::string path, std::string key);
  [[nodiscard]] Attempt ask(const std::string& body, std::chrono::steady_clock::time_point deadline,
                            const std::stop_token& stop) const;
  [[nodiscard]] Result<Completion> read(const std::string& body,
                                        const CompletionRequest& request) const;
  [[nodiscard]] std::chrono::milliseconds pause_after(const Attempt& attempt, int number,
                                                      const CompletionRequest& request) const;
  [[nodiscard]] std::string without_key(std::string text) const;

  HttpModelOptions options_;
  std::string host_;  ///< Scheme, host and port.
  std::string path_;
  std::string key_;
  ModelIdentity identity_;
};

}  // namespace trialwright
