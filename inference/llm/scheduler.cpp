#include "inference/llm/scheduler.h"

#include <algorithm>
#include <new>
#include <utility>

#include "base/check.h"

namespace trialwright {
namespace {

/// A prompt is read in stretches of at least so many tokens, however many others share a step.
constexpr int kStretchMin = 32;

std::span<const std::int32_t> reusable_ids(const Job& job) {
  return job.prompt().first(static_cast<std::size_t>(job.reusable()));
}

int charge_of(const Job& job) { return pages_for(job.positions_max()); }

}  // namespace

Scheduler::Scheduler(const SchedulerLimits& limits, KvPagePool& pages, ThreadPool& pool,
                     Forwards forwards)
    : limits_(limits),
      pages_(pages),
      pool_(pool),
      forwards_(std::move(forwards)),
      cache_(pages),
      thread_([this] { work(); }) {}

Scheduler::~Scheduler() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Scheduler::run(std::span<Job* const> jobs) {
  int left = static_cast<int>(jobs.size());
  std::unique_lock lock(mutex_);
  for (Job* job : jobs) {
    arrived_.push_back({job, &left});
  }
  changed_.notify_all();
  ended_.wait(lock, [&] { return left == 0; });
}

void Scheduler::with_cache(const std::function<void(PrefixCache&)>& look) {
  std::unique_lock lock(mutex_);
  ended_.wait(lock, [&] { return look_ == nullptr; });
  look_ = &look;
  changed_.notify_all();
  ended_.wait(lock, [&] { return look_ != &look; });
}

void Scheduler::work() {
  while (receive()) {
    end_interrupted();
    begin_waiting();
    step();
  }
}

bool Scheduler::receive() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] {
    return stopping_ || look_ != nullptr || !arrived_.empty() || !waiting_.empty() ||
           !running_.empty();
  });
  if (look_ != nullptr) {
    (*look_)(cache_);
    look_ = nullptr;
    ended_.notify_all();
  }
  waiting_.insert(waiting_.end(), arrived_.begin(), arrived_.end());
  arrived_.clear();
  CHECK(!stopping_ || (waiting_.empty() && running_.empty()), "callers wait for their jobs");
  return !stopping_;
}

void Scheduler::end_interrupted() {
  std::erase_if(waiting_, [&](const Entry& entry) {
    const bool ends = !entry.job->goes_on();
    if (ends) {
      end(entry);
    }
    return ends;
  });
  std::erase_if(running_, [&](const Entry& entry) {
    const bool ends = !entry.job->goes_on();
    if (ends) {
      charged_pages_ -= charge_of(*entry.job);
      end(entry);
    }
    return ends;
  });
}

void Scheduler::begin_waiting() {
  for (auto entry = waiting_.begin(); entry != waiting_.end();) {
    Job& job = *entry->job;
    // Where memory is short nobody overtakes, or a large job would wait for ever.
    if (!running_.empty() && charged_pages_ + charge_of(job) > limits_.pages_max) {
      return;
    }
    if (is_being_read(job)) {
      ++entry;
      continue;
    }
    begin(job);
    charged_pages_ += charge_of(job);
    running_.push_back(*entry);
    entry = waiting_.erase(entry);
  }
}

/// True if somebody computes a part of the job's prompt just now that it could have for nothing.
bool Scheduler::is_being_read(const Job& job) const {
  const auto ids = reusable_ids(job);
  return std::any_of(running_.begin(), running_.end(), [&](const Entry& other) {
    if (!other.job->reading() || other.job->reusable() == 0) {
      return false;
    }
    const int shared = common_prefix(ids, other.job->prompt()) / kPageTokens * kPageTokens;
    return shared > other.job->sequence->size() && shared > cache_.known(ids);
  });
}

void Scheduler::begin(Job& job) {
  if (!job.sequence) {
    job.sequence = cache_.take(reusable_ids(job));
  }
  job.begin();
}

void Scheduler::step() {
  planned_.clear();
  were_reading_.clear();
  segments_.clear();
  int rows_left = limits_.rows_max;
  int logit_rows_left = limits_.logit_rows_max;
  for (const bool reading : {false, true}) {
    for (const Entry& entry : running_) {
      if (entry.job->reading() == reading && !entry.job->error) {
        plan(*entry.job, rows_left, logit_rows_left);
      }
    }
  }
  if (!planned_.empty()) {
    compute();
  }
  std::erase_if(running_, [&](const Entry& entry) {
    Job& job = *entry.job;
    const auto place = static_cast<std::size_t>(std::find(planned_.begin(), planned_.end(), &job) -
                                                planned_.begin());
    const bool took_part = place < planned_.size();
    const bool ends = job.error || (took_part && !job.deliver()) || job.error;
    if (took_part && !job.error && were_reading_[place] && job.reusable() > 0) {
      cache_.keep_whole_pages(*job.sequence);
    }
    if (ends) {
      charged_pages_ -= charge_of(job);
      end(entry);
    }
    return ends;
  });
}

/// Gives the job a segment in this step; false if there is no place for it now.
bool Scheduler::plan(Job& job, int& rows_left, int& logit_rows_left) {
  const bool first = segments_.empty();
  if (!first && (logit_rows_left < 1 || (job.reading() && rows_left < kStretchMin))) {
    return false;
  }
  const bool reading = job.reading();
  const int others = static_cast<int>(running_.size() - planned_.size()) - 1;
  // One row is left to each of the others, however many guesses this one has.
  const Job::Step step = job.next({.rows = std::max(1, rows_left),
                                   .logit_rows = std::max(1, logit_rows_left - others),
                                   .rows_beside = limits_.rows_max - rows_left + others});
  if (!make_room(job, static_cast<int>(step.ids.size()))) {
    return false;
  }
  segments_.push_back({step.ids, &*job.sequence, step.logit_rows, step.narrow});
  planned_.push_back(&job);
  were_reading_.push_back(reading);
  rows_left -= static_cast<int>(step.ids.size());
  logit_rows_left -= step.logit_rows;
  return true;
}

bool Scheduler::make_room(Job& job, int count) {
  const int over = pages_.in_use() + job.sequence->pages_wanted(count) - limits_.pages_max;
  if (over > 0) {
    cache_.drop(over);
  }
  if (auto made = job.sequence->make_room(count); !made) {
    job.error = made.error();
    return false;
  }
  return true;
}

void Scheduler::compute() {
  try {
    forwards_(segments_);
  } catch (const std::bad_alloc&) {
    for (Job* job : planned_) {
      job->error = unavailable("out of memory while computing");
    }
    return;
  }
  pool_.parallel_for(static_cast<int>(planned_.size()), [&](int i) {
    const auto index = static_cast<std::size_t>(i);
    try {
      planned_[index]->choose(segments_[index].logits);
    } catch (const std::bad_alloc&) {
      planned_[index]->error = unavailable("out of memory while choosing");
    }
  });
}

void Scheduler::end(const Entry& entry) {
  Job& job = *entry.job;
  if (job.sequence && !job.error && job.reusable() > 0) {
    cache_.keep(*job.sequence);
  }
  if (!job.keeps_sequence) {
    job.sequence.reset();
  }
  const std::scoped_lock lock(mutex_);
  --*entry.left;
  ended_.notify_all();
}

}  // namespace trialwright
