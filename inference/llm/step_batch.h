#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "base/result.h"
#include "inference/llm/forward.h"

namespace trialwright {

/// Computes the next step of several requests together: a token of each decoding one and a stretch
/// of each prompt that is being read. The weights, which cost most, are then read once for all.
///
/// A step begins as soon as every member waits in `run`, and the last to come computes it, so no
/// thread of its own is needed. Between two steps a member should only do what is quick, because
/// the others wait for it. What is computed together never changes a bit of a result. Any thread.
class StepBatch {
 public:
  /// Forward::run, or what a test has in its place.
  using Forwards = std::function<void(std::span<ForwardSegment>)>;
  explicit StepBatch(Forwards forwards) : forwards_(std::move(forwards)) {}

  /// A request's part in the batch from construction to destruction. One thread.
  class Member {
   public:
    explicit Member(StepBatch& batch);
    ~Member();
    Member(const Member&) = delete;
    Member& operator=(const Member&) = delete;

    /// Takes part in the next step: as Forward::run for one segment. The logits are valid until
    /// this member's next call or its end. Errors: Unavailable, for all members of the step, if
    /// memory runs out; what the sequence holds is void then.
    Result<std::span<const float>> run(std::span<const std::int32_t> ids, KvSequence& sequence,
                                       int logit_rows);

   private:
    StepBatch& batch_;
  };

  [[nodiscard]] int members() const;

 private:
  struct Waiting {
    ForwardSegment segment;
    bool done = false;
    bool failed = false;
  };

  void compute(std::unique_lock<std::mutex>& lock);

  Forwards forwards_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  int members_ = 0;
  bool computing_ = false;
  std::vector<Waiting*> waiting_;  ///< For the next step, in the order of arrival.
};

}  // namespace trialwright
