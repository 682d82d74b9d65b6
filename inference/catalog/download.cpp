#include "inference/catalog/download.h"

#include <httplib.h>

#include <optional>

#include "inference/hang_up.h"

namespace trialwright {

namespace {

/// One request and what came of it.
struct Transfer {
  PartialFile& file;
  const DownloadLimits& limits;
  const std::function<void(std::uint64_t)>& on_bytes;
  const std::stop_token& stop;
  std::chrono::steady_clock::time_point heard_at = std::chrono::steady_clock::now();
  int status = 0;
  std::optional<Error> error{};

  bool take_head(const httplib::Response& response) {
    heard_at = std::chrono::steady_clock::now();
    status = response.status;
    if (status == 200 && file.size() > 0) {
      if (auto cut = file.cut_to(0); !cut) error = cut.error();
    }
    if (status == 206) {
      const std::string expected = "bytes " + std::to_string(file.size()) + "-";
      if (!response.get_header_value("Content-Range").starts_with(expected)) {
        error = unavailable("the server sent another part than was asked for");
      }
    }
    return (status == 200 || status == 206) && !error;
  }

  bool take(const char* data, std::size_t size) {
    if (stop.stop_requested()) return false;
    heard_at = std::chrono::steady_clock::now();
    if (size > limits.bytes - file.size()) {
      error = integrity("the server sent more than " + std::to_string(limits.bytes) + " bytes");
      return false;
    }
    if (auto appended = file.append({data, size}); !appended) {
      error = appended.error();
      return false;
    }
    if (on_bytes) on_bytes(file.size());
    return true;
  }
};

Result<void> outcome(const Transfer& transfer, const httplib::Result& result,
                     const std::stop_token& stop) {
  if (stop.stop_requested()) return cancelled("fetching was stopped");
  if (transfer.error) return *transfer.error;
  if (transfer.status != 0 && transfer.status != 200 && transfer.status != 206) {
    return unavailable("the server answered with status " + std::to_string(transfer.status));
  }
  if (!result) {
    const bool begun = transfer.status != 0;
    const std::string reason = " (" + httplib::to_string(result.error()) + ")";
    // The library has one name for a connection that is refused and for one that is waited for.
    if (std::chrono::steady_clock::now() - transfer.heard_at < transfer.limits.answer_within) {
      return unavailable((begun ? "the transfer broke off" : "the server cannot be reached") +
                         reason);
    }
    const double seconds = std::chrono::duration<double>(transfer.limits.answer_within).count();
    return unavailable((begun ? "nothing more came for " : "no answer within ") +
                       std::to_string(static_cast<int>(seconds)) + " seconds" + reason);
  }
  if (transfer.file.size() != transfer.limits.bytes) {
    return integrity("the server sent " + std::to_string(transfer.file.size()) + " bytes, not " +
                     std::to_string(transfer.limits.bytes));
  }
  return {};
}

}  // namespace

Result<void> download(const std::string& url, PartialFile& file, const DownloadLimits& limits,
                      const std::function<void(std::uint64_t)>& on_bytes, std::stop_token stop) {
  if (file.size() > limits.bytes) {
    if (auto cut = file.cut_to(0); !cut) return cut;
  }
  if (file.size() == limits.bytes) return {};
  const std::size_t path_begin = url.find('/', url.find("://") + 3);
  const std::string host = url.substr(0, path_begin);
  const std::string path = path_begin == std::string::npos ? "/" : url.substr(path_begin);
  httplib::Client client(host);
  if (!client.is_valid()) return invalid("not an address that can be fetched: " + url);
  client.set_follow_location(true);
  client.set_connection_timeout(limits.answer_within);
  client.set_read_timeout(limits.answer_within);
  const HangUp hang_up(client, stop);
  if (stop.stop_requested()) return cancelled("fetching was stopped");

  httplib::Headers headers;
  if (file.size() > 0) headers.emplace("Range", "bytes=" + std::to_string(file.size()) + "-");
  Transfer transfer{file, limits, on_bytes, stop};
  const httplib::Result result = client.Get(
      path, headers,
      [&](const httplib::Response& response) { return transfer.take_head(response); },
      [&](const char* data, std::size_t size) { return transfer.take(data, size); });
  return outcome(transfer, result, stop);
}

}  // namespace trialwright
