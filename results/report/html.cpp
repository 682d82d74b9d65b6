#include "results/report/html.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <ctime>

#include "base/text.h"

namespace trialwright::html {

namespace {

/// A character that acts instead of showing: controls, marks of direction, invisible spaces, and
/// the tags of plane 14, in which text can be hidden.
bool is_odd(char32_t c) {
  return (c < 0x20 && c != '\n' && c != '\t') || (c >= 0x7f && c < 0xa0) || c == 0xad ||
         c == 0x61c || c == 0x180e || (c >= 0x200b && c <= 0x200f) ||
         (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
         (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe0fff);
}

std::string odd_name(char32_t c) {
  if (c == 0x1b) return "ESC";
  if (c == '\r') return "CR";
  std::array<char, 16> name{};
  std::snprintf(name.data(), name.size(), "U+%04X", static_cast<unsigned>(c));
  return name.data();
}

std::string escaped(std::string_view text, bool with_spans) {
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint c = decode_utf8(text.substr(i));
    const std::string_view bytes = text.substr(i, c.length);
    i += c.length;
    if (!c.valid) {
      out += "\xef\xbf\xbd";
    } else if (c.value == '&') {
      out += "&amp;";
    } else if (c.value == '<') {
      out += "&lt;";
    } else if (c.value == '>') {
      out += "&gt;";
    } else if (c.value == '"') {
      out += "&quot;";
    } else if (c.value == '\'') {
      out += "&#39;";
    } else if (c.value == '\r' && i < text.size() && text[i] == '\n') {
      // The line ends of Windows are nothing odd.
    } else if (is_odd(c.value)) {
      out += with_spans ? "<span class=\"odd\">" + odd_name(c.value) + "</span>"
                        : "[" + odd_name(c.value) + "]";
    } else {
      out += bytes;
    }
  }
  return out;
}

/// Where a text is cut so that about `lines` lines and `bytes` bytes come before, at the end of a
/// line if one is near, and never inside a code point.
std::size_t cut_after(std::string_view text, int lines, std::size_t bytes) {
  std::size_t end = 0;
  for (int line = 0; line < lines; ++line) {
    const std::size_t next = text.find('\n', end);
    if (next == std::string_view::npos) {
      end = text.size();
      break;
    }
    end = next + 1;
  }
  if (end <= bytes) return end;
  return bytes - incomplete_utf8_tail(text.substr(0, bytes));
}

std::string pre(std::string_view content) { return "<pre>" + text(content) + "</pre>"; }

}  // namespace

std::string text(std::string_view text) { return escaped(text, true); }

std::string text_start(std::string_view content, std::size_t bytes_max) {
  if (content.size() <= bytes_max) return text(content);
  const std::string_view start = content.substr(0, bytes_max);
  return text(start.substr(0, bytes_max - incomplete_utf8_tail(start))) + "…";
}

std::string attribute(std::string_view text) { return escaped(text, false); }

std::string element(std::string_view tag, std::string_view classes, std::string_view content) {
  std::string out = "<" + std::string(tag);
  if (!classes.empty()) out += " class=\"" + std::string(classes) + "\"";
  return out + ">" + std::string(content) + "</" + std::string(tag) + ">";
}

std::string block(std::string_view content, std::size_t bytes_max) {
  constexpr int kLinesShown = 24;
  constexpr std::size_t kBytesShown = 4000;
  if (content.empty()) return "<p class=\"empty\">nothing</p>";
  std::string note;
  if (content.size() > bytes_max) {
    const std::size_t kept = bytes_max - incomplete_utf8_tail(content.substr(0, bytes_max));
    note = "<p class=\"note\">" + bytes_text(static_cast<double>(content.size() - kept)) +
           " more are left out here.</p>";
    content = content.substr(0, kept);
  }
  const std::size_t shown = cut_after(content, kLinesShown, kBytesShown);
  // A few lines more are no reason to fold.
  if (cut_after(content, kLinesShown + 8, kBytesShown + 1000) >= content.size()) {
    return pre(content) + note;
  }
  const std::string_view rest = content.substr(shown);
  const auto lines = std::ranges::count(rest, '\n') + (rest.ends_with('\n') ? 0 : 1);
  return pre(content.substr(0, shown)) + "<details class=\"more\"><summary>" +
         counted(lines, "more line") + ", " + bytes_text(static_cast<double>(rest.size())) +
         "</summary>" + pre(rest) + "</details>" + note;
}

std::string verdict_words(Verdict verdict) { return name_words(verdict_name(verdict)); }

std::string missing() {
  return R"(<span class="verdict v-missing"><b aria-hidden="true">·</b> missing</span>)";
}

std::string fact(std::string_view name, std::string_view value) {
  return element("div", "", element("dt", "", name) + element("dd", "", value));
}

std::string verdict(Verdict verdict) {
  return "<span class=\"verdict v-" + std::string(verdict_name(verdict)) +
         "\"><b aria-hidden=\"true\">" + std::string(verdict_glyph(verdict)) + "</b> " +
         verdict_words(verdict) + "</span>";
}

std::string number(double value, int digits) {
  if (!std::isfinite(value)) return "–";
  std::array<char, 64> out{};
  std::snprintf(out.data(), out.size(), "%.*f", digits, std::clamp(value, -1e15, 1e15));
  return out.data();
}

std::string moment(std::int64_t microseconds) {
  const std::time_t seconds = microseconds / 1'000'000;
  std::tm utc{};
  std::array<char, 64> out{};
  if (gmtime_r(&seconds, &utc) == nullptr ||
      std::strftime(out.data(), out.size(), "%Y-%m-%d %H:%M:%S UTC", &utc) == 0) {
    return "–";
  }
  return out.data();
}

}  // namespace trialwright::html
