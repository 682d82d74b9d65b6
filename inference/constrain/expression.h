#pragma once

#include <limits>
#include <string_view>
#include <vector>

#include "inference/constrain/automaton_builder.h"
#include "inference/constrain/char_set.h"

namespace trialwright {

/// What may be written at one place of a regular expression or of a grammar's rule.
struct Expression {
  enum class Kind {
    Chars,     ///< One character of `chars`.
    Sequence,  ///< All `parts`, one after the other; none of them is the empty text.
    Choice,    ///< One of `parts`.
    Repeat,    ///< The only part, `min` to `max` times.
    Call,      ///< What `rule` describes.
  };
  static constexpr std::uint32_t kUnbounded = std::numeric_limits<std::uint32_t>::max();

  Kind kind = Kind::Sequence;
  CharSet chars;
  std::vector<Expression> parts;
  std::uint32_t min = 0;
  std::uint32_t max = 0;
  RuleId rule = 0;

  static Expression one_of(CharSet chars);
  static Expression sequence(std::vector<Expression> parts);
  static Expression choice(std::vector<Expression> parts);
  static Expression repeat(Expression part, std::uint32_t min, std::uint32_t max);
  static Expression call(RuleId rule);
};

/// How characters become bytes.
enum class Spelling {
  Plain,         ///< As UTF-8.
  InJsonString,  ///< As JSON writes them inside a string, each in one way: `\"`, `\\`, `\n` and so
                 ///< on for what has a short escape, `\u00xx` for other control characters, UTF-8
                 ///< for all the rest.
};

/// Appends what the expression describes; the state in which it ends.
StateId append(AutomatonBuilder& builder, StateId from, const Expression& expression,
               Spelling spelling);

/// Appends one character of the set.
StateId append_char(AutomatonBuilder& builder, StateId from, const CharSet& chars,
                    Spelling spelling);

}  // namespace trialwright
