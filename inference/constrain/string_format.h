#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trialwright {

/// A regular expression (RegexDialect::WholeText) of the strings that have a format of JSON Schema;
/// nothing for a format that we do not have. Each describes common forms only, never a string that
/// does not have the format.
std::optional<std::string> format_pattern(std::string_view format);

/// The formats that there are, for messages.
std::vector<std::string> format_names();

}  // namespace trialwright
