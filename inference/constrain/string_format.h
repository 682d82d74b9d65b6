#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trialwright {

/// A regular expression (RegexDialect::WholeText) of the strings that have a format of JSON Schema;
/// nothing for a format that we do not have. Each describes common forms only; how long the parts
/// of a host's name are is not counted.
std::optional<std::string> format_pattern(std::string_view format);

/// The formats that there are, for messages.
std::vector<std::string> format_names();

}  // namespace trialwright
