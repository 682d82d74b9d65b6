#include "inference/server/answers.h"

#include <algorithm>
#include <system_error>

namespace trialwright {

Answers::Answers(std::size_t count, Make make, const Bounds& bounds)
    : count_(count), make_(std::move(make)), bounds_(bounds) {
  CHECK(count >= 1, "a request asks for something");
  const std::size_t threads = std::min(count, std::max<std::size_t>(1, bounds.threads_max));
  try {
    for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
  } catch (const std::system_error&) {
    // Those that there are do the work of all.
    if (!threads_.empty()) return;
    for (std::size_t i = 0; i < count; ++i) {
      push({i, Result<Answer>(unavailable("the machine has no thread left"))}, 0);
    }
  }
}

Answers::~Answers() { cancel(); }

void Answers::work() {
  while (true) {
    const std::size_t index = next_answer_++;
    if (index >= count_) return;
    const Tell tell = {.text = [this, index](std::string_view text) { tell_text(index, text); },
                       .call =
                           [this, index](const ToolCall& call) {
                             push({index, call}, call.name.size());
                           }};
    push({index, make_(index, tell, stop_.get_token())}, 0);
  }
}

void Answers::tell_text(std::size_t index, std::string_view text) {
  {
    const std::scoped_lock lock(mutex_);
    if (!events_.empty() && events_.back().index == index) {
      if (auto* last = std::get_if<std::string>(&events_.back().what)) {
        *last += text;
        unread_bytes_ += text.size();
        if (unread_bytes_ > bounds_.unread_bytes_max) cancel();
        return;
      }
    }
  }
  push({index, std::string(text)}, text.size());
}

void Answers::push(Event event, std::size_t bytes) {
  {
    const std::scoped_lock lock(mutex_);
    unread_bytes_ += bytes;
    if (unread_bytes_ > bounds_.unread_bytes_max) cancel();
    events_.push_back(std::move(event));
  }
  changed_.notify_one();
}

std::optional<Answers::Event> Answers::next(std::chrono::milliseconds wait) {
  std::unique_lock lock(mutex_);
  if (!changed_.wait_for(lock, wait, [this] { return !events_.empty(); })) return std::nullopt;
  Event event = std::move(events_.front());
  events_.pop_front();
  if (const auto* text = std::get_if<std::string>(&event.what)) unread_bytes_ -= text->size();
  if (const auto* call = std::get_if<ToolCall>(&event.what)) unread_bytes_ -= call->name.size();
  return event;
}

}  // namespace trialwright
