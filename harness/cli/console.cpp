#include "harness/cli/console.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <numeric>

#include "base/text.h"

namespace trialwright {

namespace {

// The process has one standard output, whichever console it is written through.
std::atomic<int> output_failure{0};

bool is_set(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0';
}

bool wants_colours(std::string_view choice, bool is_terminal) {
  if (choice == "always") return true;
  if (choice == "never" || is_set("NO_COLOR")) return false;
  if (is_set("CLICOLOR_FORCE") && std::string_view(std::getenv("CLICOLOR_FORCE")) != "0") {
    return true;
  }
  const char* term = std::getenv("TERM");
  return is_terminal && (term == nullptr || std::string_view(term) != "dumb");
}

/// Takes `excess` columns from the widest of `which`, none of which becomes narrower than
/// `narrowest`.
void shrink(std::vector<int>& widths, const std::vector<std::size_t>& which, int narrowest,
            int& excess) {
  while (excess > 0 && !which.empty()) {
    const std::size_t widest =
        *std::ranges::max_element(which, {}, [&](std::size_t i) { return widths[i]; });
    if (widths[widest] <= narrowest) return;
    --widths[widest];
    --excess;
  }
}

}  // namespace

Console::Console(int fd, std::string_view choice)
    : fd_(fd), is_terminal_(::isatty(fd) == 1), has_colours_(wants_colours(choice, is_terminal_)) {}

int Console::columns() const {
  struct winsize size {};
  if (is_terminal_ && ::ioctl(fd_, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

int Console::table_columns() const {
  return is_terminal_ ? columns() : std::numeric_limits<int>::max();
}

std::string Console::paint(std::string_view text, Colour colour) const {
  return painted(text, has_colours_ ? colour : Colour::Plain);
}

int Console::lost_output() { return output_failure; }

bool Console::write(std::string_view text) const {
  while (!text.empty()) {
    const ssize_t written = ::write(fd_, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      if (fd_ == STDOUT_FILENO) output_failure = errno;
      return false;
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

std::string cut_to(std::string_view text, int columns) {
  if (display_width(text) <= columns) return std::string(text);
  std::string out;
  int used = 0;
  while (!text.empty()) {
    const CodePoint point = decode_utf8(text);
    const int width = display_width(text.substr(0, point.length));
    if (used + width > columns - 1) break;
    out += text.substr(0, point.length);
    used += width;
    text.remove_prefix(point.length);
  }
  return columns > 0 ? out + "…" : out;
}

std::string cut_start_to(std::string_view text, int columns) {
  if (display_width(text) <= columns) return std::string(text);
  while (!text.empty() && display_width(text) > columns - 1) {
    text.remove_prefix(decode_utf8(text).length);
  }
  return "…" + std::string(text);
}

std::string table_text(std::vector<std::vector<std::string>> rows,
                       const std::vector<std::size_t>& right_aligned, int columns_max,
                       const std::vector<std::size_t>& cut_first) {
  std::vector<int> widths;
  for (auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()), 0);
    for (std::size_t i = 0; i < row.size(); ++i) {
      row[i] = visible_line(row[i]);
      widths[i] = std::max(widths[i], display_width(row[i]));
    }
  }
  int excess = 2 * (static_cast<int>(widths.size()) - 1) - columns_max;
  for (const int width : widths) excess += width;
  std::vector<std::size_t> all(widths.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  constexpr int kWord = 8;
  constexpr int kHint = 4;
  shrink(widths, cut_first, kWord, excess);
  shrink(widths, all, kWord, excess);
  shrink(widths, all, kHint, excess);
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const bool right =
          std::find(right_aligned.begin(), right_aligned.end(), i) != right_aligned.end();
      const std::string cell =
          display_width(row[i]) > widths[i] ? cut_to(row[i], widths[i]) : row[i];
      const std::string padding(static_cast<std::size_t>(widths[i] - display_width(cell)), ' ');
      if (i > 0) line += "  ";
      line += right ? padding + cell : cell + padding;
    }
    while (!line.empty() && line.back() == ' ') line.pop_back();
    out += line + "\n";
  }
  return out;
}

}  // namespace trialwright
