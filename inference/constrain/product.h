#pragma once

#include <memory>
#include <span>
#include <vector>

#include "inference/constrain/automaton_builder.h"

namespace trialwright {

/// Appends the texts that are in all of `wanted`, at least one grammar, and in none of `unwanted`.
/// The grammars call no rules and name no special tokens.
/// Errors: Invalid if that needs too many states.
Result<StateId> append_product(AutomatonBuilder& builder, StateId from,
                               std::span<const std::shared_ptr<const Grammar>> wanted,
                               std::span<const std::shared_ptr<const Grammar>> unwanted);

}  // namespace trialwright
