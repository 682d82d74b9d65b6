#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "inference/server/api_error.h"

namespace trialwright {

/// The first thing that is wrong with a request.
class Refusal {
 public:
  void refuse(std::string param, std::string message, std::string code = "invalid_value") {
    if (error_) return;
    error_ =
        ApiError{.message = std::move(message), .param = std::move(param), .code = std::move(code)};
  }
  [[nodiscard]] const std::optional<ApiError>& error() const { return error_; }

 private:
  std::optional<ApiError> error_;
};

/// Reads the fields of one JSON object of a request. A field that is null is absent.
///
/// What is wrong goes to the refusal and a value in range comes back, so that reading goes on; who
/// reads looks at the refusal in the end.
class FieldReader {
 public:
  /// path  where the object stands, such as "messages[2]"; empty for the body itself.
  FieldReader(const Json& object, std::string path, Refusal& refusal);

  [[nodiscard]] const Json* find(const std::string& name);
  std::int64_t integer(const std::string& name, std::int64_t otherwise, std::int64_t lowest,
                       std::int64_t highest);
  double number(const std::string& name, double otherwise, double lowest, double highest);
  bool flag(const std::string& name, bool otherwise);
  std::string text(const std::string& name, std::string_view otherwise);
  /// As `text`, but it must be there.
  std::string needed_text(const std::string& name);

  /// Fields that change nothing here, such as "user".
  void ignore(std::initializer_list<const char*> names);
  /// A field that may only say what holds anyway, or be absent.
  void only(const std::string& name, const Json& value);
  /// Refuses every field that nobody asked for.
  void refuse_others();

  void refuse(const std::string& name, const std::string& what, std::string code = "invalid_value");
  [[nodiscard]] std::string path_of(const std::string& name) const;

 private:
  const Json& object_;
  std::string path_;
  Refusal& refusal_;
  std::set<std::string> known_;
};

}  // namespace trialwright
