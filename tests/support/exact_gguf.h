#pragma once

#include <filesystem>

#include "base/result.h"

namespace trialwright {

/// Writes the model `source` to `target` with every tensor as F32: the very numbers that the stored
/// ones stand for, by `dequantize_row`. The metadata stays as it is, byte for byte.
///
/// Such a model computes without rounding activations to 8 bits, so that two right programs agree
/// to nearly the last digit. Takes four bytes a weight on disk, and little memory.
///
/// Errors: as GgufFile::open; Unavailable if the target cannot be written.
Result<void> write_exact_gguf(const std::filesystem::path& source,
                              const std::filesystem::path& target);

}  // namespace trialwright
