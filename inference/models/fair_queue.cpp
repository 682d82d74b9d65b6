#include "inference/models/fair_queue.h"

#include <algorithm>

namespace trialwright {

FairQueue::Outcome FairQueue::enter(std::optional<std::chrono::steady_clock::time_point> deadline,
                                    const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  const std::uint64_t mine = next_++;
  waiting_.push_back(mine);
  const auto my_turn = [&] { return inside_ < places_ && waiting_.front() == mine; };
  const bool entered = deadline ? changed_.wait_until(lock, stop, *deadline, my_turn)
                                : changed_.wait(lock, stop, my_turn);
  waiting_.erase(std::find(waiting_.begin(), waiting_.end(), mine));
  // The next in line may have become the first.
  changed_.notify_all();
  if (entered) {
    ++inside_;
    return Outcome::Entered;
  }
  return stop.stop_requested() ? Outcome::Cancelled : Outcome::Deadline;
}

void FairQueue::leave() {
  const std::scoped_lock lock(mutex_);
  --inside_;
  changed_.notify_all();
}

std::size_t FairQueue::waiting() const {
  const std::scoped_lock lock(mutex_);
  return waiting_.size();
}

}  // namespace trialwright
