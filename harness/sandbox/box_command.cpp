#include "harness/sandbox/box_command.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "harness/sandbox/inside/wire.h"

namespace trialwright {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::size_t kPipeBytes = 1U << 20U;
constexpr std::size_t kLingeringMax = 32;
// How long the runner may take to kill a command that will not die.
constexpr auto kKillPatience = std::chrono::seconds(10);
// What is still in the pipes after the end is read, but nobody may keep us reading.
constexpr auto kDrainPatience = milliseconds(100);

bool make_pipe(FileDescriptor& ours, FileDescriptor& theirs, bool we_read) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return false;
  ours = FileDescriptor(ends[we_read ? 0 : 1]);
  theirs = FileDescriptor(ends[we_read ? 1 : 0]);
  // Large pipes mean fewer switches; a machine that refuses has small ones.
  if (we_read) (void)fcntl(ours.get(), F_SETPIPE_SZ, static_cast<int>(kPipeBytes));
  return fcntl(ours.get(), F_SETFL, O_NONBLOCK) == 0;
}

/// Writes without the signal that ends a program when nobody reads.
ssize_t write_quietly(int fd, std::string_view text) {
  sigset_t pipe_signal;
  sigset_t before;
  sigemptyset(&pipe_signal);
  sigaddset(&pipe_signal, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
  const ssize_t count = ::write(fd, text.data(), text.size());
  const int failure = errno;
  if (count < 0 && failure == EPIPE) {
    const timespec at_once{};
    sigtimedwait(&pipe_signal, nullptr, &at_once);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = failure;
  return count;
}

int number_in(const std::string& text) {
  int number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

/// As a shell would tell of a command that cannot be started.
CommandResult not_started(int error_number, const std::string& name) {
  CommandResult result;
  result.code = error_number == ENOENT ? 127 : 126;
  result.err.head = name + ": " + errno_text(error_number) + "\n";
  result.err.bytes_total = result.err.head.size();
  return result;
}

}  // namespace

Result<CommandStreams> CommandStreams::open(const CommandOptions& options) {
  CommandStreams streams(options);
  bool made = make_pipe(streams.output_, streams.theirs_[1], true);
  streams.merged_ = options.merge_streams;
  if (options.merge_streams) {
    streams.theirs_[2] = FileDescriptor(fcntl(streams.theirs_[1].get(), F_DUPFD_CLOEXEC, 0));
  } else {
    made = made && make_pipe(streams.error_, streams.theirs_[2], true);
  }
  if (options.input.empty()) {
    streams.theirs_[0] = FileDescriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  } else {
    made = made && make_pipe(streams.input_, streams.theirs_[0], false);
  }
  if (!made || !streams.theirs_[0] || !streams.theirs_[2]) {
    return unavailable("making a command's pipes: " + errno_text(errno));
  }
  return streams;
}

std::vector<int> CommandStreams::theirs() const {
  return {theirs_[0].get(), theirs_[1].get(), theirs_[2].get()};
}

void CommandStreams::close_theirs() {
  for (FileDescriptor& end : theirs_) end.reset();
}

void CommandStreams::write_input() {
  const ssize_t count = write_quietly(input_.get(), text_);
  if (count > 0) text_.remove_prefix(static_cast<std::size_t>(count));
  const bool refused = count < 0 && errno != EAGAIN && errno != EINTR;
  // Whoever does not read its input to the end loses the rest.
  if (refused || text_.empty()) input_.reset();
}

bool CommandStreams::read_some(FileDescriptor& from, CapturedOutput& into) {
  thread_local std::string piece(kPipeBytes, '\0');
  const ssize_t count = ::read(from.get(), piece.data(), piece.size());
  if (count > 0) {
    into.add({piece.data(), static_cast<std::size_t>(count)});
    return true;
  }
  if (count < 0 && errno == EINTR) return true;
  if (count == 0 || errno != EAGAIN) from.reset();
  return false;
}

void CommandStreams::read_output() { (void)read_some(output_, out_); }

void CommandStreams::read_error() { (void)read_some(error_, err_); }

void CommandStreams::finish(CommandResult& result, std::vector<FileDescriptor>& lingering) {
  const auto until = steady_clock::now() + kDrainPatience;
  while (output_ && read_some(output_, out_) && steady_clock::now() < until) {
  }
  while (error_ && read_some(error_, err_) && steady_clock::now() < until) {
  }
  for (FileDescriptor* stream : {&output_, &error_}) {
    if (*stream) lingering.push_back(std::move(*stream));
  }
  if (lingering.size() > kLingeringMax) lingering.erase(lingering.begin());
  // What the runner said in the command's name comes after what the command said.
  const std::string said = std::move(result.err.head);
  (merged_ ? out_ : err_).add(said);
  result.out = out_.finish();
  result.err = err_.finish();
}

CommandWait::CommandWait(int runner, CommandStreams& streams, const CommandOptions& options,
                         const std::stop_token& stop, std::vector<FileDescriptor>& lingering)
    : runner_(runner),
      streams_(streams),
      timeout_(options.timeout),
      stop_(stop),
      lingering_(lingering),
      stopped_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

bool CommandWait::turn(steady_clock::time_point until) {
  std::vector<pollfd> sources = {{runner_, POLLIN, 0},
                                 {killed_for_ ? -1 : stopped_.get(), POLLIN, 0},
                                 {streams_.output(), POLLIN, 0},
                                 {streams_.error(), POLLIN, 0},
                                 {streams_.input(), POLLOUT, 0}};
  const std::size_t own = sources.size();
  for (const FileDescriptor& stream : lingering_) sources.push_back({stream.get(), POLLIN, 0});
  const auto left = std::chrono::ceil<milliseconds>(until - steady_clock::now()).count();
  const auto patience = std::clamp<std::int64_t>(left, 0, 3'600'000);
  if (poll(sources.data(), sources.size(), static_cast<int>(patience)) <= 0) return false;
  if (sources[2].revents != 0) streams_.read_output();
  if (sources[3].revents != 0) streams_.read_error();
  if (sources[4].revents != 0) streams_.write_input();
  CapturedOutput nowhere(0);
  for (std::size_t i = sources.size(); i > own; --i) {
    if (sources[i - 1].revents == 0) continue;
    char piece[1U << 16U];
    const std::size_t at = i - 1 - own;
    if (::read(lingering_[at].get(), piece, sizeof piece) == 0) {
      lingering_.erase(lingering_.begin() + static_cast<std::ptrdiff_t>(at));
    }
  }
  return sources[0].revents != 0;
}

std::optional<CommandResult> CommandWait::read_end() {
  inside::Message message;
  if (inside::receive_message(runner_, message) != inside::Received::Message) return std::nullopt;
  if (message.fields[0] == "failed" && message.fields.size() > 2) {
    return not_started(number_in(message.fields[1]), message.fields[2]);
  }
  if (message.fields[0] != "end" || message.fields.size() < 2) return std::nullopt;
  const int status = number_in(message.fields[1]);
  CommandResult result;
  result.end = WIFSIGNALED(status) ? CommandEnd::Signaled : CommandEnd::Exited;
  result.code = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
  return result;
}

std::optional<CommandResult> CommandWait::until_end(steady_clock::time_point started) {
  const std::stop_callback on_stop(stop_, [this] { eventfd_write(stopped_.get(), 1); });
  auto until = started + timeout_;
  for (;;) {
    if (turn(until)) {
      auto result = read_end();
      if (result && killed_for_) result->end = *killed_for_;
      return result;
    }
    const bool time_is_up = steady_clock::now() >= until;
    if (killed_for_ && time_is_up) return std::nullopt;
    if (killed_for_ || !(time_is_up || stop_.stop_requested())) continue;
    killed_for_ = time_is_up ? CommandEnd::TimedOut : CommandEnd::Cancelled;
    if (!inside::send_message(runner_, {"kill"})) return std::nullopt;
    until = steady_clock::now() + kKillPatience;
  }
}

}  // namespace trialwright
