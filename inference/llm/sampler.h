#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "inference/model.h"

namespace trialwright {

/// ln(sum of e^x). Summed in one order whatever the machine, so that log-probabilities repeat bit
/// for bit. The exponential is a polynomial (relative error below 2e-7). x must not be empty.
double log_sum_exp(std::span<const float> x);

/// The `count` most probable tokens, most probable first, lowest id first on a tie.
///
/// normalizer  log_sum_exp of the same logits.
std::vector<TokenLogprob> most_probable(std::span<const float> logits, double normalizer,
                                        int count);

/// The tokens that may be chosen: those whose bit is set (bit id % 64 of word id / 64), or all
/// where there are no bits.
struct Allowed {
  std::span<const std::uint64_t> bits{};

  [[nodiscard]] bool holds(std::int32_t id) const {
    const auto at = static_cast<std::size_t>(id);
    return bits.empty() || (at / 64 < bits.size() && (bits[at / 64] >> (at % 64) & 1U) != 0);
  }
};

/// A token, and what its log-probability was taken from.
struct Choice {
  GeneratedToken token;
  double normalizer = 0;  ///< log_sum_exp of the allowed logits; not finite if a logit is not.
};

/// Chooses tokens by the rules of Sampling.
///
/// Keeps its working memory from token to token. One thread at a time.
class Sampler {
 public:
  /// stream  tells apart requests that share a seed.
  Sampler(const Sampling& sampling, std::uint64_t stream) : sampling_(sampling), stream_(stream) {}

  /// The token to put at `context.size()`. It depends only on the arguments and on what the sampler
  /// was made with.
  ///
  /// logits        one a token of the vocabulary; those not allowed are not read.
  /// allowed       at least one token. Log-probabilities are those among them.
  /// context       all tokens so far; the repetition penalty looks at the latest.
  /// alternatives  how many likely tokens to report beside the chosen one.
  Choice choose(std::span<const float> logits, const Allowed& allowed,
                std::span<const std::int32_t> context, int alternatives);

 private:
  struct Candidate {
    std::int32_t id;
    float logit;
  };

  /// Dividing by a temperature this small would overflow, and nothing but the best token could be
  /// drawn anyway.
  [[nodiscard]] bool greedy() const { return sampling_.temperature < 1e-5; }
  /// Takes the allowed logits side by side, and their ids.
  void gather(std::span<const float> logits, const Allowed& allowed);
  /// The id that stands at a place of the logits that are chosen from.
  [[nodiscard]] std::int32_t id_at(std::size_t place) const {
    return ids_.empty() ? static_cast<std::int32_t>(place) : ids_[place];
  }
  std::int32_t pick(std::span<const float> logits, std::span<const std::int32_t> context);
  std::span<const float> penalized(std::span<const float> logits,
                                   std::span<const std::int32_t> context);
  std::int32_t draw(std::span<const float> logits, std::uint64_t position);
  void keep_best(std::size_t count);
  void keep_top_p();
  void keep_min_p();

  Sampling sampling_;
  std::uint64_t stream_;
  std::vector<std::int32_t> ids_;  ///< Of the allowed tokens, ascending; empty where all are.
  std::vector<float> gathered_;    ///< Their logits.
  std::vector<float> changed_;
  std::vector<std::int32_t> seen_;
  std::vector<Candidate> candidates_;
};

/// Errors: Invalid, naming the field, if a setting makes no sense.
Result<void> check_sampling(const Sampling& sampling);

}  // namespace trialwright
