#pragma once

#include <httplib.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <string>

#include "base/files.h"

namespace trialwright {

/// One accepted connection, as httplib reads and writes it, with bounds that hold whatever the
/// other side does: on the time and the bytes of each phase of a request, and on the time that a
/// write waits and a whole reply takes.
class SocketStream final : public httplib::Stream {
 public:
  using Moment = std::chrono::steady_clock::time_point;

  /// is_closing    when it becomes true, a wait for more to read ends.
  /// write_within  a reader that takes nothing for so long is gone.
  SocketStream(FileDescriptor socket, std::string peer, const std::atomic<bool>& is_closing,
               std::chrono::milliseconds write_within);

  /// Bounds what is read from now on.
  void allow(std::size_t bytes, Moment until);
  /// Bounds when the last byte may be written; nothing does before the first call.
  void allow_reply(Moment until) { reply_until_ = until; }
  /// Waits for the first byte of another request. False if none comes until then, or the stream
  /// ends, or the server is closing.
  bool wait_for_request(Moment until);
  /// Whether the other side has closed the connection, or its half of it.
  [[nodiscard]] bool is_gone() const;
  /// Says that nothing more comes, and reads what is still under way, so that the other side gets
  /// our last answer and not a reset (RFC 9112, section 9.6).
  void close_gently();

  [[nodiscard]] const std::string& peer() const { return peer_; }

  [[nodiscard]] bool is_readable() const override;
  [[nodiscard]] bool is_writable() const override;
  ssize_t read(char* data, size_t size) override;
  ssize_t write(const char* data, size_t size) override;
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string& ip, int& port) const override;
  [[nodiscard]] socket_t socket() const override { return socket_.get(); }

 private:
  bool fill();

  FileDescriptor socket_;
  std::string peer_;
  const std::atomic<bool>& is_closing_;
  std::chrono::milliseconds write_within_;
  std::array<char, 16384> buffer_;
  std::size_t begin_ = 0;  ///< Of what is read into the buffer and not taken yet.
  std::size_t end_ = 0;
  std::size_t bytes_left_ = 0;
  Moment until_{};
  Moment reply_until_ = Moment::max();
};

}  // namespace trialwright
