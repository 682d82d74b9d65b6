#include "inference/gguf/foreign_content.h"

#include <cstring>
#include <string_view>

namespace trialwright {
namespace {

bool starts_with(std::span<const std::byte> bytes, std::string_view magic) {
  return bytes.size() >= magic.size() && std::memcmp(bytes.data(), magic.data(), magic.size()) == 0;
}

}  // namespace

bool is_safetensors_content(std::span<const std::byte> bytes) {
  // The upper half of the length is zero in any file of less than four gigabytes of header.
  return bytes.size() >= 10 && bytes[4] == std::byte{0} && bytes[5] == std::byte{0} &&
         bytes[6] == std::byte{0} && bytes[7] == std::byte{0} && bytes[8] == std::byte{'{'};
}

bool is_pickle_content(std::span<const std::byte> bytes) {
  if (is_safetensors_content(bytes)) {
    return false;
  }
  return starts_with(bytes, std::string_view("PK\x03\x04", 4)) ||
         (bytes.size() >= 2 && bytes[0] == std::byte{0x80} && bytes[1] >= std::byte{1} &&
          bytes[1] <= std::byte{5});
}

}  // namespace trialwright
