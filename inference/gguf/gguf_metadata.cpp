#include "inference/gguf/gguf_metadata.h"

#include <bit>
#include <cstring>

namespace trialwright {
namespace {

static_assert(std::endian::native == std::endian::little, "GGUF numbers are written as they lie");

// The type numbers of the GGUF specification that are written here.
constexpr std::uint32_t kI32 = 5;
constexpr std::uint32_t kF32 = 6;
constexpr std::uint32_t kBool = 7;
constexpr std::uint32_t kText = 8;
constexpr std::uint32_t kArray = 9;
constexpr std::uint32_t kI64 = 11;

template <typename T>
void append(std::string& bytes, T value) {
  char raw[sizeof(T)];
  std::memcpy(raw, &value, sizeof(T));
  bytes.append(raw, sizeof(T));
}

void append_text(std::string& bytes, std::string_view text) {
  append<std::uint64_t>(bytes, text.size());
  bytes += text;
}

}  // namespace

void GgufMetadata::begin(std::string_view key, std::uint32_t type) {
  append_text(bytes_, key);
  append(bytes_, type);
  ++count_;
}

void GgufMetadata::text(std::string_view key, std::string_view value) {
  begin(key, kText);
  append_text(bytes_, value);
}

void GgufMetadata::integer(std::string_view key, std::int64_t value) {
  begin(key, kI64);
  append(bytes_, value);
}

void GgufMetadata::number(std::string_view key, float value) {
  begin(key, kF32);
  append(bytes_, value);
}

void GgufMetadata::boolean(std::string_view key, bool value) {
  begin(key, kBool);
  append<std::uint8_t>(bytes_, value ? 1 : 0);
}

void GgufMetadata::texts(std::string_view key, const std::vector<std::string>& values) {
  begin(key, kArray);
  append(bytes_, kText);
  append<std::uint64_t>(bytes_, values.size());
  for (const std::string& value : values) {
    append_text(bytes_, value);
  }
}

void GgufMetadata::integers(std::string_view key, const std::vector<std::int32_t>& values) {
  begin(key, kArray);
  append(bytes_, kI32);
  append<std::uint64_t>(bytes_, values.size());
  for (const std::int32_t value : values) {
    append(bytes_, value);
  }
}

void GgufMetadata::numbers(std::string_view key, const std::vector<float>& values) {
  begin(key, kArray);
  append(bytes_, kF32);
  append<std::uint64_t>(bytes_, values.size());
  for (const float value : values) {
    append(bytes_, value);
  }
}

}  // namespace trialwright
