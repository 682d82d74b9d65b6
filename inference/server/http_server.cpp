#include "inference/server/http_server.h"

#include <httplib.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <system_error>

#include "base/text.h"
#include "inference/server/socket_stream.h"

namespace trialwright {

namespace {

using Moment = std::chrono::steady_clock::time_point;
using std::chrono::milliseconds;

constexpr milliseconds kLookEvery{50};
constexpr const char* kJsonType = "application/json";

/// A status that httplib chose, as an error of the API.
ApiError error_of_status(int status, const HttpServerOptions& options) {
  switch (status) {
    case 413:
      return {
          .status = 413,
          .message = "the body has more than " + std::to_string(options.body_bytes_max) + " bytes"};
    case 414:
      return {.status = 414, .message = "the address is too long"};
    case 500:
      return {.status = 500, .message = "the server failed", .type = "server_error"};
    default:
      return {.status = status, .message = "the request cannot be read"};
  }
}

std::string host_of(std::string header) {
  if (header.starts_with('[')) return header.substr(1, header.find(']') - 1);
  return header.substr(0, header.find(':'));
}

/// Why nobody can be sure where the request ends, and the next one begins (RFC 9112, section 6.3).
std::optional<ApiError> framing_refusal(const httplib::Request& request) {
  const std::size_t lengths = request.get_header_value_count("Content-Length");
  const std::size_t encodings = request.get_header_value_count("Transfer-Encoding");
  if (lengths > 1 || encodings > 1 || (lengths > 0 && encodings > 0)) {
    return ApiError{.status = 400, .message = "the length of the body is told more than once"};
  }
  const bool has_body =
      encodings > 0 || (lengths > 0 && request.get_header_value("Content-Length") != "0");
  if (has_body && request.method != "POST") {
    return ApiError{.status = 400, .message = request.method + " takes no body"};
  }
  return std::nullopt;
}

/// What is wrong with how the body is sent. Ordinary pages of the web can send text and forms to
/// any address, but JSON only with a permission that we never give.
std::optional<ApiError> body_refusal(const httplib::Request& request,
                                     const HttpServerOptions& options) {
  const std::string type = to_lower(request.get_header_value("Content-Type"));
  if (trimmed(type.substr(0, type.find(';'))) != kJsonType) {
    return ApiError{.status = 415, .message = "the body must have Content-Type: application/json"};
  }
  if (request.has_header("Content-Encoding")) {
    return ApiError{.status = 415, .message = "the body must not be compressed"};
  }
  if (!request.has_header("Content-Length")) {
    if (to_lower(request.get_header_value("Transfer-Encoding")) == "chunked") return std::nullopt;
    return ApiError{.status = 411, .message = "the request must say how long its body is"};
  }
  const std::string length = request.get_header_value("Content-Length");
  std::uint64_t bytes = 0;
  const auto [end, error] = std::from_chars(length.data(), length.data() + length.size(), bytes);
  if (error != std::errc() || end != length.data() + length.size()) {
    return error == std::errc::result_out_of_range
               ? error_of_status(413, options)
               : ApiError{.status = 400, .message = "Content-Length must be a number"};
  }
  if (bytes > options.body_bytes_max) return error_of_status(413, options);
  return std::nullopt;
}

std::string peer_name(const sockaddr_storage& address, socklen_t size) {
  std::array<char, NI_MAXHOST> host{};
  const int error = ::getnameinfo(reinterpret_cast<const sockaddr*>(&address), size, host.data(),
                                  host.size(), nullptr, 0, NI_NUMERICHOST);
  return error == 0 ? host.data() : "unknown";
}

}  // namespace

bool is_loopback_name(const std::string& host) {
  if (to_lower(host) == "localhost" || host == "::1") return true;
  return host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string::npos;
}

/// The thread of one connection.
struct HttpServer::Visitor {
  std::atomic<bool> is_gone = false;
  std::jthread thread;  ///< Last, so that it ends before what it uses.
};

/// One connection's requests, one after the other. httplib reads and writes; what may go on and
/// what is answered is decided here.
class HttpServer::Connection final : public httplib::Server {
 public:
  Connection(HttpServer& server, SocketStream& stream) : server_(server), stream_(stream) {
    // httplib takes a server without a socket for one that is shutting down.
    svr_sock_ = stream.socket();
    set_payload_max_length(server.options_.body_bytes_max);
    set_keep_alive_max_count(kRequestsMax);
    set_keep_alive_timeout(
        std::chrono::duration_cast<std::chrono::seconds>(server.options_.idle_within).count());
    set_pre_routing_handler([this](const httplib::Request&, httplib::Response& response) {
      if (!refusal_) return HandlerResponse::Unhandled;
      put(reply_of(*refusal_), response);
      return HandlerResponse::Handled;
    });
    const auto answer = [this](const httplib::Request& request, httplib::Response& response) {
      // Chunks do not tell before how many there are.
      if (request.body.size() > server_.options_.body_bytes_max) {
        put(reply_of(error_of_status(413, server_.options_)), response);
        response.set_header("Connection", "close");
        is_confused_ = true;
        return;
      }
      auto reply = server_.service_.handle(head_of(request), [this] { return stream_.is_gone(); });
      put(std::move(reply), response);
    };
    Get(".*", answer);
    Post(".*", answer);
    const HandlerWithResponse explain = [this](const httplib::Request&,
                                               httplib::Response& response) {
      if (has_reply_) return HandlerResponse::Unhandled;
      put(reply_of(error_of_status(response.status, server_.options_)), response);
      // Where such a request ends, nobody knows.
      response.set_header("Connection", "close");
      is_confused_ = true;
      return HandlerResponse::Handled;
    };
    set_error_handler(explain);
    set_exception_handler([](const httplib::Request&, httplib::Response& response,
                             std::exception_ptr) { response.status = 500; });
  }

