#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace trialwright {

/// The fields of one JSON object of a model's folder, read by name.
///
/// A field that is null counts as absent. The first mistake is kept, so that a list of fields reads
/// as a list; from then on values mean nothing. The text must outlive this.
class JsonFields {
 public:
  /// `prefix` stands in front of fields' names in messages: "rope_scaling.".
  explicit JsonFields(std::string_view json, std::string prefix = "");

  [[nodiscard]] bool has(const std::string& key) const;
  /// The fields of an object; of none where the field is absent.
  [[nodiscard]] JsonFields object(const std::string& key) const;
  [[nodiscard]] std::string_view raw(const std::string& key) const;

  std::int64_t integer(const std::string& key);
  std::int64_t integer_or(const std::string& key, std::int64_t otherwise);
  double number(const std::string& key);
  double number_or(const std::string& key, double otherwise);
  bool flag_or(const std::string& key, bool otherwise);
  std::string text_or(const std::string& key, std::string_view otherwise);
  /// A list of texts; empty where the field is absent.
  std::vector<std::string> texts(const std::string& key);
  /// One whole number or a list of them; empty where the field is absent.
  std::vector<std::int64_t> integers(const std::string& key);

  /// Keeps an error about a field: `field "x" WHAT`.
  void refuse(const std::string& key, const std::string& what);
  void keep(Error error);
  /// Keeps the error that `other` has, if it has one.
  void keep_of(const JsonFields& other);
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }

 private:
  template <typename T, typename Read>
  T read(const std::string& key, const char* kind, Read value_of);

  std::string prefix_;
  std::map<std::string, std::string_view> members_;
  std::optional<Error> error_;
};

}  // namespace trialwright
