#include "inference/server/socket_stream.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace trialwright {

namespace {

using std::chrono::milliseconds;

/// How soon a wait notices that the server is closing.
constexpr milliseconds kLookEvery{50};

/// Waits for `events`; what poll reports, 0 after the time.
short wait_for(int socket, short events, milliseconds time) {
  pollfd entry{socket, events, 0};
  const int count = ::poll(&entry, 1, static_cast<int>(time.count()));
  if (count < 0) return errno == EINTR ? short{0} : short{POLLERR};
  return count == 0 ? short{0} : entry.revents;
}

}  // namespace

SocketStream::SocketStream(FileDescriptor socket, std::string peer,
                           const std::atomic<bool>& is_closing, milliseconds write_within)
    : socket_(std::move(socket)),
      peer_(std::move(peer)),
      is_closing_(is_closing),
      write_within_(write_within) {}

void SocketStream::allow(std::size_t bytes, Moment until) {
  bytes_left_ = bytes;
  until_ = until;
}

bool SocketStream::fill() {
  while (!is_closing_ && std::chrono::steady_clock::now() < until_) {
    if (wait_for(socket_.get(), POLLIN, kLookEvery) == 0) continue;
    const ssize_t count = ::recv(socket_.get(), buffer_.data(), buffer_.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    begin_ = 0;
    end_ = count > 0 ? static_cast<std::size_t>(count) : 0;
    return count > 0;
  }
  return false;
}

bool SocketStream::wait_for_request(Moment until) {
  until_ = until;
  return begin_ < end_ || fill();
}

bool SocketStream::is_gone() const {
  constexpr short kOver = POLLRDHUP | POLLHUP | POLLERR;
  return (wait_for(socket_.get(), POLLRDHUP, milliseconds(0)) & kOver) != 0;
}

void SocketStream::close_gently() {
  constexpr milliseconds kLinger{500};
  constexpr std::size_t kLingerBytes = std::size_t{1} << 20U;
  ::shutdown(socket_.get(), SHUT_WR);
  const Moment end = std::chrono::steady_clock::now() + kLinger;
  std::size_t read = 0;
  while (read < kLingerBytes && std::chrono::steady_clock::now() < end) {
    if (wait_for(socket_.get(), POLLIN, kLookEvery) == 0) continue;
    const ssize_t count = ::recv(socket_.get(), buffer_.data(), buffer_.size(), 0);
    if (count <= 0) return;
    read += static_cast<std::size_t>(count);
  }
}

bool SocketStream::is_readable() const { return begin_ < end_ || !is_gone(); }

bool SocketStream::is_writable() const { return !is_gone(); }

ssize_t SocketStream::read(char* data, size_t size) {
  const std::size_t most = std::min(size, bytes_left_);
  if (most == 0) return -1;
  if (begin_ == end_ && !fill()) return -1;
  const std::size_t count = std::min(most, end_ - begin_);
  std::memcpy(data, buffer_.data() + begin_, count);
  begin_ += count;
  bytes_left_ -= count;
  return static_cast<ssize_t>(count);
}

ssize_t SocketStream::write(const char* data, size_t size) {
  const Moment until = std::min(std::chrono::steady_clock::now() + write_within_, reply_until_);
  while (std::chrono::steady_clock::now() < until) {
    const ssize_t count = ::send(socket_.get(), data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count >= 0) return count;
    if (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK) return -1;
    const short events = wait_for(socket_.get(), POLLOUT, kLookEvery);
    if ((events & (POLLERR | POLLHUP)) != 0) return -1;
  }
  return -1;
}

void SocketStream::get_remote_ip_and_port(std::string& ip, int& port) const {
  ip = peer_;
  port = 0;
}

void SocketStream::get_local_ip_and_port(std::string& ip, int& port) const {
  ip.clear();
  port = 0;
}

}  // namespace trialwright
