#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "inference/gguf/tensor_type.h"

namespace trialwright {

/// Writes Safetensors files for tests. Nothing is checked: a test that wants a file with a mistake
/// makes it here.
class SafetensorsWriter {
 public:
  /// shape[0] is the outermost dimension, as the format has it.
  SafetensorsWriter& tensor(std::string_view name, std::string_view dtype,
                            const std::vector<std::int64_t>& shape, std::string_view data);

  /// The whole file. The header is padded with spaces to a multiple of `header_alignment`.
  [[nodiscard]] std::string bytes(std::size_t header_alignment = 8) const;

 private:
  std::string members_;
  std::string data_;
};

/// A file with this header and data, whatever they are.
std::string safetensors_bytes(std::string_view header, std::string_view data);

}  // namespace trialwright
