#pragma once

#include <httplib.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <system_error>
#include <thread>

namespace trialwright {

/// Breaks a client's connection when a stop is asked for. Lives as long as the request.
///
/// The caller looks at the token once more after making this, and does not begin if it is set. A
/// connection that is only being made cannot be broken yet (`client.stop` waits for it), so a
/// thread of its own tries until the request has ended: whoever asks for the stop is not held.
class HangUp {
 public:
  HangUp(httplib::Client& client, std::stop_token stop) {
    try {
      watcher_ = std::thread([this, &client, stop = std::move(stop)] { watch(client, stop); });
    } catch (const std::system_error&) {
      // Without a thread the request still ends by its own time limits.
    }
  }
  ~HangUp() {
    {
      const std::scoped_lock lock(mutex_);
      done_ = true;
    }
    changed_.notify_all();
    if (watcher_.joinable()) watcher_.join();
  }
  HangUp(const HangUp&) = delete;
  HangUp& operator=(const HangUp&) = delete;

 private:
  void watch(httplib::Client& client, const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    const auto done = [this] { return done_; };
    changed_.wait(lock, stop, done);
    while (!done_) {
      lock.unlock();
      client.stop();
      lock.lock();
      changed_.wait_for(lock, std::chrono::milliseconds(5), done);
    }
  }

  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool done_ = false;
  std::thread watcher_;
};

}  // namespace trialwright
