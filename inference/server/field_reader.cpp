#include "inference/server/field_reader.h"

#include <cmath>

namespace trialwright {

namespace {

const Json& object_or_empty(const Json& json) {
  static const Json kEmpty = Json::object();
  return json.is_object() ? json : kEmpty;
}

}  // namespace

FieldReader::FieldReader(const Json& object, std::string path, Refusal& refusal)
    : object_(object_or_empty(object)), path_(std::move(path)), refusal_(refusal) {
  if (!object.is_object()) {
    refusal_.refuse(path_, (path_.empty() ? "the body" : path_) + " must be an object",
                    "invalid_type");
  }
}

std::string FieldReader::path_of(const std::string& name) const {
  return path_.empty() ? name : path_ + "." + name;
}

void FieldReader::refuse(const std::string& name, const std::string& what, std::string code) {
  refusal_.refuse(path_of(name), path_of(name) + " " + what, std::move(code));
}

const Json* FieldReader::find(const std::string& name) {
  known_.insert(name);
  const auto found = object_.find(name);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

std::int64_t FieldReader::integer(const std::string& name, std::int64_t otherwise,
                                  std::int64_t lowest, std::int64_t highest) {
  const Json* value = find(name);
  if (value == nullptr) return otherwise;
  const std::string wanted =
      "must be a whole number from " + std::to_string(lowest) + " to " + std::to_string(highest);
  if (!value->is_number_integer()) {
    refuse(name, wanted, "invalid_type");
    return otherwise;
  }
  const bool is_huge = value->is_number_unsigned() &&
                       value->get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX);
  if (is_huge || value->get<std::int64_t>() < lowest || value->get<std::int64_t>() > highest) {
    refuse(name, wanted);
    return otherwise;
  }
  return value->get<std::int64_t>();
}

double FieldReader::number(const std::string& name, double otherwise, double lowest,
                           double highest) {
  const Json* value = find(name);
  if (value == nullptr) return otherwise;
  const std::string wanted =
      "must be a number from " + to_text(Json(lowest)) + " to " + to_text(Json(highest));
  if (!value->is_number()) {
    refuse(name, wanted, "invalid_type");
    return otherwise;
  }
  const double number = value->get<double>();
  if (!std::isfinite(number) || number < lowest || number > highest) {
    refuse(name, wanted);
    return otherwise;
  }
  return number;
}

bool FieldReader::flag(const std::string& name, bool otherwise) {
  const Json* value = find(name);
  if (value == nullptr) return otherwise;
  if (!value->is_boolean()) {
    refuse(name, "must be true or false", "invalid_type");
    return otherwise;
  }
  return value->get<bool>();
}

std::string FieldReader::text(const std::string& name, std::string_view otherwise) {
  const Json* value = find(name);
  if (value == nullptr) return std::string(otherwise);
  if (!value->is_string()) {
    refuse(name, "must be a string", "invalid_type");
    return std::string(otherwise);
  }
  return value->get<std::string>();
}

std::string FieldReader::needed_text(const std::string& name) {
  if (find(name) == nullptr) {
    refuse(name, "is missing", "missing_required_parameter");
    return "";
  }
  return text(name, "");
}

void FieldReader::ignore(std::initializer_list<const char*> names) {
  for (const char* name : names) known_.insert(name);
}

void FieldReader::only(const std::string& name, const Json& value) {
  const Json* given = find(name);
  // Numbers are equal whatever their JSON type.
  if (given == nullptr || *given == value) return;
  refuse(name, "is not supported, except as " + to_text(value), "unsupported_value");
}

void FieldReader::refuse_others() {
  for (const auto& [name, value] : object_.items()) {
    if (known_.contains(name) || value.is_null()) continue;
    refuse(name, "is not supported", "unsupported_parameter");
  }
}

}  // namespace trialwright
