#include <algorithm>

#include "base/text.h"
#include "inference/chat/tool_calls/bracket_scan.h"
#include "inference/chat/tool_calls/call_reader.h"

namespace trialwright {

namespace {

constexpr std::string_view kSpace = " \t\r\n";
constexpr auto kNowhere = std::string_view::npos;

/// A name is missing: the marks behind it come at once.
bool starts_with_mark(std::string_view call) {
  return call.starts_with(kMistralArgs) || call.starts_with(kMistralCallId);
}

/// The same may become so.
bool begins_mark(std::string_view call) {
  return (call.size() < kMistralArgs.size() && kMistralArgs.starts_with(call)) ||
         kMistralCallId.starts_with(call);
}

class MistralReader final : public CallReader {
 public:
  std::optional<std::size_t> step(std::string_view rest, bool is_whole, CallSink& sink) override {
    if (is_in_list_) return list(rest, is_whole, sink);
    if (!rest.starts_with(kMistralCalls)) return text(rest, is_whole, sink);
    const std::size_t begin = rest.find_first_not_of(kSpace, kMistralCalls.size());
    if (begin == kNowhere) {
      if (!is_whole) return std::nullopt;
      sink.add_call("");
      return rest.size();
    }
    const std::string_view call = rest.substr(begin);
    if (!is_whole && call.size() < kMistralCallId.size() && begins_mark(call)) return std::nullopt;
    if (rest[begin] == '[' && !starts_with_mark(call)) {
      is_in_list_ = true;
      return begin + 1;
    }
    return named_call(rest, begin, is_whole, sink);
  }

 private:
  std::optional<std::size_t> text(std::string_view rest, bool is_whole, CallSink& sink) {
    const std::size_t sure = rest.size() - (is_whole ? 0 : partial_mark(rest, kMistralCalls));
    const std::size_t end = std::min(sure, rest.find(kMistralCalls));
    if (end == 0) return std::nullopt;
    sink.add_text(rest.substr(0, end));
    return end;
  }

  /// One object of a list, or its end.
  std::optional<std::size_t> list(std::string_view rest, bool is_whole, CallSink& sink) {
    const std::size_t begin = rest.find_first_not_of(", \t\r\n");
    if (begin == kNowhere) return is_whole ? std::optional(rest.size()) : std::nullopt;
    if (rest[begin] == ']') {
      is_in_list_ = false;
      return begin + 1;
    }
    if (rest[begin] == '{') {
      if (const auto end = scan_.end(rest, begin)) {
        scan_.reset();
        sink.add_call(rest.substr(begin, *end - begin));
        return *end;
      }
    }
    if (!is_whole) return std::nullopt;
    sink.add_call(trimmed(rest.substr(begin)));
    return rest.size();
  }

  /// NAME[ARGS]{…} behind the mark; what stands there up to the next mark if it is something else.
  std::optional<std::size_t> named_call(std::string_view rest, std::size_t begin, bool is_whole,
                                        CallSink& sink) {
    const std::size_t next = rest.find(kMistralCalls, begin);
    const std::size_t mark = rest.find(kMistralArgs, begin);
    if (mark == kNowhere && next == kNowhere && !is_whole) return std::nullopt;
    const std::size_t call_end = std::min(next, rest.size());
    if (mark >= call_end) {
      sink.add_error("The tool call cannot be read; write [TOOL_CALLS]TOOL[ARGS]{…}.");
      return call_end;
    }
    const std::string_view head = rest.substr(begin, mark - begin);
    const std::string_view name = trimmed(head.substr(0, head.find(kMistralCallId)));
    const auto end = end_of_arguments(rest, mark + kMistralArgs.size(), is_whole);
    if (!end) return std::nullopt;
    scan_.reset();
    if (name.empty()) {
      sink.add_error("The tool call has no name; write [TOOL_CALLS]TOOL[ARGS]{…}.");
    } else {
      const std::size_t arguments = mark + kMistralArgs.size();
      sink.add_call(name, rest.substr(arguments, *end - arguments));
    }
    return *end;
  }

  std::optional<std::size_t> end_of_arguments(std::string_view rest, std::size_t from,
                                              bool is_whole) {
    const std::size_t brace = rest.find_first_not_of(kSpace, from);
    if (brace != kNowhere && rest[brace] == '{') {
      const auto end = scan_.end(rest, brace);
      if (end || !is_whole) return end;
    }
    const std::size_t next = rest.find(kMistralCalls, from);
    if (next == kNowhere && !is_whole) return std::nullopt;
    return std::min(next, rest.size());
  }

  bool is_in_list_ = false;
  BracketScan scan_;
};

}  // namespace

std::unique_ptr<CallReader> mistral_reader() { return std::make_unique<MistralReader>(); }

}  // namespace trialwright
