#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/result.h"

namespace trialwright {

/// JSON whose objects keep the order of their keys.
using Json = nlohmann::ordered_json;

/// How deep a value from outside may be nested, so that hostile input cannot exhaust the stack.
inline constexpr int kJsonDepthMax = 128;
/// And one that we wrote, with a value from outside somewhere inside it.
inline constexpr int kOwnJsonDepthMax = 512;
/// How many members an object may have where a stranger sends it. An object with its keys in order
/// looks each new key up among those before it, so its time grows with the square of their number.
inline constexpr std::size_t kStrangersMembersMax = 4096;

/// Reads one JSON value. Errors: Invalid, with the line and the number of the byte in the whole
/// text, or because the value is nested deeper than `depth_max` or one of its objects has more than
/// `members_max` members.
Result<Json> parse_json(std::string_view text, int depth_max = kJsonDepthMax,
                        std::size_t members_max = SIZE_MAX);

/// One line of JSON; ill-formed UTF-8 becomes U+FFFD.
std::string to_text(const Json& json);

/// Typed access to the fields of an object. The error names the field:
/// `field "id" must be a string`.
Result<std::string> string_field(const Json& object, std::string_view key);
Result<std::string> string_field_or(const Json& object, std::string_view key,
                                    std::string_view otherwise);
Result<std::int64_t> int_field_or(const Json& object, std::string_view key, std::int64_t otherwise);
Result<double> number_field_or(const Json& object, std::string_view key, double otherwise);
Result<bool> bool_field_or(const Json& object, std::string_view key, bool otherwise);

}  // namespace trialwright
