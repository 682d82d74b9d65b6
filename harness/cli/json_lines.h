#pragma once

#include <functional>
#include <string>

#include "base/json.h"

namespace trialwright {

/// Reads JSON Lines from a file, or from standard input if `path` is empty or "-", and writes what
/// `answer` makes of each value as a line on standard output. Empty lines are passed over.
///
/// Errors: NotFound; Invalid, naming the input, if it cannot be read, or the line of the first text
/// that is no JSON; as `answer`. Lines before it are answered already. It ends early, without an
/// error, where standard output has no reader any more.
Result<void> answer_json_lines(const std::string& path,
                               const std::function<Result<Json>(const Json&)>& answer);

}  // namespace trialwright
