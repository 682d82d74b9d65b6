#include "inference/llm/sampler.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>

#include "base/random.h"

namespace trialwright {
namespace {

constexpr std::size_t kLanes = 16;
/// After so many numbers a lane is added to the sum in double precision, so rounding does not grow
/// with the vocabulary.
constexpr std::size_t kBlock = 1024;

/// e^x for x <= 0, 0 below -87; NaN stays NaN. Cephes' expf: x = k ln 2 + r, then a polynomial in
/// r. Written without branches so that compilers turn loops over it into vector code.
float exp_nonpositive(float x) {
  const float clamped = x >= -87.0F ? x : -87.0F;
  const float shifted = clamped * 1.44269504088896341F - 0.5F;
  const auto k = static_cast<std::int32_t>(shifted);  // Rounds to nearest, since x <= 0.
  const auto kf = static_cast<float>(k);
  const float r = (clamped - kf * 0.693359375F) - kf * -2.12194440e-4F;
  float p = 1.9875691500e-4F;
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * r * r + r + 1.0F;
  const float power = std::bit_cast<float>((k + 127) << 23);
  const float small = x < -87.0F ? 0.0F : x;
  return x >= -87.0F ? p * power : small;
}

float largest(std::span<const float> x) {
  std::array<float, kLanes> lanes{};
  lanes.fill(x[0]);
  const std::size_t whole = x.size() / kLanes * kLanes;
  for (std::size_t i = 0; i < whole; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      lanes[lane] = x[i + lane] > lanes[lane] ? x[i + lane] : lanes[lane];
    }
  }
  float best = *std::max_element(lanes.begin(), lanes.end());
  for (std::size_t i = whole; i < x.size(); ++i) {
    best = std::max(best, x[i]);
  }
  return best;
}

}  // namespace

double log_sum_exp(std::span<const float> x) {
  const float top = largest(x);
  double sum = 0;
  for (std::size_t start = 0; start < x.size(); start += kBlock) {
    const auto block = x.subspan(start, std::min(kBlock, x.size() - start));
    std::array<float, kLanes> lanes{};
    const std::size_t whole = block.size() / kLanes * kLanes;
    for (std::size_t i = 0; i < whole; i += kLanes) {
      for (std::size_t lane = 0; lane < kLanes; ++lane) {
        lanes[lane] += exp_nonpositive(block[i + lane] - top);
      }
    }
    for (std::size_t i = whole; i < block.size(); ++i) {
      lanes[i - whole] += exp_nonpositive(block[i] - top);
    }
    for (const float lane : lanes) {
      sum += static_cast<double>(lane);
    }
  }
  return static_cast<double>(top) + std::log(sum);
}

std::vector<TokenLogprob> most_probable(std::span<const float> logits, double normalizer,
                                        int count) {
  const auto wanted = std::min(static_cast<std::size_t>(count), logits.size());
  std::vector<std::int32_t> ids;  // A heap whose front is the worst that is kept.
  const auto better = [&](std::int32_t a, std::int32_t b) {
    const float la = logits[static_cast<std::size_t>(a)];
    const float lb = logits[static_cast<std::size_t>(b)];
    return la > lb || (la == lb && a < b);
  };
  for (std::size_t i = 0; i < logits.size() && wanted > 0; ++i) {
    if (ids.size() == wanted && logits[i] <= logits[static_cast<std::size_t>(ids.front())]) {
      continue;
    }
    if (ids.size() == wanted) {
      std::pop_heap(ids.begin(), ids.end(), better);
      ids.pop_back();
    }
    ids.push_back(static_cast<std::int32_t>(i));
    std::push_heap(ids.begin(), ids.end(), better);
  }
  std::sort(ids.begin(), ids.end(), better);
  std::vector<TokenLogprob> best;
  for (const std::int32_t id : ids) {
    best.push_back({id, static_cast<double>(logits[static_cast<std::size_t>(id)]) - normalizer});
  }
  return best;
}

Choice Sampler::choose(std::span<const float> logits, const Allowed& allowed,
                       std::span<const std::int32_t> context, int alternatives) {
  ids_.clear();
  if (!allowed.bits.empty()) {
    gather(logits, allowed);
    logits = gathered_;
  }
  Choice choice;
  choice.normalizer = log_sum_exp(logits);
  if (!std::isfinite(choice.normalizer)) {
    return choice;
  }
  const std::int32_t place = pick(logits, context);
  const auto at = static_cast<std::size_t>(place);
  choice.token.chosen = {id_at(at), static_cast<double>(logits[at]) - choice.normalizer};
  choice.token.alternatives = most_probable(logits, choice.normalizer, alternatives);
  for (TokenLogprob& alternative : choice.token.alternatives) {
    alternative.id = id_at(static_cast<std::size_t>(alternative.id));
  }
  return choice;
}

void Sampler::gather(std::span<const float> logits, const Allowed& allowed) {
  gathered_.clear();
  for (std::size_t word = 0; word < allowed.bits.size(); ++word) {
    for (std::uint64_t bits = allowed.bits[word]; bits != 0; bits &= bits - 1) {
      const std::size_t id = word * 64 + static_cast<std::size_t>(std::countr_zero(bits));
      ids_.push_back(static_cast<std::int32_t>(id));
      gathered_.push_back(logits[id]);
    }
  }
}

/// A place among the logits.
std::int32_t Sampler::pick(std::span<const float> logits, std::span<const std::int32_t> context) {
  const auto changed = penalized(logits, context);
  if (greedy()) {
    const float best = largest(changed);
    return static_cast<std::int32_t>(std::find(changed.begin(), changed.end(), best) -
                                     changed.begin());
  }
  return draw(changed, context.size());
}

