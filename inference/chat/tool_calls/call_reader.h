#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

#include "inference/chat/tool_calls/call_sink.h"

namespace trialwright {

// The control tokens of the formats, as text.
inline constexpr std::string_view kPythonTag = "<|python_tag|>";
inline constexpr std::string_view kMistralCalls = "[TOOL_CALLS]";
inline constexpr std::string_view kMistralArgs = "[ARGS]";
inline constexpr std::string_view kMistralCallId = "[CALL_ID]";
inline constexpr std::string_view kHarmonyStart = "<|start|>";
inline constexpr std::string_view kHarmonyChannel = "<|channel|>";
inline constexpr std::string_view kHarmonyConstrain = "<|constrain|>";
inline constexpr std::string_view kHarmonyMessage = "<|message|>";
inline constexpr std::string_view kHarmonyEnd = "<|end|>";
inline constexpr std::string_view kHarmonyCall = "<|call|>";
inline constexpr std::string_view kHarmonyReturn = "<|return|>";

/// Reads one format. Remembers what of the message is behind it.
class CallReader {
 public:
  virtual ~CallReader() = default;

  /// Reads from the start of `rest`, which is not empty, what is so whatever follows, and tells the
  /// sink. How many bytes are done with, perhaps none after a change of mind; nothing if more of
  /// the message is needed, which is never so when it `is_whole`.
  virtual std::optional<std::size_t> step(std::string_view rest, bool is_whole, CallSink& sink) = 0;
};

std::unique_ptr<CallReader> hermes_reader();
std::unique_ptr<CallReader> llama3_reader();
std::unique_ptr<CallReader> mistral_reader();
std::unique_ptr<CallReader> harmony_reader();

/// The length of the longest end of `text` that `mark` may begin with, less than all of `mark`.
std::size_t partial_mark(std::string_view text, std::string_view mark);

}  // namespace trialwright
