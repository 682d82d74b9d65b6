#pragma once

#include <string_view>

#include "base/result.h"
#include "inference/constrain/expression.h"

namespace trialwright {

/// How deep groups of expressions and grammars may be nested.
inline constexpr int kGroupDepthMax = 100;

enum class RegexDialect {
  WholeText,   ///< The expression describes all of the text; classes as in RE2.
  JsonSchema,  ///< It is found somewhere in the text, unless ^ and $ say otherwise. Of classes that
               ///< RE2 and ECMA-262 draw differently, what both have.
};

/// Reads a regular expression: literals, `.`, classes, groups, `|`, `*`, `+`, `?`, `{m,n}`, `^` and
/// `$` at the ends of the outermost alternatives, and the escapes \d \w \s \D \W \S \t \n \r \f \v
/// \xHH \x{H} \uHHHH \u{H} and of punctuation. Classes are of ASCII.
/// Source: RE2, doc/syntax.txt; ECMA-262, section 22.2.1.
/// Errors: Invalid, with the byte, for what is wrong and for what no automaton can do (references,
/// looking around) or is not supported (flags, \b, \p, POSIX classes).
Result<Expression> parse_regex(std::string_view pattern, RegexDialect dialect);

}  // namespace trialwright
