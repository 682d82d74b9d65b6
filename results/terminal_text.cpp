#include "results/terminal_text.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>

#include "base/check.h"
#include "base/text.h"

namespace trialwright {

namespace {

struct Range {
  char32_t first;
  char32_t last;
};

constexpr std::array<Range, 9> kZeroWidth = {{{0x0300, 0x036F},
                                              {0x0483, 0x0489},
                                              {0x0591, 0x05BD},
                                              {0x0610, 0x061A},
                                              {0x064B, 0x065F},
                                              {0x1AB0, 0x1AFF},
                                              {0x1DC0, 0x1DFF},
                                              {0x20D0, 0x20FF},
                                              {0xFE00, 0xFE2F}}};
constexpr std::array<Range, 42> kWide = {
    {{0x1100, 0x115F},   {0x231A, 0x231B},  {0x23E9, 0x23EC}, {0x23F0, 0x23F0}, {0x23F3, 0x23F3},
     {0x25FD, 0x25FE},   {0x2614, 0x2615},  {0x2648, 0x2653}, {0x267F, 0x267F}, {0x2693, 0x2693},
     {0x26A1, 0x26A1},   {0x26AA, 0x26AB},  {0x26BD, 0x26BE}, {0x26C4, 0x26C5}, {0x26CE, 0x26CE},
     {0x26D4, 0x26D4},   {0x26EA, 0x26EA},  {0x26F2, 0x26F3}, {0x26F5, 0x26F5}, {0x26FA, 0x26FA},
     {0x26FD, 0x26FD},   {0x2705, 0x2705},  {0x270A, 0x270B}, {0x2728, 0x2728}, {0x274C, 0x274C},
     {0x274E, 0x274E},   {0x2753, 0x2755},  {0x2757, 0x2757}, {0x2795, 0x2797}, {0x27B0, 0x27B0},
     {0x27BF, 0x27BF},   {0x2B1B, 0x2B1C},  {0x2B50, 0x2B50}, {0x2E80, 0x303E}, {0x3041, 0xA4CF},
     {0xA960, 0xA97C},   {0xAC00, 0xD7A3},  {0xF900, 0xFAFF}, {0xFE30, 0xFE6F}, {0xFF00, 0xFF60},
     {0x1F300, 0x1FAFF}, {0x20000, 0x3FFFD}}};
/// Invisible, or able to make text look like other text.
constexpr std::array<Range, 8> kDeceiving = {{{0x00AD, 0x00AD},
                                              {0x061C, 0x061C},
                                              {0x180E, 0x180E},
                                              {0x200B, 0x200F},
                                              {0x2028, 0x202E},
                                              {0x2060, 0x206F},
                                              {0xFEFF, 0xFEFF},
                                              {0xE0000, 0xE0FFF}}};

template <std::size_t kCount>
bool is_in(const std::array<Range, kCount>& ranges, char32_t c) {
  return std::ranges::any_of(ranges, [c](Range r) { return c >= r.first && c <= r.last; });
}

int width_of(char32_t c) {
  if (c < 0x300) return 1;
  if (is_in(kZeroWidth, c)) return 0;
  return is_in(kWide, c) ? 2 : 1;
}

std::string_view code_of(Colour colour) {
  switch (colour) {
    case Colour::Plain:
      return "";
    case Colour::Bold:
      return "\033[1m";
    case Colour::Dim:
      return "\033[2m";
    case Colour::Green:
      return "\033[32m";
    case Colour::Red:
      return "\033[31m";
    case Colour::Yellow:
      return "\033[33m";
    case Colour::Blue:
      return "\033[34m";
    case Colour::Cyan:
      return "\033[36m";
  }
  CHECK(false, "every colour has a code");
}

/// How long the escape sequence (CSI) at the start of `text` is; 0 if there is none.
std::size_t escape_length(std::string_view text) {
  if (!text.starts_with("\033[")) return 0;
  std::size_t end = 2;
  while (end < text.size() && (text[end] < '@' || text[end] > '~')) ++end;
  return std::min(end + 1, text.size());
}

std::string escaped(const char* format, unsigned value) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), format, value);
  return text.data();
}