  ~Connection() override { svr_sock_ = INVALID_SOCKET; }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void serve() {
    const HttpServerOptions& options = server_.options_;
    for (std::size_t left = kRequestsMax; left > 0; --left) {
      const auto now = std::chrono::steady_clock::now;
      if (!stream_.wait_for_request(now() + options.idle_within)) return;
      begun_ = now();
      record_ = {.peer = stream_.peer()};
      refusal_.reset();
      has_reply_ = false;
      stream_.allow(options.header_bytes_max, begun_ + options.header_within);
      stream_.allow_reply(begun_ + options.header_within + options.body_within +
                          options.reply_within);
      bool must_close = false;
      const bool went_well = process_request(
          stream_, left == 1, must_close, [this](httplib::Request& request) { look_at(request); });
      log();
      if (!went_well || must_close || refusal_ || is_confused_) return stream_.close_gently();
    }
  }

 private:
  static constexpr std::size_t kRequestsMax = 10'000;

  static ApiRequest head_of(const httplib::Request& request) {
    return {.method = request.method,
            .path = request.path,
            .body = request.body,
            .authorization = request.get_header_value("Authorization")};
  }

  /// The header is there, the body is not read yet.
  void look_at(httplib::Request& request) {
    const HttpServerOptions& options = server_.options_;
    record_.method = request.method;
    record_.path = request.path;
    // Ranges of an answer make no sense.
    request.ranges.clear();
    refusal_ = server_.service_.refusal(head_of(request));
    if (options.local_names_only && !is_loopback_name(host_of(request.get_header_value("Host")))) {
      refusal_ = ApiError{.status = 403, .message = "the Host header names another machine"};
    }
    if (!refusal_) refusal_ = framing_refusal(request);
    if (!refusal_ && request.method == "POST") refusal_ = body_refusal(request, options);
    // The body of a refused request stays unread, so nothing can follow it.
    if (refusal_) request.headers.erase("Connection");
    if (refusal_) request.set_header("Connection", "close");
    // Chunks have some bytes of their own.
    stream_.allow(options.body_bytes_max + options.body_bytes_max / 8 + 4096,
                  std::chrono::steady_clock::now() + options.body_within);
  }

  void put(ApiReply reply, httplib::Response& response) {
    has_reply_ = true;
    record_.status = reply.status;
    usage_ = reply.usage;
    response.status = reply.status;
    response.set_header("Cache-Control", "no-store");
    for (const auto& [name, value] : reply.headers) response.set_header(name, value);
    if (!reply.stream) return response.set_content(to_text(reply.body), kJsonType);
    response.set_chunked_content_provider(
        "text/event-stream",
        [this, stream = std::move(reply.stream)](std::size_t, httplib::DataSink& sink) {
          const bool went_well = stream(
              [&sink](std::string_view event) { return sink.write(event.data(), event.size()); });
          if (went_well) {
            sink.done();
          } else {
            record_.status = 499;
          }
          return went_well;
        });
  }

  void log() {
    if (record_.method.empty() && !has_reply_) return;
    record_.time = elapsed(begun_);
    if (usage_) record_.usage = *usage_;
    usage_.reset();
    if (!server_.options_.on_access) return;
    const std::scoped_lock lock(server_.log_mutex_);
    server_.options_.on_access(record_);
  }

