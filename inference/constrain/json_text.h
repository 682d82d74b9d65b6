#pragma once

#include <optional>
#include <span>
#include <string>

#include "base/json.h"
#include "inference/constrain/automaton_builder.h"
#include "inference/constrain/expression.h"

namespace trialwright {

/// How many digits numbers have at most: before the point, after it, and in the exponent. Models
/// that have lost their way write digits for ever; and every such number fits in a double.
inline constexpr std::uint32_t kIntegerDigitsMax = 18;
inline constexpr std::uint32_t kFractionDigitsMax = 18;
inline constexpr std::uint32_t kExponentDigitsMax = 2;

/// Numbers between two limits, both included. Nothing is no limit.
struct IntegerRange {
  std::optional<std::int64_t> min;
  std::optional<std::int64_t> max;
};

/// The parts JSON texts are made of, appended to one automaton; rules that recur are made once.
///
/// White space is written after ":" and ",", one space or none.
class JsonText {
 public:
  explicit JsonText(AutomatonBuilder& builder) : builder_(builder) {}

  AutomatonBuilder& builder() { return builder_; }

  /// Any JSON value.
  StateId value(StateId from);
  StateId object(StateId from);
  StateId array(StateId from);
  /// Any string, with all the escapes of JSON; what they name is well-formed Unicode.
  StateId string(StateId from);
  /// A string with this content; characters are written in one way each (Spelling::InJsonString).
  StateId string(StateId from, const Expression& content);
  StateId integer(StateId from);
  /// At most kIntegerDigitsMax digits, whatever the range.
  StateId integer(StateId from, const IntegerRange& range);
  StateId number(StateId from);
  /// Without exponent where there is a limit.
  StateId number(StateId from, const IntegerRange& range);
  /// Exactly this value, with the usual space where models may leave it out.
  StateId constant(StateId from, const Json& value);
  /// A property's name and what comes before its value.
  StateId key(StateId from, std::string_view name);
  StateId colon(StateId from);
  StateId comma(StateId from);

 private:
  StateId optional_space(StateId from);
  RuleId any_value_rule();
  StateId digits(StateId from, std::uint32_t min, std::uint32_t max);
  StateId natural(StateId from, std::int64_t min, std::int64_t max);
  void fraction(StateId from, StateId to);

  AutomatonBuilder& builder_;
  std::optional<RuleId> value_;
  std::optional<RuleId> string_;
  std::optional<RuleId> integer_;
  std::optional<RuleId> number_;
};

}  // namespace trialwright