void append_visible(std::string& out, const CodePoint& point, std::string_view bytes, int column) {
  constexpr int kTab = 4;
  const char32_t c = point.value;
  if (!point.valid) {
    out += escaped("\\x%02x", static_cast<unsigned char>(bytes[0]));
  } else if (c == '\n') {
    out += '\n';
  } else if (c == '\t') {
    out.append(static_cast<std::size_t>(kTab - column % kTab), ' ');
  } else if (c == '\r') {
    out += "\\r";
  } else if (c < 0x20 || (c >= 0x7F && c < 0xA0)) {
    out += escaped("\\x%02x", static_cast<unsigned>(c));
  } else if (is_in(kDeceiving, c)) {
    out += escaped("\\u{%x}", static_cast<unsigned>(c));
  } else {
    out += bytes;
  }
}

/// One line without newlines, cut into pieces.
void wrap_line(std::string_view line, int width, std::vector<std::string>& lines) {
  while (true) {
    std::size_t at = 0;
    int column = 0;
    std::size_t last_space = std::string_view::npos;
    while (at < line.size()) {
      const CodePoint point = decode_utf8(line.substr(at));
      const int next = column + width_of(point.value);
      if (next > width) break;
      if (point.value == ' ' && line.find_first_not_of(' ') < at) last_space = at;
      column = next;
      at += point.length;
    }
    if (at == line.size()) break;
    if (line[at] == ' ') last_space = at;
    const std::size_t cut = last_space == std::string_view::npos ? at : last_space;
    lines.emplace_back(line.substr(0, cut));
    // The space that the break takes the place of is not shown.
    line.remove_prefix(last_space == std::string_view::npos ? cut : cut + 1);
  }
  lines.emplace_back(line);
}

}  // namespace

std::string painted(std::string_view text, Colour colour) {
  if (colour == Colour::Plain) return std::string(text);
  return std::string(code_of(colour)) + std::string(text) + "\033[0m";
}

Colour verdict_colour(Verdict verdict) {
  switch (verdict) {
    case Verdict::Passed:
      return Colour::Green;
    case Verdict::Failed:
      return Colour::Red;
    case Verdict::Limit:
      return Colour::Yellow;
    case Verdict::Infra:
    case Verdict::GraderError:
    case Verdict::Invalid:
      return Colour::Blue;
    case Verdict::Skipped:
      return Colour::Dim;
  }
  CHECK(false, "every verdict has a colour");
}

std::string visible_text(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  std::size_t line_start = 0;
  while (!text.empty()) {
    const CodePoint point = decode_utf8(text);
    const auto column = static_cast<int>(out.size() - line_start);
    append_visible(out, point, text.substr(0, point.length), column);
    if (point.value == '\n') line_start = out.size();
    text.remove_prefix(point.length);
  }
  return out;
}

std::string visible_line(std::string_view text) {
  std::string out = visible_text(text);
  std::ranges::replace(out, '\n', ' ');
  return out;
}

int display_width(std::string_view text) {
  int width = 0;
  while (!text.empty()) {
    if (const std::size_t escape = escape_length(text); escape > 0) {
      text.remove_prefix(escape);
      continue;
    }
    const CodePoint point = decode_utf8(text);
    width += width_of(point.value);
    text.remove_prefix(point.length);
  }
  return width;
}

std::vector<std::string> wrapped(std::string_view text, int width) {
  CHECK(width >= 2, "a wide character takes two columns");
  std::vector<std::string> lines;
  if (text.empty()) return lines;
  for (const std::string_view line : split(text, '\n')) wrap_line(line, width, lines);
  return lines;
}

}  // namespace trialwright
