#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace trialwright {

/// Walks once through a JSON text, value by value, without building it up in memory: for large
/// texts with a form that is known, and for hostile ones. Time and memory are linear in the text.
///
/// After the first mistake it has failed for good: every call then gives nothing, and error() says
/// what was wrong. The text must outlive the cursor.
///
///   if (cursor.enter_object()) {
///     while (const auto key = cursor.next_key()) { ... read or skip exactly one value ... }
///   }
class JsonCursor {
 public:
  explicit JsonCursor(std::string_view text) : text_(text) {}

  /// Whether the value that comes next is of this kind; nothing is read.
  [[nodiscard]] bool at_object() { return comes('{'); }
  [[nodiscard]] bool at_array() { return comes('['); }
  [[nodiscard]] bool at_text() { return comes('"'); }
  [[nodiscard]] bool at_null() { return comes('n'); }

  /// Goes into the object or array that comes next; false, and failed, if it is something else.
  bool enter_object();
  bool enter_array();
  /// The next key of the innermost object, behind which its value comes; nothing at its end, which
  /// is then behind the cursor.
  std::optional<std::string> next_key();
  /// True if another element of the innermost array comes; false at its end.
  bool next_element();

  /// Reads the value that comes next. Failed if it is of another kind.
  std::optional<std::string> text();
  std::optional<std::int64_t> integer();
  std::optional<bool> boolean();
  /// Goes over a value of any kind; its text as it stands, checked to be well formed.
  std::string_view skip();

  /// True if the one value and the white space around it were all there was; failed otherwise.
  bool finish();
  [[nodiscard]] bool failed() const { return error_.has_value(); }
  /// Invalid: what was wrong, with the line and the number of the byte in the whole text.
  [[nodiscard]] const Error& error() const;
  /// Fails for a reason of the caller's, who expected something else here.
  void fail(std::string_view what);

 private:
  [[nodiscard]] char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void skip_space();
  bool comes(char first);
  bool enter(char open);
  bool next(char close);
  bool skip_string();
  bool skip_number();
  bool skip_word(std::string_view word);

  std::string_view text_;
  std::size_t at_ = 0;
  /// The closing bracket of every object and array that the cursor is in.
  std::string open_;
  bool first_ = false;  ///< Nothing of the innermost one was read yet.
  std::optional<Error> error_;
};

/// The members of an object by key, each value's text as it stands; later parsing sees only what is
/// asked for. Errors: Invalid, if the text is not one JSON object or names a key twice.
Result<std::map<std::string, std::string_view>> json_members(std::string_view text);

}  // namespace trialwright
