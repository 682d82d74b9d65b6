#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "inference/gguf/tensor_type.h"

namespace trialwright {

/// One tensor of a Safetensors file.
struct SafetensorsTensor {
  std::string name;
  TensorType type = TensorType::F32;  ///< F32, F16 or BF16.
  std::vector<std::int64_t> shape;    ///< The last one is contiguous; empty for a single number.
  std::span<const std::byte> data;
};

/// Reads the header of a Safetensors file: eight bytes of length, a JSON object of tensors, then
/// their data without gaps (https://github.com/huggingface/safetensors, "Format").
///
/// The tensors come in the order of the header and borrow from `bytes`. `name` stands for the file
/// in messages. Every length and offset is checked here, so a truncated or hostile file is an error
/// here and nowhere later.
/// Errors: Invalid, naming file and tensor; Python pickles and number types other than F32, F16 and
/// BF16 are refused by name.
Result<std::vector<SafetensorsTensor>> parse_safetensors(std::span<const std::byte> bytes,
                                                         const std::string& name);

}  // namespace trialwright
