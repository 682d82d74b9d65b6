#include <algorithm>
#include <array>

#include "base/text.h"
#include "inference/chat/tool_calls/bracket_scan.h"
#include "inference/chat/tool_calls/call_reader.h"

namespace trialwright {

namespace {

constexpr std::string_view kSpace = " \t\r\n";
constexpr auto kNowhere = std::string_view::npos;

/// The marks that end what a channel says.
constexpr std::array kEnds = {kHarmonyEnd, kHarmonyCall, kHarmonyReturn, kHarmonyStart};

struct Mark {
  std::size_t begin = kNowhere;
  std::size_t size = 0;
};

Mark first_end(std::string_view text, std::size_t from) {
  Mark first;
  for (const std::string_view mark : kEnds) {
    const std::size_t at = text.find(mark, from);
    if (at < first.begin) first = {at, mark.size()};
  }
  return first;
}

std::size_t partial_end(std::string_view text) {
  std::size_t longest = 0;
  for (const std::string_view mark : kEnds) longest = std::max(longest, partial_mark(text, mark));
  return longest;
}

/// The word behind `mark` in a header; empty if it is not there.
std::string_view word_after(std::string_view header, std::string_view mark) {
  const std::size_t at = header.find(mark);
  if (at == kNowhere) return {};
  const std::string_view rest = header.substr(at + mark.size());
  return rest.substr(0, rest.find_first_of(" \t\r\n<"));
}

class HarmonyReader final : public CallReader {
 public:
  std::optional<std::size_t> step(std::string_view rest, bool is_whole, CallSink& sink) override {
    return is_in_header_ ? header(rest, is_whole, sink) : body(rest, is_whole, sink);
  }

 private:
  /// What comes before a message's text: to whom, on which channel. The template has written
  /// `<|start|>assistant` of the first one.
  std::optional<std::size_t> header(std::string_view rest, bool is_whole, CallSink& sink) {
    const std::size_t end = rest.find(kHarmonyMessage);
    if (end == kNowhere) {
      if (!is_whole) return std::nullopt;
      // A model that knows no channels has simply answered.
      if (is_first_ && rest.find("<|") == kNowhere) sink.add_text(rest);
      return rest.size();
    }
    const std::string_view head = rest.substr(0, end);
    const std::size_t begin = end + kHarmonyMessage.size();
    std::string_view recipient = word_after(head, "to=");
    constexpr std::string_view kFunctions = "functions.";
    if (recipient.starts_with(kFunctions)) {
      recipient.remove_prefix(kFunctions.size());
      return call(rest, begin, recipient, is_whole, sink);
    }
    is_first_ = false;
    is_in_header_ = false;
    is_text_ = recipient.empty() && word_after(head, kHarmonyChannel) == "final";
    return begin;
  }

  std::optional<std::size_t> call(std::string_view rest, std::size_t begin, std::string_view name,
                                  bool is_whole, CallSink& sink) {
    const std::size_t brace = rest.find_first_not_of(kSpace, begin);
    std::size_t looked = begin;
    if (brace != kNowhere && rest[brace] == '{') {
      const auto end = scan_.end(rest, brace);
      if (!end && !is_whole) return std::nullopt;
      if (end) looked = *end;
    }
    const Mark end = first_end(rest, looked);
    if (end.begin == kNowhere && !is_whole) return std::nullopt;
    scan_.reset();
    is_first_ = false;
    const std::size_t arguments_end = std::min(end.begin, rest.size());
    if (name.empty()) {
      sink.add_error("The tool call has no name; write to=functions.TOOL before <|message|>{…}.");
    } else {
      sink.add_call(name, rest.substr(begin, arguments_end - begin));
    }
    return arguments_end + end.size;
  }

  std::optional<std::size_t> body(std::string_view rest, bool is_whole, CallSink& sink) {
    const Mark end = first_end(rest, 0);
    if (end.begin == 0) {
      is_in_header_ = true;
      return end.size;
    }
    const std::size_t sure = rest.size() - (is_whole ? 0 : partial_end(rest));
    const std::size_t size = std::min(sure, end.begin);
    if (size == 0) return std::nullopt;
    if (is_text_) sink.add_text(rest.substr(0, size));
    return size;
  }

  bool is_first_ = true;  ///< Nothing was read yet.
  bool is_in_header_ = true;
  bool is_text_ = false;  ///< Of the body: it is for the user.
  BracketScan scan_;
};

}  // namespace

std::unique_ptr<CallReader> harmony_reader() { return std::make_unique<HarmonyReader>(); }

}  // namespace trialwright
