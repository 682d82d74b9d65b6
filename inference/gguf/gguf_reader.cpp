#include "inference/gguf/gguf_reader.h"

#include <bit>
#include <limits>

namespace trialwright {
namespace {

static_assert(std::endian::native == std::endian::little, "GGUF numbers are read as they lie");

// The type numbers of the GGUF specification.
constexpr std::uint32_t kU8 = 0;
constexpr std::uint32_t kI8 = 1;
constexpr std::uint32_t kU16 = 2;
constexpr std::uint32_t kI16 = 3;
constexpr std::uint32_t kU32 = 4;
constexpr std::uint32_t kI32 = 5;
constexpr std::uint32_t kF32 = 6;
constexpr std::uint32_t kBool = 7;
constexpr std::uint32_t kText = 8;
constexpr std::uint32_t kArray = 9;
constexpr std::uint32_t kU64 = 10;
constexpr std::uint32_t kI64 = 11;
constexpr std::uint32_t kF64 = 12;

/// Bytes of a value of fixed size; 0 for texts, arrays and unknown types.
std::uint64_t size_of_type(std::uint32_t type) {
  switch (type) {
    case kU8:
    case kI8:
    case kBool:
      return 1;
    case kU16:
    case kI16:
      return 2;
    case kU32:
    case kI32:
    case kF32:
      return 4;
    case kU64:
    case kI64:
    case kF64:
      return 8;
    default:
      return 0;
  }
}

template <typename T>
T load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

std::optional<std::int64_t> load_integer(std::uint32_t type, const std::byte* from) {
  switch (type) {
    case kU8:
      return load<std::uint8_t>(from);
    case kI8:
      return load<std::int8_t>(from);
    case kU16:
      return load<std::uint16_t>(from);
    case kI16:
      return load<std::int16_t>(from);
    case kU32:
      return load<std::uint32_t>(from);
    case kI32:
      return load<std::int32_t>(from);
    case kI64:
      return load<std::int64_t>(from);
    case kU64: {
      const auto value = load<std::uint64_t>(from);
      if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        return std::nullopt;
      }
      return static_cast<std::int64_t>(value);
    }
    default:
      return std::nullopt;
  }
}

std::string_view load_text(const std::byte*& from) {
  const auto size = load<std::uint64_t>(from);
  const std::string_view text(reinterpret_cast<const char*>(from + 8), size);
  from += 8 + size;
  return text;
}

}  // namespace

std::optional<std::string> GgufValue::text() const {
  if (type_ != kText) {
    return std::nullopt;
  }
  const std::byte* from = data_;
  return std::string(load_text(from));
}

std::optional<std::int64_t> GgufValue::integer() const { return load_integer(type_, data_); }

std::optional<double> GgufValue::number() const {
  if (type_ == kF32) {
    return static_cast<double>(load<float>(data_));
  }
  if (type_ == kF64) {
    return load<double>(data_);
  }
  return std::nullopt;
}

std::optional<bool> GgufValue::boolean() const {
  if (type_ != kBool) {
    return std::nullopt;
  }
  return *data_ != std::byte{0};
}

std::optional<std::vector<std::string_view>> GgufValue::texts() const {
  if (type_ != kArray || element_type_ != kText) {
    return std::nullopt;
  }
  std::vector<std::string_view> all;
  all.reserve(count_);
  const std::byte* from = data_;
  for (std::uint64_t i = 0; i < count_; ++i) {
    all.push_back(load_text(from));
  }
  return all;
}

std::optional<std::vector<std::int64_t>> GgufValue::integers() const {
  const std::uint64_t size = size_of_type(element_type_);
  if (type_ != kArray || size == 0 || element_type_ == kF32 || element_type_ == kF64) {
    return std::nullopt;
  }
  std::vector<std::int64_t> all;
  all.reserve(count_);
  for (std::uint64_t i = 0; i < count_; ++i) {
    // A list of truth values reads as zeros and ones.
    const auto value = load_integer(element_type_ == kBool ? kU8 : element_type_, data_ + i * size);
    if (!value) {
      return std::nullopt;
    }
    all.push_back(*value);
  }
  return all;
}

std::optional<std::vector<float>> GgufValue::numbers() const {
  if (type_ != kArray || (element_type_ != kF32 && element_type_ != kF64)) {
    return std::nullopt;
  }
  std::vector<float> all;
  all.reserve(count_);
  for (std::uint64_t i = 0; i < count_; ++i) {
    all.push_back(element_type_ == kF32 ? load<float>(data_ + i * 4)
                                        : static_cast<float>(load<double>(data_ + i * 8)));
  }
  return all;
}

const std::byte* GgufReader::take(std::uint64_t count) {
  if (failed_ || count > bytes_.size() - position_) {
    failed_ = true;
    return nullptr;
  }
  const std::byte* from = bytes_.data() + position_;
  position_ += count;
  return from;
}

std::string_view GgufReader::text() {
  const auto size = number<std::uint64_t>();
  const std::byte* from = take(size);
  if (from == nullptr) {
    return {};
  }
  return {reinterpret_cast<const char*>(from), size};
}

bool GgufReader::value(GgufValue& value) {
  value.type_ = number<std::uint32_t>();
  value.element_type_ = value.type_;
  if (value.type_ == kArray) {
    value.element_type_ = number<std::uint32_t>();
    value.count_ = number<std::uint64_t>();
  }
  if (failed_) {
    return true;
  }
  value.data_ = bytes_.data() + position_;
  if (value.element_type_ == kText) {
    // Each text takes at least eight bytes, so a hostile count ends at the end of the file.
    for (std::uint64_t i = 0; i < value.count_ && !failed_; ++i) {
      text();
    }
    return true;
  }
  const std::uint64_t size = size_of_type(value.element_type_);
  if (size == 0) {
    return false;
  }
  if (value.count_ > bytes_.size() / size) {
    failed_ = true;
    return true;
  }
  take(value.count_ * size);
  return true;
}

}  // namespace trialwright
