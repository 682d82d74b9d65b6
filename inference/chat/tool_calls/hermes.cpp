#include <algorithm>

#include "inference/chat/tool_calls/bracket_scan.h"
#include "inference/chat/tool_calls/call_reader.h"

namespace trialwright {

namespace {

constexpr std::string_view kOpen = "<tool_call>";
constexpr std::string_view kClose = "</tool_call>";
constexpr std::string_view kFence = "```";
constexpr std::string_view kSpace = " \t\r\n";
constexpr auto kNowhere = std::string_view::npos;

bool is_whole_call(std::string_view object) {
  const auto json = parse_json(object);
  return json && json->is_object() && json->contains("name") && (*json)["name"].is_string() &&
         json->contains("arguments") && (*json)["arguments"].is_object();
}

class HermesReader final : public CallReader {
 public:
  std::optional<std::size_t> step(std::string_view rest, bool is_whole, CallSink& sink) override {
    if (rest.starts_with(kOpen)) {
      has_tags_ = true;
      sink.hold_fences(false);
      return tagged_call(rest, is_whole, sink);
    }
    if (!has_tags_) {
      sink.hold_fences(true);
      if (is_behind_call_) return closing_fence(rest, is_whole);
      if (is_line_start_ && rest.front() == '{') return object(rest, is_whole, sink);
    }
    return text(rest, is_whole, sink);
  }

 private:
  /// A call and its tags. It goes up to its closing tag, to the next opening tag, or to the end. A
  /// closing tag inside a JSON string does not end it.
  std::optional<std::size_t> tagged_call(std::string_view rest, bool is_whole, CallSink& sink) {
    const std::size_t begin = kOpen.size();
    const std::size_t brace = rest.find_first_not_of(kSpace, begin);
    if (brace == kNowhere && !is_whole) return std::nullopt;
    std::size_t looked = begin;
    if (brace != kNowhere && rest[brace] == '{') {
      const auto end = scan_.end(rest, brace);
      if (!end && !is_whole) return std::nullopt;
      if (end) looked = *end;
    }
    const std::size_t close = rest.find(kClose, looked);
    const std::size_t next = rest.find(kOpen, looked);
    if (close == kNowhere && next == kNowhere && !is_whole) return std::nullopt;
    scan_.reset();
    if (close < next) {
      sink.add_call(rest.substr(begin, close - begin));
      return close + kClose.size();
    }
    // The closing tag is missing, which small models forget and a token limit cuts off.
    const std::size_t end = std::min(next, rest.size());
    sink.add_call(rest.substr(begin, end - begin));
    return end;
  }

  /// An object that starts a line: a call without its tags, as Qwen2.5-Coder writes them, usually
  /// in a fence of their own; or text.
  std::optional<std::size_t> object(std::string_view rest, bool is_whole, CallSink& sink) {
    const auto end = scan_.end(rest, 0);
    if (!end && !is_whole) return std::nullopt;
    scan_.reset();
    if (end && is_whole_call(rest.substr(0, *end))) {
      sink.drop_held();
      sink.add_call(rest.substr(0, *end));
      is_behind_call_ = true;
      return *end;
    }
    is_line_start_ = false;
    return text(rest, is_whole, sink);
  }

  std::optional<std::size_t> closing_fence(std::string_view rest, bool is_whole) {
    const std::size_t next = rest.find_first_not_of(kSpace);
    const std::string_view ahead = next == kNowhere ? std::string_view() : rest.substr(next);
    if (!is_whole && ahead.size() < kFence.size() && kFence.starts_with(ahead)) return std::nullopt;
    is_behind_call_ = false;
    return ahead.starts_with(kFence) ? next + kFence.size() : 0;
  }

  /// Text up to the next tag, or to the next object that starts a line.
  std::optional<std::size_t> text(std::string_view rest, bool is_whole, CallSink& sink) {
    std::size_t end = rest.size() - (is_whole ? 0 : partial_mark(rest, kOpen));
    end = std::min(end, rest.find(kOpen));
    if (!has_tags_) {
      const std::size_t line = rest.find("\n{");
      if (line != kNowhere) end = std::min(end, line + 1);
    }
    if (end == 0) return std::nullopt;
    sink.add_text(rest.substr(0, end));
    is_line_start_ = rest[end - 1] == '\n';
    return end;
  }

  bool has_tags_ = false;
  bool is_line_start_ = true;
  bool is_behind_call_ = false;  ///< One without tags.
  BracketScan scan_;
};

}  // namespace

std::unique_ptr<CallReader> hermes_reader() { return std::make_unique<HermesReader>(); }

}  // namespace trialwright
