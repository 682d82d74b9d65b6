#include <algorithm>

#include "base/text.h"
#include "inference/chat/tool_calls/bracket_scan.h"
#include "inference/chat/tool_calls/call_reader.h"

namespace trialwright {

namespace {

constexpr std::string_view kEndOfMessage = "<|eom_id|>";
constexpr std::string_view kSpace = " \t\r\n";
constexpr std::string_view kSeparators = ";, \t\r\n";
constexpr auto kNowhere = std::string_view::npos;

bool has(std::string_view text, std::string_view part) { return text.find(part) != kNowhere; }

/// True if an object, or the start of one, means to be a call.
bool looks_like_call(std::string_view object) {
  return has(object, "\"name\"") && (has(object, "\"parameters\"") || has(object, "\"arguments\""));
}

class Llama3Reader final : public CallReader {
 public:
  std::optional<std::size_t> step(std::string_view rest, bool is_whole, CallSink& sink) override {
    switch (place_) {
      case Place::Start:
        return start(rest, is_whole, sink);
      case Place::Text:
        return text(rest, is_whole, sink);
      case Place::Calls:
        return calls(rest, is_whole, sink);
    }
    CHECK(false, "every place is read");
  }

 private:
  enum class Place { Start, Text, Calls };

  /// A message that begins with a call is all calls.
  std::optional<std::size_t> start(std::string_view rest, bool is_whole, CallSink& sink) {
    const std::size_t begin = rest.find_first_not_of(kSpace);
    if (begin == kNowhere && !is_whole) return std::nullopt;
    place_ = Place::Text;
    if (begin == kNowhere || rest[begin] != '{') return 0;
    const auto end = scan_.end(rest, begin);
    if (!end && !is_whole) {
      place_ = Place::Start;
      return std::nullopt;
    }
    scan_.reset();
    const std::string_view object = rest.substr(begin, end.value_or(rest.size()) - begin);
    if (!looks_like_call(object) || (!end && has(object, kPythonTag))) return 0;
    place_ = Place::Calls;
    sink.add_call(trimmed(object));
    return begin + object.size();
  }

  std::optional<std::size_t> text(std::string_view rest, bool is_whole, CallSink& sink) {
    if (rest.starts_with(kPythonTag)) {
      const std::string_view call = trimmed(rest.substr(kPythonTag.size()));
      if (call.empty() && !is_whole) return std::nullopt;
      place_ = Place::Calls;
      if (call.empty()) sink.add_call("");
      return kPythonTag.size();
    }
    const std::size_t sure = rest.size() - (is_whole ? 0 : partial_mark(rest, kPythonTag));
    const std::size_t end = std::min(sure, rest.find(kPythonTag));
    if (end == 0) return std::nullopt;
    sink.add_text(rest.substr(0, end));
    return end;
  }

  /// One JSON object after the other, with ";" between them.
  std::optional<std::size_t> calls(std::string_view rest, bool is_whole, CallSink& sink) {
    const std::size_t begin = rest.find_first_not_of(kSeparators);
    if (begin == kNowhere) return is_whole ? std::optional(rest.size()) : std::nullopt;
    if (rest[begin] == '{') {
      if (const auto end = scan_.end(rest, begin)) {
        scan_.reset();
        sink.add_call(rest.substr(begin, *end - begin));
        return *end;
      }
    }
    if (!is_whole) return std::nullopt;
    std::string_view last = trimmed(rest.substr(begin));
    if (last.ends_with(kEndOfMessage)) last.remove_suffix(kEndOfMessage.size());
    if (!last.empty()) sink.add_call(last);
    return rest.size();
  }

  Place place_ = Place::Start;
  BracketScan scan_;
};

}  // namespace

std::unique_ptr<CallReader> llama3_reader() { return std::make_unique<Llama3Reader>(); }

}  // namespace trialwright
