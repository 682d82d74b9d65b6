#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "inference/gguf/gguf_file.h"

namespace trialwright {

/// Where tensors begin in a file that does not say otherwise: at multiples of this.
constexpr std::size_t kGgufAlignment = 32;

constexpr std::size_t padded(std::size_t bytes) {
  return (bytes + kGgufAlignment - 1) / kGgufAlignment * kGgufAlignment;
}

/// Appends a number's bytes.
template <typename T>
void put(std::string& out, T value) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  out.append(bytes, sizeof(T));
}

/// Writes GGUF files for tests, right ones and wrong ones.
///
/// Keys and tensors come out in the order in which they were added. Nothing is checked: a test that
/// wants a file with a mistake makes it here.
class GgufWriter {
 public:
  explicit GgufWriter(std::uint32_t version = 3) : version_(version) {}

  GgufWriter& text(std::string_view key, std::string_view value);
  GgufWriter& u32(std::string_view key, std::uint32_t value);
  GgufWriter& u64(std::string_view key, std::uint64_t value);
  GgufWriter& f32(std::string_view key, float value);
  GgufWriter& boolean(std::string_view key, bool value);
  GgufWriter& texts(std::string_view key, const std::vector<std::string>& values);
  GgufWriter& i32s(std::string_view key, const std::vector<std::int32_t>& values);
  GgufWriter& f32s(std::string_view key, const std::vector<float>& values);
  /// A key of any type number, with its value's bytes as given.
  GgufWriter& raw(std::string_view key, std::uint32_t type, std::string_view value);

  /// `data` are the tensor's blocks; shape[0] is the contiguous dimension.
  GgufWriter& tensor(std::string_view name, TensorType type, std::vector<std::int64_t> shape,
                     std::string data);
  GgufWriter& f32_tensor(std::string_view name, std::vector<std::int64_t> shape,
                         const std::vector<float>& values);

  /// The whole file.
  [[nodiscard]] std::string bytes() const;

 private:
  struct Tensor {
    std::string name;
    TensorType type;
    std::vector<std::int64_t> shape;
    std::string data;
  };
  std::uint32_t version_;
  std::int64_t key_count_ = 0;
  std::string keys_;
  std::vector<Tensor> tensors_;
};

/// The bytes of a text, for GgufFile::parse.
std::span<const std::byte> as_bytes(std::string_view text);

}  // namespace trialwright
