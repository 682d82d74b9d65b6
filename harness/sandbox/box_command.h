#pragma once

#include <chrono>
#include <optional>
#include <stop_token>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "harness/sandbox/captured_output.h"
#include "tasks/workspace.h"

namespace trialwright {

/// A command's standard input, output and error: our ends and the ends it gets.
class CommandStreams {
 public:
  /// Errors: Unavailable.
  static Result<CommandStreams> open(const CommandOptions& options);

  /// The command's input, output and error, to be sent to the runner.
  [[nodiscard]] std::vector<int> theirs() const;
  void close_theirs();

  [[nodiscard]] int input() const { return input_.get(); }
  [[nodiscard]] int output() const { return output_.get(); }
  [[nodiscard]] int error() const { return error_.get(); }
  /// Moves what can be moved without waiting. A stream that has ended is closed.
  void write_input();
  void read_output();
  void read_error();
  /// Takes what has been written until now, puts everything into the result, and gives away the
  /// streams that somebody in the background still holds.
  void finish(CommandResult& result, std::vector<FileDescriptor>& lingering);

 private:
  explicit CommandStreams(const CommandOptions& options)
      : text_(options.input), out_(options.output_bytes_max), err_(options.output_bytes_max) {}
  /// True if there may be more to read at once.
  static bool read_some(FileDescriptor& from, CapturedOutput& into);

  FileDescriptor input_;
  FileDescriptor output_;
  FileDescriptor error_;
  FileDescriptor theirs_[3];
  bool merged_ = false;
  std::string_view text_;  // What is left of the options' input.
  CapturedOutput out_;
  CapturedOutput err_;
};

/// The wait for a command's end: moves its streams, watches the clock and the stop token.
class CommandWait {
 public:
  CommandWait(int runner, CommandStreams& streams, const CommandOptions& options,
              const std::stop_token& stop, std::vector<FileDescriptor>& lingering);

  /// How the command ended, without its output; nothing if the runner is gone or does not manage to
  /// end the command.
  std::optional<CommandResult> until_end(std::chrono::steady_clock::time_point started);
  /// Why the runner was told to end the command, if it was.
  [[nodiscard]] std::optional<CommandEnd> killed_for() const { return killed_for_; }

 private:
  /// Waits for the next event and deals with the streams; true if the runner has something to say.
  bool turn(std::chrono::steady_clock::time_point until);
  std::optional<CommandResult> read_end();

  int runner_;
  CommandStreams& streams_;
  std::chrono::milliseconds timeout_;
  std::stop_token stop_;
  std::vector<FileDescriptor>& lingering_;
  FileDescriptor stopped_;                // Readable once the token is set.
  std::optional<CommandEnd> killed_for_;  // From then on only the command's end is waited for.
};

}  // namespace trialwright
