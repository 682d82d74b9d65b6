#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace trialwright {

/// Keys and values as a GGUF file holds them, for a model whose own files say the same in another
/// format (`GgufFile::assemble`).
///
/// Keys keep the order in which they were added. A key added twice is found when they are read.
class GgufMetadata {
 public:
  void text(std::string_view key, std::string_view value);
  void integer(std::string_view key, std::int64_t value);
  void number(std::string_view key, float value);
  void boolean(std::string_view key, bool value);
  void texts(std::string_view key, const std::vector<std::string>& values);
  void integers(std::string_view key, const std::vector<std::int32_t>& values);
  void numbers(std::string_view key, const std::vector<float>& values);

  [[nodiscard]] std::int64_t count() const { return count_; }
  /// Key, type and value of each, one after the other, by the GGUF specification.
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  void begin(std::string_view key, std::uint32_t type);

  std::int64_t count_ = 0;
  std::string bytes_;
};

}  // namespace trialwright
