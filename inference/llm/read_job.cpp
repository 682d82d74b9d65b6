#include "inference/llm/read_job.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace trialwright {

ReadJob::ReadJob(std::span<const std::int32_t> ids, Options options, Visit visit)
    : ids_(ids), options_(std::move(options)), visit_(std::move(visit)) {
  CHECK(!ids.empty() && options_.reusable <= options_.first_logits,
        "the engine knows what it wants to see");
}

ReadJob::ReadJob(std::span<const std::int32_t> ids, Options options, Visit visit, KvSequence begun)
    : ReadJob(ids, std::move(options), std::move(visit)) {
  sequence = std::move(begun);
}

Job::Step ReadJob::next(int rows_max, int logit_rows_max) {
  const int begin = sequence->size();
  int end = std::min(static_cast<int>(ids_.size()), begin + rows_max);
  // Positions from first_logits on show their logits, as many as may be at once.
  end = std::min(end, std::max(begin, options_.first_logits) + logit_rows_max);
  logit_rows_ = std::max(0, end - std::max(begin, options_.first_logits));
  return {ids_.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin)),
          logit_rows_};
}

void ReadJob::choose(std::span<const float> logits) {
  if (logit_rows_ == 0) {
    return;
  }
  const std::size_t vocabulary = logits.size() / static_cast<std::size_t>(logit_rows_);
  for (int row = 0; row < logit_rows_; ++row) {
    visit_(sequence->size() - logit_rows_ + row,
           logits.subspan(static_cast<std::size_t>(row) * vocabulary, vocabulary));
  }
}

bool ReadJob::deliver() {
  done_ = static_cast<std::size_t>(sequence->size()) == ids_.size();
  return !done_;
}

}  // namespace trialwright
