#include "inference/spec/prompt_lookup.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace trialwright {

namespace {

/// How many tokens before `a` and before `b` agree, counted backwards; at most `length_max`.
int agreeing(std::span<const std::int32_t> context, std::size_t a, std::size_t b, int length_max) {
  const int reach =
      static_cast<int>(std::min<std::size_t>({a, b, static_cast<std::size_t>(length_max)}));
  int length = 0;
  while (length < reach && context[a - 1 - static_cast<std::size_t>(length)] ==
                               context[b - 1 - static_cast<std::size_t>(length)]) {
    ++length;
  }
  return length;
}

}  // namespace

PromptLookup::PromptLookup(const PromptLookupOptions& options) : options_(options), slots_(1024) {
  CHECK(options.ngram >= 1 && options.match_max >= options.ngram && options.candidates_max >= 1,
        "an n-gram has tokens, a match is at least one n-gram, and one place must be looked at");
}

/// FNV-1a over whole tokens, with its bits mixed once more for the table (the finalizer of
/// MurmurHash3). Equal hashes of other n-grams do no harm: matches are compared token by token.
std::uint64_t PromptLookup::hash_before(std::span<const std::int32_t> context,
                                        std::size_t end) const {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (std::size_t i = end - static_cast<std::size_t>(options_.ngram); i < end; ++i) {
    hash = (hash ^ static_cast<std::uint32_t>(context[i])) * 0x100000001b3U;
  }
  hash = (hash ^ (hash >> 33U)) * 0xff51afd7ed558ccdU;
  return hash ^ (hash >> 33U);
}

PromptLookup::Slot& PromptLookup::slot(std::uint64_t hash) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash & mask;
  while (slots_[at].end >= 0 && slots_[at].hash != hash) {
    at = (at + 1) & mask;
  }
  return slots_[at];
}

void PromptLookup::grow() {
  std::vector<Slot> old(slots_.size() * 2);
  old.swap(slots_);
  for (const Slot& kept : old) {
    if (kept.end >= 0) {
      slot(kept.hash) = kept;
    }
  }
}

/// Puts the n-grams that ended since the last call into the table.
void PromptLookup::follow(std::span<const std::int32_t> context) {
  CHECK(context.size() >= followed_, "a context only grows");
  earlier_.resize(context.size() + 1, -1);
  for (++followed_; followed_ <= context.size(); ++followed_) {
    if (followed_ < static_cast<std::size_t>(options_.ngram)) {
      continue;
    }
    if (2 * used_ >= slots_.size()) {
      grow();
    }
    const std::uint64_t hash = hash_before(context, followed_);
    Slot& found = slot(hash);
    used_ += found.end < 0 ? 1U : 0U;
    earlier_[followed_] = std::exchange(found.end, static_cast<std::int32_t>(followed_));
    found.hash = hash;
  }
  --followed_;
}

void PromptLookup::draft(std::span<const std::int32_t> context, int tokens_max, Draft& draft) {
  draft.ids.clear();
  draft.confidence.clear();
  follow(context);
  const std::size_t end = context.size();
  std::size_t best = 0;
  int length = options_.ngram - 1;
  std::int32_t place = earlier_[end];
  for (int looked = 0; place >= 0 && looked < options_.candidates_max; ++looked) {
    const auto at = static_cast<std::size_t>(place);
    const int agreed = agreeing(context, at, end, options_.match_max);
    if (agreed > length) {
      best = at;
      length = agreed;
    }
    if (length == options_.match_max) {
      break;  // No earlier place can agree with more.
    }
    place = earlier_[at];
  }
  if (length < options_.ngram) {
    return;
  }
  for (std::size_t i = 0; static_cast<int>(i) < tokens_max; ++i) {
    const double matched = length + static_cast<double>(i);
    // Behind the context's end come the guesses themselves: what repeats goes on repeating.
    draft.ids.push_back(best + i < end ? context[best + i] : draft.ids[best + i - end]);
    draft.confidence.push_back(matched / (matched + 4));
  }
}

}  // namespace trialwright
