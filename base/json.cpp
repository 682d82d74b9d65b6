#include "base/json.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

namespace trialwright {

namespace {

/// What is too much about the text: brackets outside strings that nest deeper than `depth_max`, or
/// more than `members_max` colons between two of them. Looked at before parsing, because values are
/// destroyed recursively and members are looked up one by one.
std::optional<Error> excess(std::string_view text, int depth_max, std::size_t members_max) {
  std::vector<std::size_t> members;  // Of each value that is open.
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (std::cmp_greater_equal(members.size(), depth_max)) {
        return invalid("JSON is nested too deeply");
      }
      members.push_back(0);
    } else if ((c == ']' || c == '}') && !members.empty()) {
      members.pop_back();
    } else if (c == ':' && !members.empty() && ++members.back() > members_max) {
      return invalid("a JSON object has more than " + std::to_string(members_max) + " members");
    }
  }
  return std::nullopt;
}

const Json* find(const Json& object, std::string_view key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(std::string(key));
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

Error wrong_type(std::string_view key, std::string_view type) {
  return invalid("field \"" + std::string(key) + "\" must be " + std::string(type));
}

}  // namespace

Result<Json> parse_json(std::string_view text, int depth_max, std::size_t members_max) {
  if (auto error = excess(text, depth_max, members_max)) return *std::move(error);
  try {
    return Json::parse(text);
  } catch (const nlohmann::json::parse_error& error) {
    const std::size_t end = std::min<std::size_t>(error.byte, text.size());
    const auto line =
        1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(end), '\n');
    return invalid("not valid JSON at line " + std::to_string(line) + ", byte " +
                   std::to_string(error.byte));
  } catch (const nlohmann::json::exception& error) {
    // Numbers out of range and the like.
    return invalid(std::string("not valid JSON: ") + error.what());
  }
}

std::string to_text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<std::string> string_field(const Json& object, std::string_view key) {
  const Json* value = find(object, key);
  if (value == nullptr) return invalid("field \"" + std::string(key) + "\" is missing");
  if (!value->is_string()) return wrong_type(key, "a string");
  return value->get<std::string>();
}

Result<std::string> string_field_or(const Json& object, std::string_view key,
                                    std::string_view otherwise) {
  const Json* value = find(object, key);
  if (value == nullptr) return std::string(otherwise);
  if (!value->is_string()) return wrong_type(key, "a string");
  return value->get<std::string>();
}

Result<std::int64_t> int_field_or(const Json& object, std::string_view key,
                                  std::int64_t otherwise) {
  const Json* value = find(object, key);
  if (value == nullptr) return otherwise;
  if (!value->is_number_integer()) return wrong_type(key, "a whole number");
  return value->get<std::int64_t>();
}

Result<double> number_field_or(const Json& object, std::string_view key, double otherwise) {
  const Json* value = find(object, key);
  if (value == nullptr) return otherwise;
  if (!value->is_number()) return wrong_type(key, "a number");
  return value->get<double>();
}

Result<bool> bool_field_or(const Json& object, std::string_view key, bool otherwise) {
  const Json* value = find(object, key);
  if (value == nullptr) return otherwise;
  if (!value->is_boolean()) return wrong_type(key, "true or false");
  return value->get<bool>();
}

}  // namespace trialwright
