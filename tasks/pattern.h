#pragma once

#include <memory>
#include <string_view>

#include "base/result.h"

namespace re2 {
class RE2;
}

namespace trialwright {

/// A pattern of a task's author, to be held against what models write: RE2, which takes time linear
/// in the text, so no answer can keep it busy. Errors: Invalid, saying what is wrong with it; also
/// if it needs more than 1 MiB when compiled.
Result<std::shared_ptr<const re2::RE2>> compile_pattern(std::string_view pattern);

}  // namespace trialwright
