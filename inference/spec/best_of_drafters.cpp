#include "inference/spec/best_of_drafters.h"

#include <algorithm>
#include <utility>

namespace trialwright {

void DrafterRecord::guessed(bool first, std::chrono::nanoseconds time, std::size_t tokens) {
  const std::scoped_lock lock(mutex_);
  if (first_.tokens + later_.tokens >= kRemembered) {
    for (Times* times : {&first_, &later_}) {
      times->nanoseconds /= 2;
      times->tokens /= 2;
    }
  }
  Times& times = first ? first_ : later_;
  times.nanoseconds += static_cast<double>(time.count());
  times.tokens += static_cast<double>(tokens);
}

std::optional<std::chrono::nanoseconds> DrafterRecord::guess_time(bool first_calls) const {
  const std::scoped_lock lock(mutex_);
  Times times = later_;
  if (first_calls) {
    times.nanoseconds += first_.nanoseconds;
    times.tokens += first_.tokens;
  }
  if (times.tokens <= 0) {
    return std::nullopt;
  }
  return std::chrono::nanoseconds(static_cast<std::int64_t>(times.nanoseconds / times.tokens));
}

double expected_tokens(std::span<const double> confidence) {
  double survival = 1;
  double expected = 0;
  for (const double one : confidence) {
    survival *= one;
    expected += survival;
  }
  return expected;
}

BestOfDrafters::BestOfDrafters(std::vector<DraftSource> sources, DraftDepth& depth,
                               const Clock& clock)
    : depth_(depth), clock_(clock) {
  for (DraftSource& source : sources) {
    all_.push_back({.source = std::move(source), .draft = {}});
  }
}

/// Counts those guesses of the latest draft that the context has decided on since.
void BestOfDrafters::learn(std::span<const std::int32_t> context, Asked& asked) {
  for (std::size_t i = 0; i < asked.draft.ids.size() && asked.size + i < context.size(); ++i) {
    const bool taken = asked.draft.ids[i] == context[asked.size + i];
    asked.source.record.calibration.saw(asked.draft.confidence[i], taken);
    if (!taken) {
      break;
    }
  }
  asked.draft.ids.clear();
  asked.draft.confidence.clear();
}

/// How many tokens to ask a drafter for that takes its time. Whether to begin with it is decided
/// once in a request, because the first call may cost most; from then on only a guess's own time
/// counts.
int BestOfDrafters::worth_asking(Asked& asked, int tokens_max) {
  if (asked.use == Use::Declined) {
    return 0;
  }
  const DrafterRecord& record = asked.source.record;
  const auto time = record.guess_time(asked.use == Use::Undecided);
  const int worth = time ? depth_.worth_guessing(record.calibration.overall_rate(kRateAtFirst),
                                                 *time, rows_beside_, tokens_max)
                         : tokens_max;
  if (asked.use == Use::Undecided && worth == 0) {
    asked.use = Use::Declined;
  }
  return worth;
}

void BestOfDrafters::ask(std::span<const std::int32_t> context, int tokens_max, Asked& asked) {
  asked.size = context.size();
  if (!asked.source.takes_time) {
    asked.source.drafter->draft(context, tokens_max, asked.draft);
    return;
  }
  const auto start = clock_.now();
  asked.source.drafter->draft(context, tokens_max, asked.draft);
  asked.source.record.guessed(asked.use == Use::Undecided, clock_.now() - start,
                              asked.draft.ids.size());
  asked.use = Use::Asked;
}

void BestOfDrafters::draft(std::span<const std::int32_t> context, int tokens_max, Draft& draft) {
  draft.ids.clear();
  draft.confidence.clear();
  for (Asked& asked : all_) {
    learn(context, asked);
  }
  double most = 0;
  std::vector<double> rates;
  for (const bool takes_time : {false, true}) {
    for (Asked& asked : all_) {
      if (asked.source.takes_time != takes_time || (takes_time && most >= kEnoughExpected)) {
        continue;
      }
      const int worth = takes_time ? worth_asking(asked, tokens_max) : tokens_max;
      if (worth <= 0) {
        continue;
      }
      ask(context, worth, asked);
      rates.clear();
      for (const double confidence : asked.draft.confidence) {
        rates.push_back(asked.source.record.calibration.rate(confidence));
      }
      if (const double expected = expected_tokens(rates); expected > most) {
        most = expected;
        draft.ids = asked.draft.ids;
        draft.confidence = rates;
      }
    }
  }
}

}  // namespace trialwright
