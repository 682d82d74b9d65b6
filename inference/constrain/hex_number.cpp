#include "inference/constrain/hex_number.h"

#include <charconv>

namespace trialwright {

std::optional<char32_t> read_hex_number(std::string_view text, std::size_t& at, int digits) {
  std::string_view number = text.substr(at).substr(0, static_cast<std::size_t>(digits));
  std::size_t end = at + static_cast<std::size_t>(digits);
  if (number.starts_with('{')) {
    const std::size_t close = text.find('}', at);
    if (close == std::string_view::npos) return std::nullopt;
    number = text.substr(at + 1, close - at - 1);
    end = close + 1;
  } else if (number.size() < static_cast<std::size_t>(digits)) {
    return std::nullopt;
  }
  std::uint32_t value = 0;
  const char* const number_end = number.data() + number.size();
  const auto [stopped, error] = std::from_chars(number.data(), number_end, value, 16);
  const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (error != std::errc() || stopped != number_end || surrogate || value > 0x10FFFF) {
    return std::nullopt;
  }
  at = end;
  return static_cast<char32_t>(value);
}

}  // namespace trialwright
