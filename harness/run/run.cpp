#include "harness/run/run.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace trialwright {

namespace {

/// Lets several trials tell one observer.
class SharedObserver final : public TurnObserver {
 public:
  explicit SharedObserver(RunObserver& observer) : observer_(observer) {}

  void turn_ended(const PlannedTrial& trial, int turns) override {
    const std::lock_guard lock(mutex_);
    observer_.turn_ended(trial, turns);
  }
  void started(const PlannedTrial& trial) {
    const std::lock_guard lock(mutex_);
    observer_.trial_started(trial);
  }
  void ended(const PlannedTrial& trial, const TrialOutcome& outcome) {
    const std::lock_guard lock(mutex_);
    observer_.trial_ended(trial, outcome);
  }
  void tick() {
    const std::lock_guard lock(mutex_);
    observer_.tick();
  }

 private:
  RunObserver& observer_;
  std::mutex mutex_;
};

/// The trials under way: hands out the next one, and remembers how they ended.
class Schedule {
 public:
  Schedule(RunStore& store, const std::map<std::string, const Task*>& tasks,
           const TrialContext& context, const RunLimits& limits, SharedObserver& observer)
      : store_(store),
        tasks_(tasks),
        context_(context),
        limits_(limits),
        observer_(observer),
        start_(context.clock.now()) {}

  /// Makes trials until there are none left, or a reason to stop.
  void work(std::stop_token stop) {
    while (const PlannedTrial* trial = next(stop)) {
      if (auto made = make(*trial, stop); !made) {
        fail(made.error());
        return;
      }
    }
  }

  Result<RunResult> result(std::stop_token stop) {
    const std::lock_guard lock(mutex_);
    if (error_) return *error_;
    if (stop.stop_requested()) result_.status = RunStatus::Interrupted;
    return result_;
  }

 private:
  const PlannedTrial* next(std::stop_token stop) {
    const std::lock_guard lock(mutex_);
    if (stop.stop_requested() || error_ || next_ >= store_.pending().size()) return nullptr;
    if (budget_spent()) {
      result_.status = RunStatus::BudgetStop;
      return nullptr;
    }
    return &store_.pending()[next_++];
  }

  [[nodiscard]] bool budget_spent() const {
    if (limits_.tokens_max && tokens_ >= *limits_.tokens_max) return true;
    return limits_.time_max && context_.clock.now() - start_ >= *limits_.time_max;
  }

  Result<void> make(const PlannedTrial& trial, std::stop_token stop) {
    auto recorder = store_.begin_trial(trial.id);
    if (!recorder) return recorder.error();
    observer_.started(trial);
    auto made = make_trial(trial, *tasks_.at(trial.task), context_, *recorder, observer_, stop);
    if (!made) {
      // A stopped trial is still to be made; that is no failure of the run.
      if (made.error().kind == ErrorKind::Cancelled) return {};
      return made.error().during("trial " + trial.task);
    }
    observer_.ended(trial, made->outcome);
    const std::lock_guard lock(mutex_);
    ++result_.verdicts[made->outcome.verdict];
    tokens_ += made->outcome.completion_tokens;
    return {};
  }

  void fail(const Error& error) {
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = error;
  }

  RunStore& store_;
  const std::map<std::string, const Task*>& tasks_;
  const TrialContext& context_;
  const RunLimits& limits_;
  SharedObserver& observer_;
  const std::chrono::steady_clock::time_point start_;
  std::mutex mutex_;
  std::size_t next_ = 0;
  std::int64_t tokens_ = 0;
  std::optional<Error> error_;
  RunResult result_;
};

/// Calls `tick` about once a second until it goes out of scope.
class Ticker {
 public:
  explicit Ticker(SharedObserver& observer)
      : thread_([this, &observer](std::stop_token stop) {
          std::unique_lock lock(mutex_);
          while (!stopped_.wait_for(lock, stop, std::chrono::seconds(1),
                                    [&] { return stop.stop_requested(); })) {
            observer.tick();
          }
        }) {}

 private:
  std::mutex mutex_;
  std::condition_variable_any stopped_;
  std::jthread thread_;
};

}  // namespace

Result<RunResult> make_trials(RunStore& store, const std::map<std::string, const Task*>& tasks,
                              const TrialContext& context, const RunLimits& limits, int jobs,
                              RunObserver& observer, std::stop_token stop) {
  SharedObserver shared(observer);
  Schedule schedule(store, tasks, context, limits, shared);
  {
    const Ticker ticker(shared);
    std::vector<std::jthread> workers;
    for (int i = 0; i < jobs; ++i) {
      workers.emplace_back([&schedule, stop] { schedule.work(stop); });
    }
  }
  return schedule.result(stop);
}

}  // namespace trialwright
