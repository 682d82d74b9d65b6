#include "inference/safetensors/json_fields.h"

#include <charconv>
#include <cmath>

#include "base/json_cursor.h"

namespace trialwright {

namespace {

std::optional<double> read_number(JsonCursor& cursor) {
  const std::string_view text = cursor.skip();
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
    return std::nullopt;
  }
  return value;
}

}  // namespace

JsonFields::JsonFields(std::string_view json, std::string prefix) : prefix_(std::move(prefix)) {
  auto members = json_members(json);
  if (!members) {
    keep(members.error());
  } else {
    members_ = *std::move(members);
  }
}

bool JsonFields::has(const std::string& key) const {
  const auto found = members_.find(key);
  return found != members_.end() && found->second != "null";
}

std::string_view JsonFields::raw(const std::string& key) const {
  return has(key) ? members_.at(key) : std::string_view();
}

JsonFields JsonFields::object(const std::string& key) const {
  JsonFields fields(has(key) ? members_.at(key) : "{}", prefix_ + key + ".");
  if (fields.error_) fields.error_ = fields.error_->during("field \"" + prefix_ + key + "\"");
  return fields;
}

template <typename T, typename Read>
T JsonFields::read(const std::string& key, const char* kind, Read value_of) {
  if (!has(key)) {
    refuse(key, "is missing");
    return T{};
  }
  JsonCursor cursor(members_.at(key));
  std::optional<T> value = value_of(cursor);
  if (!value || !cursor.finish()) {
    refuse(key, std::string("must be ") + kind);
    return T{};
  }
  return *std::move(value);
}

std::int64_t JsonFields::integer(const std::string& key) {
  return read<std::int64_t>(key, "a whole number",
                            [](JsonCursor& cursor) { return cursor.integer(); });
}

std::int64_t JsonFields::integer_or(const std::string& key, std::int64_t otherwise) {
  return has(key) ? integer(key) : otherwise;
}

double JsonFields::number(const std::string& key) {
  return read<double>(key, "a number", read_number);
}

double JsonFields::number_or(const std::string& key, double otherwise) {
  return has(key) ? number(key) : otherwise;
}

bool JsonFields::flag_or(const std::string& key, bool otherwise) {
  if (!has(key)) return otherwise;
  return read<bool>(key, "true or false", [](JsonCursor& cursor) { return cursor.boolean(); });
}

std::string JsonFields::text_or(const std::string& key, std::string_view otherwise) {
  if (!has(key)) return std::string(otherwise);
  return read<std::string>(key, "a text", [](JsonCursor& cursor) { return cursor.text(); });
}

std::vector<std::string> JsonFields::texts(const std::string& key) {
  if (!has(key)) return {};
  using Texts = std::vector<std::string>;
  return read<Texts>(key, "a list of texts", [](JsonCursor& cursor) -> std::optional<Texts> {
    Texts all;
    cursor.enter_array();
    while (cursor.next_element()) all.push_back(cursor.text().value_or(""));
    return all;
  });
}

std::vector<std::int64_t> JsonFields::integers(const std::string& key) {
  if (!has(key)) return {};
  using Integers = std::vector<std::int64_t>;
  return read<Integers>(key, "a whole number or a list of them",
                        [](JsonCursor& cursor) -> std::optional<Integers> {
                          if (!cursor.at_array()) return Integers{cursor.integer().value_or(0)};
                          Integers all;
                          cursor.enter_array();
                          while (cursor.next_element()) all.push_back(cursor.integer().value_or(0));
                          return all;
                        });
}

void JsonFields::refuse(const std::string& key, const std::string& what) {
  keep(invalid("field \"" + prefix_ + key + "\" " + what));
}

void JsonFields::keep(Error error) {
  if (!error_) error_ = std::move(error);
}

void JsonFields::keep_of(const JsonFields& other) {
  if (other.error_) keep(*other.error_);
}

}  // namespace trialwright
