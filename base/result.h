#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/check.h"

namespace trialwright {

/// Who can put a failure right. The command line turns it into an exit code.
enum class ErrorKind {
  Invalid,      ///< The input or configuration is wrong; the person who wrote it can mend it.
  NotFound,     ///< A named thing does not exist.
  Unavailable,  ///< The world failed: disk, network, sandbox, memory. Trying again may help.
  Integrity,    ///< Stored data is not what was written.
  Cancelled,    ///< Somebody asked us to stop.
};

/// What went wrong, as one sentence that reads from the outside in.
struct Error {
  ErrorKind kind = ErrorKind::Invalid;
  std::string message;

  /// The same error with the step it happened in put in front: `step: message`.
  [[nodiscard]] Error during(std::string_view step) const {
    return Error{kind, std::string(step) + ": " + message};
  }
};

inline Error invalid(std::string message) { return {ErrorKind::Invalid, std::move(message)}; }
inline Error not_found(std::string message) { return {ErrorKind::NotFound, std::move(message)}; }
inline Error unavailable(std::string message) {
  return {ErrorKind::Unavailable, std::move(message)};
}
inline Error integrity(std::string message) { return {ErrorKind::Integrity, std::move(message)}; }
inline Error cancelled(std::string message) { return {ErrorKind::Cancelled, std::move(message)}; }

/// A value, or the reason why there is none.
///
/// What the world does wrong travels as a Result; what we do wrong is a CHECK.
template <typename T>
class [[nodiscard]] Result {
 public:
  // Not explicit: a value is a Result, and so is an error.
  Result(T value) : content_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : content_(std::in_place_index<1>, std::move(error)) {}

  explicit operator bool() const { return content_.index() == 0; }

  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(value()); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  [[nodiscard]] const Error& error() const {
    CHECK(content_.index() == 1, "asked a success for its error");
    return std::get<1>(content_);
  }

 private:
  T& value() {
    CHECK(content_.index() == 0, "asked a failure for its value");
    return std::get<0>(content_);
  }
  const T& value() const {
    CHECK(content_.index() == 0, "asked a failure for its value");
    return std::get<0>(content_);
  }

  std::variant<T, Error> content_;
};

/// Success without a value, or the reason for the failure. `return {};` is success.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // Not explicit, as above.

  explicit operator bool() const { return !error_.has_value(); }
  [[nodiscard]] const Error& error() const {
    CHECK(error_.has_value(), "asked a success for its error");
    return *error_;
  }

 private:
  std::optional<Error> error_;
};

}  // namespace trialwright
