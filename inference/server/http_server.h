#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>

#include "base/files.h"
#include "inference/server/service.h"

namespace trialwright {

/// One request that was answered, for a log.
struct AccessRecord {
  std::string peer{};  ///< The client's address.
  std::string method{};
  std::string path{};  ///< As it came, so anything may be in it.
  int status = 0;      ///< 499 if the client hung up before its answer.
  std::chrono::microseconds time{0};
  Usage usage{};
};

struct HttpServerOptions {
  std::string host = "127.0.0.1";  ///< An address of this machine, or a name of one.
  int port = 0;                    ///< 0 takes a free one.
  int connections_max = 256;       ///< Beyond that, callers are sent away with 503.
  std::size_t header_bytes_max = std::size_t{64} << 10U;
  std::size_t body_bytes_max = std::size_t{16} << 20U;
  std::chrono::milliseconds header_within = std::chrono::seconds(10);
  std::chrono::milliseconds body_within = std::chrono::seconds(60);
  std::chrono::milliseconds idle_within = std::chrono::seconds(75);  ///< Between two requests.
  std::chrono::milliseconds write_within = std::chrono::seconds(30);
  /// For a whole reply, beside the two times that its request may take. It bounds a reader who
  /// takes little by little.
  std::chrono::milliseconds reply_within = std::chrono::seconds(630);
  /// When the server stops, how long requests under way may go on before they are cancelled.
  std::chrono::milliseconds finish_within = std::chrono::seconds(5);
  /// Only answers requests whose Host header names this machine itself, so that no page of the web
  /// can reach the server by a name that it lets point here.
  bool local_names_only = false;
  std::function<void(const AccessRecord&)> on_access{};  ///< From any thread, one at a time.
};

/// True for 127.0.0.1, ::1, localhost and the like.
bool is_loopback_name(const std::string& host);

/// Serves the API over HTTP/1.1. A connection has a thread of its own, so a slow one holds up
/// nobody else.
class HttpServer {
 public:
  /// Binds the port. The service must outlive the server.
  /// Errors: Invalid if the host is no address; Unavailable if the port is taken.
  static Result<std::unique_ptr<HttpServer>> bind(Service& service, HttpServerOptions options);
  ~HttpServer();

  [[nodiscard]] int port() const { return port_; }

  /// Answers until the stop is asked for: then takes nobody in any more, lets requests under way
  /// finish for a while, and cancels the rest. Call it once.
  void run(std::stop_token stop);

 private:
  struct Visitor;
  class Connection;

  HttpServer(Service& service, HttpServerOptions options, FileDescriptor listening, int port);
  void take_in(FileDescriptor socket, std::string peer);
  void attend(Visitor& visitor, FileDescriptor socket, std::string peer);
  void forget_the_gone();

  Service& service_;
  HttpServerOptions options_;
  FileDescriptor listening_;
  int port_;
  std::atomic<bool> is_closing_ = false;
  std::mutex log_mutex_;  ///< Held while a record is told.
  std::list<Visitor> visitors_;
};

}  // namespace trialwright
