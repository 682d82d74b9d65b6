#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "inference/server/answer.h"

namespace trialwright {

/// The answers of one request while they are computed.
///
/// They are made on threads of their own; what comes of them waits here for one reader. Text that
/// is not read yet grows together, so a slow reader costs no more than the text itself, and beyond
/// a bound it is taken for gone. Destroying this cancels what still runs and waits for it.
class Answers {
 public:
  /// For a maker to tell what it has so far; both are quick.
  struct Tell {
    std::function<void(std::string_view)> text;
    std::function<void(const ToolCall&)> call;
  };
  using Make = std::function<Result<Answer>(std::size_t index, const Tell& tell,
                                            const std::stop_token& stop)>;

  struct Event {
    std::size_t index = 0;
    std::variant<std::string, ToolCall, Result<Answer>> what;
  };

  struct Bounds {
    std::size_t threads_max = 8;  ///< Answers made at once.
    std::size_t unread_bytes_max = std::size_t{16} << 20U;
  };

  /// count  how many answers `make` makes, at least one. It is called from several threads.
  Answers(std::size_t count, Make make, const Bounds& bounds);
  ~Answers();
  Answers(const Answers&) = delete;
  Answers& operator=(const Answers&) = delete;

  /// The next event, or nothing if none came within the time. Each answer's last event is its
  /// Result. One thread at a time.
  std::optional<Event> next(std::chrono::milliseconds wait);
  void cancel() { stop_.request_stop(); }

 private:
  void work();
  void tell_text(std::size_t index, std::string_view text);
  void push(Event event, std::size_t bytes);

  std::size_t count_;
  Make make_;
  Bounds bounds_;
  std::stop_source stop_;
  std::atomic<std::size_t> next_answer_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Event> events_;
  std::size_t unread_bytes_ = 0;
  std::vector<std::jthread> threads_;  ///< Last, so that they end before what they use.
};

}  // namespace trialwright
