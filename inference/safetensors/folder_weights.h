#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "inference/gguf/gguf_file.h"
#include "inference/safetensors/folder_config.h"
#include "inference/safetensors/safetensors_file.h"

namespace trialwright {

/// GGUF's name of a tensor that Transformers calls `name`; nothing for a name that is none of the
/// architecture's.
std::optional<std::string> gguf_tensor_name(const FolderArchitecture& architecture,
                                            std::string_view name);

/// Adds the tensors of a folder under GGUF's names, as llama.cpp's converter would write them:
///
/// - Rows of queries and keys are put in GGUF's order where the architecture permutes them: of each
///   head, row i of the first half and row i of the second become rows 2i and 2i + 1.
/// - Norm weights get one added where the architecture shifts them, in single precision, which is
///   how the reference computes them.
/// - A head that is tied to the embedding is left out, and so are stored angles, which are
/// computed.
/// - The divisors of the rope angles are added as a tensor.
///
/// All other data stays where it is. A tensor with an unknown name keeps it, for the loader to
/// refuse. Errors: Invalid, naming tensor and field.
Result<void> add_folder_tensors(const FolderConfig& config,
                                const std::vector<SafetensorsTensor>& found, ModelTensors& tensors);

}  // namespace trialwright
