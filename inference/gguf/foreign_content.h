#pragma once

#include <cstddef>
#include <span>

namespace trialwright {

/// True for bytes that begin as Python pickles do: protocols 2 to 5, or the ZIP archive in which
/// PyTorch keeps one. Unpickling runs code from the file, so such files are never read further.
///
/// A Safetensors file may begin with the same bytes by chance, its header's length; it is told
/// apart by the '{' that follows.
bool is_pickle_content(std::span<const std::byte> bytes);

/// True for bytes that begin as Safetensors files do: eight bytes of length, then a JSON object.
bool is_safetensors_content(std::span<const std::byte> bytes);

}  // namespace trialwright
