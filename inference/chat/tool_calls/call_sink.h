#pragma once

#include <string>
#include <string_view>

#include "inference/chat/tool_call_format.h"

namespace trialwright {

/// Where a reader puts what it finds, in the order of the message.
///
/// White space around the text as a whole is dropped, so what may be its end is held back.
class CallSink {
 public:
  CallSink(ToolCallFormat format, std::size_t first_number, ToolCallStream::Listener listener);

  void add_text(std::string_view text);
  /// A text that is nobody's business to trim.
  void add_verbatim(std::string_view text);
  /// A call as one JSON object with its name and arguments.
  void add_call(std::string_view object);
  /// A call whose name stands outside its arguments, a JSON object.
  void add_call(std::string_view name, std::string_view arguments);
  void add_error(std::string sentence) { parsed_.errors.push_back(std::move(sentence)); }

  /// From now on a fence, ``` or ```json, is held back like white space: it may belong to a call.
  void hold_fences(bool hold) { holds_fences_ = hold; }
  /// A call follows that white space, and a fence, in front of it belong to.
  void drop_held() { held_.clear(); }
  /// The message is over.
  void finish();

  [[nodiscard]] const ParsedToolCalls& parsed() const { return parsed_; }

 private:
  [[nodiscard]] std::size_t held_size() const;
  void show(std::string_view text);
  void add(ToolCall call);

  ToolCallFormat format_;
  std::size_t first_number_;
  ToolCallStream::Listener listener_;
  bool holds_fences_ = false;
  std::string held_;  ///< Text that may yet be dropped.
  ParsedToolCalls parsed_;
};

}  // namespace trialwright
