#pragma once

#include <memory>
#include <string>

#include "base/json.h"
#include "base/result.h"

namespace trialwright {

/// A JSON Schema (draft 7), ready to be held against values. Its patterns are RE2's, so look-ahead
/// and back references are refused and an answer cannot make them slow.
///
/// One thread at a time.
class AnswerSchema {
 public:
  /// Errors: Invalid if it is no schema, refers to another document, or refers to itself in a way
  /// that never ends.
  static Result<AnswerSchema> compile(const Json& schema);

  AnswerSchema(AnswerSchema&&) noexcept;
  AnswerSchema& operator=(AnswerSchema&&) noexcept;
  ~AnswerSchema();

  /// Success, or what is wrong with the value: the first breach, with its place.
  /// Errors: Invalid.
  [[nodiscard]] Result<void> check(const Json& value) const;

 private:
  struct Compiled;
  explicit AnswerSchema(std::unique_ptr<Compiled> compiled);
  std::unique_ptr<Compiled> compiled_;
};

}  // namespace trialwright