/// The repetition penalty of CTRL (Keskar et al., 2019, section 4.1), with the sign rule of Hugging
/// Face's transformers: it always makes a token less likely.
std::span<const float> Sampler::penalized(std::span<const float> logits,
                                          std::span<const std::int32_t> context) {
  if (sampling_.repetition_penalty == 1 || sampling_.repetition_window == 0) {
    return logits;
  }
  changed_.assign(logits.begin(), logits.end());
  const auto window =
      std::min(context.size(), static_cast<std::size_t>(sampling_.repetition_window));
  seen_.assign(context.end() - static_cast<std::ptrdiff_t>(window), context.end());
  std::sort(seen_.begin(), seen_.end());
  seen_.erase(std::unique(seen_.begin(), seen_.end()), seen_.end());
  const auto penalty = static_cast<float>(sampling_.repetition_penalty);
  for (const std::int32_t id : seen_) {
    auto place = static_cast<std::size_t>(id);
    if (!ids_.empty()) {
      const auto found = std::lower_bound(ids_.begin(), ids_.end(), id);
      if (found == ids_.end() || *found != id) {
        continue;
      }
      place = static_cast<std::size_t>(found - ids_.begin());
    }
    float& logit = changed_[place];
    logit = logit > 0 ? logit / penalty : logit * penalty;
  }
  return changed_;
}

std::int32_t Sampler::draw(std::span<const float> logits, std::uint64_t position) {
  const auto temperature = static_cast<float>(sampling_.temperature);
  candidates_.clear();
  for (std::size_t i = 0; i < logits.size(); ++i) {
    candidates_.push_back({static_cast<std::int32_t>(i), logits[i] / temperature});
  }
  if (sampling_.top_k > 0) {
    keep_best(static_cast<std::size_t>(sampling_.top_k));
  }
  if (sampling_.top_p < 1) {
    keep_top_p();
  }
  if (sampling_.min_p > 0) {
    keep_min_p();
  }
  // Drawing in the order of ids makes the choice independent of how the filters sorted.
  std::sort(candidates_.begin(), candidates_.end(),
            [](const Candidate& a, const Candidate& b) { return a.id < b.id; });
  const float top =
      std::max_element(candidates_.begin(), candidates_.end(),
                       [](const Candidate& a, const Candidate& b) { return a.logit < b.logit; })
          ->logit;
  double total = 0;
  for (const Candidate& candidate : candidates_) {
    total += std::exp(static_cast<double>(candidate.logit - top));
  }
  double left = uniform_at(sampling_.seed, stream_, position) * total;
  for (const Candidate& candidate : candidates_) {
    left -= std::exp(static_cast<double>(candidate.logit - top));
    if (left < 0) {
      return candidate.id;
    }
  }
  // Rounding may leave a sliver above the last candidate.
  return candidates_.back().id;
}

void Sampler::keep_best(std::size_t count) {
  const auto better = [](const Candidate& a, const Candidate& b) {
    return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
  };
  if (count < candidates_.size()) {
    std::nth_element(candidates_.begin(), candidates_.begin() + static_cast<std::ptrdiff_t>(count),
                     candidates_.end(), better);
    candidates_.resize(count);
  }
}

/// Nucleus sampling (Holtzman et al., 2020): the fewest best candidates whose probabilities sum to
/// at least top_p.
void Sampler::keep_top_p() {
  const auto better = [](const Candidate& a, const Candidate& b) {
    return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
  };
  // Few candidates usually hold nearly all probability, so only they are put in order.
  std::size_t ordered = 0;
  double total = 0;
  const float top =
      std::max_element(candidates_.begin(), candidates_.end(),
                       [](const Candidate& a, const Candidate& b) { return a.logit < b.logit; })
          ->logit;
  for (const Candidate& candidate : candidates_) {
    total += std::exp(static_cast<double>(candidate.logit - top));
  }
  double sum = 0;
  for (std::size_t i = 0; i < candidates_.size(); ++i) {
    if (i == ordered) {
      ordered = std::min(candidates_.size(), std::max<std::size_t>(256, 4 * ordered));
      const auto from = candidates_.begin() + static_cast<std::ptrdiff_t>(i);
      std::partial_sort(from, candidates_.begin() + static_cast<std::ptrdiff_t>(ordered),
                        candidates_.end(), better);
    }
    sum += std::exp(static_cast<double>(candidates_[i].logit - top));
    if (sum >= sampling_.top_p * total) {
      candidates_.resize(i + 1);
      return;
    }
  }
}

void Sampler::keep_min_p() {
  float top = candidates_.front().logit;
  for (const Candidate& candidate : candidates_) {
    top = std::max(top, candidate.logit);
  }
  const float least = top + static_cast<float>(std::log(sampling_.min_p));
  std::erase_if(candidates_, [&](const Candidate& candidate) {
    return candidate.logit < least && candidate.logit < top;
  });
}

Result<void> check_sampling(const Sampling& sampling) {
  if (!(sampling.temperature >= 0 && sampling.temperature <= 100)) {
    return invalid("field \"temperature\" must lie between 0 and 100");
  }
  if (sampling.top_k < 0) {
    return invalid("field \"top_k\" must not be negative");
  }
  if (!(sampling.top_p > 0 && sampling.top_p <= 1)) {
    return invalid("field \"top_p\" must be above 0 and at most 1");
  }
  if (!(sampling.min_p >= 0 && sampling.min_p <= 1)) {
    return invalid("field \"min_p\" must lie between 0 and 1");
  }
  if (!(sampling.repetition_penalty > 0 && sampling.repetition_penalty <= 100)) {
    return invalid("field \"repetition_penalty\" must be above 0 and at most 100");
  }
  if (sampling.repetition_window < 0) {
    return invalid("field \"repetition_window\" must not be negative");
  }
  return {};
}

}  // namespace trialwright
