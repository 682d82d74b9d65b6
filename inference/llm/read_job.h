#pragma once

#include <functional>
#include <stop_token>

#include "inference/llm/job.h"

namespace trialwright {

/// Reads known tokens and shows the logits that follow them.
class ReadJob final : public Job {
 public:
  /// position  of the token after which the logits are a guess.
  /// Called for one position after the other; never by two threads at once.
  using Visit = std::function<void(int position, std::span<const float> logits)>;

  struct Options {
    int first_logits = 0;  ///< The first position whose logits are wanted; all later ones are too.
    int reusable = 0;      ///< At most first_logits: what is taken over shows no logits.
    std::stop_token stop{};
  };

  /// ids: not empty, and there until the job has ended.
  ReadJob(std::span<const std::int32_t> ids, Options options, Visit visit);
  /// The same for what follows a sequence: ids holds the sequence's tokens too.
  ReadJob(std::span<const std::int32_t> ids, Options options, Visit visit, KvSequence begun);

  [[nodiscard]] std::span<const std::int32_t> prompt() const override { return ids_; }
  [[nodiscard]] int reusable() const override { return options_.reusable; }
  [[nodiscard]] int positions_max() const override { return static_cast<int>(ids_.size()); }
  bool goes_on() override { return !options_.stop.stop_requested(); }
  [[nodiscard]] bool reading() const override { return true; }
  Step next(int rows_max, int logit_rows_max) override;
  void choose(std::span<const float> logits) override;
  bool deliver() override;

  /// False if the job was stopped before its end.
  [[nodiscard]] bool done() const { return done_; }

 private:
  std::span<const std::int32_t> ids_;
  Options options_;
  Visit visit_;
  int logit_rows_ = 0;  ///< Of the step that is being computed.
  bool done_ = false;
};

}  // namespace trialwright
