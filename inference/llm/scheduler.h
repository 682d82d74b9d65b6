#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "inference/cpu/thread_pool.h"
#include "inference/kv/prefix_cache.h"
#include "inference/llm/forward.h"
#include "inference/llm/job.h"

namespace trialwright {

struct SchedulerLimits {
  int rows_max = 256;       ///< Tokens that are computed together, at least 1.
  int logit_rows_max = 64;  ///< Of them those whose logits are wanted; bounds memory.
  int pages_max = 1;  ///< Of keys and values. What one job alone needs is granted in any case.
};

/// Computes many jobs together, step by step (continuous batching; Yu et al., "Orca", OSDI 2022):
/// in each step every sequence that is being continued, and stretches of prompts with the rows that
/// are left. The weights, which cost most, are then read once for all.
///
/// Jobs begin in the order of arrival, as soon as the pages that they may need are free; of two
/// that begin with the same text, the later one waits until the earlier has read it. What is
/// computed together, and in which order, never changes a bit of a result.
///
/// A thread of its own does all work. Any thread may call `run`.
class Scheduler {
 public:
  /// Forward::run, or what a test has in its place.
  using Forwards = std::function<void(std::span<ForwardSegment>)>;

  /// What is given must outlive this; `pool` is this scheduler's alone while jobs run.
  Scheduler(const SchedulerLimits& limits, KvPagePool& pages, ThreadPool& pool, Forwards forwards);
  /// No job may be running.
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  /// Computes the jobs and returns when each has ended.
  void run(std::span<Job* const> jobs);

  /// Calls `look` with what is remembered, while nothing is computed.
  void with_cache(const std::function<void(PrefixCache&)>& look);

 private:
  /// A job and the call of `run` that waits for it.
  struct Entry {
    Job* job = nullptr;
    int* left = nullptr;  ///< Jobs of that call that have not ended.
  };

  void work();
  /// False when there will be no more.
  bool receive();
  void end_interrupted();
  void begin_waiting();
  [[nodiscard]] bool is_being_read(const Job& job) const;
  void begin(Job& job);
  void step();
  bool plan(Job& job, int& rows_left, int& logit_rows_left);
  bool make_room(Job& job, int count);
  void compute();
  void end(const Entry& entry);

  SchedulerLimits limits_;
  KvPagePool& pages_;
  ThreadPool& pool_;
  Forwards forwards_;

  // Of the working thread alone.
  PrefixCache cache_;
  std::deque<Entry> waiting_;
  std::vector<Entry> running_;      ///< In the order in which they began.
  int charged_pages_ = 0;           ///< That running jobs may come to need.
  std::vector<Job*> planned_;       ///< For this step, in the order of the segments.
  std::vector<bool> were_reading_;  ///< Whether each of them was, before the step.
  std::vector<ForwardSegment> segments_;

  std::mutex mutex_;  ///< Of all below.
  std::condition_variable changed_;
  std::condition_variable ended_;
  std::vector<Entry> arrived_;
  const std::function<void(PrefixCache&)>* look_ = nullptr;
  bool stopping_ = false;

  std::thread thread_;  ///< Last, since it uses all above.
};

}  // namespace trialwright
