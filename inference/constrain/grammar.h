#pragma once

#include <memory>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "inference/constrain/automaton.h"

namespace trialwright {

/// Which texts are right: compiled once, then shared by everything that is matched against it.
///
/// Immutable; any thread. docs/constrained-decoding.md says what can be compiled.
class Grammar {
 public:
  explicit Grammar(Automaton automaton) : automaton_(std::move(automaton)) {}

  [[nodiscard]] const Automaton& automaton() const { return automaton_; }

 private:
  Automaton automaton_;
};

/// The JSON texts that a schema describes: properties in the order of the schema, at most one space
/// after ":" and ",", no other white space.
/// Errors: Invalid, with the place as a JSON pointer (`#/properties/age: ...`), for a schema that
/// is wrong, that no text satisfies, that has a keyword which restricts and is not supported, or
/// whose automaton would be too large.
Result<std::shared_ptr<const Grammar>> compile_json_schema(const Json& schema);

/// The texts that a regular expression describes as a whole.
/// Errors: Invalid, with the byte of the expression.
Result<std::shared_ptr<const Grammar>> compile_regex(std::string_view pattern);

/// The texts of the rule `root` of a grammar in llama.cpp's notation.
/// Source: llama.cpp, grammars/README.md.
/// Errors: Invalid, with the line, or with the rules of a left recursion.
Result<std::shared_ptr<const Grammar>> compile_gbnf(std::string_view text);

}  // namespace trialwright
