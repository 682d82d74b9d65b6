#include "inference/llm/step_batch.h"

#include <new>
#include <utility>

namespace trialwright {

StepBatch::Member::Member(StepBatch& batch) : batch_(batch) {
  const std::scoped_lock lock(batch_.mutex_);
  ++batch_.members_;
}

StepBatch::Member::~Member() {
  {
    const std::scoped_lock lock(batch_.mutex_);
    --batch_.members_;
  }
  // Those who waited for this member alone can go on.
  batch_.changed_.notify_all();
}

Result<std::span<const float>> StepBatch::Member::run(std::span<const std::int32_t> ids,
                                                      KvSequence& sequence, int logit_rows) {
  Waiting mine{{ids, &sequence, logit_rows}};
  std::unique_lock lock(batch_.mutex_);
  batch_.waiting_.push_back(&mine);
  while (!mine.done) {
    const bool all_here = batch_.waiting_.size() == static_cast<std::size_t>(batch_.members_);
    if (all_here && !batch_.computing_) {
      batch_.compute(lock);
    } else {
      batch_.changed_.wait(lock);
    }
  }
  if (mine.failed) {
    return unavailable("out of memory while computing");
  }
  return mine.segment.logits;
}

void StepBatch::compute(std::unique_lock<std::mutex>& lock) {
  computing_ = true;
  const auto step = std::exchange(waiting_, {});
  lock.unlock();
  std::vector<ForwardSegment> segments;
  bool failed = false;
  try {
    for (const Waiting* waiting : step) {
      segments.push_back(waiting->segment);
    }
    forwards_(segments);
  } catch (const std::bad_alloc&) {
    failed = true;  // Whoever waits for this step must hear of it, or waits for ever.
  }
  lock.lock();
  for (std::size_t i = 0; i < step.size(); ++i) {
    if (!failed) {
      step[i]->segment.logits = segments[i].logits;
    }
    step[i]->failed = failed;
    step[i]->done = true;
  }
  computing_ = false;
  changed_.notify_all();
}

int StepBatch::members() const {
  const std::scoped_lock lock(mutex_);
  return members_;
}

}  // namespace trialwright
