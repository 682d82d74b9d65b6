#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace trialwright {

/// How a command came to its end.
enum class CommandEnd {
  Exited,       ///< `code` is its exit status.
  Signaled,     ///< `code` is the signal.
  TimedOut,     ///< Killed at the timeout.
  OutOfMemory,  ///< The memory limit killed something it started, whatever status it reported.
  Cancelled,    ///< Killed because the stop token was set.
};

std::string_view command_end_name(CommandEnd end);

/// What a stream carried: its start and its end, if it was too long to keep whole.
struct CapturedStream {
  std::string head;
  std::string tail;               ///< Empty if everything is in `head`.
  std::uint64_t bytes_total = 0;  ///< What the command wrote, kept or not.

  [[nodiscard]] bool truncated() const { return bytes_total > head.size() + tail.size(); }
  /// Head and tail, with a line between them that says how many bytes are left out.
  [[nodiscard]] std::string text() const;
};

struct CommandResult {
  CommandEnd end = CommandEnd::Exited;
  int code = 0;
  CapturedStream out;
  CapturedStream err;
  std::chrono::microseconds wall{0};
};

struct CommandOptions {
  std::chrono::milliseconds timeout{30'000};
  std::string cwd;  ///< Absolute inside the workspace; empty means the workspace's own.
  std::map<std::string, std::string> env;      ///< Added to the workspace's environment.
  std::string input;                           ///< Given on standard input, which then ends.
  std::uint64_t output_bytes_max = 1U << 20U;  ///< Kept per stream.
  bool merge_streams = false;  ///< Standard error goes into `out`, in the order written.
};

/// One trial's private machine: a file tree and a place to run commands.
///
/// One thread at a time. Destroying it kills what still runs and removes the files.
class Workspace {
 public:
  virtual ~Workspace() = default;

  /// Runs `argv` without a shell. A non-zero exit and a timeout are results, not errors; nothing
  /// the command started in the background is waited for, nor killed before the workspace ends.
  /// Errors: Unavailable if the sandbox itself has died.
  virtual Result<CommandResult> run(std::span<const std::string> argv,
                                    const CommandOptions& options, std::stop_token stop) = 0;

  /// Reads a regular file. `path` is absolute inside the workspace. Symbolic links are followed
  /// inside the workspace only; a FIFO, device or folder is refused.
  /// Errors: NotFound; Invalid if it is no regular file or larger than `bytes_max`; Unavailable.
  virtual Result<std::string> read_file(std::string_view path, std::uint64_t bytes_max) = 0;

  /// Makes or replaces a file, with the folders above it. `mode` is like 0644; 0 keeps the mode of
  /// a file that exists and means 0644 for a new one. Errors: Invalid if the path cannot be written
  /// (a folder, a read-only place, disk full in the workspace); Unavailable.
  virtual Result<void> write_file(std::string_view path, std::string_view content,
                                  unsigned mode) = 0;

  /// Where commands start, for example "/app".
  [[nodiscard]] virtual std::string working_folder() const = 0;
};

/// The machine a verifier works on: the file tree the agent left, none of its processes, the
/// verifier's files in place, and a folder for the verdict that the agent never had.
class VerifierWorkspace : public Workspace {
 public:
  /// A file the verifier wrote under /logs/verifier, a folder that no process of the agent could
  /// reach. First ends every process in the workspace, so that nothing the verifier left running
  /// writes a verdict of its own; files stay as they are. `name` is a plain file name.
  /// Errors: NotFound, Invalid, Unavailable, as Workspace::read_file.
  virtual Result<std::string> read_verdict(std::string_view name, std::uint64_t bytes_max) = 0;
};

}  // namespace trialwright
