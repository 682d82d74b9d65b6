#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace trialwright {

/// Reads a character's number in hexadecimal, `digits` of them or any in braces, and moves `at`
/// behind it. Nothing if there is none, or if it is a surrogate or above U+10FFFF.
std::optional<char32_t> read_hex_number(std::string_view text, std::size_t& at, int digits);

}  // namespace trialwright
