#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "inference/model.h"

namespace trialwright {

/// A model that says "Hel" and then thinks until it is stopped. Any thread.
class WaitingModel final : public Model {
 public:
  WaitingModel() { identity_.name = "waiting"; }

  [[nodiscard]] const ModelIdentity& identity() const override { return identity_; }

  Result<Completion> complete(const CompletionRequest& request, std::stop_token stop) override {
    if (request.on_text) request.on_text("Hel");
    ++waiting;
    std::mutex mutex;
    std::condition_variable_any changed;
    std::unique_lock lock(mutex);
    changed.wait(lock, stop, [] { return false; });
    ++stopped;
    Completion completion;
    completion.text = "Hel";
    completion.finish = FinishReason::Cancelled;
    return completion;
  }

  Result<std::vector<ContinuationScore>> score(const ScoreRequest&, std::stop_token) override {
    return invalid("this model cannot score");
  }

  std::atomic<int> waiting = 0;  ///< Requests that have come.
  std::atomic<int> stopped = 0;  ///< Those of them that were stopped.

 private:
  ModelIdentity identity_;
};

}  // namespace trialwright