  HttpServer& server_;
  SocketStream& stream_;
  std::optional<ApiError> refusal_;  ///< Of the request that is being read.
  bool has_reply_ = false;
  bool is_confused_ = false;  ///< What comes next may be the rest of a bad request.
  Moment begun_{};
  AccessRecord record_;
  std::shared_ptr<Usage> usage_;
};

HttpServer::HttpServer(Service& service, HttpServerOptions options, FileDescriptor listening,
                       int port)
    : service_(service),
      options_(std::move(options)),
      listening_(std::move(listening)),
      port_(port) {}

HttpServer::~HttpServer() {
  is_closing_ = true;
  service_.cancel_all();
}

Result<std::unique_ptr<HttpServer>> HttpServer::bind(Service& service, HttpServerOptions options) {
  const std::string where = options.host + ":" + std::to_string(options.port);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error =
      ::getaddrinfo(options.host.c_str(), std::to_string(options.port).c_str(), &hints, &found);
  if (error != 0) {
    return invalid("listening at " + where + ": " + ::gai_strerror(error));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, ::freeaddrinfo);
  FileDescriptor listening(
      ::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int yes = 1;
  sockaddr_storage bound{};
  socklen_t size = sizeof(bound);
  const bool is_bound =
      listening.get() >= 0 &&
      ::setsockopt(listening.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) == 0 &&
      ::bind(listening.get(), found->ai_addr, found->ai_addrlen) == 0 &&
      ::listen(listening.get(), SOMAXCONN) == 0 &&
      ::getsockname(listening.get(), reinterpret_cast<sockaddr*>(&bound), &size) == 0;
  if (!is_bound) return unavailable("listening at " + where + ": " + errno_text(errno));
  const int port = bound.ss_family == AF_INET6
                       ? ntohs(reinterpret_cast<const sockaddr_in6*>(&bound)->sin6_port)
                       : ntohs(reinterpret_cast<const sockaddr_in*>(&bound)->sin_port);
  return std::unique_ptr<HttpServer>(
      new HttpServer(service, std::move(options), std::move(listening), port));
}

void HttpServer::run(std::stop_token stop) {
  while (!stop.stop_requested()) {
    forget_the_gone();
    pollfd entry{listening_.get(), POLLIN, 0};
    if (::poll(&entry, 1, static_cast<int>(kLookEvery.count())) <= 0) continue;
    sockaddr_storage address{};
    socklen_t size = sizeof(address);
    FileDescriptor socket(
        ::accept4(listening_.get(), reinterpret_cast<sockaddr*>(&address), &size, SOCK_CLOEXEC));
    if (socket.get() >= 0) {
      take_in(std::move(socket), peer_name(address, size));
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
      // There will be room when somebody has left.
      std::this_thread::sleep_for(kLookEvery);
    }
  }
  // From here on nobody comes in, and connections between two requests end.
  listening_ = FileDescriptor();
  is_closing_ = true;
  const Moment end = std::chrono::steady_clock::now() + options_.finish_within;
  while (service_.answers() > 0 && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(kLookEvery);
  }
  service_.cancel_all();
  visitors_.clear();
}

void HttpServer::forget_the_gone() {
  std::erase_if(visitors_, [](const Visitor& visitor) { return visitor.is_gone.load(); });
}

void HttpServer::take_in(FileDescriptor socket, std::string peer) {
  const int yes = 1;
  (void)::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
  const auto send_away = [&] {
    constexpr std::string_view kFull =
        "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\n"
        "Content-Length: 0\r\n\r\n";
    (void)::send(socket.get(), kFull.data(), kFull.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  };
  if (visitors_.size() >= static_cast<std::size_t>(options_.connections_max)) return send_away();
  Visitor& visitor = visitors_.emplace_back();
  try {
    visitor.thread = std::jthread([this, &visitor, peer = std::move(peer),
                                   fd = std::make_shared<FileDescriptor>(std::move(socket))] {
      attend(visitor, std::move(*fd), peer);
    });
  } catch (const std::system_error&) {
    // Without a thread the caller is lost: the socket is closed.
    visitors_.pop_back();
  }
}

void HttpServer::attend(Visitor& visitor, FileDescriptor socket, std::string peer) {
  {
    SocketStream stream(std::move(socket), std::move(peer), is_closing_, options_.write_within);
    Connection(*this, stream).serve();
  }
  visitor.is_gone = true;
}

}  // namespace trialwright
